/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * resize_plain.c: both passes of the resize in plain C: the twin of
 * resize_vector.h, and what an unknown processor runs. The weights are not
 * negative and sum to one within rounding, so only the upper bound is checked.
 */
#include "engine/kernels/isa.h"

static uint8_t round_8(int32_t sum)
{
	sum >>= RESIZE_FRACTION_BITS;
	return (uint8_t)(sum > 255 ? 255 : sum);
}

void resize_row_plain(const struct resize_filter *filter, const uint8_t *pixels,
		      uint8_t *ret_pixels)
{
	for (size_t i = 0; i < filter->size; i++, ret_pixels += 3) {
		const int32_t *weights = filter->weights + i * filter->stride;
		const uint8_t *pixel = pixels + (size_t)filter->first[i] * 3;
		int32_t red = RESIZE_HALF, green = RESIZE_HALF, blue = RESIZE_HALF;

		for (size_t k = 0; k < filter->count[i]; k++, pixel += 3) {
			red += pixel[0] * weights[k];
			green += pixel[1] * weights[k];
			blue += pixel[2] * weights[k];
		}
		ret_pixels[0] = round_8(red);
		ret_pixels[1] = round_8(green);
		ret_pixels[2] = round_8(blue);
	}
}

void resize_column_plain(const uint8_t *const *rows, const int32_t *weights, size_t count,
			 size_t size, uint8_t *ret_bytes)
{
	for (size_t i = 0; i < size; i++) {
		int32_t sum = RESIZE_HALF;

		for (size_t k = 0; k < count; k++)
			sum += rows[k][i] * weights[k];
		ret_bytes[i] = round_8(sum);
	}
}
