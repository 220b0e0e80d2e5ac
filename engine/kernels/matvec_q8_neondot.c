/* SPDX-License-Identifier: GPL-3.0-or-later */
/* matvec_q8_neondot.c: 8-bit matrix–vector products with the NEON dot product. */
#define NAME matvec_q8_neondot

#include "engine/kernels/matvec_q8_neon.h"

static inline void multiply_add(sums *s, vector v, weights w)
{
	*s = vdotq_s32(*s, v, w);
}

#include "engine/kernels/matvec_q8_loop.h"
