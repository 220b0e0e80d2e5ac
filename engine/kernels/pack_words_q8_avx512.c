/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pack_words_q8_avx512.c: words of sixteen rows brought side by side: squares of
 * sixteen by sixteen words, transposed in registers in four rounds of exchanges at
 * growing distances.
 */
#include <immintrin.h>

#include "engine/kernels/isa.h"

/* Words 4g to 4g + 3 of four rows: ret[i] has word 4g + i of each in lane g. */
static inline void exchange_words(const __m512i rows[4], __m512i ret[4])
{
	__m512i low01 = _mm512_unpacklo_epi32(rows[0], rows[1]);
	__m512i high01 = _mm512_unpackhi_epi32(rows[0], rows[1]);
	__m512i low23 = _mm512_unpacklo_epi32(rows[2], rows[3]);
	__m512i high23 = _mm512_unpackhi_epi32(rows[2], rows[3]);

	ret[0] = _mm512_unpacklo_epi64(low01, low23);
	ret[1] = _mm512_unpackhi_epi64(low01, low23);
	ret[2] = _mm512_unpacklo_epi64(high01, high23);
	ret[3] = _mm512_unpackhi_epi64(high01, high23);
}

/* Lanes of four vectors likewise: ret[g] has lane g of each. */
static inline void exchange_lanes(__m512i a, __m512i b, __m512i c, __m512i d, __m512i ret[4])
{
	__m512i low_ab = _mm512_shuffle_i32x4(a, b, 0x44), high_ab = _mm512_shuffle_i32x4(a, b, 0xee);
	__m512i low_cd = _mm512_shuffle_i32x4(c, d, 0x44), high_cd = _mm512_shuffle_i32x4(c, d, 0xee);

	ret[0] = _mm512_shuffle_i32x4(low_ab, low_cd, 0x88);
	ret[1] = _mm512_shuffle_i32x4(low_ab, low_cd, 0xdd);
	ret[2] = _mm512_shuffle_i32x4(high_ab, high_cd, 0x88);
	ret[3] = _mm512_shuffle_i32x4(high_ab, high_cd, 0xdd);
}

void pack_words_q8_avx512(const uint8_t *rows, size_t depth, uint32_t flips, uint8_t *ret_packed,
			  size_t stride)
{
	const __m512i flip = _mm512_set1_epi32((int)flips);

	for (size_t k = 0; k < depth; k += 64) {
		size_t words = depth - k < 64 ? (depth - k) / 4 : 16;
		__mmask16 present = (__mmask16)((1u << words) - 1);
		uint8_t *to = ret_packed + k / 4 * stride;
		__m512i quads[4][4];

		for (size_t q = 0; q < 4; q++) {
			__m512i row[4];

			for (size_t r = 0; r < 4; r++) {
				const uint8_t *from = rows + (4 * q + r) * depth + k;

				/* far enough ahead for a fetch from memory */
				__builtin_prefetch(from + 512);
				row[r] = _mm512_xor_si512(_mm512_maskz_loadu_epi32(present, from), flip);
			}
			exchange_words(row, quads[q]);
		}
		for (size_t i = 0; i < 4; i++) {
			__m512i packed[4];

			exchange_lanes(quads[0][i], quads[1][i], quads[2][i], quads[3][i], packed);
			for (size_t g = 0; g < 4; g++)
				if (4 * g + i < words)
					_mm512_storeu_si512(to + (4 * g + i) * stride, packed[g]);
		}
	}
}
