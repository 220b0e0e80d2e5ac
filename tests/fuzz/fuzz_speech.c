/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as text to be spoken: what is handed to eSpeak NG holds no control
 * character, no malformed UTF-8 and nothing that cleaning again would change.
 * Short texts are cut up and spoken, too, in a voice that the length chooses. eSpeak
 * NG 1.51 reads freed memory over some of them: freed memory is filled with what makes
 * a pointer out of it lead nowhere, so that every such text ends the process in which
 * it is spoken. What must hold is that it ends nothing else.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tts/script.h"
#include "tts/synthesizer.h"
#include "tts/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *count, char ***arguments);
const char *__asan_default_options(void);

/* The process that speaks is to end without a report. */
const char *__asan_default_options(void)
{
	return "max_free_fill_size=16777216:free_fill_byte=165:handle_segv=0:handle_abort=0";
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	if (*count == 2 && !strcmp((*arguments)[1], TTS_SYNTHESIS_ARGUMENT))
		_exit(tts_synthesis_main(NULL));
	return 0;
}

static void require(int condition)
{
	if (!condition)
		abort();
}

/* The length of a well-formed character, by the Unicode standard's table 3-7. */
static size_t character(const uint8_t *p, uint32_t *ret_code)
{
	size_t length = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : *p >= 0xe0 && *p < 0xf0 ? 3 :
			*p >= 0xf0 && *p < 0xf5 ? 4 : 0;
	uint32_t code;

	require(length > 0);
	code = length == 1 ? *p : *p & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		require((p[i] & 0xc0) == 0x80);
		code = code << 6 | (p[i] & 0x3f);
	}
	require(length != 3 || (code >= 0x800 && (code < 0xd800 || code > 0xdfff)));
	require(length != 4 || (code >= 0x10000 && code <= 0x10ffff));
	*ret_code = code;
	return length;
}

static bool on_samples(void *userdata, const int16_t *samples, size_t count)
{
	size_t *total = userdata;

	(void)samples;
	*total += count;
	return *total < 200000;
}

/* Here, where the sanitizers watch it, and for the voice that reads least itself. */
static void cut(const char *clean)
{
	char *piece = malloc(2 * strlen(clean) + 1);
	const char *rest = clean;
	enum script script;

	if (!piece)
		abort();
	while (script_next(&rest, 1u << SCRIPT_LATIN, piece, &script))
		require(strlen(piece) <= 2 * strlen(clean) && script < SCRIPT_COUNT);
	require(!*rest);
	free(piece);
}

static void speak(const char *clean, const char *voice)
{
	static struct synthesizer *synthesizer;
	struct synthesis_settings settings = { .rate = 450, .pitch = 50, .volume = 100 };
	struct tts_error error = { "" };
	size_t total = 0;
	int r;

	if (!synthesizer)
		require(synthesizer_open("/proc/self/exe", &synthesizer, &error) == 0);
	require(voices_find(synthesizer_voices(synthesizer), voice, settings.voice, &error) == 0);
	r = synthesizer_speak(synthesizer, &settings, clean, on_samples, &total, &error);
	require(r == 0 || (r == TTS_CRASHED && *error.message));
	if (r == 0)
		return;
	total = 0;
	require(voices_find(synthesizer_voices(synthesizer), "en", settings.voice, &error) == 0);
	require(synthesizer_speak(synthesizer, &settings, "well", on_samples, &total, &error) == 0);
	require(total > 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const voices[] = {
		"en", "ru", "el", "hy", "ko", "hi", "ar", "cmn", "fr", "ka", "ja", "ta", "de",
		"he", "bn", "pa", "gu", "mr", "as", "my", "am", "te", "kn", "ml", "si", "th",
		"fa", "fi", "tn",
	};
	char *text, *clean, *again;

	if (size > TEXT_BYTES_LIMIT)
		return 0;
	text = malloc(size + 1);
	clean = malloc(size + 1);
	again = malloc(size + 1);
	if (!text || !clean || !again)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (text_clean(text, clean)) {
		require(clean[0] != '\0' && strlen(clean) <= strlen(text));
		for (const uint8_t *p = (const uint8_t *)clean; *p;) {
			uint32_t code;

			p += character(p, &code);
			require(code >= 0x20 && (code < 0x7f || code > 0x9f));
		}
		require(text_clean(clean, again) && strcmp(clean, again) == 0);
		cut(clean);
		if (strlen(clean) < 60)
			speak(clean, voices[strlen(clean) % (sizeof(voices) / sizeof(voices[0]))]);
	}
	free(text);
	free(clean);
	free(again);
	return 0;
}
