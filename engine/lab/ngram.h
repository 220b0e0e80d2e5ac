/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ngram.h: n-grams of up to four word numbers as exact 64-bit keys (sixteen
 * bits a word, which is why a lexicon stops at 65,000 words), and sorted lists
 * of them with their counts.
 */
#ifndef LAB_NGRAM_H
#define LAB_NGRAM_H

#include "engine/lab/scores.h"

struct ngram {
	uint64_t key;
	uint32_t count;
};

struct ngram_counts {
	struct ngram *grams;	/* by key */
	size_t size;
};

/* The key of `n` words. Keys of different lengths differ. */
uint64_t ngram_key(const uint32_t *words, unsigned n);
/* How many words a key has. */
unsigned ngram_order(uint64_t key);

/* All n-grams of `shortest` to `longest` words; -ENOMEM. */
int ngram_counts_open(struct ngram_counts *ret_counts, struct sentence sentence, unsigned shortest,
		      unsigned longest);
/* The same into the caller's array of `longest` × sentence.count entries;
 * returns how many are used. */
size_t ngram_counts_fill(struct ngram *grams, struct sentence sentence, unsigned shortest,
			 unsigned longest);
void ngram_counts_clear(struct ngram_counts *counts);
uint32_t ngram_count_of(const struct ngram_counts *counts, uint64_t key);

#endif
