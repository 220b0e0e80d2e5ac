/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * train_validation.c: greedy captions of the validation photos and their score;
 * and the running mean of the parameters, which is what is measured where a run
 * keeps one.
 */
#include <math.h>
#include <string.h>

#include "engine/error.h"
#include "engine/lab/trainer.h"

struct validation {
	struct trainer *trainer;
	int results[LIMIT_THREADS];
};

static void validation_task(void *argument, unsigned index, unsigned count)
{
	struct validation *v = argument;
	struct trainer *t = v->trainer;
	struct worker *worker = &t->workers[index];
	const struct network_shape *shape = &t->weights->network.shape;
	size_t total = t->val->photo_count, shares = (total + TRAINER_SHARE_PHOTOS - 1) / TRAINER_SHARE_PHOTOS;

	v->results[index] = 0;
	for (size_t share = index; share < shares && v->results[index] == 0; share += count) {
		size_t first = share * TRAINER_SHARE_PHOTOS;
		size_t n = total - first < TRAINER_SHARE_PHOTOS ? total - first : TRAINER_SHARE_PHOTOS;
		const struct network_photos photos = { n, worker->features.pool, worker->features.grid,
						       worker->features.classes };

		for (size_t i = 0; i < n; i++) {
			const struct feature_arrays at = {
				worker->features.pool + i * shape->pool,
				worker->features.grid == NULL ? NULL :
					worker->features.grid + i * shape->cells * shape->channels,
				worker->features.classes == NULL ? NULL :
					worker->features.classes + i * shape->classes,
			};

			dataset_features(t->features, t->weights, t->val->photos[first + i].record, &at);
		}
		v->results[index] = sampling_run(&t->weights->network, t->weights->parameters, &photos, 1,
						 NULL, 1, worker->workspace, t->val_captions + first);
	}
}

void trainer_swap_average(struct trainer *t)
{
	float *parameters = t->weights->parameters;

	if (t->average == NULL)
		return;
	t->weights->parameters = t->average;
	t->average = parameters;
}

void trainer_update_average(struct trainer *t)
{
	/* the first steps count in full: the mean would keep the start too long */
	double steps = (double)t->optimiser.steps;
	float part = (float)(1 - fmin(t->options->average, (1 + steps) / (10 + steps)));

	for (size_t i = 0; t->average != NULL && i < t->weights->network.value_count; i++)
		t->average[i] += part * (t->weights->parameters[i] - t->average[i]);
}

int trainer_validate(struct trainer *t, double *ret_score, struct engine_error *error)
{
	struct validation validation = { .trainer = t };
	double sums[DATASET_SOURCES_MAX] = { 0 }, counts[DATASET_SOURCES_MAX] = { 0 }, score = 0;

	threadpool_run(t->pool, validation_task, &validation);
	for (unsigned i = 0; i < t->threads; i++)
		if (validation.results[i] < 0)
			return engine_fail_memory(error);
	for (size_t i = 0; i < t->val->photo_count; i++) {
		size_t source = t->val->photos[i].source;

		sums[source] += dataset_score(t->val, i, &t->val_captions[i]);
		counts[source]++;
	}
	for (size_t i = 0; i < t->val->source_count; i++)
		score += sums[i] / counts[i] / (double)t->val->source_count;
	*ret_score = score;
	return 0;
}
