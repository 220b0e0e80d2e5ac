/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * quantise_q8_vector.h: vectors brought to 8 bits, in vectors of the compiler. A
 * file for each instruction set defines WIDTH (floats of a vector) and NAME(what)
 * and includes it. Adding 1.5 · 2^23 rounds: it leaves the nearest integer, ties
 * to even, in the low bits of the mantissa.
 */
#include <math.h>

#include "engine/kernels/floats.h"
#include "engine/kernels/isa.h"

#define ROUNDER 12582912.0f

typedef int8_t bytes __attribute__((vector_size(WIDTH)));

/* Of the magnitudes; what is not a number counts for nothing. */
static inline float largest(const float *x, size_t count)
{
	floats most = {0};
	float result = 0;
	size_t i = 0;

	for (; i + WIDTH <= count; i += WIDTH) {
		floats v = load(x + i);

		most = larger((floats)((ints)v & 0x7fffffff), most);
	}
	for (size_t lane = 0; lane < WIDTH; lane++)
		result = most[lane] > result ? most[lane] : result;
	for (; i < count; i++)
		result = fabsf(x[i]) > result ? fabsf(x[i]) : result;
	return result;
}

/* At most WIDTH of them. */
static inline void round_some(const float *x, size_t count, float inverse, int8_t *ret_q)
{
	floats v = {0};
	bytes q;

	memcpy(&v, x, count * sizeof(*x));
	q = __builtin_convertvector((ints)(v * inverse + ROUNDER), bytes);
	memcpy(ret_q, &q, count);
}

void NAME(quantise_q8)(const float *x, size_t count, int8_t *ret_q, float *ret_scale)
{
	float most = largest(x, count), inverse;
	size_t i = 0;

	if (!(most > 0) || !isfinite(127 / most)) {
		memset(ret_q, 0, count);
		*ret_scale = 1;
		return;
	}
	inverse = 127 / most;
	for (; i + WIDTH <= count; i += WIDTH)
		round_some(x + i, WIDTH, inverse, ret_q + i);
	round_some(x + i, count - i, inverse, ret_q + i);
	*ret_scale = most / 127;
}
