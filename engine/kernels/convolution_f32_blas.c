/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * convolution_f32_blas.c: convolution as a matrix product by OpenBLAS. A band of
 * output rows is unrolled into a matrix with one row of taps for each output
 * pixel (im2col); 1 × 1 convolutions with stride 1 need no unrolling. Weights
 * stand as [channels, taps], which is the transposed right-hand matrix, so they
 * are used where they lie. OpenBLAS shares out its own work; the unrolling is
 * shared out by the pool.
 */
#include <cblas.h>
#include <string.h>

#include "engine/kernels/f32.h"
#include "engine/threadpool.h"

/* The unrolled band is kept to about this size, so that it stays in cache. */
#define BAND_BYTES (1u << 20)

static size_t taps_of(const struct graph_node *node)
{
	return node->weight->count / node->shape.channels;
}

static bool is_pointwise(const struct graph_node *node)
{
	const struct graph_window *w = &node->window;

	return w->kernel_height == 1 && w->kernel_width == 1 && w->stride_height == 1 &&
	       w->stride_width == 1 && !w->pad_top && !w->pad_left && !w->pad_bottom &&
	       !w->pad_right;
}

/* Output rows unrolled at once. */
static unsigned band_height(const struct graph_node *node)
{
	size_t row = node->shape.width * taps_of(node) * sizeof(float);
	size_t rows = BAND_BYTES / row;

	return rows < 1 ? 1 : rows > node->shape.height ? node->shape.height : (unsigned)rows;
}

static size_t scratch(const struct kernel_task *task, const void *prepared, unsigned threads)
{
	const struct graph_node *node = task->node;

	(void)prepared;
	(void)threads;
	if (is_pointwise(node))
		return 0;
	return band_height(node) * node->shape.width * taps_of(node) * sizeof(float);
}

struct band {
	const struct kernel_call *call;
	unsigned group, first_row, rows;
};

static void unroll_rows(void *argument, unsigned index, unsigned count)
{
	const struct band *band = argument;
	const struct graph_node *node = band->call->task->node;
	const struct graph_window *w = &node->window;
	const struct kernel_view *in = &band->call->inputs[0];
	unsigned depth = in->shape.channels / node->groups;
	size_t taps = taps_of(node), begin, end;

	threadpool_share((size_t)band->rows * node->shape.width, 1, index, count, &begin, &end);
	for (size_t i = begin; i < end; i++) {
		unsigned out_y = band->first_row + (unsigned)(i / node->shape.width);
		unsigned out_x = (unsigned)(i % node->shape.width);
		float *row = (float *)band->call->scratch + i * taps;

		for (unsigned ky = 0; ky < w->kernel_height; ky++) {
			unsigned y = out_y * w->stride_height + ky * w->dilation_height - w->pad_top;

			for (unsigned kx = 0; kx < w->kernel_width; kx++, row += depth) {
				unsigned x = out_x * w->stride_width + kx * w->dilation_width -
					     w->pad_left;

				if (y < in->shape.height && x < in->shape.width)
					memcpy(row, f32_pixel(in, y, x) + band->group * depth,
					       depth * sizeof(*row));
				else
					memset(row, 0, depth * sizeof(*row));
			}
		}
	}
}

/* out[pixels × channels] += rows · weightsᵀ, out holding the bias already; then
 * the clamp. The products lie `ld` apart in the matrices. */
static void multiply(const struct band *band, const float *rows, size_t ld_rows, float *out,
		     size_t pixels)
{
	const struct kernel_call *call = band->call;
	const struct graph_node *node = call->task->node;
	const struct f32_weights *weights = call->prepared;
	unsigned channels = node->shape.channels / node->groups;
	size_t taps = taps_of(node), stride = call->output.pixel_stride;
	const float *bias = weights->bias + band->group * channels;
	float minimum = call->task->minimum, maximum = call->task->maximum;

	for (size_t i = 0; i < pixels; i++)
		memcpy(out + i * stride, bias, channels * sizeof(*out));
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)pixels, (int)channels, (int)taps,
		    1, rows, (int)ld_rows,
		    weights->weights + (size_t)band->group * channels * taps, (int)taps, 1, out,
		    (int)stride);
	for (size_t i = 0; i < pixels; i++)
		for (unsigned c = 0; c < channels; c++)
			out[i * stride + c] = f32_clamp(out[i * stride + c], minimum, maximum);
}

static void run(const struct kernel_call *call)
{
	const struct graph_node *node = call->task->node;
	const struct kernel_view *in = &call->inputs[0];
	unsigned depth = in->shape.channels / node->groups;
	unsigned channels = node->shape.channels / node->groups;
	struct band band = { .call = call };

	for (band.group = 0; band.group < node->groups; band.group++) {
		if (is_pointwise(node)) {
			multiply(&band, f32_pixel(in, 0, 0) + band.group * depth, in->pixel_stride,
				 f32_output_pixel(&call->output, 0, 0) + band.group * channels,
				 (size_t)node->shape.height * node->shape.width);
			continue;
		}
		for (unsigned y = 0; y < node->shape.height; y += band.rows) {
			unsigned rest = node->shape.height - y;

			band.first_row = y;
			band.rows = band_height(node);
			if (band.rows > rest)
				band.rows = rest;
			threadpool_run(call->pool, unroll_rows, &band);
			multiply(&band, call->scratch, taps_of(node),
				 f32_output_pixel(&call->output, y, 0) + band.group * channels,
				 (size_t)band.rows * node->shape.width);
		}
	}
}

/* Depthwise convolutions are no matrix products worth the name; and the pixels
 * of input and output must lie at one distance across rows (they do in slices
 * too, whose rows are whole rows of the concat). */
static bool fits(const struct kernel_task *task)
{
	return task->node->shape.channels / task->node->groups >= 4;
}

const struct kernel convolution_f32_blas = {
	.name = "conv2d_f32_blas",
	.operator = GRAPH_CONVOLUTION,
	.type = KERNEL_F32,
	.fits = fits,
	.prepare = f32_weights_prepare,
	.release = f32_weights_release,
	.scratch = scratch,
	.run = run,
};
