/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * source_driver.h: what source.c and the drivers in source_*.c promise one
 * another.
 *
 * A driver is opened, delivers frames whenever it has them, and is closed. It
 * reports its end once, by source_failed() or source_ended(), as the last thing
 * it does in a callback; the core then closes it. The core never closes a driver
 * from inside source_deliver(), and closing twice does no harm.
 */
#ifndef DAEMON_SOURCE_DRIVER_H
#define DAEMON_SOURCE_DRIVER_H

#include "daemon/source.h"

struct source_driver {
	/* Allocates the driver's state; touches no device. */
	int (*create)(struct source *source, const struct source_settings *settings,
		      void **ret_state, struct source_error *error);
	void *(*destroy)(void *state);
	/* Begins to open; frames follow. Must not block. A failure may be returned
	 * or reported later. */
	int (*open)(void *state, struct source_error *error);
	void (*close)(void *state);
	/* Nobody needs frames now: stop delivering but stay open; then go on. NULL:
	 * the driver goes on delivering, and what is not needed is dropped. */
	void (*hold)(void *state);
	void (*resume)(void *state);
	/* Folders only: watch for arrivals also while nobody takes. */
	int (*listen)(void *state, bool on, struct source_error *error);
	bool settles;	/* its exposure adapts after opening */
	bool backs_off;	/* opening again is costly: wait longer after each failure */
	bool waits;	/* pictures come when they come: a silence is no fault */
};

extern const struct source_driver source_v4l2_driver;
extern const struct source_driver source_command_driver;
extern const struct source_driver source_folder_driver;
extern const struct source_driver source_http_driver;
extern const struct source_driver source_files_driver;

void source_deliver(struct source *source, const struct frame *frame);
/* The same for a picture that nobody asked for (folders). */
void source_arrived(struct source *source, const struct frame *frame, const char *name);
void source_failed(struct source *source, const struct source_error *error);
/* It has sent all that it will send; opening it again gives the next picture. */
void source_ended(struct source *source);
struct loop *source_loop(struct source *source);

/* Fills `error`, which may be NULL, and returns `status`. */
int source_fail(struct source_error *error, enum source_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
