/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * portal.c: reads what org.freedesktop.portal.Request tells, for screenshot.c and
 * shortcuts.c. Nothing is believed of its types: a program could be the portal by
 * mistake.
 */
#include "daemon/portal.h"

#include <stdio.h>
#include <string.h>

bool portal_read_response(DBusMessage *signal, const char *key, dbus_uint32_t *ret_code,
			  char *ret_text, size_t size)
{
	DBusMessageIter iter, results, entry, value;
	const char *name, *text;

	if (!dbus_message_is_signal(signal, PORTAL_REQUEST, "Response") ||
	    !dbus_message_has_signature(signal, "ua{sv}"))
		return false;
	dbus_message_iter_init(signal, &iter);
	dbus_message_iter_get_basic(&iter, ret_code);
	dbus_message_iter_next(&iter);
	dbus_message_iter_recurse(&iter, &results);
	*ret_text = '\0';
	for (; dbus_message_iter_get_arg_type(&results) == DBUS_TYPE_DICT_ENTRY;
	     dbus_message_iter_next(&results)) {
		int type;

		dbus_message_iter_recurse(&results, &entry);
		dbus_message_iter_get_basic(&entry, &name);
		dbus_message_iter_next(&entry);
		dbus_message_iter_recurse(&entry, &value);
		type = dbus_message_iter_get_arg_type(&value);
		if (strcmp(name, key) != 0 ||
		    (type != DBUS_TYPE_STRING && type != DBUS_TYPE_OBJECT_PATH))
			continue;
		dbus_message_iter_get_basic(&value, &text);
		snprintf(ret_text, size, "%s", text);
	}
	return true;
}
