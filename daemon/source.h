/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * source.h: where pictures come from, behind one small interface.
 *
 * A source is a camera, a program, a folder, a network camera or a list of
 * files, known by the name that its section of the configuration bears. Nobody
 * opens or closes one: whoever needs a picture takes one, and the source opens
 * what must be opened, waits until the exposure has settled, passes on the first
 * picture that is newer than the request, stays open for the configured warm
 * time, and closes. Between two requests a warm camera costs no wake-ups.
 *
 * Everything runs on the loop. A driver (source_*.c) only knows how to open,
 * deliver and close; time-outs, freshness, settling, back-off and warm time are
 * the same for all and stand in source.c.
 */
#ifndef DAEMON_SOURCE_H
#define DAEMON_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/frame.h"
#include "daemon/loop.h"

enum source_kind {
	SOURCE_V4L2,
	SOURCE_COMMAND,
	SOURCE_FOLDER,
	SOURCE_HTTP,
	SOURCE_FILES,
};

enum source_format { SOURCE_FORMAT_AUTO, SOURCE_FORMAT_MJPG, SOURCE_FORMAT_YUYV,
		     SOURCE_FORMAT_NV12, SOURCE_FORMAT_GREY };

/* One section of the configuration. The source copies it. */
struct source_settings {
	const char *name;
	enum source_kind kind;
	const char *device;	/* V4L2: a path, part of the camera's name, or "auto" */
	enum source_format format;
	unsigned width, height;	/* the nearest offered size is used */
	const char *command;	/* COMMAND */
	bool shell;		/* pass it to /bin/sh instead of splitting it at blanks */
	const char *folder;	/* FOLDER */
	const char *url;	/* HTTP */
	const char *files;	/* FILES: paths or patterns, separated by colons */
	unsigned warm_ms;	/* stays open so long after the last request */
	unsigned settle_frames;	/* the most frames dropped until the brightness is stable */
	unsigned open_ms;	/* the longest wait for the first picture */
	unsigned stall_ms;	/* the longest wait for a further one */
	size_t picture_limit;	/* bytes of an encoded picture */
};

enum source_status {
	SOURCE_OK = 0,
	SOURCE_ABSENT = 1,	/* no such camera, folder, program or host */
	SOURCE_BUSY = 2,	/* another program uses it */
	SOURCE_LOST = 3,	/* went away in the middle */
	SOURCE_SILENT = 4,	/* sent nothing in time */
	SOURCE_DAMAGED = 5,	/* sent only broken pictures */
	SOURCE_REFUSED = 6,	/* works, but offers nothing that can be used */
};

/* One plain sentence that can be spoken. */
struct source_error {
	enum source_status status;
	char message[256];
};

struct source;
struct source_request;

int source_open(struct loop *loop, const struct source_settings *settings,
		struct source **ret_source, struct source_error *error);
/* Requests still open are dropped without a call. Not from inside a callback. */
struct source *source_free(struct source *source);

const struct source_settings *source_settings(const struct source *source);
const char *source_kind_name(enum source_kind kind);

/* Either a frame, borrowed for the call, or an error. The request is gone. May
 * take the next one at once. */
typedef void source_taken_function(void *data, const struct frame *frame,
				   const struct source_error *error);

/* The first picture taken at `since_us` (frame_clock()) or later. The answer
 * comes from the loop, never from inside this call. 0 or -ENOMEM. */
int source_take(struct source *source, uint64_t since_us, source_taken_function *function,
		void *data, struct source_request **ret_request);
/* Takes NULL; returns NULL. The function is not called any more. */
struct source_request *source_cancel(struct source_request *request);

/* Somebody will probably take a picture in a moment: a camera opens now and
 * begins to settle. */
void source_prepare(struct source *source);
/* Closes it now, as before a sleep of the machine; who waits for a picture is told
 * why. It opens again when it is wanted. Not from inside a callback. */
void source_rest(struct source *source, const char *why);
/* Kept open between requests whatever the warm time says, as watching does. */
void source_keep(struct source *source, bool keep);

/* A folder reports each picture that arrives in it, without a request. NULL: no
 * more. The frame is borrowed; `name` is the file's. */
typedef void source_arrived_function(void *data, const struct frame *frame, const char *name);
int source_on_arrival(struct source *source, source_arrived_function *function, void *data,
		      struct source_error *error);

/* A sentence for the user although nobody waits for a picture: a camera that is open
 * between two requests went away, or is back. While somebody keeps it, it is theirs
 * to tell. */
typedef void source_notice_function(void *data, const char *sentence);
void source_on_notice(struct source *source, source_notice_function *function, void *data);

/* What the source is doing now, for status reports: "closed", "opening",
 * "running", "warm". */
const char *source_state(const struct source *source);

#endif
