/* SPDX-License-Identifier: GPL-3.0-or-later */
/* matvec_q8_neon.h: what both NEON kernels of matvec_q8_loop.h have alike. */
#include <arm_neon.h>
#include <string.h>

#include "engine/kernels/isa.h"

#define ROWS 4
#define STEP 16
#define REGISTER(x) "+w"(x)

typedef int32x4_t sums;
typedef int8x16_t weights, vector;

static inline sums zero(void)
{
	return vdupq_n_s32(0);
}

static inline weights load_weights(const int8_t *bytes)
{
	return vld1q_s8(bytes);
}

static inline weights load_tail(const int8_t *bytes, size_t left)
{
	int8_t tail[STEP] = {0};

	memcpy(tail, bytes, left);
	return vld1q_s8(tail);
}

static inline vector load_vector(const int8_t *bytes)
{
	return vld1q_s8(bytes);
}

static inline void store(const sums *s, const struct matrix_q8 *matrix, size_t row, size_t rows,
			 float x_scale, float *y)
{
	for (size_t r = 0; r < rows; r++)
		y[row + r] = (float)vaddvq_s32(s[r]) * (matrix->scales[row + r] * x_scale);
}
