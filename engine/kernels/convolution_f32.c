/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * convolution_f32.c: convolutions in 32-bit floats by implicit GEMM, the way of
 * conv_q8.c without zero points. Weights are packed once; the originals in the
 * file's mapping are then given back.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/implicit_gemm.h"
#include "engine/kernels/f32.h"
#include "engine/threadpool.h"

struct prepared {
	struct gemm_window window;
	bool padded;
	size_t depth;		/* input channels */
	struct f32_columns columns;
};

struct packing {
	struct prepared *prepared;
	const float *weights, *bias;
};

struct run {
	const struct kernel_call *call;
	const struct prepared *prepared;
	size_t tap_count, tap_channels, tap_columns;
	size_t total_cost;
	float *padding;
	const uint8_t **taps;
};

static size_t tap_total(const struct gemm_window *w)
{
	return (size_t)w->kernel_height * w->kernel_width;
}

static size_t pixel_count(const struct gemm_window *w)
{
	return (size_t)w->output_height * w->output_width;
}

static void pack_column(const struct packing *packing, struct gemm_column *column)
{
	const struct prepared *p = packing->prepared;
	size_t width = column->kernel->columns, depth = tap_total(&p->window) * p->depth;
	float *packed = column->weights, *bias = column->bias;

	for (size_t n = 0; n < width; n++)
		bias[n] = n < column->channels ? packing->bias[column->begin + n] : 0;
	for (size_t k = 0; k < depth; k += 16) {
		size_t step = depth - k < 16 ? depth - k : 16;

		for (size_t n = 0; n < width; n++)
			for (size_t i = 0; i < step; i++)
				packed[(k + i) * width + n] =
					n < column->channels
						? packing->weights[(column->begin + n) * depth + k + i]
						: 0;
	}
}

static void release(void *argument)
{
	struct prepared *p = argument;

	if (!p)
		return;
	f32_columns_close(&p->columns);
	free(p);
}

static int prepare(const struct kernel_task *task, void *packed, void **ret_prepared,
		   struct engine_error *error)
{
	const struct graph_node *node = task->node;
	struct prepared *p = calloc(1, sizeof(*p));
	void *weights = NULL;
	struct packing packing;
	int r;

	if (!p)
		return engine_fail_memory(error);
	r = f32_weights_prepare(task, packed, &weights, error);
	if (r)
		goto fail;
	p->window = f32_window(task);
	p->padded = gemm_is_padded(&p->window);
	p->depth = task->graph->nodes[node->inputs[0]].shape.channels;
	r = f32_columns_open(&p->columns, pixel_count(&p->window), node->shape.channels,
			     tap_total(&p->window) * p->depth, error);
	if (r)
		goto fail;
	packing = (struct packing){
		p, ((const struct f32_weights *)weights)->weights,
		((const struct f32_weights *)weights)->bias,
	};
	for (size_t c = 0; c < p->columns.count; c++)
		pack_column(&packing, &p->columns.columns[c]);
	f32_weights_release(weights);
	gguf_forget(task->graph->file, node->weight);
	*ret_prepared = p;
	return 0;
fail:
	if (weights)
		f32_weights_release(weights);
	release(p);
	return r;
}

/* Padding for a tap, then the pointers. */
static size_t padding_size(const struct prepared *p)
{
	return gemm_round_up(p->depth * sizeof(float) + KERNEL_OVERREAD, GEMM_ALIGNMENT);
}

static size_t scratch(const struct kernel_task *task, const void *prepared, unsigned threads)
{
	const struct prepared *p = prepared;

	(void)task;
	(void)threads;
	return padding_size(p) +
	       tap_total(&p->window) * gemm_tap_stride(&p->window) * sizeof(uint8_t *);
}

static void point(void *argument, unsigned index, unsigned count)
{
	const struct run *run = argument;
	const struct kernel_view *in = &run->call->inputs[0];
	size_t begin, end;

	threadpool_share(run->prepared->window.output_height, 1, index, count, &begin, &end);
	gemm_point(&run->prepared->window, in->data, in->pixel_stride * sizeof(float), run->padding,
		   run->tap_columns, begin, end, run->taps);
}

static void multiply(void *argument, unsigned index, unsigned count)
{
	const struct run *run = argument;
	const struct prepared *p = run->prepared;
	const struct kernel_call *call = run->call;
	size_t pixels = pixel_count(&p->window), at = 0, begin, end;
	struct conv_f32_tile tile = {
		.tap_stride = gemm_tap_stride(&p->window),
		.tap_count = run->tap_count,
		.tap_channels = run->tap_channels,
		.low = call->task->minimum,
		.high = call->task->maximum,
		.output_stride = call->output.pixel_stride,
	};

	threadpool_share(run->total_cost, 1, index, count, &begin, &end);
	for (size_t c = 0; c < p->columns.count; c++) {
		const struct gemm_column *column = &p->columns.columns[c];
		size_t rows = column->kernel->rows, first, last;

		gemm_blocks(column, pixels, begin, end, &at, &first, &last);
		tile.columns = column->channels;
		tile.weights = column->weights;
		tile.bias = column->bias;
		for (size_t b = first; b < last; b++) {
			size_t pixel = b * rows;

			tile.rows = pixels - pixel < rows ? pixels - pixel : rows;
			tile.taps = run->taps + pixel;
			tile.output = (float *)call->output.data +
				      pixel * call->output.pixel_stride + column->begin;
			column->kernel->f32(&tile);
		}
	}
}

static void run(const struct kernel_call *call)
{
	const struct prepared *p = call->prepared;
	const struct gemm_window *w = &p->window;
	struct run run = {
		.call = call,
		.prepared = p,
		.tap_count = tap_total(w),
		.tap_channels = p->depth,
		.tap_columns = w->kernel_width,
		.total_cost = gemm_cost(p->columns.columns, p->columns.count, pixel_count(w)),
		.padding = call->scratch,
		.taps = (const uint8_t **)(void *)((char *)call->scratch + padding_size(p)),
	};

	/* Taps that lie side by side in memory are one. */
	if (!p->padded && call->inputs[0].pixel_stride == p->depth) {
		run.tap_count = w->kernel_height;
		run.tap_channels *= w->kernel_width;
		run.tap_columns = 1;
	}
	if (p->padded)
		memset(run.padding, 0, padding_size(p));
	threadpool_run(call->pool, point, &run);
	threadpool_run(call->pool, multiply, &run);
}

static bool fits(const struct kernel_task *task)
{
	const struct graph_window *w = &task->node->window;

	return task->node->groups == 1 && w->dilation_height == 1 && w->dilation_width == 1;
}

const struct kernel convolution_f32 = {
	.name = "conv2d_f32",
	.operator = GRAPH_CONVOLUTION,
	.type = KERNEL_F32,
	.fits = fits,
	.prepare = prepare,
	.release = release,
	.scratch = scratch,
	.run = run,
};
