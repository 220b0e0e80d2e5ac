/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conv_q8_neon.h: what the NEON convolution tiles do with their sums. */
#ifndef ENGINE_KERNELS_CONV_Q8_NEON_H
#define ENGINE_KERNELS_CONV_Q8_NEON_H

#include <arm_neon.h>
#include <string.h>

#include "engine/kernels/isa.h"

static inline int32x4_t requantise(int32x4_t sums, const float *scale,
				   const struct requantisation *r)
{
	float32x4_t x = vmulq_f32(vcvtq_f32_s32(sums), vld1q_f32(scale));

	x = vmaxq_f32(x, vdupq_n_f32(r->low));
	x = vminq_f32(x, vdupq_n_f32(r->high));
	return vaddq_s32(vcvtnq_s32_f32(x), vdupq_n_s32(r->output_zero));
}

/* Adds bias and row term to four sums from channel `n` on, and rounds. */
static inline int32x4_t finish(const struct conv_q8_tile *tile, size_t r, size_t n, int32x4_t sums)
{
	sums = vaddq_s32(sums, vld1q_s32(tile->bias + n));
	if (tile->row_sums)
		sums = vaddq_s32(sums, vdupq_n_s32(tile->row_sums[r] * tile->row_factor));
	return requantise(sums, tile->scale + n, tile->requantisation);
}

/* Stores row `r` of eight channels. */
static inline void store_row8(const struct conv_q8_tile *tile, size_t r, int32x4_t low,
			      int32x4_t high)
{
	uint8_t *output = tile->output + r * tile->output_stride;
	int16x8_t words = vcombine_s16(vmovn_s32(finish(tile, r, 0, low)),
				       vmovn_s32(finish(tile, r, 4, high)));
	uint8x8_t bytes = vmovn_u16(vreinterpretq_u16_s16(words));

	if (tile->columns == 8) {
		vst1_u8(output, bytes);
	} else {
		uint8_t row[8];

		vst1_u8(row, bytes);
		memcpy(output, row, tile->columns);
	}
}

#endif
