/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sampling.c: all captions advance together; one that has ended leaves the
 * batch, so the matrix products shrink as captions finish.
 */
#include "engine/lab/sampling.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/lab/elementwise.h"
#include "engine/lab/lexicon.h"

/* One draw from the softmax of the logits, or the likeliest word; the engine's
 * search forbids the same words. */
static uint32_t choose_word(real *logits, size_t words, uint32_t before, struct random *random,
			    real sharpness)
{
	const real never = -1e30f;
	double target, sum = 0;
	size_t best = WORD_END;

	logits[WORD_PADDING] = logits[WORD_START] = logits[WORD_UNKNOWN] = never;
	if (before >= WORD_FIRST)
		logits[before] = never;
	else if (before == WORD_START)
		logits[WORD_END] = never;
	if (random == NULL) {
		for (size_t k = 0; k < words; k++)
			if (logits[k] > logits[best])
				best = k;
		return (uint32_t)best;
	}
	for (size_t k = 0; k < words && sharpness != 1; k++)
		logits[k] *= sharpness;
	softmax(logits, words);
	target = random_unit(random);
	for (size_t k = 0; k < words; k++) {
		sum += (double)logits[k];
		if (sum > target)
			return (uint32_t)k;
	}
	return WORD_END;
}

int sampling_run(const struct network *network, const real *parameters,
		 const struct network_photos *photos, size_t each, struct random *random,
		 real sharpness, struct network_workspace *workspace, struct sampled_caption *ret_captions)
{
	size_t count = photos->count * each, active = count, width = network_state_size(network);
	size_t words = network->shape.words;
	const struct network_prepared *prepared;
	real *states = malloc((count * width + 1) * sizeof(*states));
	real *logits = malloc((count * words + 1) * sizeof(*logits));
	size_t *photo = calloc(count + 1, sizeof(*photo)), *caption = calloc(count + 1, sizeof(*caption));
	uint32_t *last = calloc(count + 1, sizeof(*last));
	int r = -ENOMEM;

	if (states == NULL || logits == NULL || photo == NULL || caption == NULL || last == NULL)
		goto out;
	r = network_prepare(network, parameters, photos, workspace, &prepared);
	if (r < 0)
		goto out;
	for (size_t i = 0; i < count; i++) {
		photo[i] = i / each;
		caption[i] = i;
		last[i] = WORD_START;
		network_first_state(network, prepared, photo[i], states + i * width);
		ret_captions[i].count = 0;
		ret_captions[i].ended = false;
	}
	for (size_t step = 0; step < LIMIT_WORDS && active > 0; step++) {
		size_t kept = 0;

		r = network_step(network, parameters, prepared, workspace, active, photo, last, states,
				 logits);
		if (r < 0)
			goto out;
		for (size_t i = 0; i < active; i++) {
			struct sampled_caption *result = &ret_captions[caption[i]];
			uint32_t word = choose_word(logits + i * words, words, last[i], random,
						    sharpness);

			if (word == WORD_END) {
				result->ended = true;
				continue;
			}
			result->words[result->count++] = word;
			memmove(states + kept * width, states + i * width, width * sizeof(*states));
			photo[kept] = photo[i];
			caption[kept] = caption[i];
			last[kept++] = word;
		}
		active = kept;
	}
	r = 0;
out:
	free(states);
	free(logits);
	free(photo);
	free(caption);
	free(last);
	return r;
}
