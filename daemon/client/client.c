/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * client.c: options, output and calls to the daemon, for all commands.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bus.h"
#include "daemon/client/command.h"
#include "daemon/variant.h"

static int option_index(const struct client *client, const char *name)
{
	const struct command *command = client->command;

	for (size_t i = 0; i < command->option_count; i++)
		if (strcmp(command->options[i].name, name) == 0)
			return (int)i;
	for (size_t i = 0; i < client_global_option_count; i++)
		if (strcmp(client_global_options[i].name, name) == 0)
			return (int)(command->option_count + i);
	return -1;
}

const char *client_value(const struct client *client, const char *name)
{
	int index = option_index(client, name);

	return index < 0 ? NULL : client->values[index];
}

bool client_has(const struct client *client, const char *name)
{
	return client_value(client, name) != NULL;
}

int client_number(const struct client *client, const char *name, unsigned minimum,
		  unsigned maximum, unsigned initial, unsigned *ret_value,
		  struct failure *failure)
{
	const char *text = client_value(client, name);
	unsigned long value;
	char *end;

	if (!text) {
		*ret_value = initial;
		return 0;
	}
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || value < minimum || value > maximum)
		return failure_set(failure, FAILURE_USAGE,
				   "--%s is \"%s\", but must be a whole number from %u to %u.",
				   name, text, minimum, maximum);
	*ret_value = (unsigned)value;
	return 0;
}

int client_fail(const struct client *client, const char *subject, const struct failure *failure)
{
	const struct failure_info *info = failure_info(failure->kind);

	if (client->json) {
		json_t *object = json_object();

		if (subject)
			json_object_set_new(object, "file", json_string(subject));
		json_object_set_new(object, "error", json_string(info->name));
		json_object_set_new(object, "message", json_string(failure->message));
		client_print_json(object);
	}
	fprintf(stderr, "descry: %s%s%s\n", subject ? subject : "", subject ? ": " : "",
		failure->message);
	return info->exit_status;
}

int client_usage(const struct client *client, const char *format, ...)
{
	va_list arguments;

	fputs("descry: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	if (client->command)
		fprintf(stderr, " `descry %s --help` explains it.\n", client->command->name);
	else
		fputs(" `descry --help` lists the commands.\n", stderr);
	return failure_info(FAILURE_USAGE)->exit_status;
}

void client_print_json(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(object);
}

int client_config(const struct client *client, struct config **ret_config,
		  struct failure *failure)
{
	char *path = config_find(client_has(client, "system"));
	struct config_error error = { 0 };
	int r = config_load(path, NULL, 0, ret_config, &error);

	free(path);
	return r ? failure_set(failure, FAILURE_FAILED, "%s", error.message) : 0;
}

/* --- The daemon ----------------------------------------------------------- */

DBusMessage *client_call_new(const char *method)
{
	return dbus_message_new_method_call(BUS_NAME, BUS_PATH, BUS_INTERFACE, method);
}

dbus_bool_t client_append_options(DBusMessage *call, json_t *options)
{
	DBusMessageIter iter;

	dbus_message_iter_init_append(call, &iter);
	return variant_append_dictionary(&iter, options);
}

static int open_bus(struct client *client, struct failure *failure)
{
	DBusError error = DBUS_ERROR_INIT;
	bool system = client_has(client, "system");

	if (client->bus)
		return 0;
	client->bus = dbus_bus_get_private(system ? DBUS_BUS_SYSTEM : DBUS_BUS_SESSION, &error);
	if (!client->bus) {
		failure_set(failure, FAILURE_NO_DAEMON, "The %s bus cannot be reached: %s%s",
			    system ? "system" : "session", error.message,
			    client_value(client, "local") || !client->command ? "" :
			    " `descry describe --local` needs no bus.");
		dbus_error_free(&error);
		return 1;
	}
	dbus_connection_set_exit_on_disconnect(client->bus, FALSE);
	return 0;
}

static int failure_from_bus(struct failure *failure, DBusError *error, bool start)
{
	const char *name = error->name, *text = error->message;

	if (strncmp(name, FAILURE_DBUS_PREFIX, strlen(FAILURE_DBUS_PREFIX)) == 0)
		failure_set(failure, failure_from_name(name), "%s", text);
	else if (strcmp(name, DBUS_ERROR_ACCESS_DENIED) == 0)
		failure_set(failure, FAILURE_NO_DAEMON, "You may not call Descry on this bus; members "
			    "of the group descry may. (%s)", text);
	else if (!start && (strcmp(name, DBUS_ERROR_SERVICE_UNKNOWN) == 0 ||
			    strcmp(name, DBUS_ERROR_NAME_HAS_NO_OWNER) == 0))
		failure_set(failure, FAILURE_NO_DAEMON, "descryd is not running. It starts when it "
			    "is asked to describe or say something.");
	else if (strcmp(name, DBUS_ERROR_INVALID_ARGS) == 0 ||
		 strcmp(name, DBUS_ERROR_UNKNOWN_METHOD) == 0)
		failure_set(failure, FAILURE_FAILED, "The daemon is of another version: %s", text);
	else
		failure_set(failure, FAILURE_NO_DAEMON, "The daemon does not answer: %s", text);
	dbus_error_free(error);
	return 1;
}

int client_call(struct client *client, DBusMessage *call, bool start, DBusMessage **ret_reply,
		struct failure *failure)
{
	DBusError error = DBUS_ERROR_INIT;
	DBusMessage *reply;
	int r;

	if (!call)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	r = open_bus(client, failure);
	if (r) {
		dbus_message_unref(call);
		return r;
	}
	dbus_message_set_auto_start(call, start);
	reply = dbus_connection_send_with_reply_and_block(client->bus, call,
							  DBUS_TIMEOUT_INFINITE, &error);
	dbus_message_unref(call);
	if (!reply)
		return failure_from_bus(failure, &error, start);
	if (ret_reply)
		*ret_reply = reply;
	else
		dbus_message_unref(reply);
	return 0;
}
