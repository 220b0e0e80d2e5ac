/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * accessible.c: AT-SPI spoken over D-Bus directly: of its library only four calls
 * would be needed, and they would bring GLib's main loop with them.
 *
 * There is no call for "what has focus". The programs are asked for their
 * windows until one says that it is active; the focused object inside it is asked
 * for by a match rule where the toolkit has them (GTK 3, Qt, Firefox), and looked
 * for from the top otherwise, within limits: a program that does not answer, or
 * has ten thousand rows, must not hold the user up.
 */
#include "daemon/accessible.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ACCESSIBLE "org.a11y.atspi.Accessible"
#define CALL_MS 300
#define SEARCH_MS 2000
#define OBJECTS_MAX 2000u
#define PROGRAMS_MAX 200
#define CHILDREN_MAX 500

/* from the specification's lists of states and roles */
enum { STATE_ACTIVE = 1, STATE_FOCUSED = 12, STATE_SHOWING = 25 };
enum { ROLE_ICON = 26, ROLE_IMAGE = 27, ROLE_PASSWORD_TEXT = 40 };

struct object {
	char name[64], path[192];
};

struct search {
	DBusConnection *bus;
	uint64_t limit;
	unsigned left;		/* objects that may still be asked */
};

static uint64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Takes `message`; NULL when there is no answer that is not an error. */
static DBusMessage *call(struct search *search, DBusMessage *message)
{
	DBusMessage *reply = NULL;

	if (message && search->left > 0 && milliseconds() < search->limit) {
		search->left--;
		reply = dbus_connection_send_with_reply_and_block(search->bus, message, CALL_MS,
								  NULL);
	}
	if (message)
		dbus_message_unref(message);
	return reply;
}

static DBusMessage *method(const struct object *object, const char *interface, const char *name)
{
	return dbus_message_new_method_call(object->name, object->path, interface, name);
}

/* --- Answers ------------------------------------------------------------------------ */

/* Reads an array of references, at most `most`. */
static size_t read_objects(DBusMessage *reply, struct object *objects, size_t most)
{
	DBusMessageIter iter, array, pair;
	size_t count = 0;

	if (!reply || !dbus_message_has_signature(reply, "a(so)"))
		return 0;
	dbus_message_iter_init(reply, &iter);
	dbus_message_iter_recurse(&iter, &array);
	while (count < most && dbus_message_iter_get_arg_type(&array) == DBUS_TYPE_STRUCT) {
		const char *name, *path;

		dbus_message_iter_recurse(&array, &pair);
		dbus_message_iter_get_basic(&pair, &name);
		dbus_message_iter_next(&pair);
		dbus_message_iter_get_basic(&pair, &path);
		if (strlen(name) < sizeof(objects->name) && strlen(path) < sizeof(objects->path)) {
			strcpy(objects[count].name, name);
			strcpy(objects[count].path, path);
			count++;
		}
		dbus_message_iter_next(&array);
	}
	return count;
}

static size_t children(struct search *search, const struct object *parent, struct object *objects,
		       size_t most)
{
	DBusMessage *reply = call(search, method(parent, ACCESSIBLE, "GetChildren"));
	size_t count = read_objects(reply, objects, most);

	if (reply)
		dbus_message_unref(reply);
	return count;
}

static uint64_t states(struct search *search, const struct object *object)
{
	DBusMessage *reply = call(search, method(object, ACCESSIBLE, "GetState"));
	const dbus_uint32_t *words;
	uint64_t result = 0;
	int count;

	if (reply && dbus_message_get_args(reply, NULL, DBUS_TYPE_ARRAY, DBUS_TYPE_UINT32, &words,
					   &count, DBUS_TYPE_INVALID) && count >= 2)
		result = words[0] | (uint64_t)words[1] << 32;
	if (reply)
		dbus_message_unref(reply);
	return result;
}

static bool has(uint64_t set, int state)
{
	return set >> state & 1;
}

static void read_text(struct search *search, const struct object *object, const char *property,
		      char *ret_text, size_t size)
{
	DBusMessage *message = method(object, DBUS_INTERFACE_PROPERTIES, "Get"), *reply;
	const char *interface = ACCESSIBLE, *text;
	DBusMessageIter iter, value;

	*ret_text = '\0';
	if (message)
		dbus_message_append_args(message, DBUS_TYPE_STRING, &interface, DBUS_TYPE_STRING,
					 &property, DBUS_TYPE_INVALID);
	reply = call(search, message);
	if (!reply)
		return;
	if (dbus_message_has_signature(reply, "v")) {
		dbus_message_iter_init(reply, &iter);
		dbus_message_iter_recurse(&iter, &value);
		if (dbus_message_iter_get_arg_type(&value) == DBUS_TYPE_STRING) {
			dbus_message_iter_get_basic(&value, &text);
			snprintf(ret_text, size, "%s", text);
		}
	}
	dbus_message_unref(reply);
}

static unsigned read_role(struct search *search, const struct object *object)
{
	DBusMessage *reply = call(search, method(object, ACCESSIBLE, "GetRole"));
	dbus_uint32_t role = 0;

	if (reply) {
		dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT32, &role, DBUS_TYPE_INVALID);
		dbus_message_unref(reply);
	}
	return role;
}

static bool read_extents(struct search *search, const struct object *object,
			 struct accessible *accessible)
{
	DBusMessage *message = method(object, "org.a11y.atspi.Component", "GetExtents"), *reply;
	dbus_uint32_t screen = 0;
	dbus_int32_t values[4];
	DBusMessageIter iter, box;

	if (message)
		dbus_message_append_args(message, DBUS_TYPE_UINT32, &screen, DBUS_TYPE_INVALID);
	reply = call(search, message);
	if (!reply)
		return false;
	if (!dbus_message_has_signature(reply, "(iiii)")) {
		dbus_message_unref(reply);
		return false;
	}
	dbus_message_iter_init(reply, &iter);
	dbus_message_iter_recurse(&iter, &box);
	for (int i = 0; i < 4; i++) {
		dbus_message_iter_get_basic(&box, &values[i]);
		dbus_message_iter_next(&box);
	}
	dbus_message_unref(reply);
	accessible->x = values[0];
	accessible->y = values[1];
	accessible->width = values[2];
	accessible->height = values[3];
	return true;
}

/* --- The search ---------------------------------------------------------------------- */

static bool active_window(struct search *search, struct object *ret_window)
{
	static const struct object root = { "org.a11y.atspi.Registry",
					    "/org/a11y/atspi/accessible/root" };
	struct object *programs = calloc(PROGRAMS_MAX, sizeof(*programs));
	struct object *windows = calloc(CHILDREN_MAX, sizeof(*windows));
	size_t program_count = programs && windows ?
		children(search, &root, programs, PROGRAMS_MAX) : 0;
	bool found = false;

	for (size_t i = 0; i < program_count && !found; i++) {
		size_t count = children(search, &programs[i], windows, CHILDREN_MAX);

		for (size_t j = 0; j < count && !found; j++) {
			found = has(states(search, &windows[j]), STATE_ACTIVE);
			if (found)
				*ret_window = windows[j];
		}
	}
	free(programs);
	free(windows);
	return found;
}

static void append_integers(DBusMessageIter *rule, const dbus_int32_t *values, size_t count)
{
	DBusMessageIter array;

	dbus_message_iter_open_container(rule, DBUS_TYPE_ARRAY, "i", &array);
	for (size_t i = 0; i < count; i++)
		dbus_message_iter_append_basic(&array, DBUS_TYPE_INT32, &values[i]);
	dbus_message_iter_close_container(rule, &array);
}

/* Any object below the window whose states include "focused". */
static DBusMessage *focused_rule(const struct object *window)
{
	static const dbus_int32_t focused[] = { 1 << STATE_FOCUSED, 0 }, none[4], all = 1, one = 1;
	DBusMessage *message = method(window, "org.a11y.atspi.Collection", "GetMatches");
	dbus_bool_t no = FALSE, yes = TRUE;
	dbus_uint32_t order = 0;
	DBusMessageIter iter, rule, empty;

	if (!message)
		return NULL;
	dbus_message_iter_init_append(message, &iter);
	dbus_message_iter_open_container(&iter, DBUS_TYPE_STRUCT, NULL, &rule);
	append_integers(&rule, focused, 2);
	dbus_message_iter_append_basic(&rule, DBUS_TYPE_INT32, &all);
	dbus_message_iter_open_container(&rule, DBUS_TYPE_ARRAY, "{ss}", &empty);
	dbus_message_iter_close_container(&rule, &empty);
	dbus_message_iter_append_basic(&rule, DBUS_TYPE_INT32, &all);
	append_integers(&rule, none, 4);
	dbus_message_iter_append_basic(&rule, DBUS_TYPE_INT32, &all);
	dbus_message_iter_open_container(&rule, DBUS_TYPE_ARRAY, "s", &empty);
	dbus_message_iter_close_container(&rule, &empty);
	dbus_message_iter_append_basic(&rule, DBUS_TYPE_INT32, &all);
	dbus_message_iter_append_basic(&rule, DBUS_TYPE_BOOLEAN, &no);
	dbus_message_iter_close_container(&iter, &rule);
	dbus_message_iter_append_basic(&iter, DBUS_TYPE_UINT32, &order);
	dbus_message_iter_append_basic(&iter, DBUS_TYPE_INT32, &one);
	dbus_message_iter_append_basic(&iter, DBUS_TYPE_BOOLEAN, &yes);
	return message;
}

static bool focused_by_rule(struct search *search, const struct object *window,
			    struct object *ret_object)
{
	DBusMessage *reply = call(search, focused_rule(window));
	size_t count = read_objects(reply, ret_object, 1);

	if (reply)
		dbus_message_unref(reply);
	/* a toolkit whose rules do not work says everything or nothing */
	return count == 1 && has(states(search, ret_object), STATE_FOCUSED);
}

/* Breadth first, through what is showing; the queue is the memory limit too. */
static bool focused_by_search(struct search *search, const struct object *window,
			      struct object *ret_object)
{
	struct object *queue = calloc(OBJECTS_MAX, sizeof(*queue));
	size_t first = 0, count = 1;
	bool found = false;

	if (!queue)
		return false;
	queue[0] = *window;
	while (first < count && !found) {
		uint64_t set = states(search, &queue[first]);

		found = has(set, STATE_FOCUSED) && first > 0;
		if (found)
			*ret_object = queue[first];
		else if (first == 0 || has(set, STATE_SHOWING))
			count += children(search, &queue[first], queue + count,
					  OBJECTS_MAX - count < CHILDREN_MAX ?
					  OBJECTS_MAX - count : CHILDREN_MAX);
		first++;
	}
	free(queue);
	return found;
}

static DBusConnection *connect_accessibility(DBusConnection *session)
{
	DBusMessage *message = dbus_message_new_method_call("org.a11y.Bus", "/org/a11y/bus",
							    "org.a11y.Bus", "GetAddress");
	DBusMessage *reply = message ? dbus_connection_send_with_reply_and_block(
		session, message, SEARCH_MS, NULL) : NULL;
	DBusConnection *bus = NULL;
	const char *address;

	if (reply && dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &address,
					   DBUS_TYPE_INVALID))
		bus = dbus_connection_open_private(address, NULL);
	if (bus) {
		dbus_connection_set_exit_on_disconnect(bus, FALSE);
		if (!dbus_bus_register(bus, NULL)) {
			dbus_connection_close(bus);
			dbus_connection_unref(bus);
			bus = NULL;
		}
	}
	if (message)
		dbus_message_unref(message);
	if (reply)
		dbus_message_unref(reply);
	return bus;
}

static int find(struct search *search, struct accessible *accessible, struct failure *failure)
{
	struct object window, object;
	unsigned role;

	if (!active_window(search, &window))
		return failure_set(failure, FAILURE_NO_DATA,
				   "No window says that it has the focus.");
	if (!focused_by_rule(search, &window, &object) &&
	    !focused_by_search(search, &window, &object))
		return failure_set(failure, FAILURE_NO_DATA,
				   "The window does not say what has the focus in it.");
	role = read_role(search, &object);
	accessible->password = role == ROLE_PASSWORD_TEXT;
	accessible->icon = role == ROLE_ICON;
	read_text(search, &object, "Name", accessible->name, sizeof(accessible->name));
	read_text(search, &object, "Description", accessible->description,
		  sizeof(accessible->description));
	/* the name of a picture is its alternative text */
	if (!*accessible->description && (role == ROLE_IMAGE || role == ROLE_ICON))
		snprintf(accessible->description, sizeof(accessible->description), "%s",
			 accessible->name);
	if (!read_extents(search, &object, accessible))
		return failure_set(failure, FAILURE_NO_DATA,
				   "The program does not say where on the screen the focus is.");
	return 0;
}

int accessible_focused(DBusConnection *session, struct accessible *ret_accessible,
		       struct failure *failure)
{
	struct search search = { .limit = milliseconds() + SEARCH_MS, .left = OBJECTS_MAX };
	struct accessible accessible = { 0 };
	int r;

	search.bus = connect_accessibility(session);
	if (!search.bus)
		return failure_set(failure, FAILURE_NO_DATA,
				   "This desktop does not tell programs what has the focus; "
				   "turn on accessibility.");
	r = find(&search, &accessible, failure);
	dbus_connection_close(search.bus);
	dbus_connection_unref(search.bus);
	if (r == 0)
		*ret_accessible = accessible;
	return r;
}
