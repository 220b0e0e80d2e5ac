/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resize_sse41.c: both passes of the resize with SSE4.1, a pixel at a time. */
#include <immintrin.h>
#include <string.h>

#include "engine/kernels/isa.h"

#define LANES 4
#define ROW resize_row_sse41
#define COLUMN resize_column_sse41

typedef int32_t lanes __attribute__((vector_size(16)));

static inline lanes widen(const uint8_t *from)
{
	int32_t word;

	memcpy(&word, from, sizeof(word));
	return (lanes)_mm_cvtepu8_epi32(_mm_cvtsi32_si128(word));
}

static inline lanes spread_pixels(const uint8_t *from)
{
	return widen(from);
}

static inline lanes spread_weights(const int32_t *from)
{
	return (lanes)_mm_set1_epi32(*from);
}

static inline lanes add_pixels(lanes sums)
{
	return sums;
}

static inline void narrow(lanes values, uint8_t *ret_bytes)
{
	__m128i words = _mm_packs_epi32((__m128i)values, (__m128i)values);
	int32_t packed = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));

	memcpy(ret_bytes, &packed, sizeof(packed));
}

#define narrow_four narrow
#include "engine/kernels/resize_vector.h"
