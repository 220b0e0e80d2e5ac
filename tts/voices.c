/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * voices.c: see voices.h. eSpeak NG goes on in the old voice when it is told an
 * unknown one, or an unknown variant of a known one, so every request is resolved
 * here first.
 */
#include "tts/voices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- the list ------------------------------------------------------------------- */

/* Room for one more in an array of `count`; NULL when there is none. */
static void *grow(void *array, size_t count, size_t size)
{
	return reallocarray(array, count + 1, size);
}

/* Whether a row of (priority, name) pairs ends, by an empty one, at its last byte. */
static bool ends(const char *languages, size_t bytes)
{
	size_t at = 0;

	while (at < bytes && languages[at]) {
		const char *end = memchr(languages + at + 1, '\0', bytes - at - 1);

		if (!end)
			return false;
		at = (size_t)(end - languages) + 1;
	}
	return at + 1 == bytes;
}

static void clear_info(struct tts_voice_info *info)
{
	free((char *)info->name);
	free((char *)info->identifier);
}

int voices_add(struct voices *voices, const struct tts_voice_info *info, const char *languages,
	       size_t languages_bytes)
{
	struct tts_voice_info copy = { .gender = info->gender };
	struct voice voice = { .languages_bytes = languages_bytes };
	struct tts_voice_info *infos;
	struct voice *list;

	if (!ends(languages, languages_bytes))
		return -EINVAL;
	if (voices->count == VOICES_LIMIT)
		return -E2BIG;
	infos = grow(voices->infos, voices->count, sizeof(*infos));
	if (infos)
		voices->infos = infos;
	list = grow(voices->voices, voices->count, sizeof(*list));
	if (list)
		voices->voices = list;
	voice.languages = malloc(languages_bytes);
	copy.name = strdup(info->name);
	copy.identifier = strdup(info->identifier);
	if (!infos || !list || !voice.languages || !copy.name || !copy.identifier) {
		clear_info(&copy);
		free(voice.languages);
		return -ENOMEM;
	}
	memcpy(voice.languages, languages, languages_bytes);
	copy.language = *voice.languages ? voice.languages + 1 : "";
	infos[voices->count] = copy;
	list[voices->count++] = voice;
	return 0;
}

int voices_add_variant(struct voices *voices, const char *identifier, const char *name)
{
	char **variants, **names, *identifier_copy, *name_copy;

	if (voices->variant_count == VOICES_LIMIT)
		return -E2BIG;
	variants = grow(voices->variants, voices->variant_count, sizeof(*variants));
	if (variants)
		voices->variants = variants;
	names = grow(voices->variant_names, voices->variant_count, sizeof(*names));
	if (names)
		voices->variant_names = names;
	identifier_copy = strdup(identifier);
	name_copy = strdup(name);
	if (!variants || !names || !identifier_copy || !name_copy) {
		free(identifier_copy);
		free(name_copy);
		return -ENOMEM;
	}
	variants[voices->variant_count] = identifier_copy;
	names[voices->variant_count++] = name_copy;
	return 0;
}

void voices_clear(struct voices *voices)
{
	for (size_t i = 0; i < voices->count; i++) {
		clear_info(&voices->infos[i]);
		free(voices->voices[i].languages);
	}
	for (size_t i = 0; i < voices->variant_count; i++) {
		free(voices->variants[i]);
		free(voices->variant_names[i]);
	}
	free(voices->infos);
	free(voices->voices);
	free(voices->variants);
	free(voices->variant_names);
	*voices = (struct voices){ 0 };
}

/* --- choosing ------------------------------------------------------------------- */

static const char *last_part(const char *identifier)
{
	const char *slash = strrchr(identifier, '/');

	return slash ? slash + 1 : identifier;
}

/* eSpeak NG's priority of a language in a voice's list, smaller is better; -1: not in it. */
static int language_priority(const struct voice *voice, const char *language)
{
	const char *entry = voice->languages;

	for (; *entry; entry += 1 + strlen(entry + 1) + 1)
		if (!strcasecmp(entry + 1, language))
			return (unsigned char)*entry;
	return -1;
}

static const struct tts_voice_info *best_for_language(const struct voices *voices,
						      const char *language)
{
	const struct tts_voice_info *best = NULL;
	int best_priority = 0;

	for (size_t i = 0; i < voices->count; i++) {
		int priority = language_priority(&voices->voices[i], language);

		if (priority >= 0 && (!best || priority < best_priority)) {
			best = &voices->infos[i];
			best_priority = priority;
		}
	}
	return best;
}

const struct tts_voice_info *voices_best(const struct voices *voices, const char *const *languages)
{
	const struct tts_voice_info *best = NULL;

	for (; *languages && !best; languages++)
		best = best_for_language(voices, *languages);
	return best;
}

static const struct tts_voice_info *find_base(const struct voices *voices, const char *wanted)
{
	for (size_t i = 0; i < voices->count; i++)
		if (!strcasecmp(voices->infos[i].identifier, wanted))
			return &voices->infos[i];
	for (size_t i = 0; i < voices->count; i++)
		if (!strcasecmp(last_part(voices->infos[i].identifier), wanted))
			return &voices->infos[i];
	for (size_t i = 0; i < voices->count; i++)
		if (!strcasecmp(voices->infos[i].name, wanted))
			return &voices->infos[i];
	return best_for_language(voices, wanted);
}

const struct tts_voice_info *voices_info(const struct voices *voices, const char *voice)
{
	char base[VOICE_BYTES];

	snprintf(base, sizeof(base), "%.*s", (int)strcspn(voice, "+"), voice);
	return find_base(voices, base);
}

static const char *find_variant(const struct voices *voices, const char *wanted)
{
	for (size_t i = 0; i < voices->variant_count; i++)
		if (!strcasecmp(last_part(voices->variants[i]), wanted) ||
		    !strcasecmp(voices->variant_names[i], wanted))
			return last_part(voices->variants[i]);
	return NULL;
}

int voices_find(const struct voices *voices, const char *wanted, char ret_voice[VOICE_BYTES],
		struct tts_error *error)
{
	char base[VOICE_BYTES];
	const struct tts_voice_info *voice;
	const char *plus, *variant = NULL;

	if (strlen(wanted) >= sizeof(base))
		goto unknown;
	strcpy(base, wanted);
	plus = strchr(wanted, '+');
	if (plus)
		base[plus - wanted] = '\0';
	voice = *base ? find_base(voices, base) : NULL;
	if (!voice)
		goto unknown;
	if (plus) {
		variant = find_variant(voices, plus + 1);
		if (!variant)
			goto unknown;
	}
	if (snprintf(base, sizeof(base), "%s%s%s", voice->identifier, variant ? "+" : "",
		     variant ? variant : "") >= (int)sizeof(base))
		goto unknown;
	strcpy(ret_voice, base);
	return 0;
unknown:
	snprintf(error->message, sizeof(error->message),
		 "There is no voice called \"%.100s\"; descry voices lists them.", wanted);
	return TTS_NO_VOICE;
}

/* "en_US.UTF-8" is how the environment writes what eSpeak NG calls "en-US". */
static void copy_tag(const char *from, char to[VOICE_BYTES])
{
	size_t i;

	for (i = 0; i < VOICE_BYTES - 1 && from[i] && from[i] != '.' && from[i] != '@'; i++)
		to[i] = from[i] == '_' ? '-' : from[i];
	to[i] = '\0';
}

int voices_find_language(const struct voices *voices, const char *language, const char *current,
			 char ret_voice[VOICE_BYTES], struct tts_error *error)
{
	const struct tts_voice_info *speaking = voices_info(voices, current);
	char tag[VOICE_BYTES];

	copy_tag(language, tag);
	for (char *dash = tag; dash && *tag; dash = strrchr(tag, '-')) {
		const struct tts_voice_info *best;

		if (dash != tag)
			*dash = '\0';
		if (speaking &&
		    language_priority(&voices->voices[speaking - voices->infos], tag) >= 0) {
			snprintf(ret_voice, VOICE_BYTES, "%s", current);
			return 0;
		}
		best = best_for_language(voices, tag);
		if (best) {
			snprintf(ret_voice, VOICE_BYTES, "%s", best->identifier);
			return 0;
		}
	}
	snprintf(error->message, sizeof(error->message),
		 "No voice speaks the language \"%.100s\"; descry voices lists them.", language);
	return TTS_NO_VOICE;
}
