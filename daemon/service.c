/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * service.c: see service.h. Changed properties are collected in a set of bits
 * and announced together before the loop waits, so that ten changes in one batch
 * cost one signal.
 */
#include "daemon/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/look.h"
#include "daemon/sleep.h"
#include "daemon/source.h"
#include "daemon/variant.h"
#include "daemon/watch.h"

static const struct service_group *const groups[] = {
	&service_describe_group,
	&service_look_group,
	&service_screen_group,
	&service_speech_group,
	&service_status_group,
};
#define GROUP_COUNT (sizeof(groups) / sizeof(*groups))

static const struct service_property *find_property(const char *name, unsigned *ret_index)
{
	unsigned index = 0;

	for (size_t i = 0; i < GROUP_COUNT; i++) {
		for (size_t j = 0; j < groups[i]->property_count; j++, index++) {
			if (strcmp(groups[i]->properties[j].name, name) == 0) {
				*ret_index = index;
				return &groups[i]->properties[j];
			}
		}
	}
	return NULL;
}

static const struct service_property *property_at(unsigned index)
{
	for (size_t i = 0; i < GROUP_COUNT; i++) {
		if (index < groups[i]->property_count)
			return &groups[i]->properties[index];
		index -= (unsigned)groups[i]->property_count;
	}
	return NULL;
}

/* --- Replies --------------------------------------------------------------- */

int service_caller_copy(struct service_caller *caller, DBusMessage *call)
{
	const char *sender = dbus_message_get_sender(call);

	caller->name = strdup(sender ? sender : "");
	caller->serial = dbus_message_get_serial(call);
	caller->wants_reply = !dbus_message_get_no_reply(call);
	return caller->name ? 0 : -1;
}

void service_caller_clear(struct service_caller *caller)
{
	free(caller->name);
	caller->name = NULL;
}

static DBusMessage *answer_new(const struct service_caller *caller, int type)
{
	DBusMessage *message = dbus_message_new(type);

	if (!message)
		return NULL;
	dbus_message_set_no_reply(message, TRUE);
	if (dbus_message_set_destination(message, *caller->name ? caller->name : NULL) &&
	    dbus_message_set_reply_serial(message, caller->serial))
		return message;
	dbus_message_unref(message);
	return NULL;
}

DBusMessage *service_caller_reply(const struct service_caller *caller)
{
	return answer_new(caller, DBUS_MESSAGE_TYPE_METHOD_RETURN);
}

void service_caller_fail(struct service *service, const struct service_caller *caller,
			 const struct failure *failure)
{
	DBusMessage *message = answer_new(caller, DBUS_MESSAGE_TYPE_ERROR);
	const char *text = failure->message;
	char name[64];

	if (!message)
		return;
	snprintf(name, sizeof(name), FAILURE_DBUS_PREFIX "%s", failure_info(failure->kind)->name);
	dbus_message_set_error_name(message, name);
	dbus_message_append_args(message, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
	bus_send(service->bus, message);
}

void service_reply(struct service *service, DBusMessage *call)
{
	if (!dbus_message_get_no_reply(call))
		bus_send(service->bus, dbus_message_new_method_return(call));
}

void service_fail(struct service *service, DBusMessage *call, const struct failure *failure)
{
	struct service_caller caller = { 0 };

	if (dbus_message_get_no_reply(call))
		return;
	if (service_caller_copy(&caller, call) == 0)
		service_caller_fail(service, &caller, failure);
	service_caller_clear(&caller);
}

static void fail_standard(struct service *service, DBusMessage *call, const char *name,
			  const char *text)
{
	if (!dbus_message_get_no_reply(call))
		bus_send(service->bus, dbus_message_new_error(call, name, text));
}

/* --- Introspection --------------------------------------------------------- */

/* Writes one <arg> per complete type of the signature; returns the names left. */
static const char *write_arguments(FILE *out, const char *signature, const char *direction,
				   const char *names)
{
	DBusSignatureIter iter;

	if (!*signature)
		return names;
	dbus_signature_iter_init(&iter, signature);
	do {
		char *type = dbus_signature_iter_get_signature(&iter);
		size_t length = strcspn(names, " ");

		fprintf(out, "   <arg type=\"%s\" name=\"%.*s\"", type, (int)length, names);
		fprintf(out, direction ? " direction=\"%s\"/>\n" : "/>\n", direction);
		dbus_free(type);
		names += length;
		names += strspn(names, " ");
	} while (dbus_signature_iter_next(&iter));
	return names;
}

static void write_group(FILE *out, const struct service_group *group)
{
	for (size_t i = 0; i < group->method_count; i++) {
		const struct service_method *method = &group->methods[i];
		const char *names;

		fprintf(out, "  <method name=\"%s\">\n", method->name);
		names = write_arguments(out, method->in, "in", method->names);
		write_arguments(out, method->out, "out", names);
		fputs("  </method>\n", out);
	}
	for (size_t i = 0; i < group->signal_count; i++) {
		fprintf(out, "  <signal name=\"%s\">\n", group->signals[i].name);
		write_arguments(out, group->signals[i].signature, NULL, group->signals[i].names);
		fputs("  </signal>\n", out);
	}
	for (size_t i = 0; i < group->property_count; i++)
		fprintf(out, "  <property name=\"%s\" type=\"%s\" access=\"%s\"/>\n",
			group->properties[i].name, group->properties[i].type,
			group->properties[i].set ? "readwrite" : "read");
}

static const char introspection_head[] =
	DBUS_INTROSPECT_1_0_XML_DOCTYPE_DECL_NODE
	"<node>\n"
	" <interface name=\"org.freedesktop.DBus.Introspectable\">\n"
	"  <method name=\"Introspect\"><arg type=\"s\" direction=\"out\"/></method>\n"
	" </interface>\n"
	" <interface name=\"org.freedesktop.DBus.Peer\">\n"
	"  <method name=\"Ping\"/>\n"
	"  <method name=\"GetMachineId\"><arg type=\"s\" direction=\"out\"/></method>\n"
	" </interface>\n"
	" <interface name=\"org.freedesktop.DBus.Properties\">\n"
	"  <method name=\"Get\"><arg type=\"s\" direction=\"in\"/>"
	"<arg type=\"s\" direction=\"in\"/><arg type=\"v\" direction=\"out\"/></method>\n"
	"  <method name=\"GetAll\"><arg type=\"s\" direction=\"in\"/>"
	"<arg type=\"a{sv}\" direction=\"out\"/></method>\n"
	"  <method name=\"Set\"><arg type=\"s\" direction=\"in\"/>"
	"<arg type=\"s\" direction=\"in\"/><arg type=\"v\" direction=\"in\"/></method>\n"
	"  <signal name=\"PropertiesChanged\"><arg type=\"s\"/><arg type=\"a{sv}\"/>"
	"<arg type=\"as\"/></signal>\n"
	" </interface>\n";

/* What signatures cannot say. */
static const char introspection_details[] =
	"  <annotation name=\"org.gtk.GDBus.DocString\" value=\"The details of a caption hold, where the "
	"model is calibrated: confidence (d), the probability that all its nouns, verbs, colours and "
	"numbers hold; band (s): sure, unsure or refused; reasons (as) why it is not sure: words, "
	"disagreement, unfamiliar, quality; words (aa{sv}) with a confidence each; sure_part (a{sv}); "
	"things (aa{sv}); where (aa{sv}): text, across, down; unfamiliarity (d), above 1 for what is "
	"unlike photos. The README describes them.\"/>\n";

static void introspect(struct service *service, DBusMessage *call)
{
	DBusMessage *reply = dbus_message_new_method_return(call);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out) {
		fputs(introspection_head, out);
		fputs(" <interface name=\"" BUS_INTERFACE "\">\n", out);
		fputs(introspection_details, out);
		for (size_t i = 0; i < GROUP_COUNT; i++)
			write_group(out, groups[i]);
		fputs(" </interface>\n</node>\n", out);
		fclose(out);
	}
	if (reply && text)
		dbus_message_append_args(reply, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
	free(text);
	bus_send(service->bus, reply);
}

/* --- Properties ------------------------------------------------------------ */

/* As a variant of the declared type: variant.h knows only one width of number. */
static void append_property(DBusMessageIter *iter, const struct service_property *property,
			    json_t *value)
{
	DBusMessageIter variant;
	dbus_uint32_t number = (dbus_uint32_t)json_integer_value(value);

	if (*property->type != DBUS_TYPE_UINT32) {
		variant_append(iter, value);
		return;
	}
	dbus_message_iter_open_container(iter, DBUS_TYPE_VARIANT, "u", &variant);
	dbus_message_iter_append_basic(&variant, DBUS_TYPE_UINT32, &number);
	dbus_message_iter_close_container(iter, &variant);
}

static void append_entry(struct service *service, DBusMessageIter *dictionary,
			 const struct service_property *property)
{
	DBusMessageIter entry;
	json_t *value = property->get(service);

	dbus_message_iter_open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &property->name);
	append_property(&entry, property, value);
	dbus_message_iter_close_container(dictionary, &entry);
	json_decref(value);
}

void service_changed(struct service *service, const char *name)
{
	unsigned index;

	if (find_property(name, &index))
		service->dirty |= UINT64_C(1) << index;
}

static bool flush_properties(void *data)
{
	struct service *service = data;
	const char *interface = BUS_INTERFACE;
	DBusMessageIter iter, dictionary, invalidated;
	const struct service_property *property;
	DBusMessage *signal;

	if (!service->dirty || !bus_connection(service->bus)) {
		service->dirty = 0;
		return false;
	}
	signal = dbus_message_new_signal(BUS_PATH, DBUS_INTERFACE_PROPERTIES, "PropertiesChanged");
	if (!signal)
		return false;
	dbus_message_iter_init_append(signal, &iter);
	dbus_message_iter_append_basic(&iter, DBUS_TYPE_STRING, &interface);
	dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &dictionary);
	for (unsigned i = 0; (property = property_at(i)); i++)
		if (service->dirty & UINT64_C(1) << i)
			append_entry(service, &dictionary, property);
	dbus_message_iter_close_container(&iter, &dictionary);
	dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "s", &invalidated);
	dbus_message_iter_close_container(&iter, &invalidated);
	service->dirty = 0;
	bus_send(service->bus, signal);
	return false;
}

static const struct service_property *asked_property(struct service *service, DBusMessage *call,
						     const char *interface, const char *name)
{
	const struct service_property *property;
	unsigned index;

	if (*interface && strcmp(interface, BUS_INTERFACE) != 0) {
		fail_standard(service, call, DBUS_ERROR_UNKNOWN_INTERFACE,
			      "There is no such interface.");
		return NULL;
	}
	property = find_property(name, &index);
	if (!property)
		fail_standard(service, call, DBUS_ERROR_UNKNOWN_PROPERTY,
			      "There is no such property.");
	return property;
}

static void get_property(struct service *service, DBusMessage *call)
{
	const struct service_property *property;
	const char *interface, *name;
	DBusMessageIter iter;
	DBusMessage *reply;
	json_t *value;

	dbus_message_get_args(call, NULL, DBUS_TYPE_STRING, &interface, DBUS_TYPE_STRING, &name,
			      DBUS_TYPE_INVALID);
	property = asked_property(service, call, interface, name);
	reply = property ? dbus_message_new_method_return(call) : NULL;
	if (!reply)
		return;
	value = property->get(service);
	dbus_message_iter_init_append(reply, &iter);
	append_property(&iter, property, value);
	json_decref(value);
	bus_send(service->bus, reply);
}

static void get_all_properties(struct service *service, DBusMessage *call)
{
	DBusMessage *reply = dbus_message_new_method_return(call);
	const struct service_property *property;
	DBusMessageIter iter, dictionary;
	const char *interface;

	if (!reply)
		return;
	dbus_message_get_args(call, NULL, DBUS_TYPE_STRING, &interface, DBUS_TYPE_INVALID);
	dbus_message_iter_init_append(reply, &iter);
	dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &dictionary);
	if (!*interface || strcmp(interface, BUS_INTERFACE) == 0)
		for (unsigned i = 0; (property = property_at(i)); i++)
			append_entry(service, &dictionary, property);
	dbus_message_iter_close_container(&iter, &dictionary);
	bus_send(service->bus, reply);
}

static bool type_fits(const char *type, json_t *value)
{
	switch (*type) {
	case DBUS_TYPE_BOOLEAN:
		return json_is_boolean(value);
	case DBUS_TYPE_UINT32:
		return json_is_integer(value) && json_integer_value(value) >= 0 &&
		       json_integer_value(value) <= UINT32_MAX;
	default:
		return json_is_string(value);
	}
}

static void set_property(struct service *service, DBusMessage *call)
{
	const struct service_property *property;
	const char *interface, *name;
	struct failure failure;
	DBusMessageIter iter;
	json_t *value;

	dbus_message_iter_init(call, &iter);
	dbus_message_iter_get_basic(&iter, &interface);
	dbus_message_iter_next(&iter);
	dbus_message_iter_get_basic(&iter, &name);
	dbus_message_iter_next(&iter);
	property = asked_property(service, call, interface, name);
	if (!property)
		return;
	if (!property->set) {
		fail_standard(service, call, DBUS_ERROR_PROPERTY_READ_ONLY,
			      "The property can only be read.");
		return;
	}
	value = variant_read(&iter);
	if (!value || !type_fits(property->type, value))
		fail_standard(service, call, DBUS_ERROR_INVALID_ARGS,
			      "The property has another type.");
	else if (property->set(service, value, &failure))
		service_fail(service, call, &failure);
	else {
		service_changed(service, property->name);
		service_reply(service, call);
	}
	json_decref(value);
}

/* --- Dispatch -------------------------------------------------------------- */

static const struct service_method standard_methods[] = {
	{ "Introspect", "", "s", "", introspect },
	{ "Get", "ss", "v", "", get_property },
	{ "GetAll", "s", "a{sv}", "", get_all_properties },
	{ "Set", "ssv", "", "", set_property },
};

static const struct service_method *find_method(const struct service_method *methods,
						size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

static const struct service_method *method_of(DBusMessage *call)
{
	const char *interface = dbus_message_get_interface(call);
	const char *name = dbus_message_get_member(call);
	const struct service_method *method = NULL;
	size_t count = sizeof(standard_methods) / sizeof(*standard_methods);

	/* the interface may be left out of a call */
	for (size_t i = 0; !method && i < GROUP_COUNT; i++)
		if (!interface || strcmp(interface, BUS_INTERFACE) == 0)
			method = find_method(groups[i]->methods, groups[i]->method_count, name);
	if (!method && (!interface || strcmp(interface, DBUS_INTERFACE_INTROSPECTABLE) == 0))
		method = find_method(standard_methods, 1, name);
	if (!method && (!interface || strcmp(interface, DBUS_INTERFACE_PROPERTIES) == 0))
		method = find_method(standard_methods + 1, count - 1, name);
	return method;
}

static void on_call(void *data, DBusMessage *call)
{
	const struct service_method *method = method_of(call);
	struct service *service = data;
	char text[160];

	if (!method) {
		fail_standard(service, call, DBUS_ERROR_UNKNOWN_METHOD, "There is no such method.");
		return;
	}
	if (!dbus_message_has_signature(call, method->in)) {
		snprintf(text, sizeof(text), "%s takes the arguments \"%s\", not \"%s\".",
			 method->name, method->in, dbus_message_get_signature(call));
		fail_standard(service, call, DBUS_ERROR_INVALID_ARGS, text);
		return;
	}
	method->function(service, call);
}

/* --- Life ------------------------------------------------------------------ */

static void on_peer_gone(void *data, const char *name)
{
	struct service *service = data;

	jobs_cancel_owner(service->jobs, name);
}

/* Whether anybody has something of a daemon that no program can reach: systemd,
 * which started it to stay, a button, or pictures told of without being asked. */
static bool is_needed(const struct service *service)
{
	if (getenv("NOTIFY_SOCKET") || service->config->button_count > 0 ||
	    watch_on(service->watch))
		return true;
	for (unsigned i = 0; i < service->config->camera_count; i++) {
		const struct config_camera *camera = &service->config->cameras[i];

		if (camera->kind == SOURCE_FOLDER && camera->folder && camera->announce)
			return true;
	}
	return false;
}

static void on_lonely(void *data)
{
	struct service *service = data;

	if (is_needed(service)) {
		log_debug("The message bus is still gone; the daemon is needed without it.");
		return;
	}
	log_info("The message bus has not come back within %u seconds; ending.",
		 service->bus_wait);
	loop_quit(service->loop, 0);
}

static void on_state(void *data, bool connected)
{
	struct service *service = data;
	uint64_t wait = service->bus_wait * UINT64_C(1000);

	if (connected) {
		loop_stop_timer(service->lonely);
		if (service_screen_bind_keys(service) < 0)
			log_warning("Out of memory for the desktop's keys.");
		return;
	}
	/* callers' names mean nothing on another bus: their jobs end */
	jobs_cancel_callers(service->jobs);
	loop_start_timer(service->lonely, wait, wait);
}

/* Before a sleep: silence, now and for what is being described; the cameras are
 * closed. After it: sound cards are opened anew, and watching goes on. */
static void on_sleep(void *data, enum sleep_event event)
{
	struct service *service = data;

	switch (event) {
	case SLEEP_BEGINS:
		watch_pause(service->watch);
		jobs_silence(service->jobs);
		look_rest(service->look, "The computer went to sleep.");
		speech_stop(service->speech);
		break;
	case SLEEP_ENDS:
		speech_renew(service->speech);
		break;
	case SLEEP_OVER:
		watch_configure(service->watch, service->config);
		break;
	}
}

static void on_name_lost(void *data)
{
	struct service *service = data;

	log_error("Another program took the name " BUS_NAME "; ending.");
	loop_quit(service->loop, 1);
}

int service_open(struct service *service, bool system, struct failure *failure)
{
	struct bus_options options = {
		.system = system, .on_call = on_call, .on_peer_gone = on_peer_gone,
		.on_state = on_state, .on_name_lost = on_name_lost, .data = service,
	};
	struct failure no_sleep;

	service->verbosity = service->config->caption_verbosity;
	if (loop_add_prepare(service->loop, flush_properties, service, &service->flush) < 0 ||
	    loop_add_timer(service->loop, on_lonely, service, &service->lonely) < 0)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	if (bus_open(service->loop, &options, &service->bus, failure))
		return 1;
	speech_set_bus(service->speech, service->bus);
	if (service_describe_open(service, failure))
		return 1;
	if (service_screen_open(service, failure))
		return 1;
	if (service_look_open(service, failure))
		return 1;
	if (sleep_open(service->loop, on_sleep, service, &service->sleep, &no_sleep))
		log_debug("Nobody tells when the computer sleeps: %s", no_sleep.message);
	return 0;
}

void service_close(struct service *service)
{
	service->sleep = sleep_free(service->sleep);
	service_screen_close(service);
	service_look_close(service);
	service->jobs = jobs_free(service->jobs);
	if (service->bus)
		speech_set_bus(service->speech, NULL);
	service->bus = bus_free(service->bus);
	service->flush = loop_source_free(service->flush);
	service->lonely = loop_source_free(service->lonely);
	json_decref(service->model);
	service->model = NULL;
}

void service_configure(struct service *service, struct config *config)
{
	struct config *old = service->config;

	if (old->caption_verbosity != config->caption_verbosity)
		service->verbosity = config->caption_verbosity;
	speech_configure(service->speech, config);
	service->config = config;
	service_describe_configure(service, old);
	service_look_configure(service);
	config_free(old);
	service_changed(service, "Rate");
	service_changed(service, "Voice");
	service_changed(service, "Volume");
	service_changed(service, "Verbosity");
}
