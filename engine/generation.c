/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * generation.c: beams and samples grow side by side, so that each step of the
 * decoder serves them all. Every word that stood at some time is a node of a
 * trellis (one row of nodes a step), which keeps the word's probability and the
 * place of its attention map; a finished sentence is read off backwards.
 *
 * The beam follows the definition behind the model's published scores: scores
 * are sums of log-softmax over the whole vocabulary; the padding, start and
 * unknown marks are forbidden, and so is the word just produced; a finished
 * sentence keeps its score and its place; at the end the best by score / (words
 * + 1)^0.7 wins. An empty sentence is forbidden as well. A decoder that was
 * trained on rewards wants a greater power than 0.7: its probabilities no longer
 * say how long people's captions are. The model file may also name groups of
 * words that exclude one another within a sentence, the forms of a noun.
 *
 * The sampler is that of the project which this one grew from: the next word is
 * drawn from the 4 likeliest while fewer than 4 words stand, from the 2
 * likeliest while fewer than 7, and is the likeliest afterwards, probabilities
 * being raised to a power first.
 */
#include "engine/generation.h"

#include "engine/activation.h"
#include "engine/error.h"
#include "engine/random.h"
#include "engine/vocabulary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES GENERATION_CROWD	/* that grow at once */
#define ROWS (LIMIT_BEAM + SAMPLES)
#define DRAWN 10u			/* likeliest words that a free sample draws from */
#define SAMPLE_ROUNDS 8u
#define NO_WORD UINT32_MAX

struct node {
	const struct node *previous;
	unsigned word;
	unsigned step, row;	/* of the decoder's step that proposed the word */
	float log_probability;
};

/* A sentence that grows. */
struct growth {
	const struct node *last;
	unsigned count;
	unsigned row;		/* of its state in the decoder's latest step */
	float score;
	float lead;		/* the least by which it, at any length, beat what was dropped */
	bool ended;
};

/* A way to continue a beam, or a finished beam as it stands (NO_WORD). */
struct candidate {
	float score, log_probability;
	unsigned source, word;
};

struct generation {
	const struct decoder *decoder;
	struct decoder_state *state;
	struct threadpool *threads;	/* or NULL */
	const struct activation *activation;
	unsigned words, cells;
	struct node nodes[LIMIT_WORDS][ROWS];
	struct growth beams[LIMIT_BEAM], samples[SAMPLES];
	struct random streams[SAMPLES];
	struct candidate proposals[LIMIT_BEAM][LIMIT_BEAM + 1];	/* by beam */
	size_t proposed[LIMIT_BEAM];
	struct hypothesis pool[GENERATION_POOL];
	size_t pool_count;
	float *logits;		/* ROWS × words */
	float *attention;	/* LIMIT_WORDS × ROWS × cells */
	float *pool_attention;	/* GENERATION_POOL × LIMIT_WORDS × cells */
};

int generation_open(const struct decoder *decoder, struct generation **ret_generation,
		    struct engine_error *error)
{
	struct generation *generation = calloc(1, sizeof(*generation));
	size_t cells = decoder_cells(decoder);
	int status;

	if (!generation)
		return engine_fail_memory(error);
	generation->decoder = decoder;
	generation->activation = activation_best();
	generation->words = decoder_words(decoder);
	generation->cells = (unsigned)cells;
	status = decoder_state_open(decoder, ROWS, &generation->state, error);
	if (status != 0)
		goto fail;
	generation->logits = calloc((size_t)ROWS * generation->words, sizeof(float));
	generation->attention = calloc(LIMIT_WORDS * ROWS * (cells + 1), sizeof(float));
	generation->pool_attention = calloc(GENERATION_POOL * LIMIT_WORDS * (cells + 1), sizeof(float));
	if (!generation->logits || !generation->attention || !generation->pool_attention) {
		status = engine_fail_memory(error);
		goto fail;
	}
	*ret_generation = generation;
	return 0;
fail:
	generation_free(generation);
	return status;
}

void generation_share(struct generation *generation, struct threadpool *pool)
{
	generation->threads = pool;
	decoder_state_share(generation->state, pool);
}

struct generation *generation_free(struct generation *generation)
{
	if (!generation)
		return NULL;
	decoder_state_free(generation->state);
	free(generation->logits);
	free(generation->attention);
	free(generation->pool_attention);
	free(generation);
	return NULL;
}

static bool is_allowed(const struct generation *generation, const struct growth *growth,
		       unsigned word)
{
	const int32_t *groups = decoder_search(generation->decoder)->groups;

	if (word == VOCABULARY_END)
		return growth->count > 0;
	if (word < VOCABULARY_FIRST_WORD || (growth->last && growth->last->word == word))
		return false;
	if (!groups || groups[word] == 0)
		return true;
	for (const struct node *node = growth->last; node; node = node->previous)
		if (groups[node->word] == groups[word])
			return false;
	return true;
}

static void extend(struct generation *generation, struct growth *growth, unsigned step,
		   unsigned slot, unsigned word, float log_probability)
{
	struct node *node = &generation->nodes[step][slot];

	growth->score += log_probability;
	if (word == VOCABULARY_END) {
		growth->ended = true;
		return;
	}
	*node = (struct node){
		.previous = growth->last, .word = word, .step = step, .row = growth->row,
		.log_probability = log_probability,
	};
	growth->last = node;
	growth->count++;
}

/* --- Beams -------------------------------------------------------------------- */

/* Keeps the best `width`, best first; of equals the earlier. */
static size_t insert(struct candidate *best, size_t count, size_t width,
		     const struct candidate *candidate)
{
	size_t at;

	if (count == width && !(candidate->score > best[count - 1].score))
		return count;
	if (count < width)
		count++;
	for (at = count - 1; at > 0 && candidate->score > best[at - 1].score; at--)
		best[at] = best[at - 1];
	best[at] = *candidate;
	return count;
}

/* No logit at or below it can enter the best; `offset` is what a logit exceeds
 * its score by. Below the exact bound by more than rounding can matter. */
static float lowest_logit(const struct candidate *best, size_t count, size_t width,
			  float offset)
{
	return count < width ? -INFINITY : best[count - 1].score + offset - 1e-3f;
}

/* The best `width` ways to continue one beam, best first: one more than may be kept,
 * so that it is known what was dropped. */
static size_t propose(const struct generation *generation, unsigned source, size_t width,
		      struct candidate *best)
{
	const struct growth *beam = &generation->beams[source];
	size_t count = 0;
	const float *logits = generation->logits + (size_t)beam->row * generation->words;
	float total = generation->activation->log_sum_exp(logits, generation->words);

	for (size_t word = VOCABULARY_END;; word++) {
		struct candidate candidate;

		word = generation->activation->find_above(logits, word, generation->words,
			lowest_logit(best, count, width, total - beam->score));
		if (word == generation->words)
			break;
		candidate.log_probability = logits[word] - total;
		candidate.score = beam->score + candidate.log_probability;
		candidate.source = source;
		candidate.word = (unsigned)word;
		if (isfinite(candidate.score) && is_allowed(generation, beam, candidate.word))
			count = insert(best, count, width, &candidate);
	}
	return count;
}

/* Continues all beams by one word, of those that were proposed; returns how many
 * there are now. */
static size_t advance_beams(struct generation *generation, size_t count, size_t width,
			    unsigned step)
{
	struct candidate best[LIMIT_BEAM + 1];
	struct growth next[LIMIT_BEAM];
	size_t found = 0;
	float dropped = -INFINITY;

	for (unsigned i = 0; i < count; i++)
		for (size_t k = 0; k < generation->proposed[i]; k++)
			found = insert(best, found, width + 1, &generation->proposals[i][k]);
	if (found > width)
		dropped = best[found = width].score;
	for (unsigned i = 0; i < found; i++) {
		next[i] = generation->beams[best[i].source];
		next[i].lead = fminf(next[i].lead, best[i].score - dropped);
		if (best[i].word != NO_WORD)
			extend(generation, &next[i], step, i, best[i].word,
			       best[i].log_probability);
	}
	memcpy(generation->beams, next, found * sizeof(*next));
	return found;
}

/* --- Samples ------------------------------------------------------------------ */

/* How samples are drawn: freely, or as the project's sampler does. */
struct sampling {
	bool free;
	float power;
};

static unsigned draw_from(const struct sampling *sampling, unsigned count)
{
	if (sampling->free)
		return DRAWN;
	return count < 4 ? 4 : count < 7 ? 2 : 1;
}

/* Ends a sample for which the decoder yields no number. */
static void advance_sample(struct generation *generation, unsigned number, unsigned step,
			   const struct sampling *sampling)
{
	struct growth *sample = &generation->samples[number];
	const float *logits = generation->logits + (size_t)sample->row * generation->words;
	float total = generation->activation->log_sum_exp(logits, generation->words);
	struct candidate best[DRAWN];
	size_t width = draw_from(sampling, sample->count), found = 0;
	float weights[DRAWN], sum = 0.0f, left;
	unsigned pick = 0;

	for (size_t word = VOCABULARY_END;; word++) {
		struct candidate candidate;

		word = generation->activation->find_above(logits, word, generation->words,
			lowest_logit(best, found, width, 0.0f));
		if (word == generation->words)
			break;
		candidate = (struct candidate){
			logits[word], logits[word] - total, 0, (unsigned)word,
		};
		if (isfinite(candidate.log_probability) && is_allowed(generation, sample, candidate.word))
			found = insert(best, found, width, &candidate);
	}
	if (found == 0) {
		sample->ended = true;
		return;
	}
	for (size_t i = 0; i < found; i++) {
		weights[i] = expf(sampling->power * (best[i].score - best[0].score));
		sum += weights[i];
	}
	left = sum * (float)random_unit(&generation->streams[number]);
	while (pick + 1 < found && left >= weights[pick])
		left -= weights[pick++];
	extend(generation, sample, step, LIMIT_BEAM + number, best[pick].word,
	       best[pick].log_probability);
}

/* --- Growing -------------------------------------------------------------------- */

/* What comes after a step of the decoder, sentence by sentence. */
struct advance {
	struct generation *generation;
	size_t beams, samples, width;
	unsigned step;
	const struct sampling *sampling;
};

/* Every second sentence, every third…: a share of beams and samples alike, since
 * sentences that have ended cost nothing. */
static void advance_share(void *argument, unsigned index, unsigned count)
{
	const struct advance *a = argument;
	struct generation *generation = a->generation;

	for (unsigned i = index; i < a->beams + a->samples; i += count) {
		if (i >= a->beams) {
			unsigned number = i - (unsigned)a->beams;

			if (!generation->samples[number].ended)
				advance_sample(generation, number, a->step, a->sampling);
		} else if (generation->beams[i].ended) {
			generation->proposals[i][0] = (struct candidate){
				generation->beams[i].score, 0.0f, i, NO_WORD,
			};
			generation->proposed[i] = 1;
		} else {
			generation->proposed[i] = propose(generation, i, a->width + 1,
							  generation->proposals[i]);
		}
	}
}

/* Grows beams and samples until all have ended. */
static int grow(struct generation *generation, size_t width, size_t samples,
		const struct sampling *sampling, const atomic_bool *cancel, size_t *ret_beams,
		struct engine_error *error)
{
	size_t beams = width > 0;

	decoder_state_restart(generation->state);
	generation->beams[0] = (struct growth){ .lead = INFINITY };
	for (size_t i = 0; i < samples; i++)
		generation->samples[i] = (struct growth){ .lead = INFINITY };
	for (unsigned step = 0; step < LIMIT_WORDS; step++) {
		unsigned words[ROWS], parents[ROWS], count = 0;

		if (cancel && atomic_load_explicit(cancel, memory_order_relaxed))
			return engine_fail(error, ENGINE_CANCELLED, "The caption was cancelled.");
		for (size_t i = 0; i < beams + samples; i++) {
			struct growth *growth = i < beams ? &generation->beams[i] :
				&generation->samples[i - beams];

			if (growth->ended)
				continue;
			words[count] = growth->last ? growth->last->word : VOCABULARY_START;
			parents[count] = growth->row;
			growth->row = count++;
		}
		if (count == 0)
			break;
		decoder_state_step(generation->state, words, parents, count, generation->logits,
				   generation->attention + (size_t)step * ROWS * generation->cells);
		threadpool_run(generation->threads, advance_share, &(struct advance){
			generation, beams, samples, width, step, sampling,
		});
		beams = advance_beams(generation, beams, width, step);
	}
	*ret_beams = beams;
	return 0;
}

/* --- Sentences found ------------------------------------------------------------ */

static struct hypothesis *find_known(struct generation *generation,
				     const struct hypothesis *hypothesis)
{
	for (size_t i = 0; i < generation->pool_count; i++) {
		struct hypothesis *other = &generation->pool[i];

		if (other->count == hypothesis->count &&
		    memcmp(other->words, hypothesis->words,
			   hypothesis->count * sizeof(*hypothesis->words)) == 0)
			return other;
	}
	return NULL;
}

/* Reads a sentence off the trellis into the pool, unless it is there; gives it the
 * votes either way. */
static void keep(struct generation *generation, const struct growth *growth, unsigned votes)
{
	size_t cells = generation->cells, slot = generation->pool_count;
	struct hypothesis *hypothesis = &generation->pool[slot];
	float *attention = generation->pool_attention + slot * LIMIT_WORDS * cells;
	const struct node *node = growth->last;
	struct hypothesis *known;

	if (slot == GENERATION_POOL || growth->count == 0)
		return;
	hypothesis->votes = votes;
	hypothesis->sampled = votes > 0;
	hypothesis->count = growth->count;
	for (unsigned i = growth->count; i-- > 0; node = node->previous) {
		hypothesis->words[i] = node->word;
		hypothesis->log_probabilities[i] = node->log_probability;
		if (cells > 0)
			memcpy(attention + i * cells, generation->attention +
			       ((size_t)node->step * ROWS + node->row) * cells,
			       cells * sizeof(*attention));
	}
	hypothesis->log_probability = growth->score;
	hypothesis->score = growth->score / powf((float)(growth->count + 1),
						 decoder_search(generation->decoder)->length_power);
	hypothesis->lead = growth->lead;
	hypothesis->ended = growth->ended;
	hypothesis->attention = cells > 0 ? attention : NULL;
	known = find_known(generation, hypothesis);
	if (known)
		known->votes += votes;
	else
		generation->pool_count++;
}

/* Best first, from `start` on; qsort may allocate. */
static void sort_pool(struct generation *generation, size_t start)
{
	struct hypothesis *pool = generation->pool;

	for (size_t i = start + 1; i < generation->pool_count; i++) {
		struct hypothesis moved = pool[i];
		size_t at = i;

		for (; at > start && moved.score > pool[at - 1].score; at--)
			pool[at] = pool[at - 1];
		pool[at] = moved;
	}
}

/* `crowd` samples grow beside the beam; they follow its sentences in the pool. */
static int search_beam(struct generation *generation, size_t width, unsigned crowd,
		       const struct engine_caption_options *options, struct engine_error *error)
{
	/* by the decoder's own probabilities, whatever the search sharpens them to */
	const struct sampling sampling = {
		.free = true, .power = 1.0f / decoder_search(generation->decoder)->sharpness,
	};
	size_t beams, start = generation->pool_count;
	int status;

	for (unsigned i = 0; i < crowd; i++)
		generation->streams[i] = random_stream(options->seed, i);
	status = grow(generation, width, crowd, &sampling, options->cancel, &beams, error);
	if (status != 0)
		return status;
	for (size_t i = 0; i < beams; i++)
		keep(generation, &generation->beams[i], 0);
	sort_pool(generation, start);
	start = generation->pool_count;
	for (size_t i = 0; i < crowd; i++)
		keep(generation, &generation->samples[i], 1);
	sort_pool(generation, start);
	return 0;
}

/* Draws until `wanted` different sentences stand, or chance has no more. */
static int search_samples(struct generation *generation, size_t wanted,
			  const struct engine_caption_options *options,
			  struct engine_error *error)
{
	struct sampling sampling = {
		.power = options->temperature > 0.0f ? options->temperature : 5.0f,
	};
	size_t start = generation->pool_count, beams;
	uint64_t stream = 0;

	for (unsigned round = 0; round < SAMPLE_ROUNDS && generation->pool_count < wanted; round++) {
		size_t samples = round == 0 ? wanted - start : SAMPLES;
		int status;

		for (size_t i = 0; i < samples; i++)
			generation->streams[i] = random_stream(options->seed, stream++);
		status = grow(generation, 0, samples, &sampling, options->cancel, &beams, error);
		if (status != 0)
			return status;
		for (size_t i = 0; i < samples; i++)
			keep(generation, &generation->samples[i], 1);
	}
	sort_pool(generation, start);
	return 0;
}

int generation_run(struct generation *generation, const struct engine_features *features,
		   const struct engine_caption_options *options, unsigned crowd,
		   const struct hypothesis **ret_hypotheses, size_t *ret_count,
		   struct engine_error *error)
{
	size_t wanted = options->alternatives > 0 ? options->alternatives : 1;
	size_t width = options->search == ENGINE_SEARCH_GREEDY ? 1 : options->beam;
	int status = 0;

	generation->pool_count = 0;
	decoder_state_begin(generation->state, features);
	if (options->search != ENGINE_SEARCH_SAMPLE) {
		status = search_beam(generation, width, crowd, options, error);
		if (status == 0 && generation->pool_count < wanted)
			status = search_beam(generation, LIMIT_BEAM, 0, options, error);
	}
	if (status == 0 && generation->pool_count < wanted)
		status = search_samples(generation, wanted, options, error);
	if (status != 0)
		return status;
	if (generation->pool_count == 0)
		return engine_fail(error, ENGINE_BAD_MODEL,
			"The model's decoder yields no words; its weights are damaged.");
	*ret_hypotheses = generation->pool;
	*ret_count = generation->pool_count;
	return 0;
}
