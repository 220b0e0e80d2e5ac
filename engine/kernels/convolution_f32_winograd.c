/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * convolution_f32_winograd.c: convolutions with stride 1 by minimal filtering
 * (winograd.h), where the estimate says that it takes less time than implicit
 * GEMM. The output is cut into tiles; for each the input under it becomes
 * `points` values a channel, which are multiplied with as many matrices of
 * weights by the tiles of convolution_f32.c, and the products become outputs.
 *
 * A thread takes a band of tiles at a time, so that what goes in and what comes
 * out of the products stays in its second-level cache: the band's values for all
 * input channels, then, column of output channels after column, the products of
 * the column, which are turned into outputs at once. Where there are few tiles
 * for each thread the weights are what costs: then all threads share one band
 * and split the columns instead.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/implicit_gemm.h"
#include "engine/kernels/f32.h"
#include "engine/threadpool.h"

/* Of values and products of a band. */
#define BAND_BYTES (768u << 10)
/* Below so many tiles a thread, the band is shared. */
#define TILES_FEW 24u
/* Bounds the memory of a band. */
#define DEPTH_MAX 4096u

struct prepared {
	const struct winograd_kernel *kernel;
	struct winograd_axis axis;
	struct gemm_window window;
	/* Along each direction; 1 where nothing is done. */
	unsigned outputs_y, outputs_x, points_y, points_x, tiles_y, tiles_x;
	size_t depth, depth_stride;	/* input channels, the same in whole vectors */
	struct f32_columns columns;
	size_t widest;
};

struct packing {
	struct prepared *prepared;
	const float *weights, *bias;
};

/* What depends on the number of threads. */
struct split {
	bool shared;
	size_t band;		/* tiles */
	size_t value_stride, product_stride;	/* floats from a point to the next */
	size_t values_size, products_size;	/* floats in all */
};

struct run {
	const struct kernel_call *call;
	const struct prepared *prepared;
	struct split split;
	float *padding, *values, *products, *sink;
	size_t total_cost;
};

static size_t tile_count(const struct prepared *p)
{
	return (size_t)p->tiles_y * p->tiles_x;
}

static size_t point_count(const struct prepared *p)
{
	return (size_t)p->points_y * p->points_x;
}

/* Neighbouring points a whole, odd number of cache lines apart: a power of two
 * would put them all into the same few places of the cache. */
static size_t odd_lines(size_t floats)
{
	return ((floats + 15) / 16 | 1) * 16;
}

/* --- Choice ------------------------------------------------------------------- */

static const struct winograd_kernel *choose(const struct kernel_task *task)
{
	const struct isa *isa = isa_best();
	const struct graph_node *node = task->node;
	const struct graph_window *w = &node->window;
	unsigned taps = w->kernel_height > w->kernel_width ? w->kernel_height : w->kernel_width;
	unsigned directions = (w->kernel_height > 1 ? 1u : 0u) + (w->kernel_width > 1 ? 1u : 0u);
	struct winograd_work work = {
		node->shape.height, node->shape.width, w->kernel_height, w->kernel_width,
		task->graph->nodes[node->inputs[0]].shape.channels, node->shape.channels,
		isa->conv_f32[isa->conv_f32_count - 1].columns,
	};
	const struct winograd_kernel *best = NULL;
	double least = winograd_plain_cost(&work);

	if (work.input_channels > DEPTH_MAX || node->groups != 1 || w->dilation_height != 1 ||
	    w->dilation_width != 1 || w->stride_height != 1 || w->stride_width != 1 ||
	    (directions == 2 && w->kernel_height != w->kernel_width))
		return NULL;
	for (size_t k = 0; k < WINOGRAD_KERNEL_COUNT; k++) {
		const struct winograd_kernel *kernel = &isa->winograd[k];
		double cost;

		if (kernel->taps != taps || kernel->directions != directions)
			continue;
		cost = winograd_cost(&work, kernel->outputs);
		if (cost < least) {
			least = cost;
			best = kernel;
		}
	}
	return best;
}

static bool fits(const struct kernel_task *task)
{
	return choose(task);
}

/* --- Weights ------------------------------------------------------------------ */

/* The taps of one output channel, CHUNK input channels at a time, at all points. */
#define CHUNK 16u

static void transform_weights(const struct prepared *p, const float *weights, size_t channels,
			      double ret_values[WINOGRAD_TILE_MAX][CHUNK])
{
	const struct gemm_window *w = &p->window;
	double half[WINOGRAD_TILE_MAX][CHUNK];

	for (unsigned y = 0; y < w->kernel_height; y++)
		for (unsigned u = 0; u < p->points_x; u++) {
			double *sums = half[y * p->points_x + u];

			memset(sums, 0, sizeof(half[0]));
			for (unsigned x = 0; x < w->kernel_width; x++) {
				const float *tap = weights + (y * w->kernel_width + x) * p->depth;
				double factor = p->points_x > 1 ? p->axis.weight[u][x] : 1;

				for (size_t c = 0; c < channels; c++)
					sums[c] += factor * (double)tap[c];
			}
		}
	for (unsigned v = 0; v < p->points_y; v++)
		for (unsigned u = 0; u < p->points_x; u++) {
			double *sums = ret_values[v * p->points_x + u];

			memset(sums, 0, sizeof(half[0]));
			for (unsigned y = 0; y < w->kernel_height; y++) {
				const double *tap = half[y * p->points_x + u];
				double factor = p->points_y > 1 ? p->axis.weight[v][y] : 1;

				for (size_t c = 0; c < CHUNK; c++)
					sums[c] += factor * tap[c];
			}
		}
}

static void pack_column(const struct packing *packing, struct gemm_column *column)
{
	const struct prepared *p = packing->prepared;
	size_t width = column->kernel->columns, points = point_count(p);
	size_t taps = (size_t)p->window.kernel_height * p->window.kernel_width;
	float *packed = column->weights, *bias = column->bias;
	double values[WINOGRAD_TILE_MAX][CHUNK];

	for (size_t n = 0; n < width; n++)
		bias[n] = n < column->channels ? packing->bias[column->begin + n] : 0;
	/* chunk by chunk, so that what is written at a time stays in cache; the
	 * memory is zero where there are no channels */
	for (size_t c = 0; c < p->depth; c += CHUNK) {
		size_t channels = p->depth - c < CHUNK ? p->depth - c : CHUNK;

		for (size_t n = 0; n < column->channels; n++) {
			const float *weights =
				packing->weights + (column->begin + n) * taps * p->depth + c;

			transform_weights(p, weights, channels, values);
			for (size_t point = 0; point < points; point++)
				for (size_t i = 0; i < channels; i++)
					packed[(point * p->depth + c + i) * width + n] =
						(float)values[point][i];
		}
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

static int cut(struct prepared *p, unsigned channels, struct engine_error *error)
{
	/* no rows of the last block are wasted, so the number does not matter */
	const size_t many = 1000;
	int r = f32_columns_open(&p->columns, many, channels, point_count(p) * p->depth, error);

	if (r == 0)
		r = f32_columns_allocate(&p->columns, point_count(p) * p->depth, error);
	if (r)
		return r;
	for (size_t c = 0; c < p->columns.count; c++)
		if (p->columns.columns[c].kernel->columns > p->widest)
			p->widest = p->columns.columns[c].kernel->columns;
	return 0;
}

static int prepare(const struct kernel_task *task, void *packed, void **ret_prepared,
		   struct engine_error *error)
{
	const struct graph_node *node = task->node;
	const struct graph_shape *in = &task->graph->nodes[node->inputs[0]].shape;
	const struct graph_window *w = &node->window;
	struct prepared *p = calloc(1, sizeof(*p));
	void *weights = NULL;
	int r;

	if (!p)
		return engine_fail_memory(error);
	p->kernel = choose(task);
	p->axis = winograd_axis(p->kernel->outputs, p->kernel->taps);
	p->window = f32_window(task);
	p->outputs_y = w->kernel_height > 1 ? p->kernel->outputs : 1;
	p->outputs_x = w->kernel_width > 1 ? p->kernel->outputs : 1;
	p->points_y = p->outputs_y + w->kernel_height - 1;
	p->points_x = p->outputs_x + w->kernel_width - 1;
	p->tiles_y = (node->shape.height + p->outputs_y - 1) / p->outputs_y;
	p->tiles_x = (node->shape.width + p->outputs_x - 1) / p->outputs_x;
	p->depth = in->channels;
	p->depth_stride = gemm_round_up(p->depth, 16);
	r = cut(p, node->shape.channels, error);
	if (r == 0)
		r = f32_weights_prepare(task, packed, &weights, error);
	if (r == 0) {
		struct packing packing = {
			p, ((const struct f32_weights *)weights)->weights,
			((const struct f32_weights *)weights)->bias,
		};

		for (size_t c = 0; c < p->columns.count; c++)
			pack_column(&packing, &p->columns.columns[c]);
		f32_weights_release(weights);
		gguf_forget(task->graph->file, node->weight);
		*ret_prepared = p;
		p = NULL;
	}
	release(p);
	return r;
}

/* --- Memory ------------------------------------------------------------------- */

/* A band that fits the cache, all of a thread's tiles cut into equal ones. */
static struct split split(const struct prepared *p, unsigned threads)
{
	size_t tiles = tile_count(p), points = point_count(p);
	size_t tile_bytes = points * (p->depth_stride + p->widest) * sizeof(float);
	size_t most = BAND_BYTES / tile_bytes, own = (tiles + threads - 1) / threads;
	struct split split = {.shared = threads > 1 && own < TILES_FEW};

	if (split.shared)
		own = tiles;
	most = most < TILES_FEW ? TILES_FEW : most;
	split.band = split.shared ? tiles : own / ((own + most - 1) / most) + 1;
	split.value_stride = odd_lines(split.band * p->depth_stride);
	split.product_stride = odd_lines(split.band * p->widest);
	split.values_size = points * split.value_stride;
	split.products_size = points * split.product_stride;
	return split;
}

/* In floats. What lies beyond the edge of the input reads the padding, and what
 * lies beyond that of the output is written to the sink. */
static size_t padding_size(const struct prepared *p)
{
	return p->depth_stride + 16;
}

static size_t sink_size(const struct kernel_task *task)
{
	return gemm_round_up(task->node->shape.channels, 16);
}

static size_t scratch_with(const struct kernel_task *task, const struct prepared *p,
			   unsigned threads)
{
	struct split s = split(p, threads);

	return (padding_size(p) + s.values_size * (s.shared ? 1 : threads) +
		(s.products_size + sink_size(task)) * threads) * sizeof(float);
}

/* With these threads or fewer. */
static size_t scratch(const struct kernel_task *task, const void *prepared, unsigned threads)
{
	size_t most = 0;

	for (unsigned t = 1; t <= threads; t++) {
		size_t size = scratch_with(task, prepared, t);

		most = size > most ? size : most;
	}
	return most;
}

/* --- Running ------------------------------------------------------------------ */

/* The values of the tiles begin to end, the first at `first`. */
static void transform(const struct run *run, size_t begin, size_t end, size_t first, float *values)
{
	const struct prepared *p = run->prepared;
	const struct kernel_view *in = &run->call->inputs[0];

	for (size_t t = begin; t < end; t++) {
		ptrdiff_t top = (ptrdiff_t)(t / p->tiles_x * p->outputs_y) -
				(ptrdiff_t)p->window.pad_top;
		ptrdiff_t left = (ptrdiff_t)(t % p->tiles_x * p->outputs_x) -
				 (ptrdiff_t)p->window.pad_left;
		const float *pixels[WINOGRAD_TILE_MAX];
		size_t count = 0;

		for (ptrdiff_t y = top; y < top + (ptrdiff_t)p->points_y; y++)
			for (ptrdiff_t x = left; x < left + (ptrdiff_t)p->points_x; x++)
				pixels[count++] =
					y < 0 || x < 0 || y >= (ptrdiff_t)in->shape.height ||
							x >= (ptrdiff_t)in->shape.width
						? run->padding
						: f32_pixel(in, (unsigned)y, (unsigned)x);
		p->kernel->input(&p->axis, pixels, p->depth, values + (t - first) * p->depth_stride,
				 run->split.value_stride);
	}
}

/* Tile t's part of a column from its products. */
static void finish(const struct run *run, const struct gemm_column *column, size_t t,
		   const float *products, float *sink)
{
	const struct prepared *p = run->prepared;
	const struct kernel_view *out = &run->call->output;
	size_t top = t / p->tiles_x * p->outputs_y, left = t % p->tiles_x * p->outputs_x;
	struct winograd_store store = {
		column->bias, run->call->task->minimum, run->call->task->maximum, column->channels,
	};
	float *pixels[WINOGRAD_TILE_MAX];
	size_t count = 0;

	for (size_t y = top; y < top + p->outputs_y; y++)
		for (size_t x = left; x < left + p->outputs_x; x++)
			pixels[count++] = y >= out->shape.height || x >= out->shape.width
						  ? sink
						  : f32_output_pixel(out, (unsigned)y, (unsigned)x) +
							    column->begin;
	p->kernel->output(&p->axis, products, run->split.product_stride, &store, pixels);
}

/* The products of the tiles begin to end of a column at one point. */
static void multiply_point(const struct run *run, const struct gemm_column *column, size_t point,
			   size_t begin, size_t end, const float *values, float *products)
{
	const struct prepared *p = run->prepared;
	size_t most = column->kernel->rows, width = column->kernel->columns, rows;
	const float *weights = (const float *)column->weights + point * p->depth * width;

	values += point * run->split.value_stride;
	products += point * run->split.product_stride;
	for (size_t t = begin; t < end; t += rows) {
		rows = end - t < most ? end - t : most;
		column->kernel->product(rows, values + t * p->depth_stride, p->depth_stride,
					p->depth, weights, products + t * p->widest, p->widest);
	}
}

/* All that falls into begin to end of the cost of a band of tiles. */
static void multiply(const struct run *run, size_t first_tile, size_t tiles, size_t begin,
		     size_t end, const float *values, float *products, float *sink)
{
	const struct prepared *p = run->prepared;
	size_t at = 0, points = point_count(p);

	for (size_t c = 0; c < p->columns.count; c++) {
		const struct gemm_column *column = &p->columns.columns[c];
		size_t first, last;

		gemm_blocks(column, tiles, begin, end, &at, &first, &last);
		first *= column->kernel->rows;
		last *= column->kernel->rows;
		if (last > tiles)
			last = tiles;
		if (first >= last)
			continue;
		for (size_t point = 0; point < points; point++)
			multiply_point(run, column, point, first, last, values, products);
		for (size_t t = first; t < last; t++)
			finish(run, column, first_tile + t, products + t * p->widest, sink);
	}
}

static void run_bands(void *argument, unsigned index, unsigned count)
{
	const struct run *run = argument;
	const struct prepared *p = run->prepared;
	float *values = run->values + index * run->split.values_size;
	float *products = run->products + index * run->split.products_size;
	float *sink = run->sink + index * sink_size(run->call->task);
	size_t begin, end;

	threadpool_share(tile_count(p), 1, index, count, &begin, &end);
	for (size_t t = begin; t < end; t += run->split.band) {
		size_t tiles = end - t < run->split.band ? end - t : run->split.band;

		transform(run, t, t + tiles, t, values);
		multiply(run, t, tiles, 0, gemm_cost(p->columns.columns, p->columns.count, tiles), values,
			 products, sink);
	}
}

static void run_transform(void *argument, unsigned index, unsigned count)
{
	const struct run *run = argument;
	size_t begin, end;

	threadpool_share(tile_count(run->prepared), 1, index, count, &begin, &end);
	transform(run, begin, end, 0, run->values);
}

static void run_multiply(void *argument, unsigned index, unsigned count)
{
	const struct run *run = argument;
	size_t begin, end;

	threadpool_share(run->total_cost, 1, index, count, &begin, &end);
	multiply(run, 0, tile_count(run->prepared), begin, end, run->values,
		 run->products + index * run->split.products_size,
		 run->sink + index * sink_size(run->call->task));
}

static void run(const struct kernel_call *call)
{
	const struct prepared *p = call->prepared;
	unsigned threads = threadpool_threads(call->pool);
	struct run run = {
		.call = call,
		.prepared = p,
		.split = split(p, threads),
		.padding = call->scratch,
	};

	run.values = run.padding + padding_size(p);
	run.products = run.values + run.split.values_size * (run.split.shared ? 1 : threads);
	run.sink = run.products + run.split.products_size * threads;
	memset(run.padding, 0, padding_size(p) * sizeof(float));
	if (!run.split.shared) {
		threadpool_run(call->pool, run_bands, &run);
		return;
	}
	run.total_cost = gemm_cost(p->columns.columns, p->columns.count, tile_count(p));
	threadpool_run(call->pool, run_transform, &run);
	threadpool_run(call->pool, run_multiply, &run);
}

const struct kernel convolution_f32_winograd = {
	.name = "conv2d_f32_winograd",
	.operator = GRAPH_CONVOLUTION,
	.type = KERNEL_F32,
	.fits = fits,
	.prepare = prepare,
	.release = release,
	.scratch = scratch,
	.run = run,
};
