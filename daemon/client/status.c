/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * status.c: `descry status` and `descry set`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bus.h"
#include "daemon/client/commands.h"
#include "daemon/variant.h"

static void print_value(const char *indent, const char *key, json_t *value)
{
	const char *inner;
	json_t *member;
	char *text;

	if (json_is_object(value)) {
		printf("%s%s:\n", indent, key);
		json_object_foreach(value, inner, member)
			print_value("  ", inner, member);
		return;
	}
	if (json_is_string(value)) {
		printf("%s%s: %s\n", indent, key, json_string_value(value));
	} else if (json_is_boolean(value)) {
		printf("%s%s: %s\n", indent, key, json_is_true(value) ? "yes" : "no");
	} else {
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		printf("%s%s: %s\n", indent, key, text ? text : "");
		free(text);
	}
}

static int run_status(struct client *client, int argc, char **argv)
{
	struct failure failure;
	DBusMessageIter iter;
	DBusMessage *reply;
	json_t *status, *value;
	const char *key;

	if (argc > 0)
		return client_usage(client, "status takes no \"%s\".", argv[0]);
	if (client_call(client, client_call_new("Status"), false, &reply, &failure))
		return client_fail(client, NULL, &failure);
	dbus_message_iter_init(reply, &iter);
	status = variant_read(&iter);
	dbus_message_unref(reply);
	if (!json_is_object(status)) {
		json_decref(status);
		failure_set(&failure, FAILURE_FAILED, "The daemon's answer cannot be read.");
		return client_fail(client, NULL, &failure);
	}
	if (client->json) {
		client_print_json(status);
		return 0;
	}
	json_object_foreach(status, key, value)
		print_value("", key, value);
	json_decref(status);
	return 0;
}

const struct command command_status = {
	.name = "status", .arguments = "",
	.help = "Tells how the daemon is. Lists its version, process, model, voice and what is "
		"wrong, if anything. Does not start it.",
	.run = run_status,
};

static bool property_name(const char *word, char *ret_name, size_t size, char *ret_type)
{
	static const char *const names[] = { "Rate", "Voice", "Volume", "Verbosity" };
	static const char types[] = "usus";

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcasecmp(names[i], word) == 0) {
			snprintf(ret_name, size, "%s", names[i]);
			*ret_type = types[i];
			return true;
		}
	}
	return false;
}

static DBusMessage *set_call(const char *name, char type, const char *text, dbus_uint32_t number)
{
	DBusMessage *call = dbus_message_new_method_call(BUS_NAME, BUS_PATH,
							 DBUS_INTERFACE_PROPERTIES, "Set");
	const char *interface = BUS_INTERFACE, signature[] = { type, '\0' };
	DBusMessageIter iter, variant;

	if (!call)
		return NULL;
	dbus_message_iter_init_append(call, &iter);
	dbus_message_iter_append_basic(&iter, DBUS_TYPE_STRING, &interface);
	dbus_message_iter_append_basic(&iter, DBUS_TYPE_STRING, &name);
	dbus_message_iter_open_container(&iter, DBUS_TYPE_VARIANT, signature, &variant);
	if (type == 'u')
		dbus_message_iter_append_basic(&variant, type, &number);
	else
		dbus_message_iter_append_basic(&variant, type, &text);
	dbus_message_iter_close_container(&iter, &variant);
	return call;
}

static int run_set(struct client *client, int argc, char **argv)
{
	struct failure failure;
	unsigned long number = 0;
	char name[16], type, *end;

	if (argc != 2)
		return client_usage(client, "set needs a name and a value.");
	if (!property_name(argv[0], name, sizeof(name), &type))
		return client_usage(client, "\"%s\" cannot be set.", argv[0]);
	if (type == 'u') {
		number = strtoul(argv[1], &end, 10);
		if (*argv[1] < '0' || *argv[1] > '9' || *end || number > UINT32_MAX)
			return client_usage(client, "\"%s\" is not a whole number.", argv[1]);
	}
	if (client_call(client, set_call(name, type, argv[1], (dbus_uint32_t)number), true, NULL,
			&failure))
		return client_fail(client, NULL, &failure);
	return 0;
}

const struct command command_set = {
	.name = "set", .arguments = "rate|voice|volume|verbosity VALUE",
	.help = "Changes the voice or how much is said, until the daemon ends. "
		"The configuration file does it for good.",
	.run = run_set,
};
