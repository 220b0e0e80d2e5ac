/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pool_f32_vector.h: the body of the pools' inner loops in floats, in vectors of
 * the compiler. A file for each instruction set defines WIDTH (floats of a
 * vector) and NAME(what) and includes it.
 */
#include <string.h>

#include "engine/kernels/isa.h"

typedef float floats __attribute__((vector_size(WIDTH * 4)));
typedef int32_t ints __attribute__((vector_size(WIDTH * 4)));

void NAME(sum_f32)(const float *const *pixels, size_t count, size_t channels, float *ret_sums)
{
	size_t c = 0;

	for (; c + WIDTH <= channels; c += WIDTH) {
		floats sums, v;

		memcpy(&sums, pixels[0] + c, sizeof(sums));
		for (size_t p = 1; p < count; p++) {
			memcpy(&v, pixels[p] + c, sizeof(v));
			sums += v;
		}
		memcpy(ret_sums + c, &sums, sizeof(sums));
	}
	for (; c < channels; c++) {
		ret_sums[c] = pixels[0][c];
		for (size_t p = 1; p < count; p++)
			ret_sums[c] += pixels[p][c];
	}
}

void NAME(maximum_f32)(const float *const *pixels, size_t count, size_t channels, float *ret_most)
{
	size_t c = 0;

	for (; c + WIDTH <= channels; c += WIDTH) {
		ints most;

		memcpy(&most, pixels[0] + c, sizeof(most));
		for (size_t p = 1; p < count; p++) {
			floats v, m;
			ints bits, greater;

			memcpy(&v, pixels[p] + c, sizeof(v));
			memcpy(&bits, &v, sizeof(bits));
			memcpy(&m, &most, sizeof(m));
			greater = v > m;
			most = (bits & greater) | (most & ~greater);
		}
		memcpy(ret_most + c, &most, sizeof(most));
	}
	for (; c < channels; c++) {
		ret_most[c] = pixels[0][c];
		for (size_t p = 1; p < count; p++)
			if (pixels[p][c] > ret_most[c])
				ret_most[c] = pixels[p][c];
	}
}
