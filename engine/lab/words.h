/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * words.h: what the laboratory knows of English beyond counting: which words
 * are grammar, and which words of a set of captions are nouns. Both are
 * measures, used to find captions that name a thing twice.
 */
#ifndef LAB_WORDS_H
#define LAB_WORDS_H

#include <stdbool.h>

#include "engine/lab/captions.h"
#include "engine/lab/lexicon.h"

/* Articles, prepositions, pronouns, conjunctions, auxiliaries, numerals: words
 * that a good caption may well use twice. */
bool words_is_grammar(const char *word);

/* Marks the words of a lexicon that are used as nouns in the captions: not
 * grammar, not ending in -ing, and followed in at least half of their uses by
 * the caption's end, a preposition, "is", "are" or "and". The caller frees
 * `ret_nouns`. */
int words_find_nouns(const struct caption_set *set, const struct lexicon *lexicon,
		     bool **ret_nouns);

#endif
