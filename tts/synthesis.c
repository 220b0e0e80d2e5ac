/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * synthesis.c: eSpeak NG's C interface.
 *
 * Two of its habits are worked around here. An unknown voice, or an unknown
 * variant of a known one, leaves the old voice speaking, so every request is
 * resolved against the list of voices first. And espeak_Cancel is not used to
 * stop: from another thread it waits for the whole utterance, from the callback
 * it deadlocks; the callback returns 1 instead.
 *
 * Above 450 words a minute eSpeak NG keeps its own speed at 450 and shortens
 * the sound with libsonic by the rest; it does so up to any rate, although its
 * header names 450 as the maximum.
 */
#include "tts/synthesis.h"
#include "tts/script.h"

#include <errno.h>
#include <espeak-ng/speak_lib.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <strings.h>

#define BUFFER_MILLISECONDS 0	/* eSpeak NG's choice, as in its own program: it colours some voices */

struct voice {
	struct tts_voice_info info;
	char *languages;	/* eSpeak NG's own list: priority byte, name, NUL, …, NUL */
};

static struct {
	int rate;			/* 0: not loaded */
	struct tts_voice_info *infos;
	struct voice *voices;
	size_t voice_count;
	char **variants;		/* identifiers, "!v/f3" */
	char **variant_names;
	size_t variant_count;
} loaded;

/* the utterance being made; touched by the thread inside synthesis_speak only */
static struct {
	synthesis_sink sink;
	void *userdata;
	bool ended;			/* by the sink */
} current;

static int take(short *samples, int count, espeak_EVENT *events)
{
	(void)events;
	if (!samples || count <= 0)
		return 0;
	current.ended = !current.sink(current.userdata, samples, (size_t)count);
	return current.ended;
}

/* Length with both final NULs of a row of (priority, name) pairs. */
static size_t languages_length(const char *languages)
{
	const char *end = languages;

	while (*end)
		end += 1 + strlen(end + 1) + 1;
	return (size_t)(end - languages) + 1;
}

static const char *last_part(const char *identifier)
{
	const char *slash = strrchr(identifier, '/');

	return slash ? slash + 1 : identifier;
}

/* Western Armenian is left out: it lacks its own letters (1.51), names each in another
 * voice, and reads freed memory while it does so. */
static bool is_usable(const espeak_VOICE *voice)
{
	return strcmp(last_part(voice->identifier), "hyw") != 0;
}

static int load_voices(void)
{
	const espeak_VOICE **list = espeak_ListVoices(NULL);
	size_t count = 0;

	if (!list)
		return -ENOENT;
	while (list[count])
		count++;
	loaded.voices = calloc(count + 1, sizeof(*loaded.voices));
	loaded.infos = calloc(count + 1, sizeof(*loaded.infos));
	if (!loaded.voices || !loaded.infos)
		return -ENOMEM;
	for (; *list; list++) {
		struct voice *voice = &loaded.voices[loaded.voice_count];
		size_t length = languages_length((*list)->languages);

		if (!is_usable(*list))
			continue;
		voice->languages = malloc(length);
		voice->info.name = strdup((*list)->name);
		voice->info.identifier = strdup((*list)->identifier);
		voice->info.gender = (*list)->gender == 1 ? 'm' : (*list)->gender == 2 ? 'f' : '-';
		if (!voice->languages || !voice->info.name || !voice->info.identifier)
			return -ENOMEM;
		memcpy(voice->languages, (*list)->languages, length);
		voice->info.language = *voice->languages ? voice->languages + 1 : "";
		loaded.infos[loaded.voice_count++] = voice->info;
	}
	return 0;
}

static int load_variants(void)
{
	espeak_VOICE selector = { .languages = "variant" };
	const espeak_VOICE **list = espeak_ListVoices(&selector);
	size_t count = 0;

	if (!list)
		return 0;
	while (list[count])
		count++;
	loaded.variants = calloc(count + 1, sizeof(*loaded.variants));
	loaded.variant_names = calloc(count + 1, sizeof(*loaded.variant_names));
	if (!loaded.variants || !loaded.variant_names)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		loaded.variants[i] = strdup(list[i]->identifier);
		loaded.variant_names[i] = strdup(list[i]->name);
		if (!loaded.variants[i] || !loaded.variant_names[i])
			return -ENOMEM;
		loaded.variant_count++;
	}
	return 0;
}

int synthesis_open(unsigned *ret_rate, struct tts_error *error)
{
	if (!loaded.rate) {
		int rate = espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, BUFFER_MILLISECONDS, NULL,
					     espeakINITIALIZE_DONT_EXIT);
		int r;

		if (rate <= 0) {
			snprintf(error->message, sizeof(error->message),
				 "eSpeak NG's data cannot be read; install the package "
				 "espeak-ng-data.");
			return TTS_NO_DATA;
		}
		espeak_SetSynthCallback(take);
		r = load_voices();
		if (r == 0)
			r = load_variants();
		if (r < 0 || !loaded.voice_count) {
			snprintf(error->message, sizeof(error->message),
				 "eSpeak NG's voices cannot be listed; install the package "
				 "espeak-ng-data.");
			return r < 0 && r != -ENOENT ? r : TTS_NO_DATA;
		}
		loaded.rate = rate;
	}
	*ret_rate = (unsigned)loaded.rate;
	return 0;
}

int synthesis_voices(const struct tts_voice_info **ret_voices, size_t *ret_count,
		     struct tts_error *error)
{
	if (!loaded.rate) {
		snprintf(error->message, sizeof(error->message), "eSpeak NG is not loaded.");
		return TTS_NO_DATA;
	}
	*ret_voices = loaded.infos;
	*ret_count = loaded.voice_count;
	return 0;
}

/* --- choosing a voice ----------------------------------------------------------- */

/* eSpeak NG's priority of a language in a voice's list, smaller is better; -1: not in it. */
static int language_priority(const struct voice *voice, const char *language)
{
	const char *entry = voice->languages;

	for (; *entry; entry += 1 + strlen(entry + 1) + 1)
		if (!strcasecmp(entry + 1, language))
			return (unsigned char)*entry;
	return -1;
}

static const struct voice *best_for_language(const char *language)
{
	const struct voice *best = NULL;
	int best_priority = 0;

	for (size_t i = 0; i < loaded.voice_count; i++) {
		int priority = language_priority(&loaded.voices[i], language);

		if (priority >= 0 && (!best || priority < best_priority)) {
			best = &loaded.voices[i];
			best_priority = priority;
		}
	}
	return best;
}

static const struct voice *find_base(const char *wanted)
{
	for (size_t i = 0; i < loaded.voice_count; i++)
		if (!strcasecmp(loaded.voices[i].info.identifier, wanted))
			return &loaded.voices[i];
	for (size_t i = 0; i < loaded.voice_count; i++)
		if (!strcasecmp(last_part(loaded.voices[i].info.identifier), wanted))
			return &loaded.voices[i];
	for (size_t i = 0; i < loaded.voice_count; i++)
		if (!strcasecmp(loaded.voices[i].info.name, wanted))
			return &loaded.voices[i];
	return best_for_language(wanted);
}

static const char *find_variant(const char *wanted)
{
	for (size_t i = 0; i < loaded.variant_count; i++)
		if (!strcasecmp(last_part(loaded.variants[i]), wanted) ||
		    !strcasecmp(loaded.variant_names[i], wanted))
			return last_part(loaded.variants[i]);
	return NULL;
}

/* "en_US.UTF-8" is how the environment writes what eSpeak NG calls "en-US". */
static void copy_tag(const char *from, char to[VOICE_BYTES])
{
	size_t i;

	for (i = 0; i < VOICE_BYTES - 1 && from[i] && from[i] != '.' && from[i] != '@'; i++)
		to[i] = from[i] == '_' ? '-' : from[i];
	to[i] = '\0';
}

int synthesis_find_voice(const char *wanted, char ret_voice[VOICE_BYTES], struct tts_error *error)
{
	char base[VOICE_BYTES];
	const struct voice *voice;
	const char *plus, *variant = NULL;

	if (strlen(wanted) >= sizeof(base))
		goto unknown;
	strcpy(base, wanted);
	plus = strchr(wanted, '+');
	if (plus)
		base[plus - wanted] = '\0';
	voice = *base ? find_base(base) : NULL;
	if (!voice)
		goto unknown;
	if (plus) {
		variant = find_variant(plus + 1);
		if (!variant)
			goto unknown;
	}
	if (snprintf(base, sizeof(base), "%s%s%s", voice->info.identifier, variant ? "+" : "",
		     variant ? variant : "") >= (int)sizeof(base))
		goto unknown;
	strcpy(ret_voice, base);
	return 0;
unknown:
	snprintf(error->message, sizeof(error->message),
		 "There is no voice called \"%.100s\"; descry voices lists them.", wanted);
	return TTS_NO_VOICE;
}

int synthesis_find_language(const char *language, const char *current_voice,
			    char ret_voice[VOICE_BYTES], struct tts_error *error)
{
	char tag[VOICE_BYTES], speaking[VOICE_BYTES];
	const char *plus = strchr(current_voice, '+');
	size_t length = plus ? (size_t)(plus - current_voice) : strlen(current_voice);
	const struct voice *voice;

	copy_tag(language, tag);
	snprintf(speaking, sizeof(speaking), "%.*s", (int)length, current_voice);
	voice = find_base(speaking);
	for (char *dash = tag; dash && *tag; dash = strrchr(tag, '-')) {
		const struct voice *best;

		if (dash != tag)
			*dash = '\0';
		if (voice && language_priority(voice, tag) >= 0) {
			snprintf(ret_voice, VOICE_BYTES, "%s", current_voice);
			return 0;
		}
		best = best_for_language(tag);
		if (best) {
			snprintf(ret_voice, VOICE_BYTES, "%s", best->info.identifier);
			return 0;
		}
	}
	snprintf(error->message, sizeof(error->message),
		 "No voice speaks the language \"%.100s\"; descry voices lists them.", language);
	return TTS_NO_VOICE;
}

/* eSpeak NG crashes when it cannot open a voice's files, so that it can is found
 * out before it tries; it opens two at a time. */
static int need_descriptors(struct tts_error *error)
{
	int first = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int second = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int r = first < 0 || second < 0 ? -EMFILE : 0;

	if (first >= 0)
		close(first);
	if (second >= 0)
		close(second);
	if (r < 0)
		snprintf(error->message, sizeof(error->message),
			 "The voice cannot be loaded: too many files are open.");
	return r;
}

/* --- speaking ------------------------------------------------------------------- */

static int set_voice(const char *wanted, struct tts_error *error)
{
	static char voice[VOICE_BYTES];

	if (strcmp(voice, wanted)) {
		int r = need_descriptors(error);

		if (r < 0)
			return r;
		if (espeak_SetVoiceByName(wanted) != EE_OK) {
			voice[0] = '\0';
			snprintf(error->message, sizeof(error->message),
				 "The voice \"%.100s\" cannot be loaded; is its data installed?",
				 wanted);
			return TTS_NO_VOICE;
		}
		strcpy(voice, wanted);
	}
	return 0;
}

/* Whether a voice's first language is one of these or a region or variant of one. */
static bool speaks_any(const struct voice *voice, const char *const *wanted)
{
	for (; *wanted; wanted++) {
		size_t length = strlen(*wanted);

		if (!strncasecmp(voice->info.language, *wanted, length) &&
		    (!voice->info.language[length] || voice->info.language[length] == '-'))
			return true;
	}
	return false;
}

/* The best voice for a script; NULL where none is installed. */
static const struct voice *best_for_script(enum script script)
{
	const struct voice *best = NULL;

	for (const char *const *name = script_languages(script); *name && !best; name++)
		best = best_for_language(*name);
	return best;
}

/* Over a Latin word with an apostrophe the Kirghiz voice reads freed memory (1.51). */
static bool reads_latin(const struct voice *voice)
{
	return !voice || strcmp(voice->info.language, "ky") != 0;
}

/* The scripts that a voice reads itself: Latin, its own, and those that no voice is
 * at home in, a bit for each. */
static uint32_t own_scripts(const char *identifier)
{
	char base[VOICE_BYTES];
	const struct voice *voice;
	uint32_t own = 0;

	snprintf(base, sizeof(base), "%.*s", (int)strcspn(identifier, "+"), identifier);
	voice = find_base(base);
	for (unsigned script = 0; script < SCRIPT_COUNT; script++)
		if (script == SCRIPT_LATIN ? reads_latin(voice) :
		    (voice && speaks_any(voice, script_languages(script))) ||
			    !best_for_script(script))
			own |= 1u << script;
	return own;
}

static int speak_piece(const struct synthesis_settings *settings, enum script script,
		       const char *piece, struct tts_error *error)
{
	const char *variant = strchr(settings->voice, '+');
	char voice[VOICE_BYTES];
	espeak_ERROR code;
	int r;

	if (script == SCRIPT_NONE)
		strcpy(voice, settings->voice);
	else if (snprintf(voice, sizeof(voice), "%s%s", best_for_script(script)->info.identifier,
			  variant ? variant : "") >= (int)sizeof(voice))
		return 0;
	r = set_voice(voice, error);
	if (r)
		return r;
	espeak_SetParameter(espeakRATE, (int)settings->rate, 0);
	espeak_SetParameter(espeakPITCH, (int)settings->pitch, 0);
	espeak_SetParameter(espeakVOLUME, (int)settings->volume, 0);
	code = espeak_Synth(piece, strlen(piece) + 1, 0, POS_CHARACTER, 0, espeakCHARS_UTF8, NULL,
			    NULL);
	if (code != EE_OK) {
		snprintf(error->message, sizeof(error->message),
			 "eSpeak NG could not speak the text (code %d).", (int)code);
		return -EIO;
	}
	return 0;
}

int synthesis_speak(const struct synthesis_settings *settings, const char *text,
		    synthesis_sink sink, void *userdata, struct tts_error *error)
{
	uint32_t own = own_scripts(settings->voice);
	char *piece = malloc(2 * strlen(text) + 1);
	enum script script;
	int r = 0;

	if (!piece) {
		snprintf(error->message, sizeof(error->message), "There is not enough memory.");
		return -ENOMEM;
	}
	current.sink = sink;
	current.userdata = userdata;
	current.ended = false;
	while (r == 0 && !current.ended && script_next(&text, own, piece, &script))
		r = speak_piece(settings, script, piece, error);
	free(piece);
	return r;
}
