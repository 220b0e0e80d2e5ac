/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * row_sums_q8_avx2.c: the sum of each row of weights with AVX2: bytes moved up by 128
 * are summed as what they are without a sign.
 */
#include <immintrin.h>

#include "engine/kernels/isa.h"

void row_sums_q8_avx2(const int8_t *weights, size_t rows, size_t columns, int32_t *ret_sums)
{
	const __m256i zero = _mm256_setzero_si256(), flip = _mm256_set1_epi8(-128);
	size_t whole = columns / 32 * 32;

	for (size_t r = 0; r < rows; r++) {
		const int8_t *row = weights + r * columns;
		__m256i sums = zero;
		int32_t sum = -128 * (int32_t)whole;
		__m128i half;

		for (size_t k = 0; k < whole; k += 32) {
			__m256i v = _mm256_loadu_si256((const void *)(row + k));

			sums = _mm256_add_epi64(sums, _mm256_sad_epu8(_mm256_xor_si256(v, flip), zero));
		}
		for (size_t k = whole; k < columns; k++)
			sum += row[k];
		half = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
		ret_sums[r] = sum + _mm_cvtsi128_si32(half) + _mm_extract_epi32(half, 2);
	}
}
