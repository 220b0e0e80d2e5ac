/* SPDX-License-Identifier: GPL-3.0-or-later */
/* quality.c: see quality.h. */
#include "daemon/quality.h"

#include <math.h>

void quality_limits(const struct config *config, struct engine_quality_limits *ret_limits)
{
	*ret_limits = engine_quality_defaults;
	for (int i = 0; i < ENGINE_QUALITY_KINDS; i++) {
		if (config->quality_doubt[i] > 0)
			ret_limits->doubt[i] = (float)config->quality_doubt[i];
		if (config->quality_refuse[i] > 0)
			ret_limits->refuse[i] = (float)config->quality_refuse[i];
	}
}

json_t *quality_option(const struct engine_quality_limits *limits)
{
	json_t *doubt = json_array(), *refuse = json_array();

	for (int i = 0; i < ENGINE_QUALITY_KINDS; i++) {
		json_array_append_new(doubt, json_real((double)limits->doubt[i]));
		json_array_append_new(refuse, json_real((double)limits->refuse[i]));
	}
	return json_pack("{s:o, s:o}", "doubt", doubt, "refuse", refuse);
}

static void read_list(json_t *list, float *values)
{
	json_t *value;
	size_t i;

	json_array_foreach(list, i, value)
		if (i < ENGINE_QUALITY_KINDS && json_is_number(value))
			values[i] = (float)json_number_value(value);
}

bool quality_read_option(json_t *option, struct engine_quality_limits *ret_limits)
{
	*ret_limits = engine_quality_defaults;
	if (json_is_false(option))
		return false;
	read_list(json_object_get(option, "doubt"), ret_limits->doubt);
	read_list(json_object_get(option, "refuse"), ret_limits->refuse);
	return true;
}

json_t *quality_details(const struct engine_quality *quality)
{
	static const char *const verdicts[] = { "fine", "doubt", "refuse" };
	json_t *scores = json_object(), *details;

	for (int i = 0; i < ENGINE_QUALITY_KINDS; i++)
		json_object_set_new(scores, engine_quality_name((enum engine_quality_kind)i),
				    json_real(round((double)quality->score[i] * 1000) / 1000));
	details = json_pack("{s:s, s:o}", "verdict", verdicts[quality->verdict], "scores", scores);
	if (quality->verdict == ENGINE_QUALITY_FINE)
		return details;
	json_object_set_new(details, "kind", json_string(engine_quality_name(quality->kind)));
	if (quality->kind == ENGINE_QUALITY_BLURRED)
		json_object_set_new(details, "motion", json_boolean(quality->motion));
	if (quality->kind == ENGINE_QUALITY_TILTED)
		json_object_set_new(details, "tilt", json_real(round((double)quality->tilt)));
	return details;
}

static const char *refusal(const struct engine_quality *quality)
{
	switch (quality->kind) {
	case ENGINE_QUALITY_DARK:
		return "Too dark to tell. Turn on a light.";
	case ENGINE_QUALITY_BRIGHT:
		return "Too bright to tell. Turn away from the light.";
	case ENGINE_QUALITY_COVERED:
		return "The lens is covered. Move your finger or the cloth away.";
	case ENGINE_QUALITY_BLURRED:
		return quality->motion ? "Blurred. Hold still and press again."
				       : "Out of focus. Move back a little and press again.";
	case ENGINE_QUALITY_TILTED:
		if (quality->tilt == 0)
			return "The camera is tilted. Hold it upright and press again.";
		return quality->tilt > 0
			       ? "The camera is tilted. Turn it counter-clockwise and press again."
			       : "The camera is tilted. Turn it clockwise and press again.";
	case ENGINE_QUALITY_UNIFORM:
		return "There is nothing to see but an even surface. Step back or turn.";
	case ENGINE_QUALITY_NOT_PHOTO:
		return "This looks like a screen, a text or a drawing, not a photo. "
		       "It cannot be described.";
	case ENGINE_QUALITY_KINDS:
		break;
	}
	return NULL;
}

static const char *doubt(const struct engine_quality *quality)
{
	switch (quality->kind) {
	case ENGINE_QUALITY_DARK:
		return "It is dark.";
	case ENGINE_QUALITY_BRIGHT:
		return "It is very bright.";
	case ENGINE_QUALITY_COVERED:
		return "Part of the lens may be covered.";
	case ENGINE_QUALITY_BLURRED:
		return "Somewhat blurred.";
	case ENGINE_QUALITY_TILTED:
		return "The camera is tilted.";
	case ENGINE_QUALITY_UNIFORM:
		return "There is little to see.";
	case ENGINE_QUALITY_NOT_PHOTO:
		return "This may not be a photo.";
	case ENGINE_QUALITY_KINDS:
		break;
	}
	return NULL;
}

const char *quality_sentence(const struct engine_quality *quality)
{
	switch (quality->verdict) {
	case ENGINE_QUALITY_REFUSE:
		return refusal(quality);
	case ENGINE_QUALITY_DOUBT:
		return doubt(quality);
	case ENGINE_QUALITY_FINE:
		break;
	}
	return NULL;
}
