/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * conv_q8_4x8_sse41.c: 4 pixels by 8 channels with SSE4.1, widened to 16 bits as
 * in conv_q8_6x16_avx2.c.
 */
#include <smmintrin.h>
#include <string.h>

#include "engine/kernels/isa.h"

#define ROWS 4
#define VECTORS 2
#define LANES 4
#define STEP 8

static inline __m128i requantise(__m128i sums, const float *scale, const struct requantisation *r)
{
	__m128 x = _mm_mul_ps(_mm_cvtepi32_ps(sums), _mm_loadu_ps(scale));

	x = _mm_max_ps(x, _mm_set1_ps(r->low));
	x = _mm_min_ps(x, _mm_set1_ps(r->high));
	return _mm_add_epi32(_mm_cvtps_epi32(x), _mm_set1_epi32(r->output_zero));
}

static inline void store_row(const struct conv_q8_tile *tile, size_t r, const __m128i *sums)
{
	uint8_t *output = tile->output + r * tile->output_stride;
	__m128i words = _mm_packus_epi32(
		requantise(sums[0], tile->scale, tile->requantisation),
		requantise(sums[1], tile->scale + LANES, tile->requantisation));
	__m128i bytes = _mm_packus_epi16(words, words);

	if (tile->columns == VECTORS * LANES) {
		_mm_storel_epi64((void *)output, bytes);
	} else {
		uint8_t row[VECTORS * LANES];

		_mm_storel_epi64((void *)row, bytes);
		memcpy(output, row, tile->columns);
	}
}

void conv_q8_4x8_sse41(const struct conv_q8_tile *tile)
{
	__m128i sums[ROWS][VECTORS];
	const int8_t *weights = tile->weights;
	const uint8_t *const *taps = tile->taps;

#pragma GCC unroll 4
	for (size_t r = 0; r < ROWS; r++) {
		int32_t term = tile->row_sums ? tile->row_sums[r] * tile->row_factor : 0;

#pragma GCC unroll 2
		for (size_t v = 0; v < VECTORS; v++)
			sums[r][v] = _mm_add_epi32(
				_mm_set1_epi32(term),
				_mm_loadu_si128((const void *)(tile->bias + v * LANES)));
	}
	for (size_t t = 0; t < tile->tap_count; t++) {
		for (size_t k = 0; k < tile->tap_bytes; k += STEP) {
			_Alignas(16) uint16_t wide[ROWS][STEP];
			size_t left = tile->tap_bytes - k;
			size_t pairs = left < STEP ? (left + 1) / 2 : STEP / 2;

#pragma GCC unroll 4
			for (size_t r = 0; r < ROWS; r++)
				_mm_store_si128((void *)wide[r],
						_mm_cvtepu8_epi16(_mm_loadl_epi64(
							(const void *)(taps[r] + k))));
			for (size_t p = 0; p < pairs; p++) {
				__m128i w[VECTORS];

#pragma GCC unroll 2
				for (size_t v = 0; v < VECTORS; v++)
					w[v] = _mm_cvtepi8_epi16(_mm_loadl_epi64(
						(const void *)(weights + v * 2 * LANES)));
				weights += VECTORS * 2 * LANES;
#pragma GCC unroll 4
				for (size_t r = 0; r < ROWS; r++) {
					int32_t pair;
					__m128i x;

					memcpy(&pair, &wide[r][2 * p], sizeof(pair));
					x = _mm_set1_epi32(pair);
#pragma GCC unroll 2
					for (size_t v = 0; v < VECTORS; v++)
						sums[r][v] = _mm_add_epi32(sums[r][v],
									   _mm_madd_epi16(x, w[v]));
				}
			}
		}
		taps += tile->tap_stride;
	}
	for (size_t r = 0; r < tile->rows; r++)
		store_row(tile, r, sums[r]);
}
