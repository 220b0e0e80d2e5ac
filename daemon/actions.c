/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * actions.c: see actions.h. Nobody waits for a reply here, so every failure is
 * spoken.
 */
#include "daemon/actions.h"

#include <stdlib.h>

#include "daemon/log.h"
#include "daemon/phrase.h"
#include "daemon/watch.h"

const char *action_name(enum action action)
{
	static const char *const names[] = { "none",  "look",	"repeat", "stop",
					     "watch", "detail", "status" };

	return names[action];
}

static void say(struct service *service, const char *text)
{
	struct failure failure;

	if (speech_say(service->speech, text, TTS_NOW, NULL, &failure))
		log_debug("%s", failure.message);
}

static void complain(struct service *service, const struct failure *failure)
{
	speech_play(service->speech, TTS_SOUND_ERROR);
	say(service, failure->message);
}

bool actions_pressed(struct service *service, bool stops)
{
	bool speaking = speech_speaking(service->speech);

	/* first the silence, then the sound: it is dropped while something is spoken */
	if (speaking) {
		speech_stop(service->speech);
		jobs_silence(service->jobs);
	}
	speech_play(service->speech, TTS_SOUND_PRESS);
	if (speaking && stops)
		return true;
	look_prepare(service->look);
	return false;
}

static void ignore(void *data, uint64_t ticket, const struct job_outcome *outcome)
{
	(void)data;
	(void)ticket;
	(void)outcome;
}

static void look(struct service *service, uint64_t since_us)
{
	struct job_request job = {
		.speak = true, .verbosity = service->verbosity, .done = ignore,
	};
	struct failure failure;
	uint64_t ticket;

	watch_yield(service->watch);
	job.options = service_look_job_options(service);
	if (look_request(service->look, NULL, since_us, &job, &ticket, &failure))
		complain(service, &failure);
	else
		speech_working(service->speech, true);
	json_decref(job.options);
}

static void repeat(struct service *service)
{
	struct failure failure;

	if (speech_repeat(service->speech, &failure))
		complain(service, &failure);
}

static void toggle_watch(struct service *service)
{
	struct failure failure;

	if (watch_on(service->watch)) {
		watch_stop(service->watch);
		say(service, "Watching is off.");
	} else if (watch_start(service->watch, NULL, 0, &failure)) {
		complain(service, &failure);
	} else {
		say(service, "Watching is on.");
	}
}

static void more_detail(struct service *service)
{
	char *text;

	if (!service->last_caption) {
		say(service, "Nothing has been described yet.");
		return;
	}
	text = phrase_more(service->last_details, service->last_turn++);
	if (text)
		say(service, text);
	free(text);
}

static void tell_status(struct service *service)
{
	struct phrase_status status = {
		.watching = watch_on(service->watch),
		.model_trouble = service->model_failure.kind == FAILURE_NONE ?
					 NULL : service->model_failure.message,
		.busy = jobs_busy(service->jobs),
	};
	struct failure failure;
	struct source *source = look_camera(service->look, NULL, &failure);
	char *text;

	status.camera = source ? source_settings(source)->name : NULL;
	status.camera_state = source ? source_state(source) : NULL;
	text = phrase_status(&status);
	if (text)
		say(service, text);
	free(text);
}

void actions_run(struct service *service, enum action action, uint64_t since_us)
{
	log_debug("action %s", action_name(action));
	switch (action) {
	case ACTION_LOOK:
		look(service, since_us);
		break;
	case ACTION_REPEAT:
		repeat(service);
		break;
	case ACTION_STOP:
		speech_stop(service->speech);
		jobs_silence(service->jobs);
		break;
	case ACTION_WATCH:
		toggle_watch(service);
		break;
	case ACTION_DETAIL:
		more_detail(service);
		break;
	case ACTION_STATUS:
		tell_status(service);
		break;
	case ACTION_NONE:
	case ACTION_COUNT:
		break;
	}
}
