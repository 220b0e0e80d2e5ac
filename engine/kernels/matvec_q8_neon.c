/* SPDX-License-Identifier: GPL-3.0-or-later */
/* matvec_q8_neon.c: 8-bit matrix–vector products with NEON. */
#define NAME matvec_q8_neon

#include "engine/kernels/matvec_q8_neon.h"

static inline void multiply_add(sums *s, vector v, weights w)
{
	int16x8_t pairs = vmull_s8(vget_low_s8(v), vget_low_s8(w));

	*s = vpadalq_s16(*s, vmlal_high_s8(pairs, v, w));
}

#include "engine/kernels/matvec_q8_loop.h"
