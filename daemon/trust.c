/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * trust.c: see trust.h. A listener cannot check a caption, so doubt comes before
 * the words it is about, in few words and without figures.
 */
#include "daemon/trust.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const phrases[TRUST_PHRASES] = {
	[TRUST_MAY_BE_WRONG] = "This may be wrong:",
	[TRUST_CANNOT_TELL] = "I can't tell what this is.",
	[TRUST_LOOKS_LIKE] = "It looks like:",
	[TRUST_MAY_SHOW] = "It may show:",
};

const char *trust_phrase(enum trust_phrase phrase)
{
	return phrases[phrase];
}

const char *trust_band_name(enum engine_band band)
{
	static const char *const names[] = {
		[ENGINE_BAND_SURE] = "sure",
		[ENGINE_BAND_UNSURE] = "unsure",
		[ENGINE_BAND_REFUSED] = "refused",
	};

	return names[band];
}

struct trust_bounds trust_bounds(const struct config *config)
{
	return (struct trust_bounds){ (float)config->trust_sure, (float)config->trust_refused };
}

json_t *trust_option(struct trust_bounds bounds)
{
	return json_pack("[f, f]", (double)bounds.sure, (double)bounds.refused);
}

static float bound(json_t *value)
{
	double number = json_number_value(value);

	return number >= 0.0 && number <= 1.0 ? (float)number : 0.0f;
}

struct trust_bounds trust_read_option(json_t *option)
{
	return (struct trust_bounds){
		bound(json_array_get(option, 0)), bound(json_array_get(option, 1)),
	};
}

static bool has_confidence(const struct engine_result *result)
{
	return result->caption_count > 0 && result->captions[0].confidence >= 0.0f;
}

/* Appends as much as fits. */
static void append(char *text, const char *more)
{
	size_t length = strlen(text);

	snprintf(text + length, TRUST_BYTES - length, "%s%s", length > 0 ? " " : "", more);
}

static void append_things(const struct engine_result *result, char *text)
{
	append(text, phrases[TRUST_MAY_SHOW]);
	for (size_t i = 0; i < result->thing_count; i++) {
		char thing[128];

		snprintf(thing, sizeof(thing), "%s%s", result->things[i].text,
			 i + 1 < result->thing_count ? "," : ".");
		append(text, thing);
	}
}

void trust_write(const struct engine_result *result, char ret_text[TRUST_BYTES])
{
	const struct engine_caption *caption;
	char *part;

	ret_text[0] = '\0';
	if (result->caption_count == 0)
		return;
	caption = &result->captions[0];
	if (!has_confidence(result) || caption->band == ENGINE_BAND_SURE) {
		append(ret_text, caption->sentence);
		return;
	}
	if (caption->band == ENGINE_BAND_UNSURE) {
		if (caption->sure_part)
			append(ret_text, caption->sure_part);
		append(ret_text, phrases[TRUST_MAY_BE_WRONG]);
		append(ret_text, caption->sentence);
		return;
	}
	append(ret_text, phrases[TRUST_CANNOT_TELL]);
	if (caption->sure_part) {
		append(ret_text, phrases[TRUST_LOOKS_LIKE]);
		part = ret_text + strlen(ret_text);
		append(ret_text, caption->sure_part);
		if (*part)
			engine_continue_sentence(part + 1);
	} else if (result->thing_count > 0) {
		append_things(result, ret_text);
	}
}

/* Three decimals are what a probability is known to. */
static json_t *rounded(float value)
{
	return json_real(round((double)value * 1000.0) / 1000.0);
}

static const char *side_name(enum engine_side side, bool down)
{
	static const char *const names[2][4] = {
		{ NULL, "left", "centre", "right" }, { NULL, "top", "middle", "bottom" },
	};

	return names[down][side];
}

/* Where the named things are, as far as they are at one place. */
static json_t *places_of(const struct engine_caption *caption)
{
	json_t *places = json_array();

	for (size_t i = 0; i < caption->word_count; i++) {
		const struct engine_word *word = &caption->words[i];
		const char *across = side_name(word->place.across, false);
		const char *down = side_name(word->place.down, true);
		json_t *place;

		if (!across && !down)
			continue;
		place = json_pack("{s:s, s:o}", "text", word->text, "spread",
				  rounded(word->place.spread));
		if (across)
			json_object_set_new(place, "across", json_string(across));
		if (down)
			json_object_set_new(place, "down", json_string(down));
		json_array_append_new(places, place);
	}
	return places;
}

static void set_list(json_t *object, const char *key, json_t *list)
{
	if (json_array_size(list) > 0)
		json_object_set_new(object, key, list);
	else
		json_decref(list);
}

void trust_add_details(json_t *details, const struct engine_result *result)
{
	const struct engine_caption *caption;
	json_t *reasons, *things;

	if (!has_confidence(result))
		return;
	caption = &result->captions[0];
	reasons = json_array();
	things = json_array();
	json_object_set_new(details, "confidence", rounded(caption->confidence));
	json_object_set_new(details, "band", json_string(trust_band_name(caption->band)));
	json_object_set_new(details, "sentence", json_string(caption->sentence));
	json_object_set_new(details, "unfamiliarity", rounded(result->unfamiliarity));
	if (caption->sure_part)
		json_object_set_new(details, "sure_part", json_pack("{s:s, s:o}", "caption",
			caption->sure_part, "confidence", rounded(caption->sure_part_confidence)));
	for (size_t i = 0; i < result->reason_count; i++)
		json_array_append_new(reasons, json_string(engine_reason_name(result->reasons[i])));
	for (size_t i = 0; i < result->thing_count; i++)
		json_array_append_new(things, json_pack("{s:s, s:o}", "text",
			result->things[i].text, "probability",
			rounded(result->things[i].probability)));
	set_list(details, "reasons", reasons);
	set_list(details, "where", places_of(caption));
	set_list(details, "things", things);
}
