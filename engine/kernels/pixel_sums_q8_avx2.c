/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pixel_sums_q8_avx2.c: the sum of each pixel's channels with AVX2. */
#include <immintrin.h>

#include "engine/kernels/isa.h"

void pixel_sums_q8_avx2(const uint8_t *pixels, size_t count, size_t channels, size_t pixel_stride,
			int32_t *ret_sums)
{
	__m256i zero = _mm256_setzero_si256();

	for (size_t p = 0; p < count; p++) {
		const uint8_t *pixel = pixels + p * pixel_stride;
		__m256i sums = zero;
		int32_t rest = 0;
		__m128i sum;
		size_t c = 0;

		for (; c + 32 <= channels; c += 32)
			sums = _mm256_add_epi64(
				sums,
				_mm256_sad_epu8(_mm256_loadu_si256((const void *)(pixel + c)), zero));
		for (; c < channels; c++)
			rest += pixel[c];
		sum = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
		ret_sums[p] = rest + _mm_cvtsi128_si32(sum) + _mm_extract_epi32(sum, 2);
	}
}
