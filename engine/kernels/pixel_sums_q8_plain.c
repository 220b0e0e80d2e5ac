/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pixel_sums_q8_plain.c: the sum of each pixel's channels, in plain C. */
#include "engine/kernels/isa.h"

void pixel_sums_q8_plain(const uint8_t *pixels, size_t count, size_t channels, size_t pixel_stride,
			 int32_t *ret_sums)
{
	for (size_t p = 0; p < count; p++) {
		const uint8_t *pixel = pixels + p * pixel_stride;
		int32_t sum = 0;

		for (size_t c = 0; c < channels; c++)
			sum += pixel[c];
		ret_sums[p] = sum;
	}
}
