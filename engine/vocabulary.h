/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * vocabulary.h: the words a decoder chooses from, by index.
 */
#ifndef ENGINE_VOCABULARY_H
#define ENGINE_VOCABULARY_H

#include "engine/engine.h"
#include "engine/lexeme.h"

enum {
	VOCABULARY_PADDING = 0,
	VOCABULARY_START = 1,
	VOCABULARY_END = 2,
	VOCABULARY_UNKNOWN = 3,
	VOCABULARY_FIRST_WORD = 4,
};

struct vocabulary;

/* Borrows the strings until the vocabulary is freed. The first four are the
 * marks above; the others must be UTF-8 without blanks or control characters,
 * not empty, not too long to be spoken, and all different. */
int vocabulary_open(const char *const *words, size_t count,
		    struct vocabulary **ret_vocabulary, struct engine_error *error);
struct vocabulary *vocabulary_free(struct vocabulary *vocabulary);

unsigned vocabulary_size(const struct vocabulary *vocabulary);
const char *vocabulary_word(const struct vocabulary *vocabulary, unsigned index);
/* The marks are function words without a stem. */
const struct lexeme *vocabulary_lexeme(const struct vocabulary *vocabulary, unsigned index);
/* VOCABULARY_UNKNOWN for a word that is not in it. */
unsigned vocabulary_find(const struct vocabulary *vocabulary, const char *word);

#endif
