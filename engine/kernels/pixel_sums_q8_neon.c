/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pixel_sums_q8_neon.c: the sum of each pixel's channels with NEON. */
#include <arm_neon.h>

#include "engine/kernels/isa.h"

void pixel_sums_q8_neon(const uint8_t *pixels, size_t count, size_t channels, size_t pixel_stride,
			int32_t *ret_sums)
{
	for (size_t p = 0; p < count; p++) {
		const uint8_t *pixel = pixels + p * pixel_stride;
		uint32x4_t sums = vdupq_n_u32(0);
		uint32_t rest = 0;
		size_t c = 0;

		for (; c + 16 <= channels; c += 16)
			sums = vpadalq_u16(sums, vpaddlq_u8(vld1q_u8(pixel + c)));
		for (; c < channels; c++)
			rest += pixel[c];
		ret_sums[p] = (int32_t)(rest + vaddvq_u32(sums));
	}
}
