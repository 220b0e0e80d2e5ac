/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * convolution_f32.c: convolutions in 32-bit floats by implicit GEMM, the way of
 * conv_q8.c without zero points. Weights are packed once; the originals in the
 * file's mapping are then given back.
 *
 * Or 8-bit weights are packed as floats in each run, into scratch memory: slower by
 * the packing, but nothing stays in memory of a network that seldom runs in floats.
 * A fully connected layer is then a convolution of one pixel.
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
	float *bias;		/* where the weights are packed in each run, or NULL */
};

struct packing {
	const struct prepared *prepared;
	const float *weights, *bias;	/* `weights`: NULL, where they are the node's, in 8 bits */
	const struct graph_node *node;
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

/* One of a tensor's values a channel, or of its only one. */
static size_t of_channel(const struct gguf_tensor *tensor, size_t channel)
{
	return tensor->count == 1 ? 0 : channel;
}

#define ROWS_MOST 16u

/* Packs `rows` of a column's channels from `n` on, all of their depth, in squares of a
 * cache line of bytes, so that lines are read and written whole; they are turned as
 * bytes, which are fewer. For each number of rows the loops are compiled by themselves. */
static inline __attribute__((always_inline)) void
pack_rows(const struct packing *packing, const struct gemm_column *column, size_t n, size_t rows)
{
	const struct prepared *p = packing->prepared;
	const struct gguf_tensor *zeros = packing->node->weight_zero_point;
	const struct gguf_tensor *scales = packing->node->weight_scale;
	size_t width = column->kernel->columns, depth = tap_total(&p->window) * p->depth;
	float *packed = (float *)column->weights + n;
	const int8_t *row[ROWS_MOST];
	float scale[ROWS_MOST], zero[ROWS_MOST];
	int8_t square[64][ROWS_MOST];

	for (size_t r = 0; r < rows; r++) {
		bool present = n + r < column->channels;
		size_t channel = column->begin + (present ? n + r : 0);

		row[r] = (const int8_t *)packing->node->weight->data + channel * depth;
		scale[r] = present ? ((const float *)scales->data)[of_channel(scales, channel)] : 0;
		zero[r] = zeros ? ((const int8_t *)zeros->data)[of_channel(zeros, channel)] : 0;
	}
	for (size_t k = 0; k < depth; k += 64) {
		size_t step = depth - k < 64 ? depth - k : 64;

		for (size_t r = 0; r < rows; r++)
			for (size_t i = 0; i < step; i++)
				square[i][r] = row[r][k + i];
		for (size_t i = 0; i < step; i++)
			for (size_t r = 0; r < rows; r++)
				packed[(k + i) * width + r] =
					((float)square[i][r] - zero[r]) * scale[r];
	}
}

static void pack_bytes(const struct packing *packing, struct gemm_column *column)
{
	size_t width = column->kernel->columns;
	float *bias = column->bias;

	for (size_t n = 0; n < width; n++)
		bias[n] = n < column->channels ? packing->bias[column->begin + n] : 0;
	for (size_t n = 0; n < width; n += ROWS_MOST)
		if (width - n >= ROWS_MOST)
			pack_rows(packing, column, n, ROWS_MOST);
		else
			pack_rows(packing, column, n, 8);
}

static void pack_share(void *argument, unsigned index, unsigned count)
{
	const struct packing *packing = argument;
	size_t begin, end;

	threadpool_share(packing->prepared->columns.count, 1, index, count, &begin, &end);
	for (size_t c = begin; c < end; c++)
		pack_bytes(packing, &packing->prepared->columns.columns[c]);
}

static void release(void *argument)
{
	struct prepared *p = argument;

	if (!p)
		return;
	f32_columns_close(&p->columns);
	free(p->bias);
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
	if (r == 0)
		r = f32_columns_allocate(&p->columns, tap_total(&p->window) * p->depth, error);
	if (r)
		goto fail;
	packing = (struct packing){
		.prepared = p, .weights = ((const struct f32_weights *)weights)->weights,
		.bias = ((const struct f32_weights *)weights)->bias,
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

static void convolve(const struct kernel_call *call, const struct prepared *p, void *scratch)
{
	const struct gemm_window *w = &p->window;
	struct run run = {
		.call = call,
		.prepared = p,
		.tap_count = tap_total(w),
		.tap_channels = p->depth,
		.tap_columns = w->kernel_width,
		.total_cost = gemm_cost(p->columns.columns, p->columns.count, pixel_count(w)),
		.padding = scratch,
		.taps = (const uint8_t **)(void *)((char *)scratch + padding_size(p)),
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

static void run(const struct kernel_call *call)
{
	convolve(call, call->prepared, call->scratch);
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

/* --- Packed in each run -------------------------------------------------------- */

static bool has_bytes(const struct kernel_task *task)
{
	return task->node->weight->type == GGUF_TENSOR_I8 && task->node->weight_scale;
}

static bool fits_once(const struct kernel_task *task)
{
	return fits(task) && has_bytes(task);
}

static int prepare_once(const struct kernel_task *task, void *packed, void **ret_prepared,
			struct engine_error *error)
{
	const struct graph_node *node = task->node;
	struct prepared *p = calloc(1, sizeof(*p));
	int r;

	(void)packed;
	if (!p)
		return engine_fail_memory(error);
	if (node->operator == GRAPH_CONVOLUTION) {
		p->window = f32_window(task);
		p->depth = task->graph->nodes[node->inputs[0]].shape.channels;
	} else {
		p->window = (struct gemm_window){ 1, 1, 1, 1, 1, 1, 1, 1, 0, 0 };
		p->depth = node->weight->count / node->shape.channels;
	}
	p->padded = gemm_is_padded(&p->window);
	p->bias = calloc(node->shape.channels, sizeof(*p->bias));
	r = p->bias ? 0 : engine_fail_memory(error);
	if (r == 0)
		r = f32_columns_open(&p->columns, pixel_count(&p->window), node->shape.channels,
				     tap_total(&p->window) * p->depth, error);
	if (r) {
		release(p);
		return r;
	}
	graph_node_bias(task->graph, node, p->bias);
	*ret_prepared = p;
	return 0;
}

/* The columns' own copies, then what they hold. */
static size_t columns_size(const struct prepared *p)
{
	return gemm_round_up(p->columns.count * sizeof(*p->columns.columns), GEMM_ALIGNMENT);
}

static size_t scratch_once(const struct kernel_task *task, const void *prepared, unsigned threads)
{
	const struct prepared *p = prepared;

	return columns_size(p) + p->columns.size + scratch(task, prepared, threads);
}

static void run_once(const struct kernel_call *call)
{
	const struct prepared *p = call->prepared;
	char *packed = (char *)call->scratch + columns_size(p);
	struct prepared own = *p;
	struct packing packing = { .prepared = &own, .bias = p->bias, .node = call->task->node };

	own.columns.columns = call->scratch;
	memcpy(own.columns.columns, p->columns.columns, p->columns.count * sizeof(*p->columns.columns));
	gemm_place(own.columns.columns, p->columns.count, tap_total(&p->window) * p->depth,
		   (float *)(void *)packed);
	threadpool_run(call->pool, pack_share, &packing);
	gguf_forget(call->task->graph->file, call->task->node->weight);
	convolve(call, &own, packed + p->columns.size);
}

const struct kernel convolution_f32_once = {
	.name = "conv2d_f32_once",
	.operator = GRAPH_CONVOLUTION,
	.type = KERNEL_F32,
	.fits = fits_once,
	.prepare = prepare_once,
	.release = release,
	.scratch = scratch_once,
	.run = run_once,
};

const struct kernel fully_connected_f32_once = {
	.name = "fully_connected_f32_once",
	.operator = GRAPH_FULLY_CONNECTED,
	.type = KERNEL_F32,
	.fits = has_bytes,
	.prepare = prepare_once,
	.release = release,
	.scratch = scratch_once,
	.run = run_once,
};
