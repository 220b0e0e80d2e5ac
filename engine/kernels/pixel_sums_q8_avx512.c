/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pixel_sums_q8_avx512.c: the sum of each pixel's channels with AVX-512. */
#include <immintrin.h>

#include "engine/kernels/isa.h"

/* Up to 64 channels: four pixels at a time. */
static void sum_short(const uint8_t *pixels, size_t count, size_t channels, size_t pixel_stride,
		      int32_t *ret_sums)
{
	__mmask64 mask = channels == 64 ? ~(__mmask64)0 : ((__mmask64)1 << channels) - 1;
	__m512i zero = _mm512_setzero_si512();

	for (size_t p = 0; p < count; p++) {
		__m512i bytes = _mm512_maskz_loadu_epi8(mask, pixels + p * pixel_stride);

		ret_sums[p] = (int32_t)_mm512_reduce_add_epi64(_mm512_sad_epu8(bytes, zero));
	}
}

void pixel_sums_q8_avx512(const uint8_t *pixels, size_t count, size_t channels,
			  size_t pixel_stride, int32_t *ret_sums)
{
	size_t whole = channels / 64 * 64, rest = channels % 64;
	__mmask64 mask = ((__mmask64)1 << rest) - 1;
	__m512i zero = _mm512_setzero_si512();

	if (channels <= 64) {
		sum_short(pixels, count, channels, pixel_stride, ret_sums);
		return;
	}
	for (size_t p = 0; p < count; p++) {
		const uint8_t *pixel = pixels + p * pixel_stride;
		__m512i sum = zero;

		for (size_t c = 0; c < whole; c += 64)
			sum = _mm512_add_epi64(sum, _mm512_sad_epu8(_mm512_loadu_si512(pixel + c), zero));
		if (rest)
			sum = _mm512_add_epi64(
				sum, _mm512_sad_epu8(_mm512_maskz_loadu_epi8(mask, pixel + whole), zero));
		ret_sums[p] = (int32_t)_mm512_reduce_add_epi64(sum);
	}
}
