/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * optimiser.c: one fused pass over parameters, gradient and both means, shared
 * among the threads; the norm is summed in double precision over fixed blocks,
 * so it does not depend on the number of threads.
 */
#pragma GCC optimize("O3")

#include "engine/lab/optimiser.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096 };

int optimiser_init(struct optimiser *ret_optimiser, size_t count)
{
	struct optimiser optimiser = {
		.mean = calloc(count, sizeof(float)),
		.square = calloc(count, sizeof(float)),
	};

	if (optimiser.mean == NULL || optimiser.square == NULL) {
		optimiser_clear(&optimiser);
		return -ENOMEM;
	}
	*ret_optimiser = optimiser;
	return 0;
}

void optimiser_clear(struct optimiser *optimiser)
{
	free(optimiser->mean);
	free(optimiser->square);
	*optimiser = (struct optimiser){ 0 };
}

void optimiser_reset(struct optimiser *optimiser, size_t count)
{
	memset(optimiser->mean, 0, count * sizeof(float));
	memset(optimiser->square, 0, count * sizeof(float));
	optimiser->steps = 0;
}

struct update {
	struct optimiser *optimiser;
	const struct network *network;
	float *parameters;
	const float *gradient;
	float scale, rate, decay, square_correction;
};

static void update_share(void *argument, unsigned index, unsigned count)
{
	const struct update *u = argument;
	const float keep = 0.9f, keep_square = 0.999f, tiny = 1e-8f;

	for (size_t i = 0; i < u->network->parameter_count; i++) {
		const struct network_parameter *parameter = &u->network->parameters[i];
		float decay = parameter->columns > 1 ? u->decay : 0;
		float *restrict p = u->parameters + parameter->offset;
		const float *restrict g = u->gradient + parameter->offset;
		float *restrict m = u->optimiser->mean + parameter->offset;
		float *restrict v = u->optimiser->square + parameter->offset;
		size_t begin, end;

		threadpool_share(parameter->rows * parameter->columns, 16, index, count, &begin, &end);
		for (size_t k = begin; k < end; k++) {
			float gradient = g[k] * u->scale;

			m[k] = keep * m[k] + (1 - keep) * gradient;
			v[k] = keep_square * v[k] + (1 - keep_square) * gradient * gradient;
			p[k] -= u->rate * m[k] / (sqrtf(v[k] * u->square_correction) + tiny) + decay * p[k];
		}
	}
}

static double norm_of(const float *values, size_t count)
{
	double total = 0;

	for (size_t first = 0; first < count; first += BLOCK) {
		size_t n = count - first < BLOCK ? count - first : BLOCK;
		float sums[8] = { 0 };

		for (size_t i = 0; i + 8 <= n; i += 8)
			for (size_t k = 0; k < 8; k++)
				sums[k] += values[first + i + k] * values[first + i + k];
		for (size_t i = n & ~(size_t)7; i < n; i++)
			sums[0] += values[first + i] * values[first + i];
		for (size_t k = 0; k < 8; k++)
			total += (double)sums[k];
	}
	return sqrt(total);
}

double optimiser_step(struct optimiser *optimiser, const struct network *network,
		      float *parameters, const float *gradient,
		      const struct optimiser_options *options, struct threadpool *pool)
{
	double norm = norm_of(gradient, network->value_count), steps;
	struct update update = {
		.optimiser = optimiser, .network = network,
		.parameters = parameters, .gradient = gradient,
	};

	if (!isfinite(norm))
		return norm;
	steps = (double)++optimiser->steps;
	update.scale = options->clip > 0 && norm > options->clip ? (float)(options->clip / norm) : 1;
	update.rate = (float)(options->rate / (1 - pow(0.9, steps)));
	update.square_correction = (float)(1 / (1 - pow(0.999, steps)));
	update.decay = (float)(options->rate * options->weight_decay);
	threadpool_run(pool, update_share, &update);
	return norm;
}

double optimiser_rate(double rate, double final_share, uint64_t step, uint64_t warm_up,
		      uint64_t total)
{
	double done;

	if (step < warm_up)
		return rate * (double)(step + 1) / (double)warm_up;
	if (total <= warm_up)
		return rate;
	done = (double)(step - warm_up) / (double)(total - warm_up);
	done = done > 1 ? 1 : done;
	return rate * (final_share + (1 - final_share) * 0.5 * (1 + cos(3.141592653589793 * done)));
}
