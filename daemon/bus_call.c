/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bus_call.c: see bus_call.h.
 */
#include "daemon/bus_call.h"

#include <stdarg.h>
#include <stdlib.h>

struct bus_call {
	DBusPendingCall *pending;
	bus_reply_function *function;
	void *data;
};

static void on_reply(DBusPendingCall *pending, void *data)
{
	struct bus_call *call = data;
	DBusMessage *reply = dbus_pending_call_steal_reply(pending);
	bus_reply_function *function = call->function;
	void *its_data = call->data;

	dbus_pending_call_unref(call->pending);
	free(call);
	function(its_data, reply);
	if (reply)
		dbus_message_unref(reply);
}

struct bus_call *bus_call_start(DBusConnection *connection, DBusMessage *message, int milliseconds,
				bus_reply_function *function, void *data)
{
	struct bus_call *call = calloc(1, sizeof(*call));

	if (!call || !message || !connection ||
	    !dbus_connection_send_with_reply(connection, message, &call->pending, milliseconds) ||
	    !call->pending)
		goto fail;
	call->function = function;
	call->data = data;
	if (!dbus_pending_call_set_notify(call->pending, on_reply, call, NULL)) {
		dbus_pending_call_cancel(call->pending);
		dbus_pending_call_unref(call->pending);
		goto fail;
	}
	dbus_message_unref(message);
	return call;
fail:
	if (message)
		dbus_message_unref(message);
	free(call);
	return NULL;
}

struct bus_call *bus_call_cancel(struct bus_call *call)
{
	if (call) {
		dbus_pending_call_cancel(call->pending);
		dbus_pending_call_unref(call->pending);
		free(call);
	}
	return NULL;
}

DBusMessage *bus_call_message(const char *name, const char *path, const char *interface,
			      const char *method, int first_type, ...)
{
	DBusMessage *message = dbus_message_new_method_call(name, path, interface, method);
	dbus_bool_t done;
	va_list arguments;

	if (!message)
		return NULL;
	dbus_message_set_auto_start(message, FALSE);
	va_start(arguments, first_type);
	done = dbus_message_append_args_valist(message, first_type, arguments);
	va_end(arguments);
	if (done)
		return message;
	dbus_message_unref(message);
	return NULL;
}

void bus_call_send(DBusConnection *connection, DBusMessage *message)
{
	if (!message)
		return;
	dbus_message_set_no_reply(message, TRUE);
	if (connection)
		dbus_connection_send(connection, message, NULL);
	dbus_message_unref(message);
}

bool bus_call_read(DBusMessage *reply, int first_type, ...)
{
	DBusError error = DBUS_ERROR_INIT;
	va_list arguments;
	dbus_bool_t done;

	if (!reply || dbus_message_get_type(reply) != DBUS_MESSAGE_TYPE_METHOD_RETURN)
		return false;
	va_start(arguments, first_type);
	done = dbus_message_get_args_valist(reply, &error, first_type, arguments);
	va_end(arguments);
	dbus_error_free(&error);
	return done;
}

const char *bus_call_error(DBusMessage *reply)
{
	const char *text;

	if (!reply || dbus_message_get_type(reply) != DBUS_MESSAGE_TYPE_ERROR)
		return "";
	if (dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID))
		return text;
	return dbus_message_get_error_name(reply);
}
