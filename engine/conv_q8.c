/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * conv_q8.c: implicit GEMM over indirection pointers. Nothing is copied: for
 * each output pixel and kernel tap the scratch memory holds a pointer to the
 * input bytes, or to a row of the input's zero point where the tap lies in the
 * padding. Taps that stand side by side in memory, as in convolutions without
 * horizontal padding, are one longer tap; that makes a first layer of three
 * channels run like any other.
 *
 * The output is cut into columns of channels, as wide as the kernels the
 * processor has, and each column into blocks of pixels. Threads share the
 * blocks, column after column, so that the weights of a column stay in the
 * second-level cache while a thread goes down its pixels.
 *
 * Zero points cost nothing in the inner loop: what multiplies the input's zero
 * point is part of the bias, and what multiplies the weights' zero point is the
 * sum of the input under the window, the same for all channels, taken from the
 * sums of the input's pixels.
 */
#include "engine/conv_q8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/implicit_gemm.h"

/* Sums of 8-bit products cannot leave 32 bits up to here. */
#define DEPTH_MAX 32768u

struct conv_q8 {
	const struct isa *isa;
	struct gemm_window window;
	unsigned input_channels;
	/* How the weights are packed. */
	size_t tap_count, tap_bytes;
	bool padded;
	uint8_t input_zero;
	int32_t row_factor;
	struct requantisation requantisation;
	struct gemm_column *columns;
	size_t column_count;
};

struct conv_q8_set {
	struct conv_q8 *convs;
	size_t count;
	struct gemm_column *columns;
	size_t column_count;
	size_t size;		/* of what is packed */
};

static size_t pixel_count(const struct conv_q8 *conv)
{
	return (size_t)conv->window.output_height * conv->window.output_width;
}

/* --- Packing ------------------------------------------------------------------ */

static size_t column_weights_size(const struct conv_q8 *conv, const struct gemm_column *column)
{
	size_t group = conv->isa->conv_q8.group;

	return gemm_round_up(conv->tap_count * gemm_round_up(conv->tap_bytes, group) * column->kernel->columns,
			GEMM_ALIGNMENT);
}

static size_t column_size(const struct conv_q8 *conv, const struct gemm_column *column)
{
	return column_weights_size(conv, column) +
	       2 * gemm_round_up(column->kernel->columns * sizeof(int32_t), GEMM_ALIGNMENT);
}

/* What must be added to the weight of the description, as uint8, to be stored. */
static uint8_t weight_flip(const struct conv_q8_description *d, const struct conv_q8_kernels *table)
{
	bool is_signed = d->weights_signed, want_signed = table->weight_offset == 128;

	return is_signed == want_signed ? 0 : 0x80;
}

/* Any group; to be called with a constant, for which it is a copy of one word. */
static inline void pack_groups(const uint8_t *restrict row, size_t bytes, size_t width,
			       size_t group, uint8_t flip, uint8_t *restrict ret_packed)
{
	size_t whole = bytes / group * group, k = 0;

	for (; k < whole; k += group, ret_packed += width * group)
		for (size_t i = 0; i < group; i++)
			ret_packed[i] = row[k + i] ^ flip;
	for (size_t i = 0; k + i < bytes; i++)
		ret_packed[i] = row[k + i] ^ flip;
}

static void pack_row(const uint8_t *row, size_t bytes, size_t width, size_t group, uint8_t flip,
		     uint8_t *ret_packed)
{
	switch (group) {
	case 2:
		pack_groups(row, bytes, width, 2, flip, ret_packed);
		break;
	case 4:
		pack_groups(row, bytes, width, 4, flip, ret_packed);
		break;
	case 8:
		pack_groups(row, bytes, width, 8, flip, ret_packed);
		break;
	case 16:
		pack_groups(row, bytes, width, 16, flip, ret_packed);
		break;
	default:
		pack_groups(row, bytes, width, group, flip, ret_packed);
	}
}

static void pack_weights(const struct conv_q8_description *d, const struct conv_q8 *conv,
			 struct gemm_column *column)
{
	const struct conv_q8_kernels *table = &conv->isa->conv_q8;
	size_t depth = conv->tap_count * conv->tap_bytes, group = table->group;
	size_t width = column->kernel->columns, groups = gemm_round_up(conv->tap_bytes, group) / group;
	const uint8_t *rows = (const uint8_t *)d->weights + column->begin * depth;
	uint8_t flip = weight_flip(d, table);
	uint8_t *packed = column->weights;
	bool whole = conv->tap_bytes % group == 0;
	size_t first = 0;

	if (!whole || column->channels < width)
		memset(packed, 0, column_weights_size(conv, column));
	if (whole && group == 4 && width % 16 == 0)
		for (; first + 16 <= column->channels; first += 16)
			conv->isa->pack_words_q8(rows + first * depth, depth, 0x01010101u * flip,
						 packed + 4 * first, 4 * width);
	for (size_t t = 0; t < conv->tap_count; t++)
		for (size_t n = first; n < column->channels; n++)
			pack_row(rows + n * depth + t * conv->tap_bytes, conv->tap_bytes, width,
				 group, flip, packed + (t * groups * width + n) * group);
}

/* Σ_k (w − weight_offset) of one output channel */
static int32_t offset_sum(const struct conv_q8 *conv, const uint8_t *weights, size_t depth,
			  uint8_t flip)
{
	int32_t sum = 0;

	if (conv->isa->conv_q8.weight_offset == 128 && !flip)
		conv->isa->row_sums_q8((const int8_t *)weights, 1, depth, &sum);
	else if (conv->isa->conv_q8.weight_offset == 128)
		for (size_t k = 0; k < depth; k++)
			sum += (int8_t)(weights[k] ^ flip);
	else
		for (size_t k = 0; k < depth; k++)
			sum += weights[k] ^ flip;
	return sum;
}

static void pack_column(const struct conv_q8_description *d, const struct conv_q8 *conv,
			struct gemm_column *column)
{
	const struct conv_q8_kernels *table = &conv->isa->conv_q8;
	size_t depth = conv->tap_count * conv->tap_bytes;
	int32_t input_offset = table->activation_offset - d->input_zero;
	int32_t constant = -(int32_t)depth * d->input_zero * conv->row_factor;
	uint8_t flip = weight_flip(d, table);

	int32_t *bias = column->bias;

	pack_weights(d, conv, column);
	memset(column->bias, 0, column->kernel->columns * sizeof(int32_t));
	memset(column->scale, 0, column->kernel->columns * sizeof(float));
	for (unsigned n = 0; n < column->channels; n++) {
		size_t channel = column->begin + n;
		const uint8_t *weights = (const uint8_t *)d->weights + channel * depth;
		float scale = d->weight_scales[d->weight_scale_count > 1 ? channel : 0];

		bias[n] = (d->bias ? d->bias[channel] : 0) + constant;
		if (input_offset != 0)
			bias[n] += input_offset * offset_sum(conv, weights, depth, flip);
		column->scale[n] = (float)((double)d->input_scale * (double)scale /
					   (double)d->output_scale);
	}
}

static bool zero_fits(int32_t zero)
{
	return zero >= 0 && zero <= 255;
}

static bool scale_fits(float scale)
{
	return isfinite(scale) && scale > 0;
}

static int check(const struct conv_q8_description *d, size_t index, const struct isa *isa,
		 struct engine_error *error)
{
	size_t depth, pixels;
	int32_t low = d->weights_signed ? -128 : 0;

	if (d->input_height == 0 || d->input_width == 0 || d->input_channels == 0 ||
	    d->output_height == 0 || d->output_width == 0 || d->output_channels == 0 ||
	    d->kernel_height == 0 || d->kernel_width == 0 || d->stride_y == 0 || d->stride_x == 0 ||
	    d->pad_top >= d->kernel_height || d->pad_left >= d->kernel_width)
		return engine_fail(error, ENGINE_BAD_MODEL,
				   "Convolution %zu has an impossible shape.", index);
	if (__builtin_mul_overflow((size_t)d->kernel_height * d->kernel_width,
				   (size_t)d->input_channels, &depth) || depth > DEPTH_MAX)
		return engine_fail(error, ENGINE_UNSUPPORTED,
				   "Convolution %zu sums more than %u products; run it in 32 bits.",
				   index, DEPTH_MAX);
	if (__builtin_mul_overflow((size_t)d->output_height, (size_t)d->output_width, &pixels) ||
	    pixels > UINT32_MAX || (size_t)d->input_height * d->input_width > UINT32_MAX)
		return engine_fail(error, ENGINE_UNSUPPORTED, "Convolution %zu is too large.", index);
	if (!zero_fits(d->input_zero) || !zero_fits(d->output_zero) ||
	    d->weight_zero < low || d->weight_zero > low + 255 || d->minimum > d->maximum)
		return engine_fail(error, ENGINE_BAD_MODEL,
				   "Convolution %zu has a zero point outside of 8 bits.", index);
	if (!scale_fits(d->input_scale) || !scale_fits(d->output_scale) ||
	    (d->weight_scale_count != 1 && d->weight_scale_count != d->output_channels))
		return engine_fail(error, ENGINE_BAD_MODEL,
				   "Convolution %zu has an impossible scale.", index);
	for (size_t n = 0; n < d->weight_scale_count; n++)
		if (!scale_fits(d->weight_scales[n]))
			return engine_fail(error, ENGINE_BAD_MODEL,
					   "Convolution %zu has an impossible weight scale.", index);
	if (isa->conv_q8.narrow) {
		const uint8_t *weights = d->weights;
		uint8_t lowest = d->weights_signed ? 0x80 : 0;

		if (memchr(weights, lowest, d->output_channels * depth))
			return engine_fail(error, ENGINE_UNSUPPORTED,
					   "Convolution %zu uses the lowest 8-bit weight.", index);
	}
	return 0;
}

/* What follows from the shape. */
static void lay(struct conv_q8 *conv, const struct conv_q8_description *d, const struct isa *isa)
{
	*conv = (struct conv_q8){
		.isa = isa,
		.window = {
			d->input_height, d->input_width, d->output_height, d->output_width,
			d->kernel_height, d->kernel_width, d->stride_y, d->stride_x, d->pad_top,
			d->pad_left,
		},
		.input_channels = d->input_channels,
	};
	conv->padded = gemm_is_padded(&conv->window);
	conv->tap_count = (size_t)d->kernel_height * d->kernel_width;
	conv->tap_bytes = d->input_channels;
	/* Whole groups look the same packed either way; others are padded. */
	if (!conv->padded && d->input_pixel_stride == d->input_channels &&
	    d->input_channels % isa->conv_q8.group != 0) {
		conv->tap_count = d->kernel_height;
		conv->tap_bytes *= d->kernel_width;
	}
}

static void describe(struct conv_q8 *conv, const struct conv_q8_description *d)
{
	int32_t weight_zero = d->weight_zero + (d->weights_signed ? 128 : 0);
	struct requantisation *r = &conv->requantisation;

	conv->input_zero = (uint8_t)d->input_zero;
	conv->row_factor = (int32_t)conv->isa->conv_q8.weight_offset - weight_zero;
	r->low = (float)((int32_t)d->minimum - d->output_zero);
	r->high = (float)((int32_t)d->maximum - d->output_zero);
	r->output_zero = d->output_zero;
	r->saturating = d->minimum == 0 && d->maximum == 255;
	for (size_t n = 0; n < d->weight_scale_count; n++)
		if ((double)d->input_scale * (double)d->weight_scales[n] >= 0.9 * (double)d->output_scale)
			r->saturating = false;
}

/* Returns the number of columns; writes them when `ret_columns` is not NULL. */
static size_t cut(const struct conv_q8 *conv, const struct conv_q8_description *d,
		  struct gemm_column *ret_columns)
{
	return gemm_cut(conv->isa->conv_q8.kernels, conv->isa->conv_q8.count, pixel_count(conv),
			d->output_channels, ret_columns);
}

struct packing {
	const struct conv_q8_description *descriptions;
	struct conv_q8_set *set;
};

static void pack_share(void *argument, unsigned index, unsigned count)
{
	struct packing *packing = argument;
	struct conv_q8_set *set = packing->set;
	size_t at = 0, begin, end;

	threadpool_share(set->size, 1, index, count, &begin, &end);
	for (size_t i = 0; i < set->count; i++)
		for (size_t c = 0; c < set->convs[i].column_count; c++) {
			struct gemm_column *column = &set->convs[i].columns[c];

			if (at >= begin && at < end)
				pack_column(&packing->descriptions[i], &set->convs[i], column);
			at += column_size(&set->convs[i], column);
		}
}

/* Gives each column its place in the set's memory. */
static void place_columns(struct conv_q8_set *set, char *memory)
{
	size_t at = 0;

	for (size_t i = 0; i < set->count; i++)
		for (size_t c = 0; c < set->convs[i].column_count; c++) {
			struct conv_q8 *conv = &set->convs[i];
			struct gemm_column *column = &conv->columns[c];
			size_t weights = column_weights_size(conv, column);
			size_t vector = gemm_round_up(column->kernel->columns * sizeof(int32_t),
						      GEMM_ALIGNMENT);

			column->weights = (int8_t *)(memory + at);
			column->bias = (int32_t *)(void *)(memory + at + weights);
			column->scale = (float *)(void *)(memory + at + weights + vector);
			at += weights + 2 * vector;
		}
	set->size = at;
}

size_t conv_q8_set_size(const struct conv_q8_description *descriptions, size_t count,
			const struct isa *isa)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++) {
		struct gemm_column *columns;
		struct conv_q8 conv;
		size_t column_count;

		lay(&conv, &descriptions[i], isa);
		column_count = cut(&conv, &descriptions[i], NULL);
		columns = calloc(column_count, sizeof(*columns));
		if (!columns)
			return SIZE_MAX;
		cut(&conv, &descriptions[i], columns);
		for (size_t c = 0; c < column_count; c++)
			size += column_size(&conv, &columns[c]);
		free(columns);
	}
	return size;
}

int conv_q8_set_open(const struct conv_q8_description *descriptions, size_t count,
		     const struct isa *isa, struct threadpool *pool, void *memory,
		     struct conv_q8_set **ret_set, struct engine_error *error)
{
	struct conv_q8_set *set;
	struct packing packing;
	int r;

	set = calloc(1, sizeof(*set));
	if (!set)
		return engine_fail_memory(error);
	set->convs = calloc(count ? count : 1, sizeof(*set->convs));
	if (!set->convs) {
		r = engine_fail_memory(error);
		goto fail;
	}
	set->count = count;
	for (size_t i = 0; i < count; i++) {
		r = check(&descriptions[i], i, isa, error);
		if (r != 0)
			goto fail;
		lay(&set->convs[i], &descriptions[i], isa);
		describe(&set->convs[i], &descriptions[i]);
		set->column_count += cut(&set->convs[i], &descriptions[i], NULL);
	}
	set->columns = calloc(set->column_count ? set->column_count : 1, sizeof(*set->columns));
	if (!set->columns) {
		r = engine_fail_memory(error);
		goto fail;
	}
	for (size_t i = 0, at = 0; i < count; i++) {
		struct conv_q8 *conv = &set->convs[i];

		conv->columns = set->columns + at;
		conv->column_count = cut(conv, &descriptions[i], conv->columns);
		at += conv->column_count;
	}
	place_columns(set, memory);
	packing = (struct packing){.descriptions = descriptions, .set = set};
	threadpool_run(pool, pack_share, &packing);
	*ret_set = set;
	return 0;
fail:
	conv_q8_set_free(set);
	return r;
}

struct conv_q8_set *conv_q8_set_free(struct conv_q8_set *set)
{
	if (!set)
		return NULL;
	free(set->columns);
	free(set->convs);
	free(set);
	return NULL;
}

const struct conv_q8 *conv_q8_set_at(const struct conv_q8_set *set, size_t index)
{
	return &set->convs[index];
}

/* --- Running ------------------------------------------------------------------ */

bool conv_q8_joinable(const struct conv_q8 *a, const struct conv_q8 *b)
{
	const struct gemm_window *v = &a->window, *w = &b->window;

	return a->isa == b->isa && v->input_height == w->input_height &&
	       v->input_width == w->input_width && a->input_channels == b->input_channels &&
	       v->output_height == w->output_height && v->output_width == w->output_width &&
	       v->kernel_height == w->kernel_height && v->kernel_width == w->kernel_width &&
	       v->stride_y == w->stride_y && v->stride_x == w->stride_x &&
	       v->pad_top == w->pad_top && v->pad_left == w->pad_left &&
	       a->tap_count == b->tap_count && a->input_zero == b->input_zero;
}

struct scratch {
	uint8_t *padding;
	const uint8_t **taps;
	int32_t *window_sums, *pixel_sums;
	size_t tap_stride;
};

struct run {
	const struct conv_q8_call *calls;
	size_t count;
	const uint8_t *input;
	size_t input_pixel_stride;
	/* Taps that lie side by side in memory are one. */
	size_t tap_count, tap_bytes, tap_columns;
	struct scratch scratch;
	size_t total_cost;
};

/* A window of one pixel needs no sums but those of the pixels. */
static bool window_is_pixel(const struct conv_q8 *conv)
{
	return conv->window.kernel_height == 1 && conv->window.kernel_width == 1 && conv->window.stride_x == 1 &&
	       conv->window.stride_y == 1 && !conv->padded;
}

static size_t lay_scratch(const struct conv_q8 *conv, char *memory, struct scratch *ret_scratch)
{
	size_t pixels = gemm_tap_stride(&conv->window);
	size_t inputs = (size_t)conv->window.input_height * conv->window.input_width;
	size_t padding = gemm_round_up(conv->tap_bytes + KERNEL_OVERREAD, GEMM_ALIGNMENT);
	size_t taps = gemm_round_up(conv->tap_count * pixels * sizeof(uint8_t *), GEMM_ALIGNMENT);
	size_t windows = gemm_round_up(pixels * sizeof(int32_t), GEMM_ALIGNMENT);
	size_t sums = gemm_round_up(inputs * sizeof(int32_t), GEMM_ALIGNMENT);

	if (ret_scratch)
		*ret_scratch = (struct scratch){
			.padding = (uint8_t *)memory,
			.taps = (const uint8_t **)(void *)(memory + padding),
			.window_sums = (int32_t *)(void *)(memory + padding + taps),
			.pixel_sums = (int32_t *)(void *)(memory + padding + taps + windows),
			.tap_stride = pixels,
		};
	return padding + taps + windows + sums;
}

size_t conv_q8_scratch_size(const struct conv_q8 *conv)
{
	return lay_scratch(conv, NULL, NULL);
}

static void sum_pixels(void *argument, unsigned index, unsigned count)
{
	const struct run *run = argument;
	const struct conv_q8 *conv = run->calls[0].conv;
	int32_t *sums = window_is_pixel(conv) ? run->scratch.window_sums : run->scratch.pixel_sums;
	size_t begin, end;

	threadpool_share((size_t)conv->window.input_height * conv->window.input_width, 16, index, count, &begin,
			 &end);
	conv->isa->pixel_sums_q8(run->input + begin * run->input_pixel_stride, end - begin,
				     conv->input_channels, run->input_pixel_stride, sums + begin);
}

/* Adds the sums of the pixels under one tap along one output row. */
static void add_row(const struct run *run, const struct conv_q8 *conv, size_t oy, size_t ky,
		    size_t kx, int32_t *sums)
{
	ptrdiff_t y = (ptrdiff_t)(oy * conv->window.stride_y + ky) - (ptrdiff_t)conv->window.pad_top;
	ptrdiff_t x = (ptrdiff_t)kx - (ptrdiff_t)conv->window.pad_left;
	int32_t outside = (int32_t)(conv->input_zero * conv->input_channels);
	const int32_t *row;

	if (y < 0 || y >= (ptrdiff_t)conv->window.input_height) {
		for (size_t ox = 0; ox < conv->window.output_width; ox++)
			sums[ox] += outside;
		return;
	}
	row = run->scratch.pixel_sums + (size_t)y * conv->window.input_width;
	if (!conv->padded) {
		for (size_t ox = 0; ox < conv->window.output_width; ox++)
			sums[ox] += row[kx + ox * conv->window.stride_x];
		return;
	}
	for (size_t ox = 0; ox < conv->window.output_width; ox++, x += conv->window.stride_x)
		sums[ox] += x >= 0 && x < (ptrdiff_t)conv->window.input_width ? row[x] : outside;
}

static bool needs_sums(const struct run *run)
{
	for (size_t i = 0; i < run->count; i++)
		if (run->calls[i].conv->row_factor != 0)
			return true;
	return false;
}

static void point_windows(void *argument, unsigned index, unsigned count)
{
	struct run *run = argument;
	const struct conv_q8 *conv = run->calls[0].conv;
	const struct gemm_window *w = &conv->window;
	struct scratch *scratch = &run->scratch;
	bool sums = needs_sums(run) && !window_is_pixel(conv);
	size_t begin, end;

	threadpool_share(w->output_height, 1, index, count, &begin, &end);
	gemm_point(w, run->input, run->input_pixel_stride, scratch->padding, run->tap_columns, begin,
		   end, scratch->taps);
	for (size_t oy = begin; sums && oy < end; oy++) {
		int32_t *row = scratch->window_sums + oy * w->output_width;

		memset(row, 0, w->output_width * sizeof(*row));
		for (size_t ky = 0; ky < w->kernel_height; ky++)
			for (size_t kx = 0; kx < w->kernel_width; kx++)
				add_row(run, conv, oy, ky, kx, row);
	}
	/* for the rows that the last block has to spare */
	if (begin < end && end == w->output_height)
		memset(scratch->window_sums + pixel_count(conv), 0,
		       (scratch->tap_stride - pixel_count(conv)) * sizeof(int32_t));
}

static void multiply(void *argument, unsigned index, unsigned count)
{
	const struct run *run = argument;
	size_t at = 0, begin, end;

	threadpool_share(run->total_cost, 1, index, count, &begin, &end);
	for (size_t i = 0; i < run->count; i++) {
		const struct conv_q8_call *call = &run->calls[i];
		const struct conv_q8 *conv = call->conv;
		size_t pixels = pixel_count(conv);
		struct conv_q8_tile tile = {
			.tap_stride = run->scratch.tap_stride,
			.tap_count = run->tap_count,
			.tap_bytes = run->tap_bytes,
			.row_factor = conv->row_factor,
			.requantisation = &conv->requantisation,
			.output_stride = call->output_pixel_stride,
		};

		for (size_t c = 0; c < conv->column_count; c++) {
			const struct gemm_column *column = &conv->columns[c];
			size_t rows = column->kernel->rows, first, last;

			gemm_blocks(column, pixels, begin, end, &at, &first, &last);
			tile.columns = column->channels;
			tile.weights = column->weights;
			tile.bias = column->bias;
			tile.scale = column->scale;
			for (size_t b = first; b < last; b++) {
				size_t pixel = b * rows;

				tile.rows = pixels - pixel < rows ? pixels - pixel : rows;
				tile.taps = run->scratch.taps + pixel;
				tile.row_sums = conv->row_factor ? run->scratch.window_sums + pixel : NULL;
				tile.output = call->output + pixel * call->output_pixel_stride +
					      column->begin;
				column->kernel->q8(&tile);
			}
		}
	}
}

void conv_q8_run(const struct conv_q8_call *calls, size_t count, const uint8_t *input,
		 size_t input_pixel_stride, void *scratch, struct threadpool *pool)
{
	const struct conv_q8 *conv = calls[0].conv;
	struct run run = {
		.calls = calls,
		.count = count,
		.input = input,
		.input_pixel_stride = input_pixel_stride,
		.tap_count = conv->tap_count,
		.tap_bytes = conv->tap_bytes,
		.tap_columns = conv->tap_count / conv->window.kernel_height,
	};

	if (!conv->padded && input_pixel_stride == conv->input_channels && run.tap_columns > 1 &&
	    conv->input_channels % conv->isa->conv_q8.group == 0) {
		run.tap_count = conv->window.kernel_height;
		run.tap_bytes = (size_t)conv->window.kernel_width * conv->input_channels;
		run.tap_columns = 1;
	}

	lay_scratch(conv, scratch, &run.scratch);
	for (size_t i = 0; i < count; i++)
		run.total_cost += gemm_cost(calls[i].conv->columns, calls[i].conv->column_count,
					    pixel_count(conv));
	if (conv->padded)
		memset(run.scratch.padding, conv->input_zero, conv->tap_bytes + KERNEL_OVERREAD);
	if (needs_sums(&run))
		threadpool_run(pool, sum_pixels, &run);
	threadpool_run(pool, point_windows, &run);
	threadpool_run(pool, multiply, &run);
}
