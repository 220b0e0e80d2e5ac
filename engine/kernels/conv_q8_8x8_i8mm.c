/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * conv_q8_8x8_i8mm.c: 8 pixels by 8 channels with the 8-bit matrix product of
 * newer arm64 processors: two rows by two channels, eight deep, an instruction.
 */
#include "engine/kernels/conv_q8_neon.h"

#define PAIRS 4	/* of rows, and of channels */
#define STEP 8

void conv_q8_8x8_i8mm(const struct conv_q8_tile *tile)
{
	uint32x4_t sums[PAIRS][PAIRS];
	const uint8_t *weights = (const uint8_t *)tile->weights;
	const uint8_t *const *taps = tile->taps;

#pragma GCC unroll 4
	for (size_t p = 0; p < PAIRS; p++)
#pragma GCC unroll 4
		for (size_t n = 0; n < PAIRS; n++)
			sums[p][n] = vdupq_n_u32(0);
	for (size_t t = 0; t < tile->tap_count; t++) {
		for (size_t k = 0; k < tile->tap_bytes; k += STEP) {
			uint8x16_t w[PAIRS];

#pragma GCC unroll 4
			for (size_t n = 0; n < PAIRS; n++)
				w[n] = vld1q_u8(weights + n * 2 * STEP);
			weights += PAIRS * 2 * STEP;
#pragma GCC unroll 4
			for (size_t p = 0; p < PAIRS; p++) {
				uint8x16_t a = vcombine_u8(vld1_u8(taps[2 * p] + k),
							   vld1_u8(taps[2 * p + 1] + k));

#pragma GCC unroll 4
				for (size_t n = 0; n < PAIRS; n++)
					sums[p][n] = vmmlaq_u32(sums[p][n], a, w[n]);
			}
		}
		taps += tile->tap_stride;
	}
	for (size_t r = 0; r < tile->rows; r++) {
		const uint32x4_t *pair = sums[r / 2];
		uint64x2_t s[PAIRS];

		for (size_t n = 0; n < PAIRS; n++)
			s[n] = vreinterpretq_u64_u32(pair[n]);
		if (r % 2 == 0)
			store_row8(tile, r, vreinterpretq_s32_u64(vzip1q_u64(s[0], s[1])),
				   vreinterpretq_s32_u64(vzip1q_u64(s[2], s[3])));
		else
			store_row8(tile, r, vreinterpretq_s32_u64(vzip2q_u64(s[0], s[1])),
				   vreinterpretq_s32_u64(vzip2q_u64(s[2], s[3])));
	}
}
