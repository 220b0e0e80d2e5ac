/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conv_f32_6x16_avx2.c: 6 pixels by 16 channels in floats with AVX2 and FMA. */
#include <immintrin.h>
#include <string.h>

#include "engine/kernels/isa.h"

#define ROWS 6
#define VECTORS 2
#define LANES 8

void conv_f32_6x16_avx2(const struct conv_f32_tile *tile)
{
	__m256 sums[ROWS][VECTORS];
	const float *weights = tile->weights;
	const uint8_t *const *taps = tile->taps;

#pragma GCC unroll 6
	for (size_t r = 0; r < ROWS; r++)
#pragma GCC unroll 2
		for (size_t v = 0; v < VECTORS; v++)
			sums[r][v] = _mm256_loadu_ps(tile->bias + v * LANES);
	for (size_t t = 0; t < tile->tap_count; t++) {
		const float *a[ROWS];

#pragma GCC unroll 6
		for (size_t r = 0; r < ROWS; r++)
			a[r] = (const void *)taps[r];
		for (size_t k = 0; k < tile->tap_channels; k++) {
			__m256 w[VECTORS];

#pragma GCC unroll 2
			for (size_t v = 0; v < VECTORS; v++)
				w[v] = _mm256_loadu_ps(weights + v * LANES);
			weights += VECTORS * LANES;
#pragma GCC unroll 6
			for (size_t r = 0; r < ROWS; r++) {
				__m256 x = _mm256_set1_ps(a[r][k]);

#pragma GCC unroll 2
				for (size_t v = 0; v < VECTORS; v++)
					sums[r][v] = _mm256_fmadd_ps(x, w[v], sums[r][v]);
			}
		}
		taps += tile->tap_stride;
	}
	for (size_t r = 0; r < tile->rows; r++) {
		float row[VECTORS * LANES];

		for (size_t v = 0; v < VECTORS; v++) {
			__m256 x = _mm256_max_ps(sums[r][v], _mm256_set1_ps(tile->low));

			_mm256_storeu_ps(row + v * LANES, _mm256_min_ps(x, _mm256_set1_ps(tile->high)));
		}
		memcpy(tile->output + r * tile->output_stride, row, tile->columns * sizeof(float));
	}
}
