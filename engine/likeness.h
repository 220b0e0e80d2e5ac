/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * likeness.h: how much two captions are alike, as CIDEr-D has it (Vedantam 2015): the
 * cosine of their n-grams, clipped, each weighed by the rarity of its words. The best
 * caption by consensus is like the others that the decoder holds possible.
 */
#ifndef ENGINE_LIKENESS_H
#define ENGINE_LIKENESS_H

#include "engine/generation.h"

#define LIKENESS_ORDERS 4u	/* longest n-gram */

/* One n-gram of a caption; equal ones are joined. */
struct likeness_gram {
	uint64_t key;
	float weight;
};

struct likeness_text {
	struct likeness_gram grams[LIKENESS_ORDERS][LIMIT_WORDS];
	unsigned gram_counts[LIKENESS_ORDERS];
	float norms[LIKENESS_ORDERS];
	unsigned length;
};

/* `rarity` is that of every word of the vocabulary. */
void likeness_read(const struct hypothesis *caption, const float *rarity,
		   struct likeness_text *ret_text);

/* 0 to 1. */
float likeness(const struct likeness_text *first, const struct likeness_text *second);

#endif
