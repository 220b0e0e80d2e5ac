/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * conv_f32_avx512.h: the body of the AVX-512 convolution tiles in floats. A file
 * for each tile defines ROWS, VECTORS (of 16 channels) and NAME and includes it.
 */
#include <immintrin.h>

#include "engine/kernels/isa.h"

#define LANES 16

static inline void store(const struct conv_f32_tile *tile, size_t r, size_t v, __m512 sum)
{
	float *output = tile->output + r * tile->output_stride + v * LANES;
	ptrdiff_t left = (ptrdiff_t)tile->columns - (ptrdiff_t)(v * LANES);

	sum = _mm512_max_ps(sum, _mm512_set1_ps(tile->low));
	sum = _mm512_min_ps(sum, _mm512_set1_ps(tile->high));
	if (left >= LANES)
		_mm512_storeu_ps(output, sum);
	else if (left > 0)
		_mm512_mask_storeu_ps(output, (__mmask16)((1u << left) - 1), sum);
}

void NAME(const struct conv_f32_tile *tile)
{
	__m512 sums[ROWS][VECTORS];
	const float *weights = tile->weights;
	const uint8_t *const *taps = tile->taps;

#pragma GCC unroll 16
	for (size_t r = 0; r < ROWS; r++)
#pragma GCC unroll 16
		for (size_t v = 0; v < VECTORS; v++)
			sums[r][v] = _mm512_loadu_ps(tile->bias + v * LANES);
	for (size_t t = 0; t < tile->tap_count; t++) {
		const float *a[ROWS];

#pragma GCC unroll 16
		for (size_t r = 0; r < ROWS; r++)
			a[r] = (const void *)taps[r];
		for (size_t k = 0; k < tile->tap_channels; k++) {
			__m512 w[VECTORS];

#pragma GCC unroll 16
			for (size_t v = 0; v < VECTORS; v++)
				w[v] = _mm512_loadu_ps(weights + v * LANES);
			weights += VECTORS * LANES;
#pragma GCC unroll 16
			for (size_t r = 0; r < ROWS; r++) {
				__m512 x = _mm512_set1_ps(a[r][k]);

#pragma GCC unroll 16
				for (size_t v = 0; v < VECTORS; v++)
					sums[r][v] = _mm512_fmadd_ps(x, w[v], sums[r][v]);
			}
		}
		taps += tile->tap_stride;
	}
	/* A rolled loop for the sake of GCC 12, as in conv_q8_avx512vnni.h. */
	for (size_t r = 0; r < tile->rows; r++)
#pragma GCC unroll 16
		for (size_t v = 0; v < VECTORS; v++)
			store(tile, r, v, sums[r][v]);
}
