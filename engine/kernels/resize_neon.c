/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resize_neon.c: both passes of the resize with NEON, a pixel at a time. */
#include <arm_neon.h>
#include <string.h>

#include "engine/kernels/isa.h"

#define LANES 4
#define ROW resize_row_neon
#define COLUMN resize_column_neon

typedef int32x4_t lanes;

static inline lanes widen(const uint8_t *from)
{
	uint32_t word;

	memcpy(&word, from, sizeof(word));
	return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(word)))));
}

static inline lanes spread_pixels(const uint8_t *from)
{
	return widen(from);
}

static inline lanes spread_weights(const int32_t *from)
{
	return vdupq_n_s32(*from);
}

static inline lanes add_pixels(lanes sums)
{
	return sums;
}

static inline void narrow(lanes values, uint8_t *ret_bytes)
{
	uint16x4_t words = vqmovun_s32(values);
	uint32_t packed = vget_lane_u32(
		vreinterpret_u32_u8(vqmovn_u16(vcombine_u16(words, words))), 0);

	memcpy(ret_bytes, &packed, sizeof(packed));
}

#define narrow_four narrow
#include "engine/kernels/resize_vector.h"
