/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resize_avx512.c: both passes of the resize with AVX-512, four pixels at a time. */
#include <immintrin.h>
#include <string.h>

#include "engine/kernels/isa.h"

#define LANES 16
#define ROW resize_row_avx512
#define COLUMN resize_column_avx512

typedef int32_t lanes __attribute__((vector_size(64)));
typedef int32_t four __attribute__((vector_size(16)));

static inline lanes widen(const uint8_t *from)
{
	return (lanes)_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)from));
}

static inline lanes spread_pixels(const uint8_t *from)
{
	const __m128i order = _mm_setr_epi8(0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);

	return (lanes)_mm512_cvtepu8_epi32(
		_mm_shuffle_epi8(_mm_loadu_si128((const void *)from), order));
}

static inline lanes spread_weights(const int32_t *from)
{
	const __m512i order = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);

	return (lanes)_mm512_permutexvar_epi32(
		order, _mm512_castsi128_si512(_mm_loadu_si128((const void *)from)));
}

static inline four add_pixels(lanes sums)
{
	__m256i half = _mm256_add_epi32(_mm512_castsi512_si256((__m512i)sums),
					_mm512_extracti64x4_epi64((__m512i)sums, 1));

	return (four)_mm_add_epi32(_mm256_castsi256_si128(half),
				   _mm256_extracti128_si256(half, 1));
}

static inline void narrow_four(four values, uint8_t *ret_bytes)
{
	int32_t packed = _mm_cvtsi128_si32(_mm_cvtusepi32_epi8((__m128i)values));

	memcpy(ret_bytes, &packed, sizeof(packed));
}

static inline void narrow(lanes values, uint8_t *ret_bytes)
{
	_mm_storeu_si128((void *)ret_bytes, _mm512_cvtusepi32_epi8((__m512i)values));
}

#include "engine/kernels/resize_vector.h"
