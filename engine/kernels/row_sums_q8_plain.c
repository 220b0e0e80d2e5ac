/* SPDX-License-Identifier: GPL-3.0-or-later */
/* row_sums_q8_plain.c: the sum of each row of weights in plain C. */
#include "engine/kernels/isa.h"

void row_sums_q8_plain(const int8_t *weights, size_t rows, size_t columns, int32_t *ret_sums)
{
	for (size_t r = 0; r < rows; r++) {
		const int8_t *row = weights + r * columns;
		int32_t sum = 0;

		for (size_t k = 0; k < columns; k++)
			sum += row[k];
		ret_sums[r] = sum;
	}
}
