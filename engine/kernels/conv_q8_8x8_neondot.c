/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * conv_q8_8x8_neondot.c: 8 pixels by 8 channels with the NEON dot product
 * (Raspberry Pi 5). Sixteen activations of each row are loaded at once; each
 * instruction multiplies four of them, chosen by lane, with four channels.
 */
#include "engine/kernels/conv_q8_neon.h"

#define ROWS 8
#define COLUMNS 8
#define STEP 16

#define GROUP(lane) \
	do { \
		uint8x16_t w0 = vld1q_u8(weights), w1 = vld1q_u8(weights + 16); \
\
		weights += 4 * COLUMNS; \
		_Pragma("GCC unroll 8") \
		for (size_t r = 0; r < ROWS; r++) { \
			sums[r][0] = vdotq_laneq_u32(sums[r][0], w0, a[r], lane); \
			sums[r][1] = vdotq_laneq_u32(sums[r][1], w1, a[r], lane); \
		} \
	} while (0)

void conv_q8_8x8_neondot(const struct conv_q8_tile *tile)
{
	uint32x4_t sums[ROWS][2];
	const uint8_t *weights = (const uint8_t *)tile->weights;
	const uint8_t *const *taps = tile->taps;

#pragma GCC unroll 8
	for (size_t r = 0; r < ROWS; r++)
		sums[r][0] = sums[r][1] = vdupq_n_u32(0);
	for (size_t t = 0; t < tile->tap_count; t++) {
		uint8x16_t a[ROWS];
		size_t k = 0;

		for (; k + STEP <= tile->tap_bytes; k += STEP) {
#pragma GCC unroll 8
			for (size_t r = 0; r < ROWS; r++)
				a[r] = vld1q_u8(taps[r] + k);
			GROUP(0);
			GROUP(1);
			GROUP(2);
			GROUP(3);
		}
		for (; k < tile->tap_bytes; k += 4) {
#pragma GCC unroll 8
			for (size_t r = 0; r < ROWS; r++) {
				uint32_t word;

				memcpy(&word, taps[r] + k, sizeof(word));
				a[r] = vreinterpretq_u8_u32(vdupq_n_u32(word));
			}
			GROUP(0);
		}
		taps += tile->tap_stride;
	}
	for (size_t r = 0; r < tile->rows; r++)
		store_row8(tile, r, vreinterpretq_s32_u32(sums[r][0]),
			   vreinterpretq_s32_u32(sums[r][1]));
}
