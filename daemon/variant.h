/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * variant.h: JSON values as D-Bus variants and back.
 *
 * true and false are b, whole numbers x, other numbers d, text s, objects a{sv}.
 * A list is as, ax, ad, ab or aa{sv} when all its members are of one kind (whole
 * and other numbers together are ad), av when they are not. The daemon builds
 * its answers with it and the client reads them.
 */
#ifndef DAEMON_VARIANT_H
#define DAEMON_VARIANT_H

#include <dbus/dbus.h>
#include <jansson.h>

/* Appends an object as a{sv}. False when out of memory. */
dbus_bool_t variant_append_dictionary(DBusMessageIter *iter, json_t *object);
/* Appends any value as a variant. */
dbus_bool_t variant_append(DBusMessageIter *iter, json_t *value);

/* The argument at `iter`, of any type but descriptors: dictionaries with text
 * keys become objects, structures lists. NULL when it is nested deeper than
 * LIMIT_VARIANT_DEPTH, holds a descriptor, or memory is short. */
json_t *variant_read(DBusMessageIter *iter);

#endif
