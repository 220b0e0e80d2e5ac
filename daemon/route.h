/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * route.h: by whose voice an utterance reaches the user.
 *
 * A blind user of a desktop already has a voice, the screen reader's; Descry
 * speaks through it where it can and never over it. A route is one way to be
 * heard: Orca, Speech Dispatcher, or the daemon's own voice. Which one is chosen
 * anew for each utterance: the routes are asked in order, each has a moment (280 ms
 * unless configured otherwise) to take the text, and the first that takes it has it for good. A route that was
 * too slow must not speak it after all, so nothing is ever said twice.
 *
 * Utterances are handed over one at a time, so that their order holds.
 */
#ifndef DAEMON_ROUTE_H
#define DAEMON_ROUTE_H

#include <dbus/dbus.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/loop.h"
#include "tts/tts.h"

enum route_choice { ROUTE_AUTO, ROUTE_ORCA, ROUTE_SPEECH_DISPATCHER, ROUTE_OWN };
extern const char *const route_choices[];	/* NULL-terminated, for the configuration */

struct routes;

struct routes_options {
	/* Speaking began or ended, or the route changed. */
	void (*on_change)(void *data);
	/* The daemon's own voice: takes the text or says why not. */
	bool (*own_say)(void *data, const char *text, enum tts_priority priority,
			const char *language, char *ret_why, size_t size);
	void (*own_stop)(void *data);
	bool (*own_speaking)(void *data);
	/* The bus's connection now, or NULL. */
	DBusConnection *(*connection)(void *data);
	void *data;
};

int routes_open(struct loop *loop, const struct routes_options *options,
		struct routes **ret_routes);
struct routes *routes_free(struct routes *routes);
/* `milliseconds`: for one route to take an utterance or not, at least 100. */
void routes_choose(struct routes *routes, enum route_choice choice, unsigned milliseconds);

/* Queues an utterance for hand-over. 0, -ENOMEM, or -ENOBUFS when too many wait. */
int routes_say(struct routes *routes, const char *text, enum tts_priority priority,
	       const char *language);
/* Silences whichever route speaks and drops what waits. */
void routes_stop(struct routes *routes);
/* Whether something is spoken or about to be. Orca does not tell when it has
 * finished: there it is judged by the length of the text. */
bool routes_speaking(const struct routes *routes);
/* The route that took the last utterance, and why that one. */
const char *routes_name(const struct routes *routes);
const char *routes_reason(const struct routes *routes);

/* --- For drivers ------------------------------------------------------------- */

/* The utterance being handed over. */
struct route_text {
	const char *text, *language;	/* language: NULL for the voice's own */
	enum tts_priority priority;
	/* The user forced this route: the driver skips the question whether it is fitting. */
	bool forced;
};

/* The driver's answer, once for each say: `why` tells in a clause why it can
 * speak, or why it cannot. Not called after cancel. */
void route_taken(struct routes *routes, const char *why);
void route_refused(struct routes *routes, const char *why);
/* From here on the text may be heard: the limit no longer holds for the answer. */
void route_committed(struct routes *routes);
DBusConnection *route_connection(struct routes *routes);
/* The milliseconds that a call may take, a little less than the route has. */
int route_call_limit(const struct routes *routes);

struct route_driver {
	const char *name;
	int (*open)(struct loop *loop, struct routes *routes, void **ret_driver);
	void (*free)(void *driver);
	/* May answer at once. The text is valid until the answer or cancel. */
	void (*say)(void *driver, const struct route_text *text);
	/* The text must not be spoken any more if it has not been handed over. */
	void (*cancel)(void *driver);
	/* Silences what was handed over. */
	void (*stop)(void *driver);
	/* NULL: unknown, judged by the length of the text. */
	bool (*speaking)(void *driver);
};
extern const struct route_driver route_orca, route_speechd, route_own;

/* For route_own: the options of routes_open(). */
const struct routes_options *route_options(const struct routes *routes);

#endif
