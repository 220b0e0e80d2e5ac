/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resize_avx2.c: both passes of the resize with AVX2, two pixels at a time. */
#include <immintrin.h>
#include <string.h>

#include "engine/kernels/isa.h"

#define LANES 8
#define ROW resize_row_avx2
#define COLUMN resize_column_avx2

typedef int32_t lanes __attribute__((vector_size(32)));
typedef int32_t four __attribute__((vector_size(16)));

static inline lanes widen(const uint8_t *from)
{
	return (lanes)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)from));
}

static inline lanes spread_pixels(const uint8_t *from)
{
	const __m128i order = _mm_setr_epi8(0, 1, 2, 2, 3, 4, 5, 5, 0, 0, 0, 0, 0, 0, 0, 0);

	return (lanes)_mm256_cvtepu8_epi32(
		_mm_shuffle_epi8(_mm_loadl_epi64((const void *)from), order));
}

static inline lanes spread_weights(const int32_t *from)
{
	const __m256i order = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);

	return (lanes)_mm256_permutevar8x32_epi32(
		_mm256_castsi128_si256(_mm_loadl_epi64((const void *)from)), order);
}

static inline four add_pixels(lanes sums)
{
	return (four)_mm256_castsi256_si128((__m256i)sums) +
	       (four)_mm256_extracti128_si256((__m256i)sums, 1);
}

static inline void narrow_four(four values, uint8_t *ret_bytes)
{
	__m128i words = _mm_packs_epi32((__m128i)values, (__m128i)values);
	int32_t packed = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));

	memcpy(ret_bytes, &packed, sizeof(packed));
}

static inline void narrow(lanes values, uint8_t *ret_bytes)
{
	__m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)values),
					_mm256_extracti128_si256((__m256i)values, 1));

	_mm_storel_epi64((void *)ret_bytes, _mm_packus_epi16(words, words));
}

#include "engine/kernels/resize_vector.h"
