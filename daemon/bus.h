/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bus.h: the connection to the message bus, joined to the loop.
 *
 * libdbus asks for descriptors to be watched and for timeouts, and keeps
 * messages it has read in a queue of its own. Watches and timeouts become
 * sources of the loop; the queue is drained by a prepare function before the
 * loop waits, at most LIMIT_BUS_DISPATCH messages at a time, or the call that
 * activated the daemon would lie there until the next one arrives.
 *
 * When the bus goes away the connection is made again, with a delay that grows
 * to five seconds; what callers had asked for is forgotten with them. How long
 * that is worth while is the service's business.
 */
#ifndef DAEMON_BUS_H
#define DAEMON_BUS_H

#include <dbus/dbus.h>
#include <stdbool.h>

#include "daemon/failure.h"
#include "daemon/loop.h"

#define BUS_NAME "org.descry.Descry1"
#define BUS_PATH "/org/descry/Descry1"
#define BUS_INTERFACE "org.descry.Descry1"

struct bus;

struct bus_options {
	bool system;
	/* A method call to BUS_PATH; NULL: there is no such object. */
	void (*on_call)(void *data, DBusMessage *call);
	/* A signal that bus_match() asked for. */
	void (*on_signal)(void *data, DBusMessage *signal);
	/* A connection's unique name has gone, while bus_watch_peers() holds; NULL where
	 * it never does. */
	void (*on_peer_gone)(void *data, const char *name);
	/* The bus has gone (false), or is back (true); may be NULL. */
	void (*on_state)(void *data, bool connected);
	/* Another program took the name: time to end; NULL where it is not taken. */
	void (*on_name_lost)(void *data);
	void *data;
};

/* Connects without taking the name. */
int bus_open(struct loop *loop, const struct bus_options *options, struct bus **ret_bus,
	     struct failure *failure);
struct bus *bus_free(struct bus *bus);

/* Takes BUS_NAME; fails when another program has it. */
int bus_own_name(struct bus *bus, struct failure *failure);

/* NULL while the bus is gone. */
DBusConnection *bus_connection(struct bus *bus);
/* Sends and drops the reference; NULL is ignored, for messages that could not be made. */
void bus_send(struct bus *bus, DBusMessage *message);
void bus_watch_peers(struct bus *bus, bool on);
/* Asks for signals by a match rule, now and after each reconnection; at most 16. */
void bus_match(struct bus *bus, const char *rule);

#endif
