/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * service_status.c: Version, Model and Status: how the daemon is, for people
 * (`descry status`) and for tests.
 */
#include <stdio.h>
#include <unistd.h>

#include "daemon/service.h"
#include "daemon/variant.h"
#include "daemon/watch.h"
#include "daemon/worker.h"

static json_t *get_version(struct service *service)
{
	(void)service;
	return json_string(DESCRY_VERSION);
}

static json_t *get_model(struct service *service)
{
	const char *name = json_string_value(json_object_get(service->model, "name"));
	const char *version = json_string_value(json_object_get(service->model, "version"));

	return name && version ? json_sprintf("%s %s", name, version) : json_string("");
}

/* What is quoted from a configuration may be in any encoding, or cut. */
static json_t *plain_text(const char *message)
{
	json_t *text = json_string(message);
	char plain[sizeof(((struct config_error *)NULL)->message)];

	if (text)
		return text;
	snprintf(plain, sizeof(plain), "%s", message);
	for (char *p = plain; *p; p++)
		if ((unsigned char)*p > 127)
			*p = '?';
	return json_string(plain);
}

static json_t *status_document(struct service *service)
{
	struct worker *worker = jobs_worker(service->jobs);
	json_t *status = json_object(), *watching;

	json_object_set_new(status, "version", json_string(DESCRY_VERSION));
	json_object_set_new(status, "pid", json_integer(getpid()));
	json_object_set_new(status, "worker_pid", json_integer(worker_pid(worker)));
	json_object_set_new(status, "worker_restarts", json_integer(worker_restarts(worker)));
	json_object_set_new(status, "jobs", json_integer(jobs_count(service->jobs)));
	json_object_set_new(status, "speaking", json_boolean(speech_speaking(service->speech)));
	json_object_set_new(status, "voice", json_string(speech_voice(service->speech)));
	json_object_set_new(status, "rate", json_integer(speech_rate(service->speech)));
	json_object_set_new(status, "volume", json_integer(speech_volume(service->speech)));
	json_object_set_new(status, "verbosity",
			    json_string(config_verbosities[service->verbosity]));
	watching = watch_status(service->watch);
	if (watching)
		json_object_set_new(status, "watching", watching);
	if (service->model)
		json_object_set(status, "model", service->model);
	else if (service->model_failure.kind != FAILURE_NONE)
		json_object_set_new(status, "model_trouble",
				    json_string(service->model_failure.message));
	if (*speech_route(service->speech)) {
		json_object_set_new(status, "route", json_string(speech_route(service->speech)));
		json_object_set_new(status, "route_reason",
				    json_string(speech_route_reason(service->speech)));
	}
	if (*service->mistake.message)
		json_object_set_new(status, "configuration_trouble",
				    plain_text(service->mistake.message));
	if (*speech_trouble(service->speech))
		json_object_set_new(status, "speech_trouble",
				    json_string(speech_trouble(service->speech)));
	return status;
}

static void status(struct service *service, DBusMessage *call)
{
	DBusMessage *reply = dbus_message_new_method_return(call);
	json_t *document = status_document(service);
	DBusMessageIter iter;

	if (reply) {
		dbus_message_iter_init_append(reply, &iter);
		variant_append_dictionary(&iter, document);
		bus_send(service->bus, reply);
	}
	json_decref(document);
}

static const struct service_method methods[] = {
	{ "Status", "", "a{sv}", "status", status },
};

static const struct service_property properties[] = {
	{ "Version", "s", get_version, NULL },
	{ "Model", "s", get_model, NULL },
};

const struct service_group service_status_group = {
	.methods = methods, .method_count = sizeof(methods) / sizeof(*methods),
	.properties = properties, .property_count = sizeof(properties) / sizeof(*properties),
};
