/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * phrase.c: see phrase.h. Order matters to a listener: what casts doubt on the
 * sentence comes before it, what adds to it after.
 */
#include "daemon/phrase.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/about.h"

static void write_warnings(FILE *out, json_t *details)
{
	json_t *warning;
	size_t i;

	json_array_foreach(json_object_get(details, "warnings"), i, warning)
		fprintf(out, "%s ", json_string_value(warning));
}

static void write_more(FILE *out, json_t *details)
{
	json_t *confidence = json_object_get(details, "confidence"), *other;
	size_t i;

	json_array_foreach(json_object_get(details, "alternatives"), i, other) {
		const char *caption = json_string_value(json_object_get(other, "caption"));

		if (caption)
			fprintf(out, " Or: %s", caption);
	}
	if (confidence)
		fprintf(out, " Confidence %.0f per cent.",
			round(json_number_value(confidence) * 100.0));
}

char *phrase_caption(const char *caption, json_t *details, enum config_verbosity verbosity)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	if (verbosity != VERBOSITY_BRIEF)
		write_warnings(out, details);
	about_write_description(out, details);
	fputs(caption, out);
	if (verbosity == VERBOSITY_FULL)
		write_more(out, details);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* The alternative of that number, or that there is none. */
static void write_other(FILE *out, json_t *details, unsigned turn)
{
	json_t *other = json_array_get(json_object_get(details, "alternatives"), turn);
	const char *caption = json_string_value(json_object_get(other, "caption"));

	if (caption)
		fprintf(out, "Or: %s", caption);
	else
		fputs("I have no other description.", out);
}

static const char *across_phrase(const char *side)
{
	return strcmp(side, "left") == 0 ? " on the left" :
		strcmp(side, "right") == 0 ? " on the right" : " in the centre";
}

/* The middle of the height is where one expects things. */
static const char *down_phrase(const char *side)
{
	return strcmp(side, "top") == 0 ? " at the top" :
		strcmp(side, "bottom") == 0 ? " at the bottom" : "";
}

static void write_places(FILE *out, json_t *details)
{
	const char *separator = " Where things are: ";
	json_t *place;
	size_t i;

	json_array_foreach(json_object_get(details, "where"), i, place) {
		const char *text = json_string_value(json_object_get(place, "text"));
		const char *across = json_string_value(json_object_get(place, "across"));
		const char *down = json_string_value(json_object_get(place, "down"));

		across = across ? across_phrase(across) : "";
		down = down ? down_phrase(down) : "";
		if (!text || (!*across && !*down))
			continue;
		fprintf(out, "%s%s%s%s", separator, text, across, down);
		separator = "; ";
	}
	if (*separator == ';')
		fputc('.', out);
}

static double per_cent(json_t *probability)
{
	return round(json_number_value(probability) * 100.0);
}

static void write_sureness(FILE *out, json_t *details)
{
	const char *separator = " How sure: ";
	json_t *confidence = json_object_get(details, "confidence"), *word;
	size_t i;

	json_array_foreach(json_object_get(details, "words"), i, word) {
		const char *text = json_string_value(json_object_get(word, "text"));
		json_t *sure = json_object_get(word, "confidence");

		if (!text || !sure)
			continue;
		fprintf(out, "%s%s %.0f", separator, text, per_cent(sure));
		separator = ", ";
	}
	if (*separator == ',')
		fprintf(out, " per cent; all of it together %.0f.", per_cent(confidence));
	else if (confidence)
		fprintf(out, " Confidence %.0f per cent.", per_cent(confidence));
}

char *phrase_more(json_t *details, unsigned turn)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	write_other(out, details, turn);
	write_places(out, details);
	write_sureness(out, details);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

bool phrase_refused(json_t *details)
{
	const char *verdict = json_string_value(
		json_object_get(json_object_get(details, "quality"), "verdict"));

	return verdict && strcmp(verdict, "refuse") == 0;
}

char *phrase_status(const struct phrase_status *status)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	if (status->model_trouble)
		fprintf(out, "Pictures cannot be described. %s", status->model_trouble);
	else if (status->busy)
		fputs("A picture is being described.", out);
	else
		fputs("Ready.", out);
	if (status->camera)
		fprintf(out, " The camera %s is %s.", status->camera, status->camera_state);
	else
		fputs(" No camera can be used.", out);
	fputs(status->watching ? " Watching is on." : " Watching is off.", out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
