/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * likeness.c: see likeness.h. Captions are short, so n-grams are compared one by one.
 */
#include "engine/likeness.h"

#include <math.h>
#include <string.h>

#define LENGTHS 72.0f		/* 2 sigma², sigma 6 words, as CIDEr-D has it */

static void count_gram(struct likeness_text *text, unsigned order, uint64_t key, float weight)
{
	struct likeness_gram *grams = text->grams[order];

	for (unsigned i = 0; i < text->gram_counts[order]; i++) {
		if (grams[i].key == key) {
			grams[i].weight += weight;
			return;
		}
	}
	grams[text->gram_counts[order]++] = (struct likeness_gram){ key, weight };
}


void likeness_read(const struct hypothesis *caption, const float *rarity,
		   struct likeness_text *ret_text)
{
	memset(ret_text->gram_counts, 0, sizeof(ret_text->gram_counts));
	ret_text->length = caption->count;
	for (unsigned i = 0; i < caption->count; i++) {
		uint64_t key = 0;
		float weight = 0.0f;

		for (unsigned n = 0; n < LIKENESS_ORDERS && i + n < caption->count; n++) {
			unsigned word = caption->words[i + n];

			/* LIMIT_VOCABULARY lets four words fit 64 bits */
			key = key << 16 | word;
			weight += rarity[word];
			count_gram(ret_text, n, key, weight);
		}
	}
	for (unsigned n = 0; n < LIKENESS_ORDERS; n++) {
		float sum = 0.0f;

		for (unsigned i = 0; i < ret_text->gram_counts[n]; i++)
			sum += ret_text->grams[n][i].weight * ret_text->grams[n][i].weight;
		ret_text->norms[n] = sqrtf(sum);
	}
}

float likeness(const struct likeness_text *first, const struct likeness_text *second)
{
	float difference = (float)first->length - (float)second->length;
	float sum = 0.0f;

	for (unsigned n = 0; n < LIKENESS_ORDERS; n++) {
		float common = 0.0f;

		if (!(first->norms[n] > 0.0f) || !(second->norms[n] > 0.0f))
			continue;
		for (unsigned i = 0; i < first->gram_counts[n]; i++) {
			for (unsigned k = 0; k < second->gram_counts[n]; k++) {
				const struct likeness_gram *x = &first->grams[n][i];
				const struct likeness_gram *y = &second->grams[n][k];

				if (x->key == y->key)
					common += fminf(x->weight, y->weight) * y->weight;
			}
		}
		sum += common / (first->norms[n] * second->norms[n]);
	}
	return sum / LIKENESS_ORDERS * expf(-difference * difference / LENGTHS);
}
