/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bus.c: see bus.h. libdbus may watch one descriptor twice, for reading and for
 * writing, which epoll refuses; each watch therefore gets a duplicate of its own.
 */
#include "daemon/bus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/limits.h"
#include "daemon/log.h"

#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS 5000
#define MATCHES_MAX 16
#define PEERS_RULE \
	"type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus'," \
	"member='NameOwnerChanged',arg2=''"

struct bus {
	struct loop *loop;
	struct bus_options options;
	DBusConnection *connection;
	struct loop_source *prepare, *retry;
	unsigned retry_ms;
	bool owns_name, lost, watches_peers;
	char *matches[MATCHES_MAX];
	unsigned match_count;
};

/* --- Watches and timeouts ------------------------------------------------- */

struct watch {
	DBusWatch *watch;
	struct loop_source *source;
	int fd;
};

static void on_watch(void *data, uint32_t events)
{
	struct watch *watch = data;
	unsigned flags = 0;

	if (events & EPOLLIN)
		flags |= DBUS_WATCH_READABLE;
	if (events & EPOLLOUT)
		flags |= DBUS_WATCH_WRITABLE;
	if (events & EPOLLERR)
		flags |= DBUS_WATCH_ERROR;
	if (events & EPOLLHUP)
		flags |= DBUS_WATCH_HANGUP;
	dbus_watch_handle(watch->watch, flags);
}

static uint32_t watch_events(DBusWatch *watch)
{
	unsigned flags = dbus_watch_get_flags(watch);
	uint32_t events = 0;

	if (!dbus_watch_get_enabled(watch))
		return 0;
	if (flags & DBUS_WATCH_READABLE)
		events |= EPOLLIN;
	if (flags & DBUS_WATCH_WRITABLE)
		events |= EPOLLOUT;
	return events;
}

static void forget_watch(struct watch *watch)
{
	watch->source = loop_source_free(watch->source);
	if (watch->fd >= 0)
		close(watch->fd);
	watch->fd = -1;
}

/* A disabled watch leaves epoll, or an error would wake the loop for ever. */
static dbus_bool_t sync_watch(struct bus *bus, struct watch *watch)
{
	uint32_t events = watch_events(watch->watch);

	if (events == 0) {
		forget_watch(watch);
		return TRUE;
	}
	if (watch->source)
		return loop_set_events(watch->source, events) == 0;
	watch->fd = fcntl(dbus_watch_get_unix_fd(watch->watch), F_DUPFD_CLOEXEC, 3);
	if (watch->fd < 0)
		return FALSE;
	if (loop_add_fd(bus->loop, watch->fd, events, on_watch, watch, &watch->source) == 0)
		return TRUE;
	forget_watch(watch);
	return FALSE;
}

static dbus_bool_t add_watch(DBusWatch *handle, void *data)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return FALSE;
	watch->watch = handle;
	watch->fd = -1;
	if (!sync_watch(data, watch)) {
		free(watch);
		return FALSE;
	}
	dbus_watch_set_data(handle, watch, NULL);
	return TRUE;
}

static void remove_watch(DBusWatch *handle, void *data)
{
	struct watch *watch = dbus_watch_get_data(handle);

	(void)data;
	if (!watch)
		return;
	forget_watch(watch);
	free(watch);
	dbus_watch_set_data(handle, NULL, NULL);
}

static void toggle_watch(DBusWatch *handle, void *data)
{
	struct watch *watch = dbus_watch_get_data(handle);

	if (watch && !sync_watch(data, watch))
		log_error("The bus connection cannot be watched: %s.", strerror(errno));
}

static void on_timer(void *data)
{
	dbus_timeout_handle(data);
}

static void set_timer(DBusTimeout *timeout, struct loop_source *source)
{
	uint64_t interval = (uint64_t)dbus_timeout_get_interval(timeout);

	if (dbus_timeout_get_enabled(timeout))
		loop_start_timer(source, interval, interval);
	else
		loop_stop_timer(source);
}

static dbus_bool_t add_timeout(DBusTimeout *timeout, void *data)
{
	struct bus *bus = data;
	struct loop_source *source;

	if (loop_add_timer(bus->loop, on_timer, timeout, &source) < 0)
		return FALSE;
	dbus_timeout_set_data(timeout, source, NULL);
	set_timer(timeout, source);
	return TRUE;
}

static void remove_timeout(DBusTimeout *timeout, void *data)
{
	(void)data;
	loop_source_free(dbus_timeout_get_data(timeout));
	dbus_timeout_set_data(timeout, NULL, NULL);
}

static void toggle_timeout(DBusTimeout *timeout, void *data)
{
	(void)data;
	set_timer(timeout, dbus_timeout_get_data(timeout));
}

/* --- The connection ------------------------------------------------------- */

static bool drain(void *data)
{
	struct bus *bus = data;

	for (unsigned i = 0; bus->connection; i++) {
		if (bus->lost || dbus_connection_get_dispatch_status(bus->connection) !=
					 DBUS_DISPATCH_DATA_REMAINS)
			return false;
		if (i == LIMIT_BUS_DISPATCH)
			return true;
		dbus_connection_dispatch(bus->connection);
	}
	return false;
}

static void on_disconnected(struct bus *bus)
{
	if (bus->lost)
		return;
	log_warning("The %s bus has gone; connecting again.",
		    bus->options.system ? "system" : "message");
	bus->lost = true;
	bus->retry_ms = RETRY_FIRST_MS;
	loop_start_timer(bus->retry, bus->retry_ms, 0);
	if (bus->options.on_state)
		bus->options.on_state(bus->options.data, false);
}

static void on_owner_changed(struct bus *bus, DBusMessage *signal)
{
	const char *name, *before, *after;

	if (dbus_message_get_args(signal, NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_STRING, &before,
				  DBUS_TYPE_STRING, &after, DBUS_TYPE_INVALID) &&
	    *name == ':' && *after == '\0' && bus->options.on_peer_gone)
		bus->options.on_peer_gone(bus->options.data, name);
}

static DBusHandlerResult filter(DBusConnection *connection, DBusMessage *message, void *data)
{
	struct bus *bus = data;
	const char *name;

	(void)connection;
	if (dbus_message_get_type(message) != DBUS_MESSAGE_TYPE_SIGNAL)
		return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
	if (dbus_message_is_signal(message, DBUS_INTERFACE_LOCAL, "Disconnected")) {
		on_disconnected(bus);
		return DBUS_HANDLER_RESULT_HANDLED;
	}
	if (dbus_message_has_sender(message, DBUS_SERVICE_DBUS)) {
		if (dbus_message_is_signal(message, DBUS_INTERFACE_DBUS, "NameOwnerChanged")) {
			on_owner_changed(bus, message);
		} else if (dbus_message_is_signal(message, DBUS_INTERFACE_DBUS, "NameLost") &&
			   dbus_message_get_args(message, NULL, DBUS_TYPE_STRING, &name,
						 DBUS_TYPE_INVALID) &&
			   bus->owns_name && strcmp(name, BUS_NAME) == 0) {
			bus->options.on_name_lost(bus->options.data);
		}
	}
	if (bus->options.on_signal)
		bus->options.on_signal(bus->options.data, message);
	/* others may listen too */
	return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
}

static DBusHandlerResult on_message(DBusConnection *connection, DBusMessage *message, void *data)
{
	struct bus *bus = data;

	(void)connection;
	if (dbus_message_get_type(message) != DBUS_MESSAGE_TYPE_METHOD_CALL)
		return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
	bus->options.on_call(bus->options.data, message);
	return DBUS_HANDLER_RESULT_HANDLED;
}

static void disconnect(struct bus *bus)
{
	if (!bus->connection)
		return;
	dbus_connection_remove_filter(bus->connection, filter, bus);
	if (bus->options.on_call)
		dbus_connection_unregister_object_path(bus->connection, BUS_PATH);
	dbus_connection_set_watch_functions(bus->connection, NULL, NULL, NULL, NULL, NULL);
	dbus_connection_set_timeout_functions(bus->connection, NULL, NULL, NULL, NULL, NULL);
	dbus_connection_close(bus->connection);
	dbus_connection_unref(bus->connection);
	bus->connection = NULL;
}

static int connect_now(struct bus *bus, struct failure *failure)
{
	static const DBusObjectPathVTable table = { .message_function = on_message };
	DBusError error = DBUS_ERROR_INIT;

	bus->connection = dbus_bus_get_private(bus->options.system ? DBUS_BUS_SYSTEM
								   : DBUS_BUS_SESSION, &error);
	if (!bus->connection) {
		failure_set(failure, FAILURE_NO_DAEMON, "The %s bus cannot be reached: %s",
			    bus->options.system ? "system" : "session", error.message);
		dbus_error_free(&error);
		return 1;
	}
	bus->lost = false;
	dbus_connection_set_exit_on_disconnect(bus->connection, FALSE);
	if (!dbus_connection_set_watch_functions(bus->connection, add_watch, remove_watch,
						 toggle_watch, bus, NULL) ||
	    !dbus_connection_set_timeout_functions(bus->connection, add_timeout, remove_timeout,
						   toggle_timeout, bus, NULL) ||
	    !dbus_connection_add_filter(bus->connection, filter, bus, NULL) ||
	    (bus->options.on_call &&
	     !dbus_connection_register_object_path(bus->connection, BUS_PATH, &table, bus))) {
		disconnect(bus);
		return failure_set(failure, FAILURE_FAILED, "Out of memory for the bus.");
	}
	if (bus->watches_peers)
		dbus_bus_add_match(bus->connection, PEERS_RULE, NULL);
	for (unsigned i = 0; i < bus->match_count; i++)
		dbus_bus_add_match(bus->connection, bus->matches[i], NULL);
	return 0;
}

static void on_retry(void *data)
{
	struct bus *bus = data;
	struct failure failure;

	disconnect(bus);
	if (connect_now(bus, &failure) == 0 &&
	    (!bus->owns_name || bus_own_name(bus, &failure) == 0)) {
		log_info("Connected to the %s bus again.",
			 bus->options.system ? "system" : "message");
		if (bus->options.on_state)
			bus->options.on_state(bus->options.data, true);
		return;
	}
	disconnect(bus);
	log_debug("%s", failure.message);
	bus->retry_ms = bus->retry_ms * 2 > RETRY_MOST_MS ? RETRY_MOST_MS : bus->retry_ms * 2;
	loop_start_timer(bus->retry, bus->retry_ms, 0);
}

int bus_open(struct loop *loop, const struct bus_options *options, struct bus **ret_bus,
	     struct failure *failure)
{
	struct bus *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	bus->loop = loop;
	bus->options = *options;
	r = loop_add_prepare(loop, drain, bus, &bus->prepare);
	if (r == 0)
		r = loop_add_timer(loop, on_retry, bus, &bus->retry);
	if (r < 0)
		failure_set(failure, FAILURE_FAILED, "%s.", strerror(-r));
	else
		r = connect_now(bus, failure);
	if (r) {
		bus_free(bus);
		return 1;
	}
	*ret_bus = bus;
	return 0;
}

struct bus *bus_free(struct bus *bus)
{
	if (!bus)
		return NULL;
	if (bus->connection && !bus->lost)
		dbus_connection_flush(bus->connection);
	disconnect(bus);
	loop_source_free(bus->prepare);
	loop_source_free(bus->retry);
	for (unsigned i = 0; i < bus->match_count; i++)
		free(bus->matches[i]);
	free(bus);
	return NULL;
}

int bus_own_name(struct bus *bus, struct failure *failure)
{
	DBusError error = DBUS_ERROR_INIT;
	int r = dbus_bus_request_name(bus->connection, BUS_NAME, DBUS_NAME_FLAG_DO_NOT_QUEUE,
				      &error);

	if (r == DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER ||
	    r == DBUS_REQUEST_NAME_REPLY_ALREADY_OWNER) {
		bus->owns_name = true;
		return 0;
	}
	if (r == -1) {
		failure_set(failure, FAILURE_FAILED, "The name %s cannot be taken: %s", BUS_NAME,
			    error.message);
		dbus_error_free(&error);
		return 1;
	}
	return failure_set(failure, FAILURE_BUSY,
			   "Descry runs on this bus already. `descry status` asks it how it is.");
}

DBusConnection *bus_connection(struct bus *bus)
{
	return bus->lost ? NULL : bus->connection;
}

void bus_send(struct bus *bus, DBusMessage *message)
{
	if (!message)
		return;
	if (bus->connection && !bus->lost)
		dbus_connection_send(bus->connection, message, NULL);
	dbus_message_unref(message);
}

void bus_watch_peers(struct bus *bus, bool on)
{
	if (on == bus->watches_peers)
		return;
	bus->watches_peers = on;
	if (!bus->connection || bus->lost)
		return;
	/* without an error to fill in, neither call waits for the bus */
	if (on)
		dbus_bus_add_match(bus->connection, PEERS_RULE, NULL);
	else
		dbus_bus_remove_match(bus->connection, PEERS_RULE, NULL);
}

void bus_match(struct bus *bus, const char *rule)
{
	if (bus->match_count == MATCHES_MAX)
		return;
	bus->matches[bus->match_count] = strdup(rule);
	if (!bus->matches[bus->match_count])
		return;
	bus->match_count++;
	if (bus->connection && !bus->lost)
		dbus_bus_add_match(bus->connection, rule, NULL);
}
