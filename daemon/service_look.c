/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * service_look.c: Look, SubmitLook, Sources, Watch, Press and Watching, and the
 * cameras, buttons and folders that act without a caller.
 *
 * Pictures that arrive in a folder wait in a short queue of their own and are
 * described and spoken one after another, so that ten photos from a telephone
 * are ten sentences and not one that is cut off nine times.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/actions.h"
#include "daemon/keys.h"
#include "daemon/log.h"
#include "daemon/look.h"
#include "daemon/options.h"
#include "daemon/phrase.h"
#include "daemon/service.h"
#include "daemon/variant.h"
#include "daemon/watch.h"

enum { arrival_limit = 32 };

struct arrivals {
	struct {
		int picture;
		char label[64];
	} waiting[arrival_limit];
	unsigned count;
	uint64_t ticket;	/* of the one at work, or 0 */
	uint64_t number;
};

json_t *service_look_job_options(struct service *service)
{
	return service_job_options(service, service->config->caption_beam, 3, false);
}

/* --- folders -------------------------------------------------------------- */

static void start_arrival(struct service *service);

static void arrival_described(void *data, uint64_t ticket, const struct job_outcome *outcome)
{
	struct service *service = data;
	struct failure failure;
	char *text;

	(void)ticket;
	service->arrivals->ticket = 0;
	if (outcome->failure)
		text = strdup(outcome->failure->message);
	else
		text = phrase_caption(outcome->caption, outcome->details, service->verbosity);
	if (text && (!outcome->failure || outcome->failure->kind != FAILURE_CANCELLED) &&
	    speech_say(service->speech, text, TTS_NEXT, NULL, &failure))
		log_debug("%s", failure.message);
	free(text);
	start_arrival(service);
}

static void start_arrival(struct service *service)
{
	struct arrivals *arrivals = service->arrivals;
	struct job_request job = { .done = arrival_described, .data = service };
	struct failure failure;
	int r;

	if (arrivals->ticket || !arrivals->count)
		return;
	job.picture = arrivals->waiting[0].picture;
	job.source = arrivals->waiting[0].label;
	job.options = service_look_job_options(service);
	r = jobs_submit(service->jobs, &job, &arrivals->ticket, &failure);
	json_decref(job.options);
	if (r) {
		log_warning("%s", failure.message);
		close(job.picture);
		arrivals->ticket = 0;
	}
	arrivals->count--;
	memmove(&arrivals->waiting[0], &arrivals->waiting[1],
		arrivals->count * sizeof(arrivals->waiting[0]));
}

static void on_arrival(void *data, const struct frame *frame, const char *name)
{
	struct service *service = data;
	struct arrivals *arrivals = service->arrivals;
	struct failure failure;
	int picture;

	(void)name;
	if (arrivals->count == arrival_limit) {
		speech_say(service->speech, "Too many pictures came at once. Some are left out.",
			   TTS_NEXT, NULL, &failure);
		return;
	}
	if (frame_to_memfd(frame, &picture))
		return;
	arrivals->waiting[arrivals->count].picture = picture;
	snprintf(arrivals->waiting[arrivals->count].label,
		 sizeof(arrivals->waiting[0].label), "arrival:%llu",
		 (unsigned long long)arrivals->number++);
	arrivals->count++;
	start_arrival(service);
}

/* --- what the modules report ---------------------------------------------- */

static void on_notice(void *data, const char *sentence)
{
	struct service *service = data;
	struct failure failure;

	speech_say(service->speech, sentence, TTS_NEXT, NULL, &failure);
}

static void on_taken(void *data)
{
	struct service *service = data;

	speech_play(service->speech, TTS_SOUND_SHUTTER);
}

static bool on_pressed(void *data, const struct config_button *button, uint64_t at_us)
{
	bool stopped = actions_pressed(data, button->stops);

	log_debug("pressed at %llu us, answered %llu us later", (unsigned long long)at_us,
		  (unsigned long long)(frame_clock() - at_us));
	return stopped;
}

static void on_action(void *data, unsigned action, uint64_t at_us)
{
	actions_run(data, (enum action)action, at_us);
}

static json_t *job_options(void *data)
{
	return service_look_job_options(data);
}

static void on_watch(void *data, bool watching)
{
	(void)watching;
	service_changed(data, "Watching");
}

/* --- methods -------------------------------------------------------------- */

struct look_call_options {
	char *camera;
	bool speak, anything;
	unsigned beam, alternatives;
	enum config_verbosity verbosity;
};

static const struct config_key look_keys[] = {
	{ "camera", CONFIG_TEXT, offsetof(struct look_call_options, camera), "", 0, 100, NULL,
	  "The name of a configured camera; empty: the default one." },
	{ "speak", CONFIG_BOOL, offsetof(struct look_call_options, speak), "yes", 0, 0, NULL,
	  "Speak the sentence when it is there." },
	{ "anything", CONFIG_BOOL, offsetof(struct look_call_options, anything), "no", 0, 0, NULL,
	  "Describe the picture however bad it looks." },
	{ "beam", CONFIG_NUMBER, offsetof(struct look_call_options, beam), "0", 0, 10, NULL,
	  "Sentences weighed side by side; 0: as configured." },
	{ "alternatives", CONFIG_NUMBER, offsetof(struct look_call_options, alternatives), "3", 0,
	  10, NULL, "How many different sentences are wanted." },
	{ "verbosity", CONFIG_CHOICE, offsetof(struct look_call_options, verbosity), "normal", 0,
	  0, config_verbosities, "How much of it is spoken." },
};
#define LOOK_KEY_COUNT (sizeof(look_keys) / sizeof(*look_keys))

static int submit_look(struct service *service, DBusMessage *call, bool by_signal,
		       uint64_t *ret_ticket, struct failure *failure)
{
	uint64_t now = frame_clock();
	struct look_call_options options = {
		.speak = true, .beam = service->config->caption_beam, .alternatives = 3,
		.verbosity = service->verbosity,
	};
	struct service_request *request = service_request_new(service, call, by_signal);
	struct job_request job = { .done = service_request_done, .data = request };
	DBusMessageIter iter;
	int r;

	if (!request)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	dbus_message_iter_init(call, &iter);
	r = options_read(&iter, look_keys, LOOK_KEY_COUNT, &options, failure);
	if (!r) {
		watch_yield(service->watch);
		job.owner = service_request_owner(request);
		job.speak = options.speak;
		job.verbosity = options.verbosity;
		job.options = service_job_options(service, options.beam, options.alternatives,
						  options.anything);
		r = look_request(service->look, options.camera, now, &job, ret_ticket, failure);
		json_decref(job.options);
		if (!r && options.speak)
			speech_working(service->speech, true);
	}
	config_free_values(&options, look_keys, LOOK_KEY_COUNT);
	if (r)
		service_request_free(request);
	return r;
}

static void look_call(struct service *service, DBusMessage *call)
{
	struct failure failure;
	uint64_t ticket;

	if (submit_look(service, call, false, &ticket, &failure))
		service_fail(service, call, &failure);
}

static void submit_look_call(struct service *service, DBusMessage *call)
{
	struct failure failure;
	uint64_t ticket = 0;

	if (submit_look(service, call, true, &ticket, &failure))
		service_fail(service, call, &failure);
	else
		service_reply_ticket(service, call, ticket);
}

static json_t *describe_source(struct service *service, struct source *source)
{
	const struct source_settings *settings = source_settings(source);
	const char *what = settings->kind == SOURCE_V4L2    ? settings->device :
			   settings->kind == SOURCE_COMMAND ? settings->command :
			   settings->kind == SOURCE_FOLDER  ? settings->folder :
			   settings->kind == SOURCE_FILES   ? settings->files : "";
	struct failure failure;

	/* an address may hold a password: it stays in the configuration */
	return json_pack("{s:s, s:s, s:s, s:s, s:b}", "name", settings->name, "kind",
			 source_kind_name(settings->kind), "what", what ? what : "", "state",
			 source_state(source), "default",
			 source == look_camera(service->look, NULL, &failure));
}

static void sources(struct service *service, DBusMessage *call)
{
	DBusMessage *reply = dbus_message_new_method_return(call);
	DBusMessageIter iter, list;
	struct source *source;

	if (!reply)
		return;
	dbus_message_iter_init_append(reply, &iter);
	dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "a{sv}", &list);
	for (unsigned i = 0; (source = look_camera_at(service->look, i)); i++) {
		json_t *entry = describe_source(service, source);

		variant_append_dictionary(&list, entry);
		json_decref(entry);
	}
	dbus_message_iter_close_container(&iter, &list);
	bus_send(service->bus, reply);
}

struct watch_call_options {
	char *camera;
	unsigned pause;
};

static const struct config_key watch_keys[] = {
	{ "camera", CONFIG_TEXT, offsetof(struct watch_call_options, camera), "", 0, 100, NULL,
	  "The name of a configured camera; empty: as configured." },
	{ "pause", CONFIG_NUMBER, offsetof(struct watch_call_options, pause), "0", 0, 3600, NULL,
	  "Seconds between two sentences at least; 0: as configured." },
};
#define WATCH_KEY_COUNT (sizeof(watch_keys) / sizeof(*watch_keys))

static void watch_call(struct service *service, DBusMessage *call)
{
	struct watch_call_options options = { 0 };
	struct failure failure;
	DBusMessageIter iter;
	dbus_bool_t on;
	int r;

	dbus_message_iter_init(call, &iter);
	dbus_message_iter_get_basic(&iter, &on);
	dbus_message_iter_next(&iter);
	r = options_read(&iter, watch_keys, WATCH_KEY_COUNT, &options, &failure);
	if (!r && on)
		r = watch_start(service->watch, options.camera, options.pause, &failure);
	else if (!r)
		watch_stop(service->watch);
	config_free_values(&options, watch_keys, WATCH_KEY_COUNT);
	if (r)
		service_fail(service, call, &failure);
	else
		service_reply(service, call);
}

/* A press that some other program noticed: the same as one of ours. */
static void press(struct service *service, DBusMessage *call)
{
	uint64_t now = frame_clock();
	struct failure failure;
	const char *name = "";

	dbus_message_get_args(call, NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID);
	for (unsigned action = ACTION_LOOK; action < ACTION_COUNT; action++) {
		if (strcmp(action_name((enum action)action), name))
			continue;
		if (!actions_pressed(service, action == ACTION_LOOK))
			actions_run(service, (enum action)action, now);
		service_reply(service, call);
		return;
	}
	failure_set(&failure, FAILURE_BAD_OPTION,
		    "The action must be one of: look, repeat, stop, watch, detail, status.");
	service_fail(service, call, &failure);
}

static json_t *get_watching(struct service *service)
{
	return json_boolean(service->watch && watch_on(service->watch));
}

static const struct service_method methods[] = {
	{ "Look", "a{sv}", "sa{sv}", "options caption details", look_call },
	{ "SubmitLook", "a{sv}", "t", "options job", submit_look_call },
	{ "Sources", "", "aa{sv}", "sources", sources },
	{ "Watch", "ba{sv}", "", "on options", watch_call },
	{ "Press", "s", "", "action", press },
};

static const struct service_property properties[] = {
	{ "Watching", "b", get_watching, NULL },
};

const struct service_group service_look_group = {
	.methods = methods, .method_count = sizeof(methods) / sizeof(*methods),
	.properties = properties, .property_count = sizeof(properties) / sizeof(*properties),
};

/* --- life ----------------------------------------------------------------- */

int service_look_open(struct service *service, struct failure *failure)
{
	const struct look_options look = {
		.on_taken = on_taken, .on_notice = on_notice, .on_arrival = on_arrival, .data = service,
	};
	const struct keys_options keys = {
		.on_pressed = on_pressed, .on_action = on_action, .data = service,
	};
	struct watch_options watch = {
		.loop = service->loop, .jobs = service->jobs, .speech = service->speech,
		.job_options = job_options, .on_changed = on_watch, .data = service,
	};

	service->arrivals = calloc(1, sizeof(*service->arrivals));
	if (!service->arrivals ||
	    look_open(service->loop, service->jobs, service->config, &look, &service->look))
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	watch.look = service->look;
	if (watch_open(&watch, service->config, &service->watch) ||
	    keys_open(service->loop, service->config, &keys, &service->keys))
		return failure_set(failure, FAILURE_FAILED,
				   "The buttons cannot be watched.");
	return 0;
}

void service_look_close(struct service *service)
{
	service->keys = keys_free(service->keys);
	service->watch = watch_free(service->watch);
	service->look = look_free(service->look);
	for (unsigned i = 0; service->arrivals && i < service->arrivals->count; i++)
		close(service->arrivals->waiting[i].picture);
	free(service->arrivals);
	service->arrivals = NULL;
	free(service->last_caption);
	service->last_caption = NULL;
	json_decref(service->last_details);
	service->last_details = NULL;
}

void service_look_configure(struct service *service)
{
	watch_pause(service->watch);
	look_configure(service->look, service->config);
	watch_configure(service->watch, service->config);
	if (keys_configure(service->keys, service->config))
		log_warning("The buttons cannot be watched.");
}
