/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * winograd_vector.h: the transforms of minimal filtering (see winograd.h), a
 * vector of channels at a time, in vectors of the compiler. A file for each
 * instruction set defines WIDTH (floats of a vector) and NAME(what) and includes
 * it. Numbers of points and outputs are constants to the compiler, so that every
 * loop over them is unrolled; the coefficients are not, they come from one place.
 */
#include <string.h>

#include "engine/kernels/floats.h"
#include "engine/kernels/isa.h"

#define INLINE static inline __attribute__((always_inline))

/* From d[0], d[step], … */
INLINE void transform_input(const struct winograd_axis *axis, size_t pairs, const floats *d,
			    size_t step, floats *ret_values, size_t ret_step)
{
	floats zero = d[2 * pairs * step], infinity = d[(2 * pairs + 1) * step];

#pragma GCC unroll 8
	for (size_t k = 0; k < pairs; k++) {
		zero += axis->all[k] * d[2 * k * step];
		infinity += axis->all[k] * d[(2 * k + 1) * step];
	}
	ret_values[0] = zero;
	ret_values[(2 * pairs + 1) * ret_step] = infinity;
#pragma GCC unroll 8
	for (size_t i = 0; i < pairs; i++) {
		floats even = d[2 * pairs * step], odd = d[(2 * pairs - 1) * step];

#pragma GCC unroll 8
		for (size_t k = 0; k + 1 < pairs; k++) {
			even += axis->others[i][k] * d[(2 * k + 2) * step];
			odd += axis->others[i][k] * d[(2 * k + 1) * step];
		}
		ret_values[(2 * i + 1) * ret_step] = even + axis->point[i] * odd;
		ret_values[(2 * i + 2) * ret_step] = even - axis->point[i] * odd;
	}
}

INLINE void transform_output(const struct winograd_axis *axis, size_t pairs, size_t outputs,
			     const floats *m, size_t step, floats *ret_values)
{
	floats sums[WINOGRAD_PAIRS_MAX], differences[WINOGRAD_PAIRS_MAX];

#pragma GCC unroll 8
	for (size_t i = 0; i < pairs; i++) {
		sums[i] = m[(2 * i + 1) * step] + m[(2 * i + 2) * step];
		differences[i] = m[(2 * i + 1) * step] - m[(2 * i + 2) * step];
	}
#pragma GCC unroll 8
	for (size_t j = 0; j < outputs; j++) {
		const floats *of = j % 2 ? differences : sums;
		floats sum = axis->power[j][0] * of[0];

#pragma GCC unroll 8
		for (size_t i = 1; i < pairs; i++)
			sum += axis->power[j][i] * of[i];
		if (j == 0)
			sum += m[0];
		if (j == outputs - 1)
			sum += m[(2 * pairs + 1) * step];
		ret_values[j] = sum;
	}
}

INLINE void input_line(const struct winograd_axis *axis, size_t pairs, const float *const *pixels,
		       size_t channels, float *ret_values, size_t stride)
{
	size_t points = 2 * pairs + 2;

	for (size_t c = 0; c < channels; c += WIDTH) {
		floats d[WINOGRAD_POINTS_MAX], v[WINOGRAD_POINTS_MAX];

#pragma GCC unroll 12
		for (size_t x = 0; x < points; x++)
			d[x] = load(pixels[x] + c);
		transform_input(axis, pairs, d, 1, v, 1);
#pragma GCC unroll 12
		for (size_t x = 0; x < points; x++)
			memcpy(ret_values + x * stride + c, &v[x], sizeof(v[x]));
	}
}

INLINE void input_square(const struct winograd_axis *axis, size_t pairs,
			 const float *const *pixels, size_t channels, float *ret_values,
			 size_t stride)
{
	size_t points = 2 * pairs + 2;

	for (size_t c = 0; c < channels; c += WIDTH) {
		floats half[WINOGRAD_TILE_MAX];

		for (size_t x = 0; x < points; x++) {
			floats d[WINOGRAD_POINTS_MAX];

#pragma GCC unroll 12
			for (size_t y = 0; y < points; y++)
				d[y] = load(pixels[y * points + x] + c);
			transform_input(axis, pairs, d, 1, half + x, points);
		}
		for (size_t y = 0; y < points; y++) {
			floats v[WINOGRAD_POINTS_MAX];

			transform_input(axis, pairs, half + y * points, 1, v, 1);
#pragma GCC unroll 12
			for (size_t x = 0; x < points; x++)
				memcpy(ret_values + (y * points + x) * stride + c, &v[x], sizeof(v[x]));
		}
	}
}

struct finish {
	floats bias, low, high;
	size_t left;	/* channels from here on */
};

INLINE struct finish finish(const struct winograd_store *to, size_t c)
{
	return (struct finish){
		load(to->bias + c), to->low - (floats){0}, to->high - (floats){0}, to->channels - c,
	};
}

INLINE void store(floats sum, struct finish with, float *pixel)
{
	sum = smaller(larger(sum + with.bias, with.low), with.high);
	if (with.left >= WIDTH)
		memcpy(pixel, &sum, sizeof(sum));
	else
		memcpy(pixel, &sum, with.left * sizeof(float));
}

INLINE void output_line(const struct winograd_axis *axis, size_t pairs, size_t outputs,
			const float *products, size_t stride, const struct winograd_store *to,
			float *const *pixels)
{
	size_t points = 2 * pairs + 2, channels = to->channels;

	for (size_t c = 0; c < channels; c += WIDTH) {
		struct finish with = finish(to, c);
		floats m[WINOGRAD_POINTS_MAX], sums[WINOGRAD_OUTPUTS_MAX];

#pragma GCC unroll 12
		for (size_t x = 0; x < points; x++)
			m[x] = load(products + x * stride + c);
		transform_output(axis, pairs, outputs, m, 1, sums);
#pragma GCC unroll 8
		for (size_t j = 0; j < outputs; j++)
			store(sums[j], with, pixels[j] + c);
	}
}

INLINE void output_square(const struct winograd_axis *axis, size_t pairs, size_t outputs,
			  const float *products, size_t stride, const struct winograd_store *to,
			  float *const *pixels)
{
	size_t points = 2 * pairs + 2, channels = to->channels;

	for (size_t c = 0; c < channels; c += WIDTH) {
		struct finish with = finish(to, c);
		floats half[WINOGRAD_OUTPUTS_MAX * WINOGRAD_POINTS_MAX];

		for (size_t x = 0; x < points; x++) {
			floats m[WINOGRAD_POINTS_MAX], sums[WINOGRAD_OUTPUTS_MAX];

#pragma GCC unroll 12
			for (size_t y = 0; y < points; y++)
				m[y] = load(products + (y * points + x) * stride + c);
			transform_output(axis, pairs, outputs, m, 1, sums);
#pragma GCC unroll 8
			for (size_t j = 0; j < outputs; j++)
				half[j * points + x] = sums[j];
		}
		for (size_t i = 0; i < outputs; i++) {
			floats sums[WINOGRAD_OUTPUTS_MAX];

			transform_output(axis, pairs, outputs, half + i * points, 1, sums);
#pragma GCC unroll 8
			for (size_t j = 0; j < outputs; j++)
				store(sums[j], with, pixels[i * outputs + j] + c);
		}
	}
}

#define DEFINE(shape, outputs, taps, pairs) \
	static void input_##shape##_##outputs##_##taps( \
		const struct winograd_axis *axis, const float *const *pixels, size_t channels, \
		float *ret_values, size_t stride) \
	{ \
		input_##shape(axis, pairs, pixels, channels, ret_values, stride); \
	} \
	static void output_##shape##_##outputs##_##taps( \
		const struct winograd_axis *axis, const float *products, size_t stride, \
		const struct winograd_store *to, float *const *pixels) \
	{ \
		output_##shape(axis, pairs, outputs, products, stride, to, pixels); \
	}

#define ENTRY(shape, outputs, taps, directions) \
	{outputs, taps, directions, input_##shape##_##outputs##_##taps, \
	 output_##shape##_##outputs##_##taps}

DEFINE(square, 2, 3, 1)
DEFINE(square, 4, 3, 2)
DEFINE(square, 6, 3, 3)
DEFINE(square, 2, 5, 2)
DEFINE(square, 4, 5, 3)
DEFINE(line, 4, 3, 2)
DEFINE(line, 6, 7, 5)

const struct winograd_kernel NAME(winograd)[WINOGRAD_KERNEL_COUNT] = {
	ENTRY(square, 2, 3, 2), ENTRY(square, 4, 3, 2), ENTRY(square, 6, 3, 2),
	ENTRY(square, 2, 5, 2), ENTRY(square, 4, 5, 2), ENTRY(line, 4, 3, 1),
	ENTRY(line, 6, 7, 1),
};
