/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as text to be spoken: what is handed to eSpeak NG holds no control
 * character, no malformed UTF-8 and nothing that cleaning again would change.
 * Short texts are spoken, too. eSpeak NG 1.51 reads freed memory and overflows
 * buffers over texts that tts/script.c keeps from it; the library is not built with
 * sanitizers, so freed memory is filled with what makes a pointer out of it lead
 * nowhere. Whoever looks for more such texts sets FUZZ_SCRIPTS: then all are spoken, in
 * a voice that the length chooses. Otherwise texts of ASCII and Latin letters are, in
 * English, so that a finding is a fault of Descry's.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tts/script.h"
#include "tts/synthesis.h"
#include "tts/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "max_free_fill_size=16777216:free_fill_byte=165";
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

/* Whether the English voice reads the text without another language's help. */
static bool is_latin(const char *clean)
{
	for (const uint8_t *p = (const uint8_t *)clean; *p;) {
		uint32_t code;

		p += character(p, &code);
		if (code >= 0x80 && script_of(code) != SCRIPT_LATIN)
			return false;
	}
	return true;
}

static void speak(const char *clean, const char *voice)
{
	struct synthesis_settings settings = { .rate = 450, .pitch = 50, .volume = 100 };
	struct tts_error error;
	static unsigned rate;
	size_t total = 0;

	if (!rate)
		require(synthesis_open(&rate, &error) == 0);
	require(synthesis_find_voice(voice, settings.voice, &error) == 0);
	require(synthesis_speak(&settings, clean, on_samples, &total, &error) == 0);
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
		if (strlen(clean) < 60 && getenv("FUZZ_SCRIPTS"))
			speak(clean, voices[strlen(clean) % (sizeof(voices) / sizeof(voices[0]))]);
		else if (strlen(clean) < 60 && is_latin(clean))
			speak(clean, "en");
	}
	free(text);
	free(clean);
	free(again);
	return 0;
}
