/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * part.h: what can be said of a caption with fewer or more general words, so that
 * what is doubtful can be left out: "a young girl in a red shirt is standing on a
 * game" has the parts "a young girl is standing", "a child in a red shirt", "a person"
 * and others.
 */
#ifndef ENGINE_PART_H
#define ENGINE_PART_H

#include "engine/generation.h"
#include "engine/lexeme.h"
#include "engine/vocabulary.h"

#define PARTS_MAX 256u

/* Which words of the caption stand in the part, bit i for word i, and which of those are
 * said in a more general word: bit i of general[k] for the word's k-th. */
struct part {
	uint32_t words, general[LEXEME_GENERALS];
};

/* All of a caption, as it is. */
#define PART_WHOLE ((struct part){ .words = UINT32_MAX })

/* The more general words of a vocabulary's words, narrowest first, 0 for none. */
typedef uint32_t part_generals[LEXEME_GENERALS];

/* Those that the vocabulary has. */
void part_generals_find(const struct vocabulary *vocabulary, unsigned word,
			part_generals ret_generals);

/* Finds the parts, the whole caption not among them: first those that only leave words
 * out. `generals` are those of every word of the vocabulary; NULL: none are used. */
size_t part_find(const struct vocabulary *vocabulary, const part_generals *generals,
		 const struct hypothesis *caption, struct part ret_parts[PARTS_MAX]);

/* Which of its more general words a word of the caption is said in, counted from 1; 0: it
 * stands as it is. */
unsigned part_level(const struct part *part, unsigned word);
/* How many words are said in more general ones, those in the widest counted twice. */
unsigned part_vagueness(const struct part *part);

/* The part's words in order, its articles mended ("an orange cat" without its colour
 * is "a cat", and an animal); returns how many. */
size_t part_texts(const struct vocabulary *vocabulary, const part_generals *generals,
		  const struct hypothesis *caption, const struct part *part,
		  const char *ret_texts[LIMIT_WORDS]);

#endif
