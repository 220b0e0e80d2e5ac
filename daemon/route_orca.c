/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * route_orca.c: Orca's voice and braille, over D-Bus.
 *
 * Orca 51 and 49 to 50 take messages themselves, under two names; 43 to 48 do so
 * through Descry's add-on (daemon/orca/), which takes a name of its own. They
 * are looked for in this order with each utterance, because a screen reader is
 * restarted oftener than anything else on a desktop.
 *
 * Orca may hang: its main loop waits for the programs it reads. PresentMessage
 * has no time limit of its own, and a message that lies in Orca's queue is spoken
 * when it wakes up. So Orca is first asked for its version, which it answers in
 * the same queue; only when it has is the message sent. The add-on's Present
 * takes a deadline instead, after which it does not speak.
 */
#include "daemon/route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/bus_call.h"

#define ADDON "org.descry.OrcaAddon1"
#define ADDON_PATH "/org/descry/OrcaAddon1"
#define ANSWER_MS 50		/* of a call's time, for the add-on's answer to come back */
#define PRESENT_MS 30000

struct voice {
	const char *name, *path;
	bool addon;
	const char *works;	/* for the status */
};

static const struct voice voices[] = {
	{ "org.gnome.Orca1.Service", "/org/gnome/Orca1/Service", false, "Orca takes messages" },
	{ "org.gnome.Orca.Service", "/org/gnome/Orca/Service", false, "Orca takes messages" },
	{ ADDON, ADDON_PATH, true, "Orca has Descry's add-on" },
};
#define VOICES (sizeof(voices) / sizeof(*voices))

struct orca {
	struct routes *routes;
	struct bus_call *call;
	size_t voice;			/* the one being asked */
	const struct route_text *text;	/* NULL: none */
	char version[64];
	const struct voice *last;	/* that spoke */
};

static void ask_owner(struct orca *orca);

static void start(struct orca *orca, DBusMessage *message, int milliseconds,
		  bus_reply_function *function)
{
	orca->call = bus_call_start(route_connection(orca->routes), message, milliseconds,
				    function, orca);
	if (!orca->call)
		route_refused(orca->routes, "the bus cannot be reached");
}

static void on_presented(void *data, DBusMessage *reply)
{
	struct orca *orca = data;
	const struct voice *voice = &voices[orca->voice];
	dbus_bool_t presented;
	char why[160];

	orca->call = NULL;
	if (bus_call_read(reply, DBUS_TYPE_BOOLEAN, &presented, DBUS_TYPE_INVALID) && presented) {
		orca->last = voice;
		snprintf(why, sizeof(why), "%s%s%s", voice->works, *orca->version ? ", version " : "",
			 orca->version);
		route_taken(orca->routes, why);
		return;
	}
	snprintf(why, sizeof(why), "Orca did not take the message%s%s",
		 *bus_call_error(reply) ? ": " : "", bus_call_error(reply));
	route_refused(orca->routes, why);
}

static uint64_t microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void present_by_addon(struct orca *orca)
{
	dbus_bool_t interrupt = orca->text->priority == TTS_NOW;
	int limit = route_call_limit(orca->routes);
	dbus_uint64_t deadline = microseconds() + (dbus_uint64_t)(limit - ANSWER_MS) * 1000;

	start(orca, bus_call_message(ADDON, ADDON_PATH, ADDON, "Present",
				     DBUS_TYPE_STRING, &orca->text->text,
				     DBUS_TYPE_UINT64, &deadline,
				     DBUS_TYPE_BOOLEAN, &interrupt, DBUS_TYPE_INVALID),
	      limit, on_presented);
}

static void interrupt_service(struct orca *orca, const struct voice *voice)
{
	static const char *const modules[] = { "SpeechAndVerbosityManager", "SpeechManager" };
	DBusConnection *connection = route_connection(orca->routes);
	dbus_bool_t notify = FALSE;
	const char *command = "InterruptSpeech";
	char path[128];

	if (!strcmp(voice->name, "org.gnome.Orca1.Service")) {
		snprintf(path, sizeof(path), "%s/SpeechManager", voice->path);
		bus_call_send(connection,
			      bus_call_message(voice->name, path, "org.gnome.Orca1.SpeechManager",
					       command, DBUS_TYPE_BOOLEAN, &notify,
					       DBUS_TYPE_INVALID));
		return;
	}
	/* the module was renamed between 49 and 50; the one that is not there ignores it */
	for (size_t i = 0; i < sizeof(modules) / sizeof(*modules); i++) {
		snprintf(path, sizeof(path), "%s/%s", voice->path, modules[i]);
		bus_call_send(connection,
			      bus_call_message(voice->name, path, "org.gnome.Orca.Module",
					       "ExecuteCommand", DBUS_TYPE_STRING, &command,
					       DBUS_TYPE_BOOLEAN, &notify, DBUS_TYPE_INVALID));
	}
}

static void on_version(void *data, DBusMessage *reply)
{
	struct orca *orca = data;
	const struct voice *voice = &voices[orca->voice];
	const char *version;

	orca->call = NULL;
	if (!bus_call_read(reply, DBUS_TYPE_STRING, &version, DBUS_TYPE_INVALID)) {
		route_refused(orca->routes, "Orca does not answer");
		return;
	}
	snprintf(orca->version, sizeof(orca->version), "%s", version);
	if (orca->text->priority == TTS_NOW && orca->last == voice)
		interrupt_service(orca, voice);
	route_committed(orca->routes);
	start(orca, bus_call_message(voice->name, voice->path, voice->name, "PresentMessage",
				     DBUS_TYPE_STRING, &orca->text->text, DBUS_TYPE_INVALID),
	      PRESENT_MS, on_presented);
}

static void on_owner(void *data, DBusMessage *reply)
{
	struct orca *orca = data;
	const struct voice *voice = &voices[orca->voice];
	dbus_bool_t owned;

	orca->call = NULL;
	if (!bus_call_read(reply, DBUS_TYPE_BOOLEAN, &owned, DBUS_TYPE_INVALID) || !owned) {
		orca->voice++;
		ask_owner(orca);
	} else if (voice->addon) {
		present_by_addon(orca);
	} else {
		start(orca, bus_call_message(voice->name, voice->path, voice->name, "GetVersion",
					     DBUS_TYPE_INVALID), route_call_limit(orca->routes),
		      on_version);
	}
}

static void ask_owner(struct orca *orca)
{
	if (orca->voice == VOICES) {
		route_refused(orca->routes, "no Orca takes messages");
		return;
	}
	start(orca, bus_call_message(DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS,
				     "NameHasOwner", DBUS_TYPE_STRING, &voices[orca->voice].name,
				     DBUS_TYPE_INVALID), route_call_limit(orca->routes),
	      on_owner);
}

static int orca_open(struct loop *loop, struct routes *routes, void **ret_driver)
{
	struct orca *orca = calloc(1, sizeof(*orca));

	(void)loop;
	if (!orca)
		return -ENOMEM;
	orca->routes = routes;
	*ret_driver = orca;
	return 0;
}

static void orca_say(void *driver, const struct route_text *text)
{
	struct orca *orca = driver;

	orca->text = text;
	orca->voice = 0;
	orca->version[0] = '\0';
	ask_owner(orca);
}

static void orca_cancel(void *driver)
{
	struct orca *orca = driver;

	orca->call = bus_call_cancel(orca->call);
	if (orca->voice < VOICES)
		orca->last = &voices[orca->voice];
}

static void orca_stop(void *driver)
{
	struct orca *orca = driver;

	if (!orca->last)
		return;
	if (orca->last->addon)
		bus_call_send(route_connection(orca->routes),
			      bus_call_message(ADDON, ADDON_PATH, ADDON, "Stop",
					       DBUS_TYPE_INVALID));
	else
		interrupt_service(orca, orca->last);
}

static void orca_free(void *driver)
{
	struct orca *orca = driver;

	bus_call_cancel(orca->call);
	free(orca);
}

const struct route_driver route_orca = {
	.name = "orca", .open = orca_open, .free = orca_free, .say = orca_say,
	.cancel = orca_cancel, .stop = orca_stop,
};
