/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * product_f32_vector.h: the inner loop of a matrix product in floats, ROWS rows
 * of values by VECTORS vectors of WIDTH columns, in vectors of the compiler. A
 * file for each tile defines these and NAME and includes it. Unlike the tiles of
 * convolutions it has no taps, bias or limits and always does all of its rows
 * and columns: what comes before and after is the transforms' business.
 */
#include <string.h>

#include "engine/kernels/isa.h"

typedef float floats __attribute__((vector_size(WIDTH * 4)));

void NAME(const float *values, size_t value_stride, size_t depth, const float *weights,
	  float *ret_products, size_t product_stride)
{
	floats sums[ROWS][VECTORS] = {0};

	/* there is always at least one channel */
	size_t k = 0;

	do {
		floats w[VECTORS];

#pragma GCC unroll 16
		for (size_t v = 0; v < VECTORS; v++)
			memcpy(&w[v], weights + v * WIDTH, sizeof(w[v]));
		weights += VECTORS * WIDTH;
#pragma GCC unroll 16
		for (size_t r = 0; r < ROWS; r++)
#pragma GCC unroll 16
			for (size_t v = 0; v < VECTORS; v++)
				sums[r][v] += values[r * value_stride + k] * w[v];
	} while (++k < depth);
#pragma GCC unroll 16
	for (size_t r = 0; r < ROWS; r++)
#pragma GCC unroll 16
		for (size_t v = 0; v < VECTORS; v++)
			memcpy(ret_products + r * product_stride + v * WIDTH, &sums[r][v],
			       sizeof(sums[r][v]));
}
