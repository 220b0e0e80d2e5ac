/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conv_q8_avx2.h: what the 256-bit convolution tiles do with their sums. */
#ifndef ENGINE_KERNELS_CONV_Q8_AVX2_H
#define ENGINE_KERNELS_CONV_Q8_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "engine/kernels/isa.h"

#define LANES 8

static inline __m256i requantise(__m256i sums, const float *scale, const struct requantisation *r)
{
	__m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_loadu_ps(scale));

	x = _mm256_max_ps(x, _mm256_set1_ps(r->low));
	x = _mm256_min_ps(x, _mm256_set1_ps(r->high));
	return _mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(r->output_zero));
}

/* Stores row `r` of sixteen channels. */
static inline void store_row(const struct conv_q8_tile *tile, size_t r, const __m256i *sums)
{
	uint8_t *output = tile->output + r * tile->output_stride;
	__m256i words = _mm256_packus_epi32(
		requantise(sums[0], tile->scale, tile->requantisation),
		requantise(sums[1], tile->scale + LANES, tile->requantisation));
	__m128i bytes;

	words = _mm256_permute4x64_epi64(words, 0xd8);
	bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
	if (tile->columns == 2 * LANES) {
		_mm_storeu_si128((void *)output, bytes);
	} else {
		uint8_t row[2 * LANES];

		_mm_storeu_si128((void *)row, bytes);
		memcpy(output, row, tile->columns);
	}
}

static inline __m256i first_sum(const struct conv_q8_tile *tile, size_t r, size_t v)
{
	__m256i bias = _mm256_loadu_si256((const void *)(tile->bias + v * LANES));

	if (!tile->row_sums)
		return bias;
	return _mm256_add_epi32(bias, _mm256_set1_epi32(tile->row_sums[r] * tile->row_factor));
}

#endif
