/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * route.c: the order of the routes and the hand-over of one utterance at a time.
 */
#include "daemon/route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"

#define WAITING_MAX 64u
#define LIMIT_MS 280u
#define CALL_MARGIN_MS 30u
#define COMMITTED_MS 5000	/* no answer for so long: taken as said, for it may have been */
#define SPEAKING_FIRST_MS 500	/* an unknown voice's start … */
#define SPEAKING_BYTE_MS 70	/* … and pace: 175 words a minute */

const char *const route_choices[] = { "auto", "orca", "speech-dispatcher", "own", NULL };

static const struct route_driver *const drivers[] = { &route_orca, &route_speechd, &route_own };
#define DRIVERS (sizeof(drivers) / sizeof(*drivers))

struct waiting {
	struct waiting *next;
	struct route_text text;
	char bytes[];		/* text, language */
};

struct routes {
	struct loop *loop;
	struct routes_options options;
	enum route_choice choice;
	unsigned limit_ms;
	void *driver[DRIVERS];
	uint64_t speaking_until[DRIVERS];	/* for drivers that do not tell */
	bool used[DRIVERS];			/* since the last stop */
	struct waiting *first, **end;
	unsigned count;
	/* the hand-over of `first` */
	bool asking, committed;
	size_t asked;				/* index of the driver */
	char skipped[256];			/* why the ones before it did not take it */
	struct loop_source *limit, *next, *quiet;
	/* the last that took one */
	const char *name;
	char reason[512];
};

static void ask(struct routes *routes);

static void changed(struct routes *routes)
{
	routes->options.on_change(routes->options.data);
}

/* Whether the configuration lets this driver be tried at all. The own voice comes
 * last always: a user who cannot see must be told something. */
static bool allowed(enum route_choice choice, size_t driver)
{
	switch (choice) {
	case ROUTE_AUTO:
		return true;
	case ROUTE_ORCA:
		return drivers[driver] != &route_speechd;
	case ROUTE_SPEECH_DISPATCHER:
		return drivers[driver] != &route_orca;
	case ROUTE_OWN:
		break;
	}
	return drivers[driver] == &route_own;
}

static void drop_first(struct routes *routes)
{
	struct waiting *first = routes->first;

	loop_stop_timer(routes->limit);
	routes->asking = routes->committed = false;
	routes->first = first->next;
	if (!routes->first)
		routes->end = &routes->first;
	routes->count--;
	free(first);
}

static void drop_all(struct routes *routes)
{
	if (routes->asking)
		drivers[routes->asked]->cancel(routes->driver[routes->asked]);
	while (routes->first)
		drop_first(routes);
	loop_stop_timer(routes->next);
}

static void ask_driver(struct routes *routes)
{
	routes->asking = true;
	routes->committed = false;
	loop_start_timer(routes->limit, routes->limit_ms, 0);
	drivers[routes->asked]->say(routes->driver[routes->asked], &routes->first->text);
}

static void ask_from(struct routes *routes, size_t driver)
{
	while (driver < DRIVERS && (!routes->driver[driver] || !allowed(routes->choice, driver)))
		driver++;
	if (driver == DRIVERS) {
		log_warning("Nobody could speak:%s.", routes->skipped);
		drop_first(routes);
		changed(routes);
		loop_start_timer(routes->next, 0, 0);
		return;
	}
	routes->asked = driver;
	routes->first->text.forced = routes->choice != ROUTE_AUTO;
	ask_driver(routes);
}

static void ask(struct routes *routes)
{
	if (!routes->first || routes->asking)
		return;
	routes->skipped[0] = '\0';
	ask_from(routes, 0);
}

static void on_next(void *data)
{
	ask(data);
}

/* --- The drivers' answers -------------------------------------------------------- */

void route_committed(struct routes *routes)
{
	routes->committed = true;
	loop_start_timer(routes->limit, COMMITTED_MS, 0);
}

static void on_quiet(void *data)
{
	changed(data);
}

/* Two voices never speak at the same time: the others fall silent. */
static void silence_others(struct routes *routes, size_t driver)
{
	for (size_t i = 0; i < DRIVERS; i++) {
		if (i == driver || !routes->used[i])
			continue;
		drivers[i]->stop(routes->driver[i]);
		routes->used[i] = false;
		routes->speaking_until[i] = 0;
	}
}

void route_taken(struct routes *routes, const char *why)
{
	size_t driver = routes->asked;
	uint64_t length;

	if (!routes->asking)
		return;
	length = SPEAKING_FIRST_MS + strlen(routes->first->text.text) * SPEAKING_BYTE_MS;
	routes->used[driver] = true;
	if (!drivers[driver]->speaking) {
		routes->speaking_until[driver] = loop_now() + length;
		loop_start_timer(routes->quiet, length + 1, 0);
	}
	routes->name = drivers[driver]->name;
	snprintf(routes->reason, sizeof(routes->reason), "%s%s%s", why,
		 *routes->skipped ? ";" : "", routes->skipped);
	silence_others(routes, driver);
	drop_first(routes);
	changed(routes);
	loop_start_timer(routes->next, 0, 0);
}

void route_refused(struct routes *routes, const char *why)
{
	size_t length = strlen(routes->skipped);

	if (!routes->asking)
		return;
	loop_stop_timer(routes->limit);
	snprintf(routes->skipped + length, sizeof(routes->skipped) - length, "%s %s: %s",
		 length ? "," : "", drivers[routes->asked]->name, why);
	routes->asking = false;
	ask_from(routes, routes->asked + 1);
}

static void on_limit(void *data)
{
	struct routes *routes = data;

	drivers[routes->asked]->cancel(routes->driver[routes->asked]);
	if (routes->committed)
		route_taken(routes, "it took the text without a word");
	else
		route_refused(routes, "it does not answer");
}

int route_call_limit(const struct routes *routes)
{
	return (int)(routes->limit_ms - CALL_MARGIN_MS);
}

DBusConnection *route_connection(struct routes *routes)
{
	return routes->options.connection(routes->options.data);
}

const struct routes_options *route_options(const struct routes *routes)
{
	return &routes->options;
}

/* --- The daemon's side ------------------------------------------------------------ */

int routes_open(struct loop *loop, const struct routes_options *options,
		struct routes **ret_routes)
{
	struct routes *routes = calloc(1, sizeof(*routes));
	int r;

	if (!routes)
		return -ENOMEM;
	routes->loop = loop;
	routes->options = *options;
	routes->limit_ms = LIMIT_MS;
	routes->end = &routes->first;
	routes->name = "";
	r = loop_add_timer(loop, on_limit, routes, &routes->limit);
	if (r == 0)
		r = loop_add_timer(loop, on_next, routes, &routes->next);
	if (r == 0)
		r = loop_add_timer(loop, on_quiet, routes, &routes->quiet);
	for (size_t i = 0; r == 0 && i < DRIVERS; i++)
		r = drivers[i]->open(loop, routes, &routes->driver[i]);
	if (r < 0) {
		routes_free(routes);
		return r;
	}
	*ret_routes = routes;
	return 0;
}

struct routes *routes_free(struct routes *routes)
{
	if (!routes)
		return NULL;
	if (routes->limit && routes->next)
		drop_all(routes);
	for (size_t i = 0; i < DRIVERS; i++)
		if (routes->driver[i])
			drivers[i]->free(routes->driver[i]);
	loop_source_free(routes->limit);
	loop_source_free(routes->next);
	loop_source_free(routes->quiet);
	free(routes);
	return NULL;
}

void routes_choose(struct routes *routes, enum route_choice choice, unsigned milliseconds)
{
	routes->choice = choice;
	routes->limit_ms = milliseconds;
}

int routes_say(struct routes *routes, const char *text, enum tts_priority priority,
	       const char *language)
{
	size_t text_size = strlen(text) + 1;
	size_t language_size = language && *language ? strlen(language) + 1 : 0;
	struct waiting *waiting;

	if (priority == TTS_NOW)
		drop_all(routes);
	if (routes->count == WAITING_MAX)
		return -ENOBUFS;
	waiting = malloc(sizeof(*waiting) + text_size + language_size);
	if (!waiting)
		return -ENOMEM;
	waiting->next = NULL;
	waiting->text = (struct route_text){
		.text = memcpy(waiting->bytes, text, text_size),
		.language = language_size ? memcpy(waiting->bytes + text_size, language,
						   language_size) : NULL,
		.priority = priority,
	};
	*routes->end = waiting;
	routes->end = &waiting->next;
	routes->count++;
	ask(routes);
	return 0;
}

void routes_stop(struct routes *routes)
{
	/* what was committed but not answered may be heard: it is stopped too */
	if (routes->asking && routes->committed)
		routes->used[routes->asked] = true;
	drop_all(routes);
	for (size_t i = 0; i < DRIVERS; i++) {
		if (routes->driver[i] && (routes->used[i] || drivers[i] == &route_own))
			drivers[i]->stop(routes->driver[i]);
		routes->used[i] = false;
		routes->speaking_until[i] = 0;
	}
	changed(routes);
}

bool routes_speaking(const struct routes *routes)
{
	uint64_t now = loop_now();

	if (routes->first)
		return true;
	for (size_t i = 0; i < DRIVERS; i++) {
		if (!routes->driver[i])
			continue;
		if (drivers[i]->speaking ? drivers[i]->speaking(routes->driver[i])
					 : routes->speaking_until[i] > now)
			return true;
	}
	return false;
}

const char *routes_name(const struct routes *routes)
{
	return routes->name;
}

const char *routes_reason(const struct routes *routes)
{
	return routes->reason;
}
