/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * floats.h: WIDTH floats as a vector of the compiler, for loops that are written
 * once and compiled for each instruction set.
 */
#ifndef ENGINE_FLOATS_H
#define ENGINE_FLOATS_H

#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

typedef float floats __attribute__((vector_size(WIDTH * 4)));
typedef int32_t ints __attribute__((vector_size(WIDTH * 4)));

static inline floats load(const float *values)
{
	floats v;

	memcpy(&v, values, sizeof(v));
	return v;
}

/* As the processor compares: `b` where one is no number. */
static inline floats larger(floats a, floats b)
{
#if defined(__AVX512F__) && WIDTH == 16
	return _mm512_max_ps(a, b);
#elif defined(__AVX2__) && WIDTH == 8
	return _mm256_max_ps(a, b);
#elif defined(__x86_64__) && WIDTH == 4
	return _mm_max_ps(a, b);
#else
	ints choose = a > b;

	return (floats)(((ints)a & choose) | ((ints)b & ~choose));
#endif
}

static inline floats smaller(floats a, floats b)
{
#if defined(__AVX512F__) && WIDTH == 16
	return _mm512_min_ps(a, b);
#elif defined(__AVX2__) && WIDTH == 8
	return _mm256_min_ps(a, b);
#elif defined(__x86_64__) && WIDTH == 4
	return _mm_min_ps(a, b);
#else
	ints choose = a < b;

	return (floats)(((ints)a & choose) | ((ints)b & ~choose));
#endif
}

#endif
