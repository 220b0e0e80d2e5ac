/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * conv_q8_4x4_neon.c: 4 pixels by 4 channels with NEON as every arm64 processor
 * has it (Raspberry Pi 3 and 4). Activations less 128 and weights within ±127
 * give products of which two fit 16 bits, so sixteen products take three
 * instructions: multiply, multiply and add, add up pairs in 32 bits.
 */
#include "engine/kernels/conv_q8_neon.h"

#define ROWS 4
#define COLUMNS 4
#define STEP 16

void conv_q8_4x4_neon(const struct conv_q8_tile *tile)
{
	int32x4_t sums[ROWS][COLUMNS];
	uint8x16_t flip = vdupq_n_u8(0x80);
	const int8_t *weights = tile->weights;
	const uint8_t *const *taps = tile->taps;

#pragma GCC unroll 4
	for (size_t r = 0; r < ROWS; r++)
#pragma GCC unroll 4
		for (size_t n = 0; n < COLUMNS; n++)
			sums[r][n] = vdupq_n_s32(0);
	for (size_t t = 0; t < tile->tap_count; t++) {
		for (size_t k = 0; k < tile->tap_bytes; k += STEP) {
			int8x16_t w[COLUMNS];

#pragma GCC unroll 4
			for (size_t n = 0; n < COLUMNS; n++)
				w[n] = vld1q_s8(weights + n * STEP);
			weights += COLUMNS * STEP;
#pragma GCC unroll 4
			for (size_t r = 0; r < ROWS; r++) {
				int8x16_t a = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(taps[r] + k), flip));

#pragma GCC unroll 4
				for (size_t n = 0; n < COLUMNS; n++) {
					int16x8_t pairs = vmull_s8(vget_low_s8(a), vget_low_s8(w[n]));

					pairs = vmlal_high_s8(pairs, a, w[n]);
					sums[r][n] = vpadalq_s16(sums[r][n], pairs);
				}
			}
		}
		taps += tile->tap_stride;
	}
	for (size_t r = 0; r < tile->rows; r++) {
		int32x4_t sum = vpaddq_s32(vpaddq_s32(sums[r][0], sums[r][1]),
					   vpaddq_s32(sums[r][2], sums[r][3]));
		int32x4_t q = finish(tile, r, 0, sum);
		uint8_t *output = tile->output + r * tile->output_stride;

		for (size_t n = 0; n < tile->columns; n++) {
			output[n] = (uint8_t)vgetq_lane_s32(q, 0);
			q = vextq_s32(q, q, 1);
		}
	}
}
