/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * script.h: a text cut into pieces that one voice can read.
 *
 * eSpeak NG reads a word that its voice's language lacks with a second dictionary.
 * When that one lacks a letter of the word in turn, a third takes its place and frees
 * it, while it is still being read (1.51, found by fuzzing). It does not happen where
 * each word consists of letters of one script, which the voice is at home in, or of
 * Latin letters and symbols, which English, the language it falls back to, knows. So
 * letters of other scripts are handed, as pieces of their own, to voices at home in
 * them, which also read them better, and words that mix are parted by spaces.
 */
#ifndef TTS_SCRIPT_H
#define TTS_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum script {
	SCRIPT_NONE,		/* spaces, digits, punctuation, symbols, marks */
	SCRIPT_LATIN,		/* which all voices but one read */
	SCRIPT_OTHER,		/* letters that no voice reads: eSpeak NG names or numbers them */
	SCRIPT_GREEK,
	SCRIPT_CYRILLIC,
	SCRIPT_ARMENIAN,
	SCRIPT_HEBREW,
	SCRIPT_ARABIC,
	SCRIPT_DEVANAGARI,
	SCRIPT_BENGALI,
	SCRIPT_GURMUKHI,
	SCRIPT_GUJARATI,
	SCRIPT_ORIYA,
	SCRIPT_TAMIL,
	SCRIPT_TELUGU,
	SCRIPT_KANNADA,
	SCRIPT_MALAYALAM,
	SCRIPT_SINHALA,
	SCRIPT_THAI,
	SCRIPT_MYANMAR,
	SCRIPT_GEORGIAN,
	SCRIPT_HANGUL,
	SCRIPT_ETHIOPIC,
	SCRIPT_CHEROKEE,
	SCRIPT_HAN,		/* with kana and bopomofo */
	SCRIPT_COUNT,
};

enum script script_of(uint32_t character);

/* The languages written in a script, the one to read it in where nothing else is
 * known first, ended by NULL; none for others. */
const char *const *script_languages(enum script script);

/*
 * Takes the next piece of `*text`, clean UTF-8, and moves `*text` past it; false at
 * the end. `own` has a bit for each script that the voice reads itself. The piece
 * goes to `piece`, which holds at least twice the bytes of the text: what must not
 * be in one word is parted by a space, and what crashes eSpeak NG is left out.
 * `ret_script` is the script to find a voice for, or SCRIPT_NONE for the voice.
 */
bool script_next(const char **text, uint32_t own, char *piece, enum script *ret_script);

#endif
