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
 * picture, stays in cache, and is planned once. Threads take a range of output
 * rows each, with a ring of their own; the few rows under both sides of a border
 * are resized twice.
 */
#include "engine/image_resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/kernels/isa.h"
#include "engine/limits.h"

/* The filter along one axis. */
struct axis {
	struct resize_filter filter;
	size_t taps_max;
	unsigned *first, *count;
	int32_t *weights;
};

/* What one thread needs. */
struct lane {
	uint8_t *ring;		/* y.taps_max rows; row r at r modulo that */
	const uint8_t **rows;	/* those under one output row, in order */
};

struct image_resizer {
	struct axis x, y;
	size_t stride;		/* of a row resized horizontally, one byte to spare */
	unsigned lane_count;
	struct lane lanes[LIMIT_THREADS];
};

/* The triangle reaches one input to each side, or one output when it shrinks. */
static unsigned count_taps(unsigned in, unsigned out)
{
	double scale = (double)in / out;

	return (unsigned)ceil(scale < 1 ? 1 : scale) * 2 + 1;
}

static int axis_open(struct axis *axis, unsigned size)
{
	axis->filter.size = size;
	axis->taps_max = count_taps(LIMIT_IMAGE_SIDE, size) + RESIZE_GROUP - 1;
	axis->first = calloc(size, sizeof(*axis->first));
	axis->count = calloc(size, sizeof(*axis->count));
	axis->weights = calloc(size * axis->taps_max, sizeof(*axis->weights));
	axis->filter.first = axis->first;
	axis->filter.count = axis->count;
	axis->filter.weights = axis->weights;
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
	size_t size = axis->filter.size;
	size_t stride = (count_taps(in, (unsigned)size) + RESIZE_GROUP - 1) / RESIZE_GROUP * RESIZE_GROUP;
	double scale = (double)in / (double)size, support = scale < 1 ? 1 : scale;

	axis->filter.stride = stride;
	memset(axis->weights, 0, size * stride * sizeof(*axis->weights));
	for (unsigned i = 0; i < size; i++) {
		double center = (i + 0.5) * scale, sum = 0;
		int32_t *weights = axis->weights + i * stride;
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
						       (1 << RESIZE_FRACTION_BITS));
		axis->first[i] = (unsigned)first;
		axis->count[i] = (unsigned)(end - first);
	}
}

int image_resizer_open(unsigned width, unsigned height, unsigned threads,
		       struct image_resizer **ret_resizer, struct engine_error *error)
{
	struct image_resizer *resizer;
	int r;

	r = image_check_size(width, height, error);
	if (r)
		return r;
	resizer = calloc(1, sizeof(*resizer));
	if (!resizer)
		return engine_fail_memory(error);
	resizer->stride = (size_t)width * 3 + 1;
	if (axis_open(&resizer->x, width) || axis_open(&resizer->y, height))
		goto no_memory;
	for (; resizer->lane_count < threads; resizer->lane_count++) {
		struct lane *lane = &resizer->lanes[resizer->lane_count];

		lane->ring = malloc(resizer->y.taps_max * resizer->stride);
		lane->rows = calloc(resizer->y.taps_max, sizeof(*lane->rows));
		if (!lane->ring || !lane->rows) {
			free(lane->ring);
			free(lane->rows);
			goto no_memory;
		}
	}
	*ret_resizer = resizer;
	return 0;
no_memory:
	image_resizer_free(resizer);
	return engine_fail_memory(error);
}

struct image_resizer *image_resizer_free(struct image_resizer *resizer)
{
	if (!resizer)
		return NULL;
	axis_close(&resizer->x);
	axis_close(&resizer->y);
	for (unsigned i = 0; i < resizer->lane_count; i++) {
		free(resizer->lanes[i].ring);
		free(resizer->lanes[i].rows);
	}
	free(resizer);
	return NULL;
}

struct run {
	struct image_resizer *resizer;
	const struct engine_image *image;
	uint8_t *rgb;
};

/* A thread's share of the output rows. */
static void resize_share(void *argument, unsigned index, unsigned count)
{
	const struct run *run = argument;
	struct image_resizer *resizer = run->resizer;
	struct lane *lane = &resizer->lanes[index];
	const struct isa *isa = isa_best();
	const struct resize_filter *y = &resizer->y.filter;
	size_t width = resizer->stride - 1, begin, end;
	unsigned next = 0;	/* the first row that is not in the ring yet */

	threadpool_share(y->size, 1, index, count, &begin, &end);
	for (size_t i = begin; i < end; i++) {
		if (next < y->first[i])
			next = y->first[i];
		for (; next < y->first[i] + y->count[i]; next++)
			isa->resize_row(&resizer->x.filter,
					run->image->pixels + (size_t)next * run->image->width * 3,
					lane->ring + next % y->stride * resizer->stride);
		for (unsigned k = 0; k < y->count[i]; k++)
			lane->rows[k] = lane->ring + (y->first[i] + k) % y->stride * resizer->stride;
		isa->resize_column(lane->rows, y->weights + i * y->stride, y->count[i], width,
				   run->rgb + i * width);
	}
}

void image_resizer_run(struct image_resizer *resizer, struct threadpool *pool,
		       const struct engine_image *image, uint8_t *rgb)
{
	struct run run = {resizer, image, rgb};

	axis_plan(&resizer->x, image->width);
	axis_plan(&resizer->y, image->height);
	threadpool_run(pool, resize_share, &run);
}

int engine_image_resize(const struct engine_image *image, unsigned width,
			unsigned height, uint8_t *ret_rgb, struct engine_error *error)
{
	struct image_resizer *resizer;
	int r;

	r = image_resizer_open(width, height, 1, &resizer, error);
	if (r)
		return r;
	image_resizer_run(resizer, NULL, image, ret_rgb);
	image_resizer_free(resizer);
	return 0;
}
