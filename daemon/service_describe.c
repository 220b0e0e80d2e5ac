/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * service_describe.c: Describe, Submit and Cancel.
 *
 * A picture arrives as a descriptor and is handed on as one; the daemon neither
 * reads nor maps it, and no caller can make it open a path. Results go to the
 * caller alone, by reply or by a signal addressed to it: what one user of a
 * machine looks at is not for the others.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/phrase.h"
#include "daemon/quality.h"
#include "daemon/trust.h"
#include "daemon/service.h"
#include "daemon/variant.h"

struct describe_options {
	bool speak, anything;
	unsigned beam, alternatives;
	enum config_verbosity verbosity;
};

static const struct config_key describe_keys[] = {
	{ "speak", CONFIG_BOOL, offsetof(struct describe_options, speak), "yes", 0, 0, NULL,
	  "Speak the sentence when it is there." },
	{ "anything", CONFIG_BOOL, offsetof(struct describe_options, anything), "no", 0, 0, NULL,
	  "Describe the picture however bad it looks." },
	{ "beam", CONFIG_NUMBER, offsetof(struct describe_options, beam), "0", 0, 10, NULL,
	  "Sentences weighed side by side; 0: as configured." },
	{ "alternatives", CONFIG_NUMBER, offsetof(struct describe_options, alternatives), "1", 0,
	  10, NULL, "How many different sentences are wanted." },
	{ "verbosity", CONFIG_CHOICE, offsetof(struct describe_options, verbosity), "normal", 0, 0,
	  config_verbosities, "How much of it is spoken." },
};
#define DESCRIBE_KEY_COUNT (sizeof(describe_keys) / sizeof(*describe_keys))

struct service_request {
	struct service *service;
	struct service_caller caller;
	bool by_signal;		/* Submit: the reply has been sent already */
};

struct service_request *service_request_free(struct service_request *request)
{
	if (!request)
		return NULL;
	service_caller_clear(&request->caller);
	free(request);
	return NULL;
}

struct service_request *service_request_new(struct service *service, DBusMessage *call,
					    bool by_signal)
{
	struct service_request *request = calloc(1, sizeof(*request));

	if (!request || service_caller_copy(&request->caller, call) < 0) {
		free(request);
		return NULL;
	}
	request->service = service;
	request->by_signal = by_signal;
	return request;
}

const char *service_request_owner(const struct service_request *request)
{
	return request->caller.name;
}

void service_reply_ticket(struct service *service, DBusMessage *call, uint64_t ticket)
{
	DBusMessage *reply = dbus_message_new_method_return(call);
	dbus_uint64_t number = ticket;

	if (reply)
		dbus_message_append_args(reply, DBUS_TYPE_UINT64, &number, DBUS_TYPE_INVALID);
	bus_send(service->bus, reply);
}

json_t *service_job_options(struct service *service, unsigned beam, unsigned alternatives,
			    bool anything)
{
	struct engine_quality_limits limits;

	quality_limits(service->config, &limits);
	return json_pack("{s:i, s:i, s:o, s:o}", "beam", (int)beam, "alternatives",
			 (int)alternatives, "trust", trust_option(trust_bounds(service->config)),
			 "quality", anything ? json_false() : quality_option(&limits));
}

/* --- Results --------------------------------------------------------------- */

static DBusMessage *result_signal(const struct service_request *request, const char *name,
				  uint64_t ticket)
{
	DBusMessage *signal = dbus_message_new_signal(BUS_PATH, BUS_INTERFACE, name);

	if (!signal)
		return NULL;
	dbus_message_set_destination(signal, request->caller.name);
	dbus_message_append_args(signal, DBUS_TYPE_UINT64, &ticket, DBUS_TYPE_INVALID);
	return signal;
}

static void send_failure(const struct service_request *request, uint64_t ticket,
			 const struct failure *failure)
{
	const char *message = failure->message;
	char name[64], *error = name;
	DBusMessage *signal;

	if (!request->by_signal) {
		if (request->caller.wants_reply)
			service_caller_fail(request->service, &request->caller, failure);
		return;
	}
	snprintf(name, sizeof(name), FAILURE_DBUS_PREFIX "%s", failure_info(failure->kind)->name);
	signal = result_signal(request, "Failed", ticket);
	if (signal)
		dbus_message_append_args(signal, DBUS_TYPE_STRING, &error, DBUS_TYPE_STRING,
					 &message, DBUS_TYPE_INVALID);
	bus_send(request->service->bus, signal);
}

static void send_caption(const struct service_request *request, uint64_t ticket,
			 const struct job_outcome *outcome)
{
	DBusMessageIter iter;
	DBusMessage *message;

	if (request->by_signal)
		message = result_signal(request, "Described", ticket);
	else
		message = service_caller_reply(&request->caller);
	if (!message)
		return;
	dbus_message_iter_init_append(message, &iter);
	dbus_message_iter_append_basic(&iter, DBUS_TYPE_STRING, &outcome->caption);
	variant_append_dictionary(&iter, outcome->details);
	if (request->by_signal || request->caller.wants_reply)
		bus_send(request->service->bus, message);
	else
		dbus_message_unref(message);
}

void service_request_done(void *data, uint64_t ticket, const struct job_outcome *outcome)
{
	struct service_request *request = data;

	if (outcome->failure)
		send_failure(request, ticket, outcome->failure);
	else
		send_caption(request, ticket, outcome);
	service_request_free(request);
}

static void speak_failure(struct service *service, const struct failure *failure)
{
	struct failure ignored;

	speech_play(service->speech, TTS_SOUND_ERROR);
	speech_say(service->speech, failure->message, TTS_NOW, "en", &ignored);
}

/* "More detail" is told from it. In memory only. */
static void remember(struct service *service, const struct job_outcome *outcome)
{
	free(service->last_caption);
	service->last_caption = strdup(outcome->caption);
	json_decref(service->last_details);
	service->last_details = json_incref(outcome->details);
	service->last_turn = 0;
}

static void on_outcome(void *data, const struct job_outcome *outcome)
{
	struct service *service = data;
	struct failure failure;
	char *text;

	if (!outcome->failure) {
		log_debug("described %s: %s", outcome->source, outcome->caption);
		remember(service, outcome);
	}
	/* the answer may be wanted more than the tick that announces it */
	speech_working(service->speech, false);
	if (jobs_audible(service->jobs))
		speech_working(service->speech, true);
	if (!outcome->speak)
		return;
	if (outcome->failure) {
		if (outcome->failure->kind != FAILURE_CANCELLED)
			speak_failure(service, outcome->failure);
		return;
	}
	text = phrase_caption(outcome->caption, outcome->details,
			      (enum config_verbosity)outcome->verbosity);
	if (text && speech_say(service->speech, text, TTS_NOW, NULL, &failure))
		log_debug("%s", failure.message);
	free(text);
}

static void on_busy(void *data, bool busy)
{
	struct service *service = data;

	bus_watch_peers(service->bus, busy);
	speech_working(service->speech, busy && jobs_audible(service->jobs));
	service_changed(service, "Busy");
}

static void on_model(void *data, json_t *model, const struct failure *failure)
{
	struct service *service = data;

	json_decref(service->model);
	service->model = json_incref(model);
	service->model_failure = failure ? *failure : (struct failure){ FAILURE_NONE, "" };
	if (failure)
		log_error("%s", failure->message);
	service_changed(service, "Model");
}

/* --- Methods --------------------------------------------------------------- */

/* Two descriptors of one unchanged file are one source. */
static int source_of(int fd, char *ret_source, size_t size, struct failure *failure)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return failure_set(failure, FAILURE_BAD_IMAGE, "The picture cannot be read.");
	snprintf(ret_source, size, "file:%ju:%ju:%jd:%jd.%09ld", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino, (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec,
		 st.st_mtim.tv_nsec);
	return 0;
}

static int read_call(struct service *service, DBusMessage *call, int *ret_fd,
		     struct describe_options *options, struct failure *failure)
{
	DBusMessageIter iter;

	options->speak = true;
	options->anything = false;
	options->beam = service->config->caption_beam;
	options->alternatives = 1;
	options->verbosity = service->verbosity;
	dbus_message_iter_init(call, &iter);
	dbus_message_iter_get_basic(&iter, ret_fd);
	if (*ret_fd < 0)
		return failure_set(failure, FAILURE_FAILED,
				   "The picture's descriptor did not arrive.");
	dbus_message_iter_next(&iter);
	return options_read(&iter, describe_keys, DESCRIBE_KEY_COUNT, options, failure);
}

static int submit(struct service *service, DBusMessage *call, bool by_signal,
		  uint64_t *ret_ticket, struct failure *failure)
{
	struct service_request *request = service_request_new(service, call, by_signal);
	struct job_request job = { .picture = -1, .done = service_request_done, .data = request };
	struct describe_options options;
	char source[128];
	int r;

	if (!request)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	r = read_call(service, call, &job.picture, &options, failure);
	if (r == 0)
		r = source_of(job.picture, source, sizeof(source), failure);
	if (r == 0) {
		job.source = source;
		job.owner = request->caller.name;
		job.speak = options.speak;
		job.verbosity = options.verbosity;
		job.options = service_job_options(service, options.beam, options.alternatives,
						  options.anything);
		r = jobs_submit(service->jobs, &job, ret_ticket, failure);
		json_decref(job.options);
	}
	if (r == 0)
		return 0;
	if (job.picture >= 0)
		close(job.picture);
	service_request_free(request);
	return r;
}

static void describe(struct service *service, DBusMessage *call)
{
	struct failure failure;
	uint64_t ticket;

	if (submit(service, call, false, &ticket, &failure))
		service_fail(service, call, &failure);
}

static void submit_call(struct service *service, DBusMessage *call)
{
	struct failure failure;
	uint64_t ticket = 0;

	if (submit(service, call, true, &ticket, &failure))
		service_fail(service, call, &failure);
	else
		service_reply_ticket(service, call, ticket);
}

static void cancel(struct service *service, DBusMessage *call)
{
	const char *sender = dbus_message_get_sender(call);
	struct failure failure;
	dbus_uint64_t ticket;

	dbus_message_get_args(call, NULL, DBUS_TYPE_UINT64, &ticket, DBUS_TYPE_INVALID);
	if (jobs_cancel(service->jobs, ticket, sender ? sender : "")) {
		service_reply(service, call);
		return;
	}
	failure_set(&failure, FAILURE_NO_JOB, "You have no job %" PRIu64 " that still runs.",
		    (uint64_t)ticket);
	service_fail(service, call, &failure);
}

static json_t *get_busy(struct service *service)
{
	return json_boolean(jobs_busy(service->jobs));
}

static const struct service_method methods[] = {
	{ "Describe", "ha{sv}", "sa{sv}", "image options caption details", describe },
	{ "Submit", "ha{sv}", "t", "image options job", submit_call },
	{ "Cancel", "t", "", "job", cancel },
};

static const struct service_property properties[] = {
	{ "Busy", "b", get_busy, NULL },
};

static const struct service_signal signals[] = {
	{ "Described", "tsa{sv}", "job caption details" },
	{ "Failed", "tss", "job error message" },
};

const struct service_group service_describe_group = {
	.methods = methods, .method_count = sizeof(methods) / sizeof(*methods),
	.properties = properties, .property_count = sizeof(properties) / sizeof(*properties),
	.signals = signals, .signal_count = sizeof(signals) / sizeof(*signals),
};

/* --- Life ------------------------------------------------------------------ */

int service_describe_open(struct service *service, struct failure *failure)
{
	const struct config *config = service->config;
	struct worker_options worker = {
		.model_path = config_model_path(config), .threads = config->model_threads,
	};
	struct jobs_options options = {
		.timeout_ms = config->caption_timeout * 1000,
		.on_outcome = on_outcome, .on_busy = on_busy, .on_model = on_model,
		.data = service,
	};

	return jobs_open(service->loop, &worker, &options, &service->jobs, failure);
}

void service_describe_configure(struct service *service, const struct config *old)
{
	const struct config *config = service->config;

	jobs_set_timeout(service->jobs, config->caption_timeout * 1000);
	if (strcmp(config_model_path(old), config_model_path(config)) != 0 ||
	    old->model_threads != config->model_threads)
		worker_set_model(jobs_worker(service->jobs), config_model_path(config),
				 config->model_threads);
}
