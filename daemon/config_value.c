/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * config_value.c: one value of the configuration, from text to a field and in
 * words. A value is parsed by its key's type alone, so that defaults, the file,
 * the command line and the options of D-Bus methods are held to the same rules.
 */
#include "daemon/config.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void config_describe_key(const struct config_key *key, char *ret_text, size_t size)
{
	size_t used;

	switch (key->type) {
	case CONFIG_BOOL:
		snprintf(ret_text, size, "yes or no");
		break;
	case CONFIG_NUMBER:
		snprintf(ret_text, size, "a whole number from %.0f to %.0f", key->minimum,
			 key->maximum);
		break;
	case CONFIG_REAL:
		snprintf(ret_text, size, "a number from %g to %g", key->minimum, key->maximum);
		break;
	case CONFIG_TEXT:
		snprintf(ret_text, size, "at most %.0f bytes of text", key->maximum);
		break;
	case CONFIG_PATH:
		snprintf(ret_text, size, "a path that starts with / or ~/, or nothing");
		break;
	case CONFIG_CHOICE:
		used = (size_t)snprintf(ret_text, size, "one of:");
		for (size_t i = 0; key->choices[i] && used < size; i++)
			used += (size_t)snprintf(ret_text + used, size - used, "%s %s",
						 i ? "," : "", key->choices[i]);
		break;
	}
}

static bool parse_bool(const char *text, bool *ret_value)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(text, words[i]) == 0) {
			*ret_value = i % 2 == 1;
			return true;
		}
	}
	return false;
}

static bool parse_real(const struct config_key *key, const char *text, double *ret_value)
{
	char *end;
	double value;

	if (*text == '\0' || strspn(text, "+-.0123456789eE") != strlen(text))
		return false;
	value = strtod(text, &end);
	if (*end || !isfinite(value) || value < key->minimum || value > key->maximum)
		return false;
	*ret_value = value;
	return true;
}

static bool parse_number(const struct config_key *key, const char *text, unsigned *ret_value)
{
	double value;

	if (*text == '\0' || strspn(text, "0123456789") != strlen(text) ||
	    !parse_real(key, text, &value))
		return false;
	*ret_value = (unsigned)value;
	return true;
}

static int parse_text(const struct config_key *key, const char *text, char **field)
{
	const char *home = getenv("HOME");
	char *value = NULL;

	if (strlen(text) > (size_t)key->maximum)
		return 1;
	if (key->type == CONFIG_PATH && strncmp(text, "~/", 2) == 0) {
		if (!home || asprintf(&value, "%s%s", home, text + 1) < 0)
			return home ? -ENOMEM : 1;
	} else if (key->type == CONFIG_PATH && *text && *text != '/') {
		return 1;
	} else if (*text) {
		value = strdup(text);
		if (!value)
			return -ENOMEM;
	}
	free(*field);
	*field = value;
	return 0;
}

int config_set_value(void *base, const struct config_key *key, const char *text)
{
	void *field = (char *)base + key->offset;

	switch (key->type) {
	case CONFIG_BOOL:
		return parse_bool(text, field) ? 0 : 1;
	case CONFIG_NUMBER:
		return parse_number(key, text, field) ? 0 : 1;
	case CONFIG_REAL:
		return parse_real(key, text, field) ? 0 : 1;
	case CONFIG_TEXT:
	case CONFIG_PATH:
		return parse_text(key, text, field);
	case CONFIG_CHOICE:
		for (unsigned i = 0; key->choices[i]; i++) {
			if (strcmp(key->choices[i], text) == 0) {
				*(unsigned *)field = i;
				return 0;
			}
		}
		return 1;
	}
	return 1;
}

void config_free_values(void *base, const struct config_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char **field = (char **)(void *)((char *)base + keys[i].offset);

		if (keys[i].type == CONFIG_TEXT || keys[i].type == CONFIG_PATH) {
			free(*field);
			*field = NULL;
		}
	}
}
