/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * random.h: the generator behind everything that is drawn by chance, so that a
 * seed gives the same captions everywhere and for ever. SplitMix64 (Steele, Lea
 * and Flood, "Fast splittable pseudorandom number generators", 2014): a counter
 * that advances by the golden ratio, mixed to 64 bits.
 */
#ifndef ENGINE_RANDOM_H
#define ENGINE_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t counter;
};

static inline uint64_t random_next(struct random *random)
{
	uint64_t mixed = random->counter += 0x9e3779b97f4a7c15u;

	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
	return mixed ^ mixed >> 31;
}

/* A stream of its own for each number, all fixed by the seed. */
static inline struct random random_stream(uint64_t seed, uint64_t number)
{
	struct random root = { seed };
	struct random stream = { random_next(&root) ^ number };

	return (struct random){ random_next(&stream) };
}

/* 0 ≤ value < 1, every multiple of 2^-53 equally likely. */
static inline double random_unit(struct random *random)
{
	return (double)(random_next(random) >> 11) * 0x1p-53;
}

#endif
