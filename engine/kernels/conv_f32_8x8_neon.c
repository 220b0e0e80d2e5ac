/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conv_f32_8x8_neon.c: 8 pixels by 8 channels in floats with NEON. */
#include <arm_neon.h>
#include <string.h>

#include "engine/kernels/isa.h"

#define ROWS 8
#define COLUMNS 8

#define STEP(lane) \
	do { \
		float32x4_t w0 = vld1q_f32(weights), w1 = vld1q_f32(weights + 4); \
\
		weights += COLUMNS; \
		_Pragma("GCC unroll 8") \
		for (size_t r = 0; r < ROWS; r++) { \
			sums[r][0] = vfmaq_laneq_f32(sums[r][0], w0, a[r], lane); \
			sums[r][1] = vfmaq_laneq_f32(sums[r][1], w1, a[r], lane); \
		} \
	} while (0)

void conv_f32_8x8_neon(const struct conv_f32_tile *tile)
{
	float32x4_t sums[ROWS][2];
	const float *weights = tile->weights;
	const uint8_t *const *taps = tile->taps;

#pragma GCC unroll 8
	for (size_t r = 0; r < ROWS; r++) {
		sums[r][0] = vld1q_f32(tile->bias);
		sums[r][1] = vld1q_f32(tile->bias + 4);
	}
	for (size_t t = 0; t < tile->tap_count; t++) {
		float32x4_t a[ROWS];
		size_t k = 0;

		for (; k + 4 <= tile->tap_channels; k += 4) {
#pragma GCC unroll 8
			for (size_t r = 0; r < ROWS; r++)
				a[r] = vld1q_f32((const float *)(const void *)taps[r] + k);
			STEP(0);
			STEP(1);
			STEP(2);
			STEP(3);
		}
		for (; k < tile->tap_channels; k++) {
#pragma GCC unroll 8
			for (size_t r = 0; r < ROWS; r++)
				a[r] = vdupq_n_f32(((const float *)(const void *)taps[r])[k]);
			STEP(0);
		}
		taps += tile->tap_stride;
	}
	for (size_t r = 0; r < tile->rows; r++) {
		float row[COLUMNS];

		for (size_t v = 0; v < 2; v++) {
			float32x4_t x = vmaxq_f32(sums[r][v], vdupq_n_f32(tile->low));

			vst1q_f32(row + 4 * v, vminq_f32(x, vdupq_n_f32(tile->high)));
		}
		memcpy(tile->output + r * tile->output_stride, row, tile->columns * sizeof(float));
	}
}
