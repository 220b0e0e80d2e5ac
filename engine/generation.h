/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * generation.h: finds sentences under a decoder: beam search, greedy search
 * (a beam of one) and sampling. Works on features and word numbers; what is
 * made of them for a listener is the business of caption.h.
 */
#ifndef ENGINE_GENERATION_H
#define ENGINE_GENERATION_H

#include "engine/decoder.h"
#include "engine/engine.h"
#include "engine/limits.h"

/* A sentence that was found. */
struct hypothesis {
	unsigned count;
	unsigned words[LIMIT_WORDS];
	float log_probabilities[LIMIT_WORDS];
	float log_probability;	/* with the end mark, if `ended` */
	float score;		/* log_probability / (count + 1)^the decoder's length power */
	/* The least sum of log-probabilities by which its beam was ahead, at any length,
	 * of the best that was dropped; infinite for samples. */
	float lead;
	bool ended;		/* false: cut off at LIMIT_WORDS */
	unsigned votes;		/* samples that came out so */
	bool sampled;		/* by samples only, not by the search */
	const float *attention;	/* count × cells, NULL without attention */
};

/* The most samples that can grow beside a beam. */
#define GENERATION_CROWD LIMIT_ALTERNATIVES
/* The most sentences that one run finds. */
#define GENERATION_POOL 48u

struct generation;

/* Allocates everything; later calls do not. Borrows the decoder. */
int generation_open(const struct decoder *decoder, struct generation **ret_generation,
		    struct engine_error *error);
/* Lets the threads of `pool`, borrowed, share the work. What comes out is the same. */
void generation_share(struct generation *generation, struct threadpool *pool);
struct generation *generation_free(struct generation *generation);

/* Finds at least options->alternatives different sentences where the decoder has
 * them: first those of the search, best first, then others. options->beam must
 * not be 0. Beside a beam grow `crowd` free samples, drawn from the 10 likeliest
 * words in proportion to probability, which show what else the decoder holds
 * possible; they cost no further pass over the weights. The result belongs to the
 * generation and holds until its next run. */
int generation_run(struct generation *generation, const struct engine_features *features,
		   const struct engine_caption_options *options, unsigned crowd,
		   const struct hypothesis **ret_hypotheses, size_t *ret_count,
		   struct engine_error *error);

#endif
