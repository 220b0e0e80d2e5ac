/* SPDX-License-Identifier: GPL-3.0-or-later */
/* matvec_q8_plain.c: 8-bit matrix–vector products in plain C, the twin of the
 * instruction sets' kernels. */
#include "engine/kernels/isa.h"

void matvec_q8_plain(const struct matrix_q8 *matrix, size_t row_begin, size_t row_end,
		     const int8_t *x, const float *x_scales, size_t count, size_t x_stride,
		     float *y, size_t y_stride)
{
	for (size_t r = row_begin; r < row_end; r++) {
		const int8_t *weights = matrix->weights + r * matrix->columns;

		for (size_t j = 0; j < count; j++) {
			const int8_t *vector = x + j * x_stride;
			int32_t sum = 0;

			for (size_t k = 0; k < matrix->columns; k++)
				sum += weights[k] * vector[k];
			y[j * y_stride + r] = (float)sum * (matrix->scales[r] * x_scales[j]);
		}
	}
}
