/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * conv_q8_6x16_avx2.c: 6 pixels by 16 channels with AVX2. Without VNNI the only
 * product of bytes that cannot overflow is that of 16-bit words, so activations
 * are widened sixteen at a time into a small buffer, from which pairs are
 * broadcast, and weights as they are loaded.
 */
#include "engine/kernels/conv_q8_avx2.h"

#define ROWS 6
#define VECTORS 2
#define STEP 16

void conv_q8_6x16_avx2(const struct conv_q8_tile *tile)
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
		for (size_t k = 0; k < tile->tap_bytes; k += STEP) {
			_Alignas(32) uint16_t wide[ROWS][STEP];
			size_t left = tile->tap_bytes - k;
			size_t pairs = left < STEP ? (left + 1) / 2 : STEP / 2;

#pragma GCC unroll 6
			for (size_t r = 0; r < ROWS; r++)
				_mm256_store_si256((void *)wide[r],
						   _mm256_cvtepu8_epi16(_mm_loadu_si128(
							   (const void *)(taps[r] + k))));
			for (size_t p = 0; p < pairs; p++) {
				__m256i w[VECTORS];

#pragma GCC unroll 2
				for (size_t v = 0; v < VECTORS; v++)
					w[v] = _mm256_cvtepi8_epi16(_mm_loadu_si128(
						(const void *)(weights + v * 2 * LANES)));
				weights += VECTORS * 2 * LANES;
#pragma GCC unroll 6
				for (size_t r = 0; r < ROWS; r++) {
					int32_t pair;
					__m256i x;

					memcpy(&pair, &wide[r][2 * p], sizeof(pair));
					x = _mm256_set1_epi32(pair);
#pragma GCC unroll 2
					for (size_t v = 0; v < VECTORS; v++)
						sums[r][v] = _mm256_add_epi32(
							sums[r][v], _mm256_madd_epi16(x, w[v]));
				}
			}
		}
		taps += tile->tap_stride;
	}
	for (size_t r = 0; r < tile->rows; r++)
		store_row(tile, r, sums[r]);
}
