/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a D-Bus message: what libdbus lets pass is read as the daemon's
 * methods read their arguments, as a dictionary of options with keys of every
 * type, and as values to be translated to JSON and back.
 */
#include <dbus/dbus.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "daemon/options.h"
#include "daemon/variant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct options {
	bool speak;
	unsigned beam, verbosity;
	double factor;
	char *text, *path;
};

static const char *const choices[] = { "brief", "normal", "full", NULL };
static const struct config_key keys[] = {
	{ "speak", CONFIG_BOOL, offsetof(struct options, speak), "yes", 0, 0, NULL, "" },
	{ "beam", CONFIG_NUMBER, offsetof(struct options, beam), "3", 1, 10, NULL, "" },
	{ "verbosity", CONFIG_CHOICE, offsetof(struct options, verbosity), "normal", 0, 0, choices,
	  "" },
	{ "factor", CONFIG_REAL, offsetof(struct options, factor), "0.5", 0, 1, NULL, "" },
	{ "text", CONFIG_TEXT, offsetof(struct options, text), "", 0, 64, NULL, "" },
	{ "path", CONFIG_PATH, offsetof(struct options, path), "", 0, 64, NULL, "" },
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static void read_options(DBusMessageIter *iter)
{
	struct options options = { .beam = 3, .verbosity = 1 };
	struct failure failure = { 0 };

	if (options_read(iter, keys, KEYS, &options, &failure) == 0 &&
	    (options.beam < 1 || options.beam > 10 || options.verbosity > 2))
		abort();
	config_free_values(&options, keys, KEYS);
}

static void translate(DBusMessageIter *iter)
{
	json_t *value = variant_read(iter);
	DBusMessage *answer = dbus_message_new_signal("/a", "b.c", "d");
	DBusMessageIter out;

	if (value && answer) {
		dbus_message_iter_init_append(answer, &out);
		variant_append(&out, value);
	}
	if (answer)
		dbus_message_unref(answer);
	json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	DBusMessage *message;
	DBusMessageIter iter;

	message = dbus_message_demarshal((const char *)data, (int)size, NULL);
	if (!message)
		return 0;
	if (dbus_message_iter_init(message, &iter)) {
		do {
			DBusMessageIter options = iter;

			if (dbus_message_iter_get_arg_type(&iter) == DBUS_TYPE_ARRAY)
				read_options(&options);
			translate(&iter);
		} while (dbus_message_iter_next(&iter));
	}
	dbus_message_unref(message);
	return 0;
}
