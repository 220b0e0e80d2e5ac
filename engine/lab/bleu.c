/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bleu.c: corpus BLEU. n-grams are packed into sorted 64-bit keys, so matching
 * a caption against its references is a merge of short sorted lists.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/lab/ngram.h"
#include "engine/lab/scores.h"

/* Clipped matches of one order: each candidate n-gram counts at most as often
 * as in the reference that has it most often. */
static uint64_t matches(const struct ngram_counts *candidate, const struct ngram_counts *references,
			size_t reference_count)
{
	uint64_t total = 0;

	for (size_t i = 0; i < candidate->size; i++) {
		uint32_t most = 0;

		for (size_t k = 0; k < reference_count; k++) {
			uint32_t count = ngram_count_of(&references[k], candidate->grams[i].key);

			if (count > most)
				most = count;
		}
		total += most < candidate->grams[i].count ? most : candidate->grams[i].count;
	}
	return total;
}

int scores_bleu(const struct scored_caption *captions, size_t count, double ret_bleu[SCORES_ORDER])
{
	/* COCO's script keeps the logarithms finite with these two. */
	const double tiny = 1e-15, small = 1e-9;
	uint64_t correct[SCORES_ORDER] = { 0 }, guessed[SCORES_ORDER] = { 0 };
	uint64_t candidate_length = 0, reference_length = 0;
	double product = 1, ratio;

	for (size_t i = 0; i < count; i++) {
		const struct scored_caption *caption = &captions[i];
		size_t length = caption->candidate.count, closest = caption->references[0].count;

		for (size_t k = 1; k < caption->reference_count; k++) {
			size_t other = caption->references[k].count;
			size_t gap = other > length ? other - length : length - other;
			size_t best = closest > length ? closest - length : length - closest;

			if (gap < best || (gap == best && other < closest))
				closest = other;
		}
		candidate_length += length;
		reference_length += closest;
		for (unsigned n = 1; n <= SCORES_ORDER; n++) {
			struct ngram_counts candidate, *references;
			int r;

			guessed[n - 1] += length >= n ? length - n + 1 : 0;
			references = calloc(caption->reference_count, sizeof(*references));
			r = references == NULL ? -ENOMEM : ngram_counts_open(&candidate, caption->candidate, n, n);
			if (r < 0) {
				free(references);
				return r;
			}
			for (size_t k = 0; k < caption->reference_count && r == 0; k++)
				r = ngram_counts_open(&references[k], caption->references[k], n, n);
			if (r == 0)
				correct[n - 1] += matches(&candidate, references, caption->reference_count);
			ngram_counts_clear(&candidate);
			for (size_t k = 0; k < caption->reference_count; k++)
				ngram_counts_clear(&references[k]);
			free(references);
			if (r < 0)
				return r;
		}
	}
	ratio = ((double)candidate_length + tiny) / ((double)reference_length + small);
	for (unsigned n = 0; n < SCORES_ORDER; n++) {
		product *= ((double)correct[n] + tiny) / ((double)guessed[n] + small);
		ret_bleu[n] = pow(product, 1.0 / (n + 1)) * (ratio < 1 ? exp(1 - 1 / ratio) : 1);
	}
	return 0;
}
