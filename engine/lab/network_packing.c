/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * network_packing.c: captions of a minibatch have different lengths. Rather than
 * padding them, the words are packed time-major: first the first words of all
 * captions, then the second words of those that have one, and so on. Each
 * (caption, time) is a row; a matrix product over all rows, or over those of one
 * time step, then does no work for padding. Rows of one photo stand side by side
 * within a time step, so attention is one small product per photo and step.
 */
#pragma GCC optimize("O3")

#include "engine/lab/network_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/lab/lexicon.h"
#include "engine/lab/random.h"

void packing_clear(struct packing *p)
{
	free(p->first);
	free(p->photo);
	free(p->before);
	free(p->sequence);
	free(p->input);
	free(p->target);
	*p = (struct packing){ 0 };
}

static size_t length_of(const struct network_sequence *sequence)
{
	return sequence->count + (sequence->ended ? 1 : 0);
}

int packing_open(struct packing *ret_packing, const struct network_sequence *sequences,
		 size_t count)
{
	struct packing p = { 0 };
	size_t *last, row = 0;

	for (size_t i = 0; i < count; i++) {
		size_t length = length_of(&sequences[i]);

		p.rows += length;
		p.steps = length > p.steps ? length : p.steps;
	}
	p.first = calloc(p.steps + 1, sizeof(*p.first));
	p.photo = calloc(p.rows + 1, sizeof(*p.photo));
	p.before = calloc(p.rows + 1, sizeof(*p.before));
	p.sequence = calloc(p.rows + 1, sizeof(*p.sequence));
	p.input = calloc(p.rows + 1, sizeof(*p.input));
	p.target = calloc(p.rows + 1, sizeof(*p.target));
	last = calloc(count + 1, sizeof(*last));
	if (p.first == NULL || p.photo == NULL || p.before == NULL || p.sequence == NULL ||
	    p.input == NULL || p.target == NULL || last == NULL) {
		free(last);
		packing_clear(&p);
		return -ENOMEM;
	}
	for (size_t t = 0; t < p.steps; t++) {
		p.first[t] = row;
		for (size_t i = 0; i < count; i++) {
			const struct network_sequence *s = &sequences[i];

			if (t >= length_of(s))
				continue;
			p.photo[row] = s->photo;
			p.sequence[row] = i;
			p.before[row] = last[i];
			p.input[row] = t == 0 ? WORD_START : s->words[t - 1];
			p.target[row] = t < s->count ? s->words[t] : WORD_END;
			last[i] = row++;
		}
	}
	p.first[p.steps] = row;
	free(last);
	*ret_packing = p;
	return 0;
}

/* Rows of the states before step t, from step t − 1 or from the photo. */
void packing_gather(const struct packing *p, size_t t, size_t width, const real *states,
		    const real *first, size_t first_stride, real *ret_before)
{
	for (size_t r = p->first[t]; r < p->first[t + 1]; r++)
		memcpy(ret_before + r * width,
		       t == 0 ? first + p->photo[r] * first_stride : states + p->before[r] * width,
		       width * sizeof(*states));
}

/* Adds the gradient of the states before step t to where they came from. */
void packing_scatter(const struct packing *p, size_t t, size_t width, const real *gradient,
		     real *states, real *first, size_t first_stride)
{
	for (size_t r = p->first[t]; r < p->first[t + 1]; r++)
		add_to(t == 0 ? first + p->photo[r] * first_stride : states + p->before[r] * width,
		       gradient + (r - p->first[t]) * width, width);
}

real *packing_dropout(struct network_workspace *workspace, size_t count, real rate,
		      uint64_t seed)
{
	real *mask, keep = 1 / (1 - rate);
	uint32_t threshold = (uint32_t)((double)rate * UINT32_MAX);
	struct random random;

	if (rate <= 0)
		return NULL;
	mask = workspace_take(workspace, count);
	if (mask == NULL)
		return NULL;
	random_seed(&random, seed);
	for (size_t i = 0; i < count; i++)
		mask[i] = random_bits(&random) < threshold ? 0 : keep;
	return mask;
}

