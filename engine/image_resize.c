/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * image_resize.c: the antialiased triangle filter that the model was trained
 * behind, Pillow's resize(…, BILINEAR), byte for byte.
 *
 * To give the same bytes it must do what Pillow does: weights computed in double
 * precision, rounded to 22 bits of fraction, the horizontal pass first and
 * rounded to 8 bits, then the vertical one. What differs is the order of work:
 * Pillow resizes all rows horizontally and then goes over them again. Here each
 * row is resized when the vertical pass first needs it, into a ring of as many
 * rows as the filter is high. So the working memory does not depend on the
 * picture, stays in cache, and is planned once.
 */
#include "engine/image_resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/limits.h"

/* 32 bits hold 8 of the pixel, a sign, and headroom for rounding. */
#define FRACTION_BITS 22
#define HALF (1 << (FRACTION_BITS - 1))

/* The filter along one axis: output i is the sum of count[i] inputs from first[i]
 * on, weighted by weights[i × taps …]. */
struct axis {
	unsigned size, taps, taps_max;
	unsigned *first, *count;
	int32_t *weights;
};

struct image_resizer {
	struct axis x, y;
	size_t stride;		/* of a row resized horizontally, in bytes */
	uint8_t *ring;		/* y.taps_max such rows; row r at r modulo y.taps */
	int32_t *sums;		/* one row */
};

/* The triangle reaches one input to each side, or one output when it shrinks. */
static unsigned count_taps(unsigned in, unsigned out)
{
	double scale = (double)in / out;

	return (unsigned)ceil(scale < 1 ? 1 : scale) * 2 + 1;
}

static int axis_open(struct axis *axis, unsigned size)
{
	axis->size = size;
	axis->taps_max = count_taps(LIMIT_IMAGE_SIDE, size);
	axis->first = calloc(size, sizeof(*axis->first));
	axis->count = calloc(size, sizeof(*axis->count));
	axis->weights = calloc((size_t)size * axis->taps_max, sizeof(*axis->weights));
	return axis->first && axis->count && axis->weights ? 0 : -1;
}

static void axis_close(struct axis *axis)
{
	free(axis->first);
	free(axis->count);
	free(axis->weights);
}

static double triangle(double x)
{
	x = fabs(x);
	return x < 1 ? 1 - x : 0;
}

static void axis_plan(struct axis *axis, unsigned in)
{
	double scale = (double)in / axis->size, support = scale < 1 ? 1 : scale;

	axis->taps = count_taps(in, axis->size);
	for (unsigned i = 0; i < axis->size; i++) {
		double center = (i + 0.5) * scale, sum = 0;
		int32_t *weights = axis->weights + (size_t)i * axis->taps;
		int first = (int)(center - support + 0.5), end = (int)(center + support + 0.5);

		if (first < 0)
			first = 0;
		if (end > (int)in)
			end = (int)in;
		for (int k = first; k < end; k++)
			sum += triangle((k - center + 0.5) * (1 / support));
		for (int k = first; k < end; k++)
			weights[k - first] = (int32_t)(0.5 + triangle((k - center + 0.5) *
							       (1 / support)) / sum *
						       (1 << FRACTION_BITS));
		axis->first[i] = (unsigned)first;
		axis->count[i] = (unsigned)(end - first);
	}
}

/* The weights are not negative and sum to one within rounding. */
static uint8_t round_8(int32_t sum)
{
	sum >>= FRACTION_BITS;
	return (uint8_t)(sum > 255 ? 255 : sum);
}

static void resize_row(const struct axis *axis, const uint8_t *in, uint8_t *out)
{
	for (unsigned i = 0; i < axis->size; i++, out += 3) {
		const int32_t *weights = axis->weights + (size_t)i * axis->taps;
		const uint8_t *pixel = in + (size_t)axis->first[i] * 3;
		int32_t red = HALF, green = HALF, blue = HALF;

		for (unsigned k = 0; k < axis->count[i]; k++, pixel += 3) {
			red += pixel[0] * weights[k];
			green += pixel[1] * weights[k];
			blue += pixel[2] * weights[k];
		}
		out[0] = round_8(red);
		out[1] = round_8(green);
		out[2] = round_8(blue);
	}
}

static void add_row(int32_t *restrict sums, const uint8_t *restrict row, int32_t weight,
		    size_t count)
{
	for (size_t i = 0; i < count; i++)
		sums[i] += row[i] * weight;
}

static void round_row(const int32_t *restrict sums, uint8_t *restrict out, size_t count)
{
	for (size_t i = 0; i < count; i++)
		out[i] = round_8(sums[i]);
}

int image_resizer_open(unsigned width, unsigned height, struct image_resizer **ret_resizer,
		       struct engine_error *error)
{
	struct image_resizer *resizer;
	int r;

	r = image_check_size(width, height, error);
	if (r)
		return r;
	resizer = calloc(1, sizeof(*resizer));
	if (!resizer)
		return engine_fail_memory(error);
	resizer->stride = (size_t)width * 3;
	if (axis_open(&resizer->x, width) || axis_open(&resizer->y, height))
		goto no_memory;
	resizer->ring = malloc(resizer->y.taps_max * resizer->stride);
	resizer->sums = malloc(resizer->stride * sizeof(*resizer->sums));
	if (!resizer->ring || !resizer->sums)
		goto no_memory;
	*ret_resizer = resizer;
	return 0;
no_memory:
	image_resizer_free(resizer);
	return engine_fail_memory(error);
}

struct image_resizer *image_resizer_free(struct image_resizer *resizer)
{
	if (resizer) {
		axis_close(&resizer->x);
		axis_close(&resizer->y);
		free(resizer->ring);
		free(resizer->sums);
		free(resizer);
	}
	return NULL;
}

void image_resizer_run(struct image_resizer *resizer, const struct engine_image *image,
		       uint8_t *rgb)
{
	const struct axis *y = &resizer->y;
	size_t stride = resizer->stride;
	unsigned next = 0;	/* the first row that is not in the ring yet */

	axis_plan(&resizer->x, image->width);
	axis_plan(&resizer->y, image->height);
	for (unsigned i = 0; i < y->size; i++) {
		const int32_t *weights = y->weights + (size_t)i * y->taps;

		if (next < y->first[i])
			next = y->first[i];
		for (; next < y->first[i] + y->count[i]; next++)
			resize_row(&resizer->x, image->pixels + (size_t)next * image->width * 3,
				   resizer->ring + next % y->taps * stride);
		for (size_t k = 0; k < stride; k++)
			resizer->sums[k] = HALF;
		for (unsigned k = 0; k < y->count[i]; k++)
			add_row(resizer->sums,
				resizer->ring + (y->first[i] + k) % y->taps * stride, weights[k],
				stride);
		round_row(resizer->sums, rgb + i * stride, stride);
	}
}

int engine_image_resize(const struct engine_image *image, unsigned width,
			unsigned height, uint8_t *ret_rgb, struct engine_error *error)
{
	struct image_resizer *resizer;
	int r;

	r = image_resizer_open(width, height, &resizer, error);
	if (r)
		return r;
	image_resizer_run(resizer, image, ret_rgb);
	image_resizer_free(resizer);
	return 0;
}
