/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bench_train.c: the time of a training step by cross-entropy: forward, backward
 * and Adam for 32 photos of 64 regions with five captions of 10 words each, on
 * the decoder that ships (LSTM with attention, 512 cells, 3,493 words). Features
 * are random; peer_torch_train.py does the same step in PyTorch.
 *
 * Usage: bench_train THREADS. One step for each line on standard input; prints
 * its milliseconds.
 */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/lab/network.h"
#include "engine/lab/optimiser.h"
#include "engine/lab/random.h"
#include "engine/limits.h"

enum { PHOTOS = 32, CAPTIONS = 5, WORDS = 10 };

struct step {
	struct network network;
	float *parameters, *gradients[LIMIT_THREADS];
	struct network_workspace *workspaces[LIMIT_THREADS];
	float *pool, *grid;
	uint32_t words[PHOTOS * CAPTIONS][WORDS];
	unsigned threads;
};

static float *random_values(struct random *random, size_t count, double scale)
{
	float *values = aligned_alloc(64, (count * sizeof(*values) + 63) & ~(size_t)63);

	for (size_t i = 0; values != NULL && i < count; i++)
		values[i] = (float)(scale * (2 * random_unit(random) - 1));
	return values;
}

/* Every thread has the same number of photos. */
static void pass(void *argument, unsigned index, unsigned count)
{
	struct step *step = argument;
	size_t begin, end, used = 0;
	struct network_sequence sequences[PHOTOS * CAPTIONS];
	const struct network_pass_options options = { .smoothing = 0.1f, .dropout = 0.3f, .seed = 1 };
	struct network_photos photos;
	double loss;

	threadpool_share(PHOTOS, 1, index, count, &begin, &end);
	photos = (struct network_photos){
		.count = end - begin,
		.pool = step->pool + begin * step->network.shape.pool,
		.grid = step->grid + begin * step->network.shape.cells * step->network.shape.channels,
	};
	for (size_t i = begin; i < end; i++)
		for (size_t k = 0; k < CAPTIONS; k++)
			sequences[used++] = (struct network_sequence){
				i - begin, step->words[i * CAPTIONS + k], WORDS, true,
				1.0f / (PHOTOS * CAPTIONS * (WORDS + 1)),
			};
	for (size_t i = 0; i < step->network.value_count; i++)
		step->gradients[index][i] = 0;
	if (network_pass(&step->network, step->parameters, &photos, sequences, used, &options,
			 step->workspaces[index], step->gradients[index], &loss, NULL) < 0)
		fputs("bench_train: not enough memory\n", stderr);
}

static void sum(void *argument, unsigned index, unsigned count)
{
	struct step *step = argument;
	size_t begin, end;

	threadpool_share(step->network.value_count, 16, index, count, &begin, &end);
	for (unsigned t = 1; t < step->threads; t++)
		for (size_t i = begin; i < end; i++)
			step->gradients[0][i] += step->gradients[t][i];
}

int main(int argc, char **argv)
{
	const struct network_shape shape = {
		.kind = NETWORK_ATTENTION, .hidden = 512, .layers = 1, .words = 3493, .pool = 2048,
		.cells = 64, .channels = 2048,
	};
	const struct optimiser_options options = { .rate = 1e-4, .clip = 5 };
	struct step step = { .threads = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0 };
	struct optimiser optimiser;
	struct threadpool *pool;
	struct random random;
	char line[16];

	if (step.threads < 1 || step.threads > LIMIT_THREADS) {
		fputs("Usage: bench_train THREADS\n", stderr);
		return 2;
	}
	random_seed(&random, 1);
	if (network_init(&step.network, &shape) < 0 ||
	    optimiser_init(&optimiser, step.network.value_count) < 0 ||
	    threadpool_open(step.threads, &pool, NULL) != 0)
		return 1;
	step.parameters = random_values(&random, step.network.value_count, 0.04);
	step.pool = random_values(&random, PHOTOS * shape.pool, 1);
	step.grid = random_values(&random, PHOTOS * shape.cells * shape.channels, 1);
	for (unsigned t = 0; t < step.threads; t++) {
		step.gradients[t] = random_values(&random, step.network.value_count, 0);
		if (step.gradients[t] == NULL || network_workspace_open(&step.workspaces[t]) < 0)
			return 1;
	}
	for (size_t i = 0; i < PHOTOS * CAPTIONS; i++)
		for (size_t k = 0; k < WORDS; k++)
			step.words[i][k] = (uint32_t)(4 + random_below(&random, shape.words - 4));
	openblas_set_num_threads(1);
	printf("ready Descry %s, %d captions a step\n", DESCRY_VERSION, PHOTOS * CAPTIONS);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		struct timespec begin, end;

		clock_gettime(CLOCK_MONOTONIC, &begin);
		threadpool_run(pool, pass, &step);
		threadpool_run(pool, sum, &step);
		optimiser_step(&optimiser, &step.network, step.parameters, step.gradients[0], &options,
			       pool);
		clock_gettime(CLOCK_MONOTONIC, &end);
		printf("%.3f\n", (double)(end.tv_sec - begin.tv_sec) * 1e3 +
		       (double)(end.tv_nsec - begin.tv_nsec) / 1e6);
		fflush(stdout);
	}
	for (unsigned t = 0; t < step.threads; t++) {
		free(step.gradients[t]);
		network_workspace_free(step.workspaces[t]);
	}
	free(step.parameters);
	free(step.pool);
	free(step.grid);
	optimiser_clear(&optimiser);
	threadpool_free(pool);
	return 0;
}
