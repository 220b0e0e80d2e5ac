/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * train_minibatch.c: loss and gradient of one step. The minibatch is cut into
 * shares; share i belongs to thread i mod threads, each thread adds into a
 * gradient of its own, and these are summed in order: a run is the same each
 * time for a seed and a number of threads.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/lab/trainer.h"

static void load_photo(struct trainer *t, struct worker *worker, const struct dataset_photo *photo,
		       size_t slot, uint64_t seed)
{
	const struct network_shape *shape = &t->weights->network.shape;
	size_t grid_size = shape->cells * shape->channels;
	const struct feature_arrays at = {
		worker->features.pool + slot * shape->pool,
		worker->features.grid == NULL ? NULL : worker->features.grid + slot * grid_size,
		worker->features.classes == NULL ? NULL : worker->features.classes + slot * shape->classes,
	};
	float noise = (float)(t->options->feature_noise * 2 * sqrt(3));	/* width of a uniform */
	uint32_t record = photo->record;
	struct random random;

	random_seed(&random, seed);
	if (photo->mirrored != FEATURES_ABSENT && (random_bits(&random) & 1) != 0)
		record = photo->mirrored;
	dataset_features(t->features, t->weights, record, &at);
	if (noise <= 0)
		return;
	for (size_t i = 0; i < shape->pool; i++)
		at.pool[i] += noise * ((float)random_unit(&random) - 0.5f);
	for (size_t i = 0; at.grid != NULL && i < grid_size; i++)
		at.grid[i] *= 1 + noise * ((float)random_unit(&random) - 0.5f);
}

static int room_for(struct worker *worker, size_t count)
{
	if (count > worker->sequence_room) {
		struct network_sequence *grown = reallocarray(worker->sequences, count, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		worker->sequences = grown;
		worker->sequence_room = count;
	}
	return 0;
}

static struct network_sequence sequence_of(size_t photo, const struct dataset_caption *caption,
					   float weight)
{
	return (struct network_sequence){ photo, caption->words, caption->count, caption->ended, weight };
}

static double repetitions(const struct trainer *t, const struct sampled_caption *caption)
{
	size_t again = 0;

	for (size_t i = 1; i < caption->count; i++) {
		if (t->nouns[caption->words[i]] == 0)
			continue;
		for (size_t k = 0; k < i; k++) {
			if (t->nouns[caption->words[k]] == t->nouns[caption->words[i]]) {
				again++;
				break;
			}
		}
	}
	return (double)again;
}

/* Draws captions, scores them, and makes the advantage over the photo's other
 * captions the weight of each. Where cross-entropy has a part, one of the captions
 * that people gave the photo follows them. */
static int draw(struct trainer_step *step, struct worker *worker, const size_t *items, size_t count,
		const struct network_photos *photos, uint64_t seed, size_t *ret_used,
		double *ret_reward)
{
	struct trainer *t = step->trainer;
	size_t each = t->options->samples, used = 0;
	double shown = t->options->reward_captions * (double)each / (double)step->tokens;
	struct random random;
	double reward[TRAINER_SAMPLES_MAX], total = 0;
	int r;

	random_seed(&random, seed);
	r = sampling_run(&t->weights->network, t->weights->parameters, photos, each, &random,
			 (float)t->options->sharpness, worker->workspace, worker->samples);
	if (r == 0)
		r = room_for(worker, count * (each + 1));
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		const struct dataset_photo *photo = &t->train->photos[items[i]];
		const struct sampled_caption *captions = worker->samples + i * each;
		double sum = 0;

		for (size_t k = 0; k < each; k++) {
			reward[k] = dataset_score(t->train, items[i], &captions[k]);
			total += reward[k];
			reward[k] -= t->options->repetition_penalty * repetitions(t, &captions[k]);
			sum += reward[k];
		}
		for (size_t k = 0; k < each; k++) {
			double others = (sum - reward[k]) / (double)(each - 1);

			worker->sequences[used++] = (struct network_sequence){
				i, captions[k].words, captions[k].count, captions[k].ended,
				(float)((reward[k] - others) / ((double)step->tokens)),
			};
		}
		if (shown > 0 && photo->count > 0)
			worker->sequences[used++] = sequence_of(i,
				&t->train->captions[photo->first + random_next(&random) % photo->count],
				(float)shown);
	}
	*ret_used = used;
	*ret_reward = total;
	return 0;
}

static int run_share(struct trainer_step *step, struct worker *worker, size_t share)
{
	struct trainer *t = step->trainer;
	const struct lab_train_options *o = t->options;
	size_t first = share * step->share;
	size_t count = step->count - first < step->share ? step->count - first : step->share;
	const size_t *items = step->items + first;
	uint64_t seed = random_mix(step->seed, share, 0, 0);
	struct network_photos photos = {
		.count = step->phase == LAB_PHASE_LANGUAGE ? 1 : count,
		.pool = worker->features.pool, .grid = worker->features.grid,
		.classes = worker->features.classes,
	};
	struct network_pass_options options = {
		.smoothing = (float)o->smoothing, .dropout = (float)o->dropout, .seed = seed,
	};
	const struct network_shape *shape = &t->weights->network.shape;
	size_t used = 0;
	int r;

	if (step->phase == LAB_PHASE_LANGUAGE) {
		/* no photo: all features at their mean */
		memset(worker->features.pool, 0, shape->pool * sizeof(float));
		if (photos.grid != NULL)
			memset(worker->features.grid, 0, shape->cells * shape->channels * sizeof(float));
		if (photos.classes != NULL)
			memset(worker->features.classes, 0, shape->classes * sizeof(float));
		r = room_for(worker, count);
		for (size_t i = 0; r == 0 && i < count; i++)
			worker->sequences[used++] = sequence_of(0, &t->texts[items[i]],
								1 / (float)step->tokens);
	} else {
		for (size_t i = 0; i < count; i++)
			load_photo(t, worker, &t->train->photos[items[i]], i, random_mix(step->seed, share, i, 1));
		if (step->phase == LAB_PHASE_REWARD) {
			options.smoothing = 0;
			options.dropout = 0;
			options.sharpness = (float)o->sharpness;
			r = draw(step, worker, items, count, &photos, seed, &used, &step->rewards[share]);
		} else {
			size_t captions = 0;

			for (size_t i = 0; i < count; i++)
				captions += t->train->photos[items[i]].count;
			r = room_for(worker, captions);
			for (size_t i = 0; r == 0 && i < count; i++) {
				const struct dataset_photo *photo = &t->train->photos[items[i]];

				for (size_t k = photo->first; k < photo->first + photo->count; k++)
					worker->sequences[used++] = sequence_of(i, &t->train->captions[k],
										1 / (float)step->tokens);
			}
		}
	}
	if (r < 0)
		return r;
	return network_pass(&t->weights->network, t->weights->parameters, &photos, worker->sequences,
			    used, &options, worker->workspace, worker->gradient, &step->losses[share],
			    NULL);
}

void trainer_step_task(void *argument, unsigned index, unsigned count)
{
	struct trainer_step *step = argument;
	struct worker *worker = &step->trainer->workers[index];
	size_t shares = (step->count + step->share - 1) / step->share;

	memset(worker->gradient, 0, step->trainer->weights->network.value_count * sizeof(float));
	for (size_t share = index; share < shares; share += count)
		step->results[share] = run_share(step, worker, share);
}

void trainer_sum_task(void *argument, unsigned index, unsigned count)
{
	struct trainer *t = argument;
	size_t begin, end;

	threadpool_share(t->weights->network.value_count, 16, index, count, &begin, &end);
	for (unsigned w = 1; w < t->threads; w++)
		for (size_t i = begin; i < end; i++)
			t->workers[0].gradient[i] += t->workers[w].gradient[i];
}

int trainer_allocate_worker(struct trainer *t, struct worker *worker)
{
	const struct network_shape *shape = &t->weights->network.shape;
	size_t count = t->weights->network.value_count;

	if (network_workspace_open(&worker->workspace) < 0)
		return -ENOMEM;
	worker->gradient = aligned_alloc(64, count * sizeof(float));
	worker->features.pool = calloc(TRAINER_SHARE_PHOTOS * shape->pool, sizeof(float));
	if (shape->kind == NETWORK_ATTENTION)
		worker->features.grid = calloc(TRAINER_SHARE_PHOTOS * shape->cells * shape->channels,
					       sizeof(float));
	if (shape->classes > 0)
		worker->features.classes = calloc(TRAINER_SHARE_PHOTOS * shape->classes, sizeof(float));
	worker->samples = calloc((size_t)TRAINER_SHARE_PHOTOS * t->options->samples, sizeof(*worker->samples));
	if (worker->gradient == NULL || worker->features.pool == NULL || worker->samples == NULL ||
	    (shape->kind == NETWORK_ATTENTION && worker->features.grid == NULL) ||
	    (shape->classes > 0 && worker->features.classes == NULL))
		return -ENOMEM;
	return 0;
}
