/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pool_f32_vector.h: the body of the pools' inner loops in floats, in vectors of
 * the compiler. A file for each instruction set defines WIDTH (floats of a
 * vector) and NAME(what) and includes it.
 */
#include "engine/kernels/floats.h"
#include "engine/kernels/isa.h"

/* The first `left` floats, or all. */
static inline void store_some(float *to, floats values, size_t left)
{
	if (left >= WIDTH)
		memcpy(to, &values, sizeof(values));
	else
		memcpy(to, &values, left * sizeof(float));
}

void NAME(average_f32)(const float *const *pixels, size_t count, size_t channels, float factor,
		       float low, float high, float *ret_values)
{
	floats lows = low - (floats){0}, highs = high - (floats){0};

	for (size_t c = 0; c < channels; c += WIDTH) {
		floats sums = load(pixels[0] + c);

		for (size_t p = 1; p < count; p++)
			sums += load(pixels[p] + c);
		store_some(ret_values + c, smaller(larger(sums * factor, lows), highs), channels - c);
	}
}

void NAME(maximum_f32)(const float *const *pixels, size_t count, size_t channels, float low,
		       float high, float *ret_values)
{
	floats lows = low - (floats){0}, highs = high - (floats){0};

	for (size_t c = 0; c < channels; c += WIDTH) {
		floats most = load(pixels[0] + c);

		for (size_t p = 1; p < count; p++)
			most = larger(load(pixels[p] + c), most);
		store_some(ret_values + c, smaller(larger(most, lows), highs), channels - c);
	}
}
