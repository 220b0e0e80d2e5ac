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
