/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * service_screen.c: DescribeFocus, DescribeScreen and DescribeClipboard.
 *
 * A picture of a screen is judged by other measures than a camera's: a dark
 * window is not an underexposed photo. It is refused only as blank, or as no
 * photo at all: text, icons and drawings are said as such.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/actions.h"
#include "daemon/frame.h"
#include "daemon/limits.h"
#include "daemon/options.h"
#include "daemon/quality.h"
#include "daemon/screen.h"
#include "daemon/service.h"
#include "daemon/shortcuts.h"

struct screen_options {
	bool speak, anything;
	unsigned beam, alternatives;
	enum config_verbosity verbosity;
};

static const struct config_key screen_keys[] = {
	{ "speak", CONFIG_BOOL, offsetof(struct screen_options, speak), "yes", 0, 0, NULL,
	  "Speak the sentence when it is there." },
	{ "anything", CONFIG_BOOL, offsetof(struct screen_options, anything), "no", 0, 0, NULL,
	  "Describe the picture whether it looks like a photo or not." },
	{ "beam", CONFIG_NUMBER, offsetof(struct screen_options, beam), "0", 0, 10, NULL,
	  "Sentences weighed side by side; 0: as configured." },
	{ "alternatives", CONFIG_NUMBER, offsetof(struct screen_options, alternatives), "3", 0,
	  10, NULL, "How many different sentences are wanted." },
	{ "verbosity", CONFIG_CHOICE, offsetof(struct screen_options, verbosity), "normal", 0, 0,
	  config_verbosities, "How much of it is spoken." },
};
#define SCREEN_KEY_COUNT (sizeof(screen_keys) / sizeof(*screen_keys))

static const char *const sources[] = { "screen:focus", "screen:all", "screen:clipboard" };

/* The tickets that wait for the picture being taken: of one subject, as only one
 * is taken at a time. */
struct service_screen {
	struct screen *screen;
	enum screen_subject subject;
	uint64_t tickets[LIMIT_TICKETS_PER_JOB];
	unsigned count;
	struct shortcuts *shortcuts;
};

static void on_looked(void *data, int picture, json_t *options, const struct failure *failure)
{
	struct service *service = data;
	struct service_screen *screen = service->screen;
	unsigned count = screen->count;

	screen->count = 0;
	for (unsigned i = 0; i < count; i++) {
		if (!jobs_wants_picture(service->jobs, screen->tickets[i]))
			continue;
		if (failure) {
			jobs_fail(service->jobs, screen->tickets[i], failure);
		} else {
			jobs_provide(service->jobs, screen->tickets[i], picture, options);
			picture = -1;
		}
	}
	if (picture >= 0)
		close(picture);
}

static json_t *job_options(struct service *service, const struct screen_options *options,
			   enum screen_subject subject)
{
	static const enum engine_quality_kind of_cameras[] = {
		ENGINE_QUALITY_DARK, ENGINE_QUALITY_BRIGHT, ENGINE_QUALITY_COVERED,
		ENGINE_QUALITY_BLURRED, ENGINE_QUALITY_TILTED,
	};
	json_t *object = service_job_options(service, options->beam, options->alternatives,
					     options->anything);
	struct engine_quality_limits limits;

	if (!object || options->anything || subject == SCREEN_CLIPBOARD)
		return object;
	quality_limits(service->config, &limits);
	for (size_t i = 0; i < sizeof(of_cameras) / sizeof(*of_cameras); i++)
		limits.doubt[of_cameras[i]] = limits.refuse[of_cameras[i]] = 2.0f;
	json_object_set_new(object, "quality", quality_option(&limits));
	return object;
}

/* Takes the picture, unless it is being taken already. */
static int look(struct service *service, enum screen_subject subject, uint64_t ticket,
		struct failure *failure)
{
	struct service_screen *screen = service->screen;
	int r;

	if (!screen->count || screen->subject != subject) {
		r = screen_look(screen->screen, subject, on_looked, service, failure);
		if (r)
			return r;
		screen->subject = subject;
		screen->count = 0;
	}
	if (screen->count < LIMIT_TICKETS_PER_JOB)
		screen->tickets[screen->count++] = ticket;
	return 0;
}

static void submit(struct service *service, DBusMessage *call, enum screen_subject subject)
{
	struct screen_options options = {
		.speak = true, .beam = service->config->caption_beam, .alternatives = 3,
		.verbosity = service->verbosity,
	};
	struct service_request *request = service_request_new(service, call, false);
	struct job_request job = {
		.source = sources[subject], .picture = -1, .done = service_request_done,
		.data = request,
	};
	struct failure failure;
	DBusMessageIter iter;
	uint64_t ticket;
	int r;

	if (!request)
		return;
	dbus_message_iter_init(call, &iter);
	r = options_read(&iter, screen_keys, SCREEN_KEY_COUNT, &options, &failure);
	if (r == 0) {
		job.owner = service_request_owner(request);
		job.speak = options.speak;
		job.verbosity = options.verbosity;
		job.options = job_options(service, &options, subject);
		r = jobs_submit(service->jobs, &job, &ticket, &failure);
		json_decref(job.options);
	}
	if (r) {
		service_fail(service, call, &failure);
		service_request_free(request);
		return;
	}
	if (options.speak)
		speech_working(service->speech, true);
	if (jobs_wants_picture(service->jobs, ticket) &&
	    look(service, subject, ticket, &failure))
		jobs_fail(service->jobs, ticket, &failure);
}

/* --- Keys of the desktop ------------------------------------------------------ */

static void ignore(void *data, uint64_t ticket, const struct job_outcome *outcome)
{
	(void)data, (void)ticket, (void)outcome;
}

/* Nobody waits for an answer: everything is spoken. */
static void describe_focus(struct service *service)
{
	struct screen_options options = {
		.beam = service->config->caption_beam, .alternatives = 3,
	};
	struct job_request job = {
		.source = sources[SCREEN_FOCUS], .picture = -1, .speak = true,
		.verbosity = service->verbosity, .done = ignore,
	};
	struct failure failure;
	uint64_t ticket;

	job.options = job_options(service, &options, SCREEN_FOCUS);
	if (jobs_submit(service->jobs, &job, &ticket, &failure)) {
		speech_play(service->speech, TTS_SOUND_ERROR);
		speech_say(service->speech, failure.message, TTS_NOW, "en", &failure);
	} else {
		speech_working(service->speech, true);
		if (jobs_wants_picture(service->jobs, ticket) &&
		    look(service, SCREEN_FOCUS, ticket, &failure))
			jobs_fail(service->jobs, ticket, &failure);
	}
	json_decref(job.options);
}

static void on_pressed(void *data, enum shortcut shortcut)
{
	static const enum action of_shortcuts[SHORTCUTS] = {
		[SHORTCUT_CAMERA] = ACTION_LOOK,
		[SHORTCUT_REPEAT] = ACTION_REPEAT,
		[SHORTCUT_STOP] = ACTION_STOP,
	};
	struct service *service = data;

	actions_pressed(service, false);
	if (shortcut == SHORTCUT_FOCUS)
		describe_focus(service);
	else
		actions_run(service, of_shortcuts[shortcut], frame_clock());
}

/* --- Methods ------------------------------------------------------------------ */

static void focus(struct service *service, DBusMessage *call)
{
	submit(service, call, SCREEN_FOCUS);
}

static void whole_screen(struct service *service, DBusMessage *call)
{
	submit(service, call, SCREEN_ALL);
}

static void clipboard(struct service *service, DBusMessage *call)
{
	submit(service, call, SCREEN_CLIPBOARD);
}

static const struct service_method methods[] = {
	{ "DescribeFocus", "a{sv}", "sa{sv}", "options caption details", focus },
	{ "DescribeScreen", "a{sv}", "sa{sv}", "options caption details", whole_screen },
	{ "DescribeClipboard", "a{sv}", "sa{sv}", "options caption details", clipboard },
};

const struct service_group service_screen_group = {
	.methods = methods, .method_count = sizeof(methods) / sizeof(*methods),
};

int service_screen_open(struct service *service, struct failure *failure)
{
	service->screen = calloc(1, sizeof(*service->screen));
	if (!service->screen || screen_open(service->loop, &service->screen->screen) < 0)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	if (service_screen_bind_keys(service) < 0)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	return 0;
}

int service_screen_bind_keys(struct service *service)
{
	struct service_screen *screen = service->screen;

	screen->shortcuts = shortcuts_free(screen->shortcuts);
	return shortcuts_open(bus_connection(service->bus), on_pressed, service,
			      &screen->shortcuts);
}

void service_screen_close(struct service *service)
{
	if (service->screen) {
		shortcuts_free(service->screen->shortcuts);
		screen_free(service->screen->screen);
	}
	free(service->screen);
	service->screen = NULL;
}
