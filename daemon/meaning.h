/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * meaning.h: whether two captions say the same.
 *
 * "A man riding a wave on a surfboard" and "A man on a surfboard rides the waves"
 * differ as strings and tell a listener nothing new. So captions are compared by
 * the stems of their content words, which the engine gives, each weighted by the
 * probability with which the model chose it: a word that the model was unsure of
 * makes little difference.
 */
#ifndef DAEMON_MEANING_H
#define DAEMON_MEANING_H

#include <stddef.h>

enum { MEANING_WORDS = 24, MEANING_WORD_BYTES = 32 };

struct meaning {
	struct {
		char stem[MEANING_WORD_BYTES];
		double weight;		/* 0 to 1 */
	} words[MEANING_WORDS];
	size_t count;
};

/* Adds a content word. Start from an empty meaning ({ .count = 0 }). */
void meaning_add(struct meaning *meaning, const char *stem, double probability);
/* 0: nothing in common, 1: the same. Two empty meanings are the same. */
double meaning_similarity(const struct meaning *a, const struct meaning *b);

/* The beginning of a caption that stands for itself: up to the first phrase of
 * place or manner, if three words or more come before it. "A man riding a wave
 * on a surfboard." gives "A man riding a wave." `size` includes the final 0. */
void meaning_shorten(const char *caption, char *ret_text, size_t size);

#endif
