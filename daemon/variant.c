/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * variant.c: see variant.h.
 */
#include "daemon/variant.h"

#include <stdint.h>

#include "daemon/limits.h"

static const char *signature_of(json_t *value);

static dbus_bool_t append_value(DBusMessageIter *iter, json_t *value, const char *signature);

/* The element type of a list that is homogeneous, else a variant. */
static const char *element_of(json_t *list)
{
	const char *common = NULL;
	json_t *member;
	size_t i;

	json_array_foreach(list, i, member) {
		const char *signature = signature_of(member);

		if (!common)
			common = signature;
		else if ((*common == 'x' && *signature == 'd') ||
			 (*common == 'd' && *signature == 'x'))
			common = "d";
		else if (common[0] != signature[0] || common[1] != signature[1])
			return "v";
	}
	/* lists of lists stay variants, so that one level of types is enough */
	return !common ? "s" : *common == 'a' && common[1] != '{' ? "v" : common;
}

static const char *signature_of(json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_TRUE:
	case JSON_FALSE:
		return "b";
	case JSON_INTEGER:
		return "x";
	case JSON_REAL:
		return "d";
	case JSON_OBJECT:
		return "a{sv}";
	case JSON_ARRAY:
		switch (*element_of(value)) {
		case 'b':
			return "ab";
		case 'x':
			return "ax";
		case 'd':
			return "ad";
		case 'a':
			return "aa{sv}";
		case 's':
			return "as";
		default:
			return "av";
		}
	default:
		return "s";
	}
}

static dbus_bool_t append_list(DBusMessageIter *iter, json_t *list, const char *element)
{
	DBusMessageIter inner;
	json_t *member;
	size_t i;

	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, element, &inner))
		return FALSE;
	json_array_foreach(list, i, member) {
		dbus_bool_t done = *element == 'v' ? variant_append(&inner, member)
						   : append_value(&inner, member, element);

		if (!done) {
			dbus_message_iter_abandon_container(iter, &inner);
			return FALSE;
		}
	}
	return dbus_message_iter_close_container(iter, &inner);
}

static dbus_bool_t append_value(DBusMessageIter *iter, json_t *value, const char *signature)
{
	dbus_bool_t truth = json_is_true(value);
	const char *text = json_string_value(value);
	dbus_int64_t whole = json_integer_value(value);
	double number = json_number_value(value);

	switch (*signature) {
	case 'b':
		return dbus_message_iter_append_basic(iter, DBUS_TYPE_BOOLEAN, &truth);
	case 'x':
		return dbus_message_iter_append_basic(iter, DBUS_TYPE_INT64, &whole);
	case 'd':
		return dbus_message_iter_append_basic(iter, DBUS_TYPE_DOUBLE, &number);
	case 'a':
		if (signature[1] == '{')
			return variant_append_dictionary(iter, value);
		return append_list(iter, value, signature + 1);
	default:
		/* null has no counterpart */
		if (!text)
			text = "";
		return dbus_message_iter_append_basic(iter, DBUS_TYPE_STRING, &text);
	}
}

dbus_bool_t variant_append(DBusMessageIter *iter, json_t *value)
{
	const char *signature = signature_of(value);
	DBusMessageIter inner;

	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_VARIANT, signature, &inner))
		return FALSE;
	if (!append_value(&inner, value, signature)) {
		dbus_message_iter_abandon_container(iter, &inner);
		return FALSE;
	}
	return dbus_message_iter_close_container(iter, &inner);
}

static dbus_bool_t append_entry(DBusMessageIter *dictionary, const char *key, json_t *value)
{
	DBusMessageIter entry;

	if (!dbus_message_iter_open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry))
		return FALSE;
	if (!dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key) ||
	    !variant_append(&entry, value)) {
		dbus_message_iter_abandon_container(dictionary, &entry);
		return FALSE;
	}
	return dbus_message_iter_close_container(dictionary, &entry);
}

dbus_bool_t variant_append_dictionary(DBusMessageIter *iter, json_t *object)
{
	DBusMessageIter dictionary;
	const char *key;
	json_t *value;

	if (!dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, "{sv}", &dictionary))
		return FALSE;
	json_object_foreach(object, key, value) {
		if (!append_entry(&dictionary, key, value)) {
			dbus_message_iter_abandon_container(iter, &dictionary);
			return FALSE;
		}
	}
	return dbus_message_iter_close_container(iter, &dictionary);
}

/* --- Reading ------------------------------------------------------------- */

static json_t *read_at(DBusMessageIter *iter, unsigned depth);

static json_t *read_object(DBusMessageIter *iter, unsigned depth)
{
	json_t *object = json_object();
	DBusMessageIter entries;

	for (dbus_message_iter_recurse(iter, &entries);
	     dbus_message_iter_get_arg_type(&entries) == DBUS_TYPE_DICT_ENTRY;
	     dbus_message_iter_next(&entries)) {
		DBusMessageIter entry;
		const char *key;
		json_t *value = NULL;

		dbus_message_iter_recurse(&entries, &entry);
		if (dbus_message_iter_get_arg_type(&entry) == DBUS_TYPE_STRING) {
			dbus_message_iter_get_basic(&entry, &key);
			dbus_message_iter_next(&entry);
			value = read_at(&entry, depth + 1);
		}
		if (!value || json_object_set_new(object, key, value) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static json_t *read_list(DBusMessageIter *iter, unsigned depth)
{
	json_t *list = json_array();
	DBusMessageIter members;

	for (dbus_message_iter_recurse(iter, &members);
	     dbus_message_iter_get_arg_type(&members) != DBUS_TYPE_INVALID;
	     dbus_message_iter_next(&members)) {
		json_t *value = read_at(&members, depth + 1);

		if (!value || json_array_append_new(list, value) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *read_number(int type, DBusBasicValue value)
{
	switch (type) {
	case DBUS_TYPE_BYTE:
		return json_integer(value.byt);
	case DBUS_TYPE_INT16:
		return json_integer(value.i16);
	case DBUS_TYPE_UINT16:
		return json_integer(value.u16);
	case DBUS_TYPE_INT32:
		return json_integer(value.i32);
	case DBUS_TYPE_UINT32:
		return json_integer(value.u32);
	case DBUS_TYPE_INT64:
		return json_integer(value.i64);
	case DBUS_TYPE_UINT64:
		return json_integer(value.u64 > INT64_MAX ? INT64_MAX : (json_int_t)value.u64);
	case DBUS_TYPE_DOUBLE:
		return json_real(value.dbl);
	default:
		return NULL;
	}
}

static json_t *read_at(DBusMessageIter *iter, unsigned depth)
{
	int type = dbus_message_iter_get_arg_type(iter);
	DBusMessageIter inner;
	DBusBasicValue value;

	if (depth > LIMIT_VARIANT_DEPTH)
		return NULL;
	switch (type) {
	case DBUS_TYPE_VARIANT:
		dbus_message_iter_recurse(iter, &inner);
		return read_at(&inner, depth + 1);
	case DBUS_TYPE_ARRAY:
		if (dbus_message_iter_get_element_type(iter) == DBUS_TYPE_DICT_ENTRY)
			return read_object(iter, depth);
		return read_list(iter, depth);
	case DBUS_TYPE_STRUCT:
		return read_list(iter, depth);
	case DBUS_TYPE_UNIX_FD:
		return NULL;
	case DBUS_TYPE_STRING:
	case DBUS_TYPE_OBJECT_PATH:
	case DBUS_TYPE_SIGNATURE:
		dbus_message_iter_get_basic(iter, &value);
		return json_string(value.str);
	case DBUS_TYPE_BOOLEAN:
		dbus_message_iter_get_basic(iter, &value);
		return json_boolean(value.bool_val);
	default:
		dbus_message_iter_get_basic(iter, &value);
		return read_number(type, value);
	}
}

json_t *variant_read(DBusMessageIter *iter)
{
	return read_at(iter, 0);
}
