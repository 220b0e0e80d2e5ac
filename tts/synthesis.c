/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * synthesis.c: eSpeak NG's C interface.
 *
 * espeak_Cancel is not used to stop: from another thread it waits for the whole
 * utterance, from the callback it deadlocks; the callback returns 1 instead.
 *
 * Above 450 words a minute eSpeak NG keeps its own speed at 450 and shortens
 * the sound with libsonic by the rest; it does so up to any rate, although its
 * header names 450 as the maximum.
 */
#include "tts/synthesis.h"
#include "tts/script.h"

#include <errno.h>
#include <espeak-ng/speak_lib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BUFFER_MILLISECONDS 0	/* eSpeak NG's choice, as in its own program: it colours some voices */

static int loaded_rate;		/* 0: eSpeak NG is not loaded */
static struct voices voices;

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

/* Western Armenian is left out: it lacks its own letters (1.51), names each in another
 * voice, and reads freed memory while it does so. */
static bool is_usable(const espeak_VOICE *voice)
{
	const char *slash = strrchr(voice->identifier, '/');

	return !slash || strcmp(slash, "/hyw") != 0;
}

static int load_voices(void)
{
	const espeak_VOICE **list = espeak_ListVoices(NULL);
	int r = list ? 0 : -ENOENT;

	for (; r == 0 && *list; list++) {
		const struct tts_voice_info info = {
			.name = (*list)->name, .identifier = (*list)->identifier,
			.gender = (*list)->gender == 1 ? 'm' : (*list)->gender == 2 ? 'f' : '-',
		};

		if (is_usable(*list))
			r = voices_add(&voices, &info, (*list)->languages,
				       languages_length((*list)->languages));
	}
	return r;
}

static int load_variants(void)
{
	espeak_VOICE selector = { .languages = "variant" };
	const espeak_VOICE **list = espeak_ListVoices(&selector);
	int r = 0;

	for (; list && *list && r == 0; list++)
		r = voices_add_variant(&voices, (*list)->identifier, (*list)->name);
	return r;
}

int synthesis_open(unsigned *ret_rate, struct tts_error *error)
{
	if (!loaded_rate) {
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
		if (r < 0 || !voices.count) {
			snprintf(error->message, sizeof(error->message),
				 "eSpeak NG's voices cannot be listed; install the package "
				 "espeak-ng-data.");
			return r < 0 && r != -ENOENT ? r : TTS_NO_DATA;
		}
		loaded_rate = rate;
	}
	*ret_rate = (unsigned)loaded_rate;
	return 0;
}

const struct voices *synthesis_voices(void)
{
	return &voices;
}

/* --- speaking ------------------------------------------------------------------- */

static int set_voice(const char *wanted, struct tts_error *error)
{
	static char voice[VOICE_BYTES];

	if (!strcmp(voice, wanted))
		return 0;
	if (espeak_SetVoiceByName(wanted) != EE_OK) {
		voice[0] = '\0';
		snprintf(error->message, sizeof(error->message),
			 "The voice \"%.100s\" cannot be loaded; is its data installed?", wanted);
		return TTS_NO_VOICE;
	}
	strcpy(voice, wanted);
	return 0;
}

/* Whether a voice's first language is one of these or a region or variant of one. */
static bool speaks_any(const struct tts_voice_info *voice, const char *const *wanted)
{
	for (; *wanted; wanted++) {
		size_t length = strlen(*wanted);

		if (!strncasecmp(voice->language, *wanted, length) &&
		    (!voice->language[length] || voice->language[length] == '-'))
			return true;
	}
	return false;
}

/* Over a Latin word with an apostrophe the Kirghiz voice reads freed memory (1.51). */
static bool reads_latin(const struct tts_voice_info *voice)
{
	return !voice || strcmp(voice->language, "ky") != 0;
}

/* The scripts that a voice reads itself: Latin, its own, and those that no voice is
 * at home in, a bit for each. */
static uint32_t own_scripts(const char *identifier)
{
	const struct tts_voice_info *voice = voices_info(&voices, identifier);
	uint32_t own = 0;

	for (unsigned script = 0; script < SCRIPT_COUNT; script++)
		if (script == SCRIPT_LATIN ? reads_latin(voice) :
		    (voice && speaks_any(voice, script_languages(script))) ||
			    !voices_best(&voices, script_languages(script)))
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
	else if (snprintf(voice, sizeof(voice), "%s%s",
			  voices_best(&voices, script_languages(script))->identifier,
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
