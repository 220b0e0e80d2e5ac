/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * shortcuts.c: see shortcuts.h. Three steps, each an answer later than its call:
 * a session, the binding of the keys in it, the presses. The object on which the
 * portal answers has a path that follows from our own name and a token, so the
 * signal can be asked for before the call that causes it. A portal that goes takes
 * its sessions with it: when its name has an owner again, the steps are repeated.
 */
#include "daemon/shortcuts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bus_call.h"
#include "daemon/log.h"
#include "daemon/portal.h"

#define PORTAL_SHORTCUTS "org.freedesktop.portal.GlobalShortcuts"
#define SIGNALS "type='signal',sender='" PORTAL_NAME "',interface='" PORTAL_SHORTCUTS "'"
#define OWNERS "type='signal',sender='" DBUS_SERVICE_DBUS "',interface='" DBUS_INTERFACE_DBUS \
	"',member='NameOwnerChanged',arg0='" PORTAL_NAME "'"
#define ANSWERS "type='signal',sender='" PORTAL_NAME "',interface='" PORTAL_REQUEST \
	"',member='Response'"
#define CALL_MS 10000

static const struct {
	const char *id, *description, *trigger;
} keys[SHORTCUTS] = {
	[SHORTCUT_FOCUS] = { "focus", "Describe what has focus", "LOGO+SHIFT+d" },
	[SHORTCUT_CAMERA] = { "camera", "Look through the camera", "LOGO+SHIFT+c" },
	[SHORTCUT_REPEAT] = { "repeat", "Say the last description again", "LOGO+SHIFT+r" },
	[SHORTCUT_STOP] = { "stop", "Stop speaking", "LOGO+SHIFT+s" },
};

struct shortcuts {
	DBusConnection *connection;
	void (*pressed)(void *data, enum shortcut shortcut);
	void *data;
	struct bus_call *call;
	char request[256];	/* path of the answer that is awaited; "": none */
	char session[256];
	bool bound;
};

/* --- Messages --------------------------------------------------------------------- */

static void append_option(DBusMessageIter *dictionary, const char *key, const char *text)
{
	DBusMessageIter entry, value;

	dbus_message_iter_open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key);
	dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "s", &value);
	dbus_message_iter_append_basic(&value, DBUS_TYPE_STRING, &text);
	dbus_message_iter_close_container(&entry, &value);
	dbus_message_iter_close_container(dictionary, &entry);
}

/* Names the object on which the answer will come. */
static void expect(struct shortcuts *shortcuts, const char *token)
{
	const char *name = dbus_bus_get_unique_name(shortcuts->connection);
	char sender[128];
	size_t i;

	for (i = 0; name && name[i + 1] && i < sizeof(sender) - 1; i++)
		sender[i] = name[i + 1] == '.' ? '_' : name[i + 1];
	sender[i] = '\0';
	snprintf(shortcuts->request, sizeof(shortcuts->request), PORTAL_PATH "/request/%s/%s",
		 sender, token);
}

static void on_called(void *data, DBusMessage *reply)
{
	struct shortcuts *shortcuts = data;

	shortcuts->call = NULL;
	if (reply && dbus_message_get_type(reply) == DBUS_MESSAGE_TYPE_METHOD_RETURN)
		return;
	shortcuts->request[0] = '\0';
	log_debug("The desktop offers no keys: %s", bus_call_error(reply));
}

static void call(struct shortcuts *shortcuts, DBusMessage *message)
{
	bus_call_cancel(shortcuts->call);
	shortcuts->call = bus_call_start(shortcuts->connection, message, CALL_MS, on_called,
					 shortcuts);
}

static void create_session(struct shortcuts *shortcuts)
{
	DBusMessage *message = bus_call_message(PORTAL_NAME, PORTAL_PATH, PORTAL_SHORTCUTS,
						"CreateSession", DBUS_TYPE_INVALID);
	DBusMessageIter iter, options;

	if (!message)
		return;
	dbus_message_set_auto_start(message, TRUE);
	expect(shortcuts, "descry_session");
	dbus_message_iter_init_append(message, &iter);
	dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &options);
	append_option(&options, "handle_token", "descry_session");
	append_option(&options, "session_handle_token", "descry");
	dbus_message_iter_close_container(&iter, &options);
	call(shortcuts, message);
}

static void append_key(DBusMessageIter *array, size_t i)
{
	DBusMessageIter key, options;

	dbus_message_iter_open_container(array, DBUS_TYPE_STRUCT, NULL, &key);
	dbus_message_iter_append_basic(&key, DBUS_TYPE_STRING, &keys[i].id);
	dbus_message_iter_open_container(&key, DBUS_TYPE_ARRAY, "{sv}", &options);
	append_option(&options, "description", keys[i].description);
	append_option(&options, "preferred_trigger", keys[i].trigger);
	dbus_message_iter_close_container(&key, &options);
	dbus_message_iter_close_container(array, &key);
}

static void bind_keys(struct shortcuts *shortcuts)
{
	DBusMessage *message = bus_call_message(PORTAL_NAME, PORTAL_PATH, PORTAL_SHORTCUTS,
						"BindShortcuts", DBUS_TYPE_INVALID);
	const char *session = shortcuts->session, *parent = "";
	DBusMessageIter iter, array, options;

	if (!message)
		return;
	expect(shortcuts, "descry_keys");
	dbus_message_iter_init_append(message, &iter);
	dbus_message_iter_append_basic(&iter, DBUS_TYPE_OBJECT_PATH, &session);
	dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "(sa{sv})", &array);
	for (size_t i = 0; i < SHORTCUTS; i++)
		append_key(&array, i);
	dbus_message_iter_close_container(&iter, &array);
	dbus_message_iter_append_basic(&iter, DBUS_TYPE_STRING, &parent);
	dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &options);
	append_option(&options, "handle_token", "descry_keys");
	dbus_message_iter_close_container(&iter, &options);
	call(shortcuts, message);
}

/* --- Answers ---------------------------------------------------------------------- */

static void on_response(struct shortcuts *shortcuts, DBusMessage *signal)
{
	char session[sizeof(shortcuts->session)] = "";
	const char *path = dbus_message_get_path(signal);
	dbus_uint32_t code;

	if (!*shortcuts->request || !path || strcmp(path, shortcuts->request) ||
	    !portal_read_response(signal, "session_handle", &code, session, sizeof(session)))
		return;
	shortcuts->request[0] = '\0';
	if (code != 0) {
		log_info("The desktop did not give Descry keys of its own.");
	} else if (!*shortcuts->session) {
		if (!dbus_validate_path(session, NULL))
			return;
		strcpy(shortcuts->session, session);
		bind_keys(shortcuts);
	} else {
		shortcuts->bound = true;
		log_info("The desktop's keys for Descry work.");
	}
}

static void on_activated(struct shortcuts *shortcuts, DBusMessage *signal)
{
	const char *session, *id;
	DBusMessageIter iter;

	if (!shortcuts->bound || !dbus_message_has_signature(signal, "osta{sv}"))
		return;
	dbus_message_iter_init(signal, &iter);
	dbus_message_iter_get_basic(&iter, &session);
	dbus_message_iter_next(&iter);
	dbus_message_iter_get_basic(&iter, &id);
	if (strcmp(session, shortcuts->session))
		return;
	for (size_t i = 0; i < SHORTCUTS; i++)
		if (!strcmp(id, keys[i].id))
			shortcuts->pressed(shortcuts->data, (enum shortcut)i);
}

static void on_owner_changed(struct shortcuts *shortcuts, DBusMessage *signal)
{
	const char *name, *before, *after;

	if (!dbus_message_get_args(signal, NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_STRING, &before,
				   DBUS_TYPE_STRING, &after, DBUS_TYPE_INVALID) ||
	    strcmp(name, PORTAL_NAME))
		return;
	if (*before) {
		shortcuts->bound = false;
		shortcuts->session[0] = shortcuts->request[0] = '\0';
	}
	/* the first call starts a portal that did not run, and waits for it */
	if (*after && !*shortcuts->request)
		create_session(shortcuts);
}

static DBusHandlerResult filter(DBusConnection *connection, DBusMessage *message, void *data)
{
	(void)connection;
	if (dbus_message_is_signal(message, PORTAL_REQUEST, "Response"))
		on_response(data, message);
	else if (dbus_message_is_signal(message, PORTAL_SHORTCUTS, "Activated"))
		on_activated(data, message);
	else if (dbus_message_is_signal(message, DBUS_INTERFACE_DBUS, "NameOwnerChanged"))
		on_owner_changed(data, message);
	return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
}

int shortcuts_open(DBusConnection *connection,
		   void (*pressed)(void *data, enum shortcut shortcut), void *data,
		   struct shortcuts **ret_shortcuts)
{
	struct shortcuts *shortcuts = calloc(1, sizeof(*shortcuts));

	if (!shortcuts || !dbus_connection_add_filter(connection, filter, shortcuts, NULL)) {
		free(shortcuts);
		return -ENOMEM;
	}
	shortcuts->connection = dbus_connection_ref(connection);
	shortcuts->pressed = pressed;
	shortcuts->data = data;
	/* without an error to fill in, neither call waits for the bus */
	dbus_bus_add_match(connection, SIGNALS, NULL);
	dbus_bus_add_match(connection, ANSWERS, NULL);
	dbus_bus_add_match(connection, OWNERS, NULL);
	create_session(shortcuts);
	*ret_shortcuts = shortcuts;
	return 0;
}

struct shortcuts *shortcuts_free(struct shortcuts *shortcuts)
{
	if (shortcuts) {
		bus_call_cancel(shortcuts->call);
		dbus_connection_remove_filter(shortcuts->connection, filter, shortcuts);
		dbus_connection_unref(shortcuts->connection);
		free(shortcuts);
	}
	return NULL;
}
