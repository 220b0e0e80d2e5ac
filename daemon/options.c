/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * options.c: see options.h. A value is turned into the text that the
 * configuration would hold and parsed from there; programs send whole numbers in
 * whatever width their language makes of a literal, so any is taken.
 */
#include "daemon/options.h"

#include <stdio.h>
#include <string.h>

#include "daemon/limits.h"

static const struct config_key *find_key(const struct config_key *keys, size_t count,
					 const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static int unknown(const struct config_key *keys, size_t count, const char *name,
		   struct failure *failure)
{
	char list[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < count && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s %s", i ? "," : "",
					 keys[i].name);
	return failure_set(failure, FAILURE_BAD_OPTION,
			   "There is no option \"%.40s\". The options are:%s.", name, list);
}

/* The variant's value as text; false for a type that no option has. */
static bool write_text(DBusMessageIter *variant, const struct config_key *key, char *ret_text,
		       size_t size)
{
	int type = dbus_message_iter_get_arg_type(variant);
	bool numeric = key->type == CONFIG_NUMBER || key->type == CONFIG_REAL;
	bool textual = key->type == CONFIG_TEXT || key->type == CONFIG_CHOICE;
	DBusBasicValue value = { .u64 = 0 };

	if (!dbus_type_is_basic(type) || type == DBUS_TYPE_UNIX_FD)
		return false;
	dbus_message_iter_get_basic(variant, &value);
	switch (type) {
	case DBUS_TYPE_BOOLEAN:
		snprintf(ret_text, size, "%s", value.bool_val ? "yes" : "no");
		return key->type == CONFIG_BOOL;
	case DBUS_TYPE_STRING:
		return textual && (size_t)snprintf(ret_text, size, "%s", value.str) < size;
	case DBUS_TYPE_BYTE:
		snprintf(ret_text, size, "%u", value.byt);
		return numeric;
	case DBUS_TYPE_INT16:
		snprintf(ret_text, size, "%d", value.i16);
		return numeric;
	case DBUS_TYPE_UINT16:
		snprintf(ret_text, size, "%u", value.u16);
		return numeric;
	case DBUS_TYPE_INT32:
		snprintf(ret_text, size, "%d", value.i32);
		return numeric;
	case DBUS_TYPE_UINT32:
		snprintf(ret_text, size, "%u", value.u32);
		return numeric;
	case DBUS_TYPE_INT64:
		snprintf(ret_text, size, "%lld", (long long)value.i64);
		return numeric;
	case DBUS_TYPE_UINT64:
		snprintf(ret_text, size, "%llu", (unsigned long long)value.u64);
		return numeric;
	case DBUS_TYPE_DOUBLE:
		snprintf(ret_text, size, "%.17g", value.dbl);
		return key->type == CONFIG_REAL;
	default:
		return false;
	}
}

static int read_option(const char *name, DBusMessageIter *variant, const struct config_key *keys,
		       size_t count, void *base, struct failure *failure)
{
	const struct config_key *key = find_key(keys, count, name);
	char text[LIMIT_OPTION_BYTES], allowed[256];
	int r = 1;

	if (!key)
		return unknown(keys, count, name, failure);
	if (write_text(variant, key, text, sizeof(text)))
		r = config_set_value(base, key, text);
	if (r < 0)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	if (r == 0)
		return 0;
	config_describe_key(key, allowed, sizeof(allowed));
	return failure_set(failure, FAILURE_BAD_OPTION, "The option \"%s\" must be %s.", name,
			   key->type == CONFIG_BOOL ? "true or false" : allowed);
}

int options_read(DBusMessageIter *iter, const struct config_key *keys, size_t count,
		 void *base, struct failure *failure)
{
	DBusMessageIter entries;
	unsigned n = 0;

	for (dbus_message_iter_recurse(iter, &entries);
	     dbus_message_iter_get_arg_type(&entries) == DBUS_TYPE_DICT_ENTRY;
	     dbus_message_iter_next(&entries)) {
		DBusMessageIter entry, variant;
		const char *name;
		int r;

		if (++n > LIMIT_OPTIONS)
			return failure_set(failure, FAILURE_BAD_OPTION,
					   "There can be at most %u options.", LIMIT_OPTIONS);
		dbus_message_iter_recurse(&entries, &entry);
		dbus_message_iter_get_basic(&entry, &name);
		dbus_message_iter_next(&entry);
		dbus_message_iter_recurse(&entry, &variant);
		r = read_option(name, &variant, keys, count, base, failure);
		if (r)
			return r;
	}
	return 0;
}
