/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sleep.c: see sleep.h. The connection is its own, so that losing the system bus
 * ends nothing else; it is made again as that of the service is.
 */
#include "daemon/sleep.h"

#include <dbus/dbus.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bus.h"
#include "daemon/log.h"

#define LOGIN "org.freedesktop.login1"
#define LOGIN_PATH "/org/freedesktop/login1"
#define LOGIN_MANAGER LOGIN ".Manager"
#define PREPARE_FOR_SLEEP "PrepareForSleep"
#define DEVICES_MS 2000		/* for USB to name its devices anew */

struct sleep {
	struct bus *bus;
	struct loop_source *awake;
	sleep_function *function;
	void *data;
};

static void on_awake(void *data)
{
	struct sleep *sleep = data;

	sleep->function(sleep->data, SLEEP_OVER);
}

/* A signal sent to this connection alone is not logind's, whoever it says it is from:
 * the match rule, which the bus checks, is not asked for such. */
static bool is_ours(DBusMessage *signal)
{
	return dbus_message_is_signal(signal, LOGIN_MANAGER, PREPARE_FOR_SLEEP) &&
	       dbus_message_has_path(signal, LOGIN_PATH) && !dbus_message_get_destination(signal);
}

static void on_signal(void *data, DBusMessage *signal)
{
	struct sleep *sleep = data;
	dbus_bool_t start;

	if (!is_ours(signal) ||
	    !dbus_message_get_args(signal, NULL, DBUS_TYPE_BOOLEAN, &start, DBUS_TYPE_INVALID))
		return;
	if (start) {
		log_info("The computer goes to sleep.");
		loop_stop_timer(sleep->awake);
		sleep->function(sleep->data, SLEEP_BEGINS);
	} else {
		log_info("The computer is awake again.");
		loop_start_timer(sleep->awake, DEVICES_MS, 0);
		sleep->function(sleep->data, SLEEP_ENDS);
	}
}

int sleep_open(struct loop *loop, sleep_function *function, void *data, struct sleep **ret_sleep,
	       struct failure *failure)
{
	struct sleep *sleep = calloc(1, sizeof(*sleep));
	struct bus_options options = { .system = true, .on_signal = on_signal, .data = sleep };
	int r;

	if (!sleep)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	sleep->function = function;
	sleep->data = data;
	r = loop_add_timer(loop, on_awake, sleep, &sleep->awake);
	if (r < 0)
		failure_set(failure, FAILURE_FAILED, "%s.", strerror(-r));
	else
		r = bus_open(loop, &options, &sleep->bus, failure);
	if (r) {
		sleep_free(sleep);
		return 1;
	}
	bus_match(sleep->bus, "type='signal',sender='" LOGIN "',path='" LOGIN_PATH "',"
			      "interface='" LOGIN_MANAGER "',member='" PREPARE_FOR_SLEEP "'");
	*ret_sleep = sleep;
	return 0;
}

struct sleep *sleep_free(struct sleep *sleep)
{
	if (!sleep)
		return NULL;
	bus_free(sleep->bus);
	loop_source_free(sleep->awake);
	free(sleep);
	return NULL;
}
