/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ngram.c: sort, then fold equal neighbours. Captions are a dozen words long,
 * so a sorted array beats a hash table.
 */
#include "engine/lab/ngram.h"

#include <errno.h>
#include <stdlib.h>

uint64_t ngram_key(const uint32_t *words, unsigned n)
{
	uint64_t key = 0;

	for (unsigned i = 0; i < n; i++)
		key = key << 16 | (words[i] + 1);
	return key;
}

unsigned ngram_order(uint64_t key)
{
	return key >> 48 ? 4 : key >> 32 ? 3 : key >> 16 ? 2 : 1;
}

static int by_key(const void *left, const void *right)
{
	const struct ngram *a = left, *b = right;

	return a->key < b->key ? -1 : a->key > b->key;
}

size_t ngram_counts_fill(struct ngram *grams, struct sentence sentence, unsigned shortest,
			 unsigned longest)
{
	size_t size = 0, kept = 0;

	for (unsigned n = shortest; n <= longest; n++)
		for (size_t i = 0; i + n <= sentence.count; i++)
			grams[size++] = (struct ngram){ ngram_key(sentence.words + i, n), 1 };
	if (size == 0)
		return 0;
	qsort(grams, size, sizeof(*grams), by_key);
	for (size_t i = 1; i < size; i++) {
		if (grams[i].key == grams[kept].key)
			grams[kept].count++;
		else
			grams[++kept] = grams[i];
	}
	return kept + 1;
}

int ngram_counts_open(struct ngram_counts *ret_counts, struct sentence sentence, unsigned shortest,
		      unsigned longest)
{
	struct ngram *grams = calloc(sentence.count * longest + 1, sizeof(*grams));

	if (grams == NULL)
		return -ENOMEM;
	ret_counts->size = ngram_counts_fill(grams, sentence, shortest, longest);
	ret_counts->grams = grams;
	return 0;
}

void ngram_counts_clear(struct ngram_counts *counts)
{
	free(counts->grams);
	*counts = (struct ngram_counts){ 0 };
}

uint32_t ngram_count_of(const struct ngram_counts *counts, uint64_t key)
{
	size_t low = 0, high = counts->size;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (counts->grams[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < counts->size && counts->grams[low].key == key ? counts->grams[low].count : 0;
}
