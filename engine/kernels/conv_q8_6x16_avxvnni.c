/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conv_q8_6x16_avxvnni.c: 6 pixels by 16 channels with AVX-VNNI. */
#include "engine/kernels/conv_q8_avx2.h"

#define ROWS 6
#define VECTORS 2

void conv_q8_6x16_avxvnni(const struct conv_q8_tile *tile)
{
	__m256i sums[ROWS][VECTORS];
	const int8_t *weights = tile->weights;
	const uint8_t *const *taps = tile->taps;

#pragma GCC unroll 6
	for (size_t r = 0; r < ROWS; r++)
#pragma GCC unroll 2
		for (size_t v = 0; v < VECTORS; v++)
			sums[r][v] = first_sum(tile, r, v);
	for (size_t t = 0; t < tile->tap_count; t++) {
		for (size_t k = 0; k < tile->tap_bytes; k += 4) {
			__m256i w[VECTORS];

#pragma GCC unroll 2
			for (size_t v = 0; v < VECTORS; v++)
				w[v] = _mm256_loadu_si256((const void *)(weights + v * 4 * LANES));
			weights += VECTORS * 4 * LANES;
#pragma GCC unroll 6
			for (size_t r = 0; r < ROWS; r++) {
				int32_t word;
				__m256i x;

				memcpy(&word, taps[r] + k, sizeof(word));
				x = _mm256_set1_epi32(word);
#pragma GCC unroll 2
				for (size_t v = 0; v < VECTORS; v++)
					sums[r][v] = _mm256_dpbusd_avx_epi32(sums[r][v], x, w[v]);
			}
		}
		taps += tile->tap_stride;
	}
	for (size_t r = 0; r < tile->rows; r++)
		store_row(tile, r, sums[r]);
}
