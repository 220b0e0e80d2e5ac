/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * product_f32_vector.h: the inner loop of a matrix product in floats, up to ROWS
 * rows of values by VECTORS vectors of WIDTH columns, in vectors of the compiler.
 * A file for each tile defines these and NAME and includes it. Unlike the tiles
 * of convolutions it has no taps, bias or limits and always does all of its
 * columns: what comes before and after is the transforms' business. There are
 * few rows, so the last ones are done without any others.
 */
#include <string.h>

#include "engine/kernels/floats.h"
#include "engine/kernels/isa.h"

static inline __attribute__((always_inline)) void
multiply(size_t rows, const float *values, size_t value_stride, size_t depth,
	 const float *weights, float *ret_products, size_t product_stride)
{
	floats sums[ROWS][VECTORS] = {0};
	size_t k = 0;

	/* there is always at least one channel */
	do {
		floats w[VECTORS];

#pragma GCC unroll 16
		for (size_t v = 0; v < VECTORS; v++)
			w[v] = load(weights + v * WIDTH);
		weights += VECTORS * WIDTH;
#pragma GCC unroll 16
		for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 16
			for (size_t v = 0; v < VECTORS; v++)
				sums[r][v] += values[r * value_stride + k] * w[v];
	} while (++k < depth);
#pragma GCC unroll 16
	for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 16
		for (size_t v = 0; v < VECTORS; v++)
			memcpy(ret_products + r * product_stride + v * WIDTH, &sums[r][v],
			       sizeof(sums[r][v]));
}

#define CASE(rows) \
	case rows: \
		multiply(rows, values, value_stride, depth, weights, ret_products, \
			 product_stride); \
		return

void NAME(size_t rows, const float *values, size_t value_stride, size_t depth,
	  const float *weights, float *ret_products, size_t product_stride)
{
	switch (rows) {
		CASE(ROWS);
		CASE(1);
		CASE(2);
		CASE(3);
#if ROWS > 4
		CASE(4);
#endif
#if ROWS > 5
		CASE(5);
#endif
#if ROWS > 6
		CASE(6);
		CASE(7);
#endif
	}
}
