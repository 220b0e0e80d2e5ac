/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * random.h: what training draws with the engine's generator, so that a run is the
 * same on every machine and its state, one number, fits in a checkpoint.
 */
#ifndef LAB_RANDOM_H
#define LAB_RANDOM_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/random.h"

/* Neighbouring seeds give unrelated sequences. */
static inline void random_seed(struct random *random, uint64_t seed)
{
	random->counter = seed;
	random->counter = random_next(random);
}

static inline uint32_t random_bits(struct random *random)
{
	return (uint32_t)(random_next(random) >> 32);
}

/* 0 to count − 1. */
static inline size_t random_below(struct random *random, size_t count)
{
	return (size_t)(random_unit(random) * (double)count);
}

/* Standard normal (Box and Muller's method, one of its two values). */
static inline double random_normal(struct random *random)
{
	double u = 1 - random_unit(random), v = random_unit(random);

	return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

static inline void random_shuffle(struct random *random, size_t *values, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t k = random_below(random, i), other = values[k];

		values[k] = values[i - 1];
		values[i - 1] = other;
	}
}

/* A seed of its own for each place that needs one. */
static inline uint64_t random_mix(uint64_t seed, uint64_t a, uint64_t b, uint64_t c)
{
	struct random random;

	random_seed(&random, seed);
	random_seed(&random, random_next(&random) ^ a);
	random_seed(&random, random_next(&random) ^ b);
	random_seed(&random, random_next(&random) ^ c);
	return random_next(&random);
}

#endif
