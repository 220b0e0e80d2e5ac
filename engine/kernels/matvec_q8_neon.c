/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * matvec_q8_neon.c: 8-bit matrix–vector products with NEON.
 * Four rows by up to four vectors at a time; further vectors find the rows in
 * the first-level cache.
 */
#include <arm_neon.h>
#include <string.h>

#include "engine/kernels/isa.h"

#define ROWS 4
#define VECTORS 4
#define STEP 16

static inline int32x4_t multiply_add(int32x4_t sum, int8x16_t v, int8x16_t w)
{
	int16x8_t pairs = vmull_s8(vget_low_s8(v), vget_low_s8(w));

	return vpadalq_s16(sum, vmlal_high_s8(pairs, v, w));
}

static inline int8x16_t load(const int8_t *bytes, size_t left)
{
	int8_t tail[STEP] = {0};

	if (left >= STEP)
		return vld1q_s8(bytes);
	memcpy(tail, bytes, left);
	return vld1q_s8(tail);
}

static inline __attribute__((always_inline)) void
multiply(const struct matrix_q8 *matrix, size_t row, size_t rows, const int8_t *x,
	 const float *x_scales, size_t count, size_t x_stride, float *y, size_t y_stride)
{
	int32x4_t sums[VECTORS][ROWS];
	const int8_t *weights[ROWS];
	size_t columns = matrix->columns;

#pragma GCC unroll 4
	for (size_t r = 0; r < ROWS; r++) {
		weights[r] = matrix->weights + (row + (r < rows ? r : rows - 1)) * columns;
#pragma GCC unroll 4
		for (size_t j = 0; j < count; j++)
			sums[j][r] = vdupq_n_s32(0);
	}
	for (size_t k = 0; k < columns; k += STEP) {
		int8x16_t w[ROWS];

#pragma GCC unroll 4
		for (size_t r = 0; r < ROWS; r++)
			w[r] = load(weights[r] + k, columns - k);
#pragma GCC unroll 4
		for (size_t j = 0; j < count; j++) {
			int8x16_t v = vld1q_s8(x + j * x_stride + k);

#pragma GCC unroll 4
			for (size_t r = 0; r < ROWS; r++)
				sums[j][r] = multiply_add(sums[j][r], v, w[r]);
		}
	}
	for (size_t j = 0; j < count; j++)
		for (size_t r = 0; r < rows; r++)
			y[j * y_stride + row + r] = (float)vaddvq_s32(sums[j][r]) *
						    (matrix->scales[row + r] * x_scales[j]);
}

void matvec_q8_neon(const struct matrix_q8 *matrix, size_t row_begin, size_t row_end,
		    const int8_t *x, const float *x_scales, size_t count, size_t x_stride,
		    float *y, size_t y_stride)
{
	for (size_t row = row_begin; row < row_end; row += ROWS) {
		size_t rows = row_end - row < ROWS ? row_end - row : ROWS;

		for (size_t j = 0; j < count; j += VECTORS) {
			const int8_t *xj = x + j * x_stride;
			float *yj = y + j * y_stride;

			switch (count - j) {
			case 1:
				multiply(matrix, row, rows, xj, x_scales + j, 1, x_stride, yj, y_stride);
				break;
			case 2:
				multiply(matrix, row, rows, xj, x_scales + j, 2, x_stride, yj, y_stride);
				break;
			case 3:
				multiply(matrix, row, rows, xj, x_scales + j, 3, x_stride, yj, y_stride);
				break;
			default:
				multiply(matrix, row, rows, xj, x_scales + j, 4, x_stride, yj, y_stride);
			}
		}
	}
}
