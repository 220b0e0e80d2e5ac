/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pixel_sums_q8_avx512.c: the sum of each pixel's channels with AVX-512. */
#include <immintrin.h>

#include "engine/kernels/isa.h"

/* Three channels without gaps: sixteen pixels at a time, one in each 32 bits. */
static size_t sum_triples(const uint8_t *pixels, size_t count, int32_t *ret_sums)
{
	const __m512i spread = _mm512_broadcast_i32x4(
		_mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
	const __m512i ones8 = _mm512_set1_epi8(1), ones16 = _mm512_set1_epi16(1);
	size_t p = 0;

	for (; p + 16 <= count; p += 16) {
		const uint8_t *from = pixels + 3 * p;
		__m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const void *)from));

		v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(from + 12)), 1);
		v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(from + 24)), 2);
		v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(from + 36)), 3);
		v = _mm512_maddubs_epi16(_mm512_shuffle_epi8(v, spread), ones8);
		_mm512_storeu_si512(ret_sums + p, _mm512_madd_epi16(v, ones16));
	}
	return p;
}

/* The sums of eight bytes each of one pixel of up to 256 channels, which fit 16
 * bits in each 64. */
static inline __m512i add_up(const uint8_t *pixel, size_t whole, __mmask64 rest)
{
	const __m512i zero = _mm512_setzero_si512();
	__m512i sums = _mm512_sad_epu8(_mm512_maskz_loadu_epi8(rest, pixel + whole), zero);

	for (size_t c = 0; c < whole; c += 64)
		sums = _mm512_add_epi64(sums, _mm512_sad_epu8(_mm512_loadu_si512(pixel + c), zero));
	return sums;
}

/* Up to 256 channels: four pixels at a time, side by side in 64 bits. */
static size_t sum_fours(const uint8_t *pixels, size_t count, size_t whole, __mmask64 rest,
			size_t stride, int32_t *ret_sums)
{
	size_t p = 0;

	for (; p + 4 <= count; p += 4) {
		const uint8_t *pixel = pixels + p * stride;
		__m512i a = add_up(pixel, whole, rest);
		__m512i b = _mm512_slli_epi64(add_up(pixel + stride, whole, rest), 16);
		__m512i c = _mm512_slli_epi64(add_up(pixel + 2 * stride, whole, rest), 32);
		__m512i d = _mm512_slli_epi64(add_up(pixel + 3 * stride, whole, rest), 48);
		__m512i all = _mm512_or_si512(_mm512_or_si512(a, b), _mm512_or_si512(c, d));
		__m256i half = _mm256_add_epi16(_mm512_castsi512_si256(all),
						_mm512_extracti64x4_epi64(all, 1));
		__m128i quarter = _mm_add_epi16(_mm256_castsi256_si128(half),
						_mm256_extracti128_si256(half, 1));

		quarter = _mm_add_epi16(quarter, _mm_unpackhi_epi64(quarter, quarter));
		_mm_storeu_si128((void *)(ret_sums + p), _mm_cvtepu16_epi32(quarter));
	}
	return p;
}

void pixel_sums_q8_avx512(const uint8_t *pixels, size_t count, size_t channels,
			  size_t pixel_stride, int32_t *ret_sums)
{
	/* The last 1 to 64 channels are loaded under a mask. */
	size_t whole = (channels - 1) / 64 * 64;
	__mmask64 rest = ~(__mmask64)0 >> (64 - (channels - whole));
	size_t p = 0;

	if (channels == 3 && pixel_stride == 3)
		p = sum_triples(pixels, count, ret_sums);
	else if (channels <= 256)
		p = sum_fours(pixels, count, whole, rest, pixel_stride, ret_sums);
	for (; p < count; p++)
		ret_sums[p] = (int32_t)_mm512_reduce_add_epi64(
			add_up(pixels + p * pixel_stride, whole, rest));
}
