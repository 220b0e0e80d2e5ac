/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conv_f32_4x8_plain.c: the convolution tile in floats in plain C. */
#include "engine/kernels/isa.h"

#define ROWS 4
#define COLUMNS 8

void conv_f32_4x8_plain(const struct conv_f32_tile *tile)
{
	float sums[ROWS][COLUMNS];
	const float *weights = tile->weights;

	for (size_t r = 0; r < tile->rows; r++)
		for (size_t n = 0; n < COLUMNS; n++)
			sums[r][n] = tile->bias[n];
	for (size_t t = 0; t < tile->tap_count; t++) {
		for (size_t k = 0; k < tile->tap_channels; k++)
			for (size_t r = 0; r < tile->rows; r++) {
				const float *a = (const void *)tile->taps[t * tile->tap_stride + r];

				for (size_t n = 0; n < COLUMNS; n++)
					sums[r][n] += a[k] * weights[k * COLUMNS + n];
			}
		weights += tile->tap_channels * COLUMNS;
	}
	for (size_t r = 0; r < tile->rows; r++)
		for (size_t n = 0; n < tile->columns; n++) {
			float x = sums[r][n];

			x = x > tile->low ? x : tile->low;
			tile->output[r * tile->output_stride + n] = x < tile->high ? x : tile->high;
		}
}
