/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * conv_q8_4x8_plain.c: the 8-bit convolution tile in plain C. It is the twin
 * against which the kernels of the instruction sets are tested, bit for bit,
 * and what an unknown processor runs.
 */
#include <math.h>

#include "engine/kernels/isa.h"

#define ROWS 4
#define COLUMNS 8

static float bounded(float x, float low, float high)
{
	x = x > low ? x : low;
	return x < high ? x : high;
}

static uint8_t requantise(int32_t sum, float scale, const struct requantisation *r)
{
	return (uint8_t)((int32_t)rintf(bounded((float)sum * scale, r->low, r->high)) +
			 r->output_zero);
}

void conv_q8_4x8_plain(const struct conv_q8_tile *tile)
{
	int32_t sums[ROWS][COLUMNS];
	const int8_t *weights = tile->weights;

	for (size_t r = 0; r < tile->rows; r++)
		for (size_t n = 0; n < COLUMNS; n++)
			sums[r][n] = tile->bias[n] +
				     (tile->row_sums ? tile->row_sums[r] * tile->row_factor : 0);
	for (size_t t = 0; t < tile->tap_count; t++) {
		for (size_t k = 0; k < tile->tap_bytes; k++)
			for (size_t r = 0; r < tile->rows; r++) {
				int32_t a = tile->taps[t * tile->tap_stride + r][k];

				for (size_t n = 0; n < COLUMNS; n++)
					sums[r][n] += a * weights[k * COLUMNS + n];
			}
		weights += tile->tap_bytes * COLUMNS;
	}
	for (size_t r = 0; r < tile->rows; r++)
		for (size_t n = 0; n < tile->columns; n++)
			tile->output[r * tile->output_stride + n] =
				requantise(sums[r][n], tile->scale[n], tile->requantisation);
}
