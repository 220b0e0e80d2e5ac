/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * about.c: see about.h.
 */
#include "daemon/about.h"

#include <string.h>

/* What to say of a screen where a camera's picture would be refused. */
static const char *screen_refusal(json_t *quality)
{
	const char *verdict = json_string_value(json_object_get(quality, "verdict"));
	const char *kind = json_string_value(json_object_get(quality, "kind"));

	if (!verdict || strcmp(verdict, "refuse") != 0 || !kind)
		return NULL;
	if (!strcmp(kind, "uniform"))
		return "A blank area.";
	if (!strcmp(kind, "not-photo"))
		return "Text, an icon or a drawing, not a photo.";
	return NULL;
}

void about_apply(json_t *document, json_t *about)
{
	json_t *details = json_object_get(document, "details"), *warnings;
	const char *sentence;

	if (!json_is_object(about) || !json_is_object(details))
		return;
	json_object_set(details, "about", about);
	if (!json_is_true(json_object_get(about, "screen")))
		return;
	sentence = screen_refusal(json_object_get(details, "quality"));
	if (sentence)
		json_object_set_new(document, "caption", json_string(sentence));
	if (!json_is_true(json_object_get(about, "whole_screen")))
		return;
	warnings = json_object_get(details, "warnings");
	if (!warnings) {
		warnings = json_array();
		json_object_set_new(details, "warnings", warnings);
	}
	json_array_append_new(warnings, json_string("This is the whole screen; where the focus is "
						    "on it is not known."));
}

void about_write_description(FILE *out, json_t *details)
{
	const char *description = json_string_value(
		json_object_get(json_object_get(details, "about"), "description"));
	size_t length = description ? strlen(description) : 0;

	if (!length)
		return;
	fprintf(out, "Its label: %s%s ", description,
		strchr(".!?", description[length - 1]) ? "" : ".");
}
