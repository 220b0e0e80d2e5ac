/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a text of several scripts is cut for the voices, and that eSpeak NG gets
 * through what made it read freed memory before it was cut (tests/unit/guarded_memory.h
 * makes that a crash).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tts/script.h"
#include "tts/synthesis.h"
#include "tests/unit/guarded_memory.h"

#define OWN (1u << SCRIPT_NONE | 1u << SCRIPT_LATIN | 1u << SCRIPT_OTHER)

/* The pieces, each with its script's number, "0:Hello |4:Привет". */
static void cuts(uint32_t own, const char *text, const char *expected)
{
	char got[512] = "", piece[256];
	enum script script;
	size_t length = 0;

	while (script_next(&text, own, piece, &script)) {
		int added = snprintf(got + length, sizeof(got) - length, "%s%d:%s",
				     length ? "|" : "", (int)script, piece);

		assert_in_range(added, 1, sizeof(got) - length - 1);
		length += (size_t)added;
	}
	assert_string_equal(got, expected);
}

static void leaves_a_text_of_one_script_whole(void **state)
{
	(void)state;
	cuts(OWN, "", "");
	cuts(OWN, "A man, 40, is riding a wave.", "0:A man, 40, is riding a wave.");
	cuts(OWN, "12:30, 20 °C", "0:12:30, 20 °C");
	cuts(OWN, "Le café, l'été: œuvre naïve", "0:Le café, l'été: œuvre naïve");
	cuts(OWN | 1u << SCRIPT_CYRILLIC, "Привет, мир!", "0:Привет, мир!");
	cuts(OWN | 1u << SCRIPT_CYRILLIC, "USB-кабель и Linux 6.1", "0:USB-кабель и Linux 6.1");
	cuts(OWN | 1u << SCRIPT_HAN, "東京タワー", "0:東京タワー");
}

static void hands_other_scripts_to_their_voices(void **state)
{
	(void)state;
	cuts(OWN, "Привет", "4:Привет");
	cuts(OWN, "It says \"Привет, мир!\" 2 times", "0:It says \"|4:Привет, мир!\" |0:2 times");
	cuts(OWN, "Привет, Ελλάδα!", "4:Привет, |3:Ελλάδα!");
	cuts(OWN, "3 Привет 5", "4:3 Привет 5");
	cuts(OWN | 1u << SCRIPT_CYRILLIC, "Слово Ελλάδα здесь", "0:Слово |3:Ελλάδα |0:здесь");
}

static void lets_no_word_have_two_scripts(void **state)
{
	(void)state;
	cuts(OWN | 1u << SCRIPT_CYRILLIC, "Linuxом", "0:Linux ом");
	cuts(OWN | 1u << SCRIPT_CYRILLIC, "Linux'ом", "0:Linux' ом");
	cuts(OWN, "aߖb", "0:a ߖ b");
	cuts(OWN, "aПb", "0:a|4:П|0:b");
	cuts(OWN | 1u << SCRIPT_CYRILLIC, "Ж-Linux", "0:Ж-Linux");
	/* nor symbols beside letters that are not Latin, or behind them in the word */
	cuts(OWN, "C#, 5%, a&b, 20 °C", "0:C#, 5%, a&b, 20 °C");
	cuts(OWN | 1u << SCRIPT_ARMENIAN, "Փ#", "0:Փ #");
	cuts(OWN | 1u << SCRIPT_ARMENIAN, "#Փ", "0:# Փ");
	cuts(OWN | 1u << SCRIPT_ARMENIAN, "Փ,5#", "0:Փ,5 #");
	cuts(OWN | 1u << SCRIPT_ARMENIAN, ".-Փ, Փ-Փ, 5-Փ, Փ'-Փ", "0:.- Փ, Փ-Փ, 5- Փ, Փ' - Փ");
	cuts(OWN | 1u << SCRIPT_ARMENIAN, "(Փ)\"", "0:(Փ)\"");
	/* nor, in a voice that is not a Latin one, two symbols */
	cuts(OWN | 1u << SCRIPT_DEVANAGARI, "C++, +@.%2", "0:C + +, + @. %2");
	/* nor Latin letters that change the language for the word, and what that lacks */
	cuts(OWN, "żǯ, ǯż, Łódź, ǯə", "0:ż ǯ, ǯ ż, Łódź, ǯə");
	cuts(OWN, "STRAẞE, Straße, ñandú, ßñ, ßþ", "0:STRAẞE, Straße, ñandú, ß ñ, ß þ");
}

static void lets_named_symbols_stand_alone(void **state)
{
	(void)state;
	cuts(OWN, "xyz ©~b, 5 €~, \"a\"~", "0:xyz © ~b, 5 € ~, \"a\"~");
	cuts(OWN, "I❤NY!", "0:I ❤ NY!");
	cuts(OWN, "🎵💼", "0:🎵 💼");
	cuts(OWN, ",👑,", "0:, 👑,");
	cuts(OWN, "ܐܒ-ܓ", "0:ܐ ܒ- ܓ");
	/* but for what one emoji consists of */
	cuts(OWN, "👍🏽👩‍🚀🇫🇷❤️", "0:👍🏽 👩‍🚀 🇫🇷 ❤️");
	cuts(OWN | 1u << SCRIPT_HANGUL, "👍🏽👩‍🚀 가", "0:👍 🏽 👩 🚀 가");
	cuts(OWN, "👍🏽가", "21:👍 🏽 가");
	/* outside of one its joiners join nothing */
	cuts(OWN, "a️b‍c‍", "0:abc");
	cuts(OWN | 1u << SCRIPT_DEVANAGARI, "क्‍ष", "0:क्‍ष");
}

static void replaces_what_overflows_buffers(void **state)
{
	(void)state;
	cuts(OWN, "Ⓜⓜ, ⣿⠋ done", "0:Mm,  done");
	cuts(OWN, "aꦗbꜰ", "0:ab");
	cuts(OWN | 1u << SCRIPT_GUJARATI, "ફ઼", "0:ફ");
}

/* Every piece must fit in twice the bytes, and no letter may be lost. */
static void keeps_every_byte_but_adds_spaces(void **state)
{
	char text[2 * 4096] = "", piece[4 * 4096];
	const char *rest = text;
	size_t letters = 0, kept = 0;
	enum script script;

	(void)state;
	while (strlen(text) + 8 < 4096)
		strcat(text, letters++ % 2 ? "aߖ" : "Пع");
	while (script_next(&rest, UINT32_MAX, piece, &script)) {
		assert_true(strlen(piece) <= 2 * strlen(text));
		for (const char *p = piece; *p; p++)
			kept += *p != ' ';
	}
	assert_int_equal(kept, strlen(text));
}

static bool on_samples(void *userdata, const int16_t *samples, size_t count)
{
	size_t *total = userdata;

	(void)samples;
	*total += count;
	return true;
}

static size_t spoken(const char *voice, const char *text)
{
	struct synthesis_settings settings = { .rate = 175, .pitch = 50, .volume = 100 };
	struct tts_error error;
	size_t total = 0;

	if (voices_find(synthesis_voices(), voice, settings.voice, &error))
		return 0;
	assert_int_equal(synthesis_speak(&settings, text, on_samples, &total, &error), 0);
	return total;
}

/* Texts that made eSpeak NG 1.51 read freed memory or overflow a buffer, each with
 * the voice it happened in. */
static void speaks_what_was_found(void **state)
{
	static const struct {
		const char *voice, *text;
	} found[] = {
		{ "hy", "Փ֎" }, { "hy", "֎,#" }, { "hy", "Փ\u058c,#" }, { "hy", "Հ€֍%" },
		{ "en", "Hello Пյѳ֎Э,Յ#国" }, { "en", "֎,#" },
		{ "hi", "xyz ©~b" }, { "hi", "॰#" }, { "mr", "क॰,#" }, { "bn", "৲#" },
		{ "bn", "$✨ᇽ" }, { "pa", "੶#" }, { "gu", "૱#" }, { "ka", "ა჻=" },
		{ "te", "౼₩" }, { "ko", "𝑥🕶" }, { "ko", ",👑" }, { "ko", "🗱💼" },
		{ "ko", "🇧🧔" }, { "ko", "$🎵" }, { "ko", "🖡꜕" }, { "ru", "🡄🐜럲" },
		{ "fa", "🢋💏켿" }, { "et", "️ꞽ" }, { "kk", "𜋓꯴" }, { "ka", "༾꧄" },
		{ "te", "～꜍" }, { "sr", "z-ꭧ" }, { "my", "ꦕး" }, { "mr", "࠼-ࡔ" },
		{ "de", "żǯ" }, { "de", "łþ" }, { "sr", "ẞậ" }, { "pt", "ßǯ" },
		{ "af", "ñß" }, { "ko", "🙚🏿ᅉ" }, { "gu", "ફ઼" },
		{ "my", "ⓜ" }, { "kn", "ⓜ" }, { "ml", "Ⓜⓜ" }, { "tn", "⣿" }, { "fi", "⣿" },
		{ "ar", "⣟⣯" }, { "ml", ".-ൎ" }, { "hi", "'-ॱ" }, { "ky", "H'w ⒅" },
		{ "hi", "+@" }, { "hi", "ez-*idi" }, { "bn", "৽-ঞই" }, { "chr", "5'Ꮷ" },
		{ "hyw", "Ա" }, { "hyw", "🧬" },
	};
	struct tts_error error;
	unsigned rate;

	(void)state;
	assert_int_equal(synthesis_open(&rate, &error), 0);
	for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++)
		spoken(found[i].voice, found[i].text);
}

static void speaks_texts_of_several_scripts(void **state)
{
	static const char *const voices[] = { "en", "en+f3", "ru", "hy", "ko", "ja", "ar", "fr" };
	static const char *const texts[] = {
		"Փ֎",			/* Armenian with a sign that its dictionary lacks */
		"ߖՓb",			/* three scripts in a word */
		"국中 ক a٠ hՓ",
		"Hello, Привет, Ελλάδα, שלום, สวัสดี, 東京 and back.",
	};
	struct tts_error error;
	unsigned rate;

	(void)state;
	assert_int_equal(synthesis_open(&rate, &error), 0);
	for (size_t v = 0; v < sizeof(voices) / sizeof(voices[0]); v++)
		for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++)
			assert_true(spoken(voices[v], texts[t]) > rate / 20);
}

/* The end of a piece is no end of the text, and a stop in one is a stop of all. */
static bool stop_at_once(void *userdata, const int16_t *samples, size_t count)
{
	unsigned *calls = userdata;

	(void)samples, (void)count;
	(*calls)++;
	return false;
}

static void stops_in_all_pieces(void **state)
{
	struct synthesis_settings settings = { .rate = 175, .pitch = 50, .volume = 100 };
	struct tts_error error;
	unsigned calls = 0, rate;

	(void)state;
	assert_int_equal(synthesis_open(&rate, &error), 0);
	assert_int_equal(voices_find(synthesis_voices(), "en", settings.voice, &error), 0);
	assert_int_equal(synthesis_speak(&settings, "Hello Привет hello Привет", stop_at_once, &calls,
					 &error), 0);
	assert_int_equal(calls, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_a_text_of_one_script_whole),
		cmocka_unit_test(hands_other_scripts_to_their_voices),
		cmocka_unit_test(lets_no_word_have_two_scripts),
		cmocka_unit_test(lets_named_symbols_stand_alone),
		cmocka_unit_test(replaces_what_overflows_buffers),
		cmocka_unit_test(keeps_every_byte_but_adds_spaces),
		cmocka_unit_test(speaks_what_was_found),
		cmocka_unit_test(speaks_texts_of_several_scripts),
		cmocka_unit_test(stops_in_all_pieces),
	};

	guarded_memory_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
