/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * part.h: parts of a caption that can stand for themselves, so that what is
 * doubtful can be left out: "a man in a red shirt is standing on a game" has the
 * parts "a man is standing", "a man in a shirt" and others.
 */
#ifndef ENGINE_PART_H
#define ENGINE_PART_H

#include "engine/generation.h"
#include "engine/vocabulary.h"

#define PARTS_MAX 64u

/* Which words of the caption stand in the part, bit i for word i. */
typedef uint32_t part_words;

/* Finds the parts, the whole caption not among them. */
size_t part_find(const struct vocabulary *vocabulary, const struct hypothesis *caption,
		 part_words ret_parts[PARTS_MAX]);

/* The part's words in order, its articles mended ("an orange cat" without its colour
 * is "a cat"); returns how many. */
size_t part_texts(const struct vocabulary *vocabulary, const struct hypothesis *caption,
		  part_words part, const char *ret_texts[LIMIT_WORDS]);

#endif
