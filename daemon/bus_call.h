/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bus_call.h: a method call to another program whose answer comes from the loop.
 * libdbus's pending calls, reduced to one function that is called once, or never
 * when the call is cancelled first.
 */
#ifndef DAEMON_BUS_CALL_H
#define DAEMON_BUS_CALL_H

#include <dbus/dbus.h>
#include <stdbool.h>

struct bus_call;

/* `reply` is the answer or an error, borrowed. The call is gone. */
typedef void bus_reply_function(void *data, DBusMessage *reply);

/* Sends and drops `message` (NULL: could not be made) over `connection` (NULL: the
 * bus is gone). NULL when it cannot be sent; the function is then not called. An
 * answer that does not come in `milliseconds` is an error. */
struct bus_call *bus_call_start(DBusConnection *connection, DBusMessage *message, int milliseconds,
				bus_reply_function *function, void *data);
/* Takes NULL; returns NULL. */
struct bus_call *bus_call_cancel(struct bus_call *call);

/* A call that does not start the program it is meant for; arguments as for
 * dbus_message_append_args(). NULL when out of memory. */
DBusMessage *bus_call_message(const char *name, const char *path, const char *interface,
			      const char *method, int first_type, ...);
/* The same, sent without an answer being wanted. */
void bus_call_send(DBusConnection *connection, DBusMessage *message);

/* Reads a reply whose arguments must be exactly these; false for an error too. */
bool bus_call_read(DBusMessage *reply, int first_type, ...);
/* What went wrong, in the other program's words, or "". */
const char *bus_call_error(DBusMessage *reply);

#endif
