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

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/error.h"

#define ALIGNMENT 64
/* The most rows any kernel does; pointers and sums stand for that many more. */
#define ROWS_MAX 16
#define COLUMNS_MAX 96
/* Sums of 8-bit products cannot leave 32 bits up to here. */
#define DEPTH_MAX 32768u

/* A column of output channels. */
struct column {
	const struct conv_q8_kernel *kernel;
	unsigned begin, channels;
	size_t block_cost;	/* of `kernel->rows` pixels, in multiply steps */
	int8_t *weights;
	int32_t *bias;
	float *scale;
};

struct conv_q8 {
	const struct isa *isa;
	unsigned input_height, input_width, input_channels;
	unsigned output_height, output_width;
	unsigned kernel_height, kernel_width, stride_y, stride_x, pad_top, pad_left;
	/* How the weights are packed. */
	size_t tap_count, tap_bytes;
	bool padded;
	uint8_t input_zero;
	int32_t row_factor;
	struct requantisation requantisation;
	struct column *columns;
	size_t column_count;
};

struct conv_q8_set {
	struct conv_q8 *convs;
	size_t count;
	struct column *columns;
	size_t column_count;
	void *memory;
	size_t memory_size;
};

static size_t round_up(size_t n, size_t multiple)
{
	return (n + multiple - 1) / multiple * multiple;
}

static size_t pixel_count(const struct conv_q8 *conv)
{
	return (size_t)conv->output_height * conv->output_width;
}

/* --- Packing ------------------------------------------------------------------ */

/* Time a block takes: products, or loads where those are more. */
static size_t block_cost(const struct conv_q8_kernel *kernel, unsigned narrowest)
{
	size_t vectors = kernel->columns / narrowest, rows = kernel->rows;
	size_t products = vectors * rows, loads = vectors + rows;

	return (products > loads ? products : loads) + 2;
}

/* Cuts `channels` into columns at the least cost. Returns their number; writes
 * them when `ret_columns` is not NULL. */
static size_t cut_columns(const struct conv_q8_kernels *table, size_t pixels, unsigned channels,
			  struct column *ret_columns)
{
	unsigned narrowest = table->kernels[table->count - 1].columns;
	size_t widest = table->kernels[0].columns / narrowest;
	size_t units = (channels + narrowest - 1) / narrowest;
	/* cost[u] of the cheapest cut of u units, for the last WINDOW u */
	enum { WINDOW = 16 };
	size_t cost[WINDOW + 1], count = 0;
	const struct conv_q8_kernel *choice[WINDOW + 1];
	unsigned begin = 0;

	/* Far from the end the widest kernel is always right. */
	while (units > WINDOW) {
		if (ret_columns)
			ret_columns[count] = (struct column){
				.kernel = &table->kernels[0],
				.begin = begin,
				.channels = table->kernels[0].columns,
				.block_cost = block_cost(&table->kernels[0], narrowest),
			};
		count++;
		begin += table->kernels[0].columns;
		units -= widest;
	}
	cost[0] = 0;
	for (size_t u = 1; u <= units; u++) {
		cost[u] = SIZE_MAX;
		for (size_t k = 0; k < table->count; k++) {
			const struct conv_q8_kernel *kernel = &table->kernels[k];
			size_t width = kernel->columns / narrowest;
			size_t blocks = (pixels + kernel->rows - 1) / kernel->rows;
			size_t sum;

			if (width > u)
				continue;
			sum = cost[u - width] + blocks * block_cost(kernel, narrowest);
			if (sum < cost[u]) {
				cost[u] = sum;
				choice[u] = kernel;
			}
		}
	}
	while (units > 0) {
		/* the narrowest kernel fits everywhere, so each place has a choice */
		// NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign)
		const struct conv_q8_kernel *kernel = choice[units];
		unsigned left = channels - begin;

		if (ret_columns)
			ret_columns[count] = (struct column){
				.kernel = kernel,
				.begin = begin,
				.channels = left < kernel->columns ? left : kernel->columns,
				.block_cost = block_cost(kernel, narrowest),
			};
		count++;
		begin += kernel->columns;
		units -= kernel->columns / narrowest;
	}
	return count;
}

static size_t column_weights_size(const struct conv_q8 *conv, const struct column *column)
{
	size_t group = conv->isa->conv_q8.group;

	return round_up(conv->tap_count * round_up(conv->tap_bytes, group) * column->kernel->columns,
			ALIGNMENT);
}

static size_t column_size(const struct conv_q8 *conv, const struct column *column)
{
	return column_weights_size(conv, column) +
	       2 * round_up(column->kernel->columns * sizeof(int32_t), ALIGNMENT);
}

/* What must be added to the weight of the description, as uint8, to be stored. */
static uint8_t weight_flip(const struct conv_q8_description *d, const struct conv_q8_kernels *table)
{
	bool is_signed = d->weights_signed, want_signed = table->weight_offset == 128;

	return is_signed == want_signed ? 0 : 0x80;
}

/* Groups of 4 without gaps: a transposition of 32-bit words, in squares of one
 * cache line by sixteen rows, so that lines are read and written whole. Rows lie
 * so far apart that more of them would compete for the same places in the cache. */
static void pack_words(const uint8_t *rows, size_t depth, size_t width, uint32_t flips,
		       uint8_t *ret_packed)
{
	for (size_t n = 0; n < width; n += 16)
		for (size_t k = 0; k < depth; k += 64) {
			size_t words = depth - k < 64 ? (depth - k) / 4 : 16;
			uint32_t square[16][16];

			for (size_t r = 0; r < 16; r++) {
				const uint8_t *row = rows + (n + r) * depth + k;

				/* far enough ahead for a fetch from memory */
				__builtin_prefetch(row + 512);
				for (size_t i = 0; i < words; i++) {
					uint32_t word;

					memcpy(&word, row + 4 * i, sizeof(word));
					square[i][r] = word ^ flips;
				}
			}
			for (size_t i = 0; i < words; i++)
				memcpy(ret_packed + ((k / 4 + i) * width + n) * 4, square[i],
				       sizeof(square[i]));
		}
}

static void pack_weights(const struct conv_q8_description *d, const struct conv_q8 *conv,
			 struct column *column)
{
	const struct conv_q8_kernels *table = &conv->isa->conv_q8;
	size_t depth = conv->tap_count * conv->tap_bytes, group = table->group;
	size_t width = column->kernel->columns, groups = round_up(conv->tap_bytes, group) / group;
	const uint8_t *rows = (const uint8_t *)d->weights + column->begin * depth;
	uint8_t flip = weight_flip(d, table);
	uint8_t *packed = (uint8_t *)column->weights;

	if (group == 4 && conv->tap_bytes % 4 == 0 && column->channels == width && width % 16 == 0) {
		pack_words(rows, depth, width, 0x01010101u * flip, packed);
		return;
	}
	memset(packed, 0, column_weights_size(conv, column));
	for (size_t t = 0; t < conv->tap_count; t++)
		for (size_t n = 0; n < column->channels; n++)
			for (size_t k = 0; k < conv->tap_bytes; k++)
				packed[((t * groups + k / group) * width + n) * group + k % group] =
					rows[n * depth + t * conv->tap_bytes + k] ^ flip;
}

/* Σ_k (w − weight_offset) of one output channel */
static int32_t offset_sum(const uint8_t *weights, size_t depth, uint8_t flip, bool is_signed)
{
	int32_t sum = 0;

	if (is_signed)
		for (size_t k = 0; k < depth; k++)
			sum += (int8_t)(weights[k] ^ flip);
	else
		for (size_t k = 0; k < depth; k++)
			sum += weights[k] ^ flip;
	return sum;
}

static void pack_column(const struct conv_q8_description *d, const struct conv_q8 *conv,
			struct column *column)
{
	const struct conv_q8_kernels *table = &conv->isa->conv_q8;
	size_t depth = conv->tap_count * conv->tap_bytes;
	int32_t input_offset = table->activation_offset - d->input_zero;
	int32_t constant = -(int32_t)depth * d->input_zero * conv->row_factor;
	uint8_t flip = weight_flip(d, table);

	pack_weights(d, conv, column);
	memset(column->bias, 0, column->kernel->columns * sizeof(int32_t));
	memset(column->scale, 0, column->kernel->columns * sizeof(float));
	for (unsigned n = 0; n < column->channels; n++) {
		size_t channel = column->begin + n;
		const uint8_t *weights = (const uint8_t *)d->weights + channel * depth;
		float scale = d->weight_scales[d->weight_scale_count > 1 ? channel : 0];

		column->bias[n] = (d->bias ? d->bias[channel] : 0) + constant;
		if (input_offset != 0)
			column->bias[n] += input_offset *
				offset_sum(weights, depth, flip, table->weight_offset == 128);
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
	if (!zero_fits(d->input_zero) || !zero_fits(d->output_zero) || !zero_fits(d->concat_zero) ||
	    d->weight_zero < low || d->weight_zero > low + 255 || d->minimum > d->maximum)
		return engine_fail(error, ENGINE_BAD_MODEL,
				   "Convolution %zu has a zero point outside of 8 bits.", index);
	if (!scale_fits(d->input_scale) || !scale_fits(d->output_scale) ||
	    (d->concat_scale != 0 && !scale_fits(d->concat_scale)) ||
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

static void describe(struct conv_q8 *conv, const struct conv_q8_description *d,
		     const struct isa *isa)
{
	size_t last_column = (size_t)(d->output_width - 1) * d->stride_x + d->kernel_width;
	size_t last_row = (size_t)(d->output_height - 1) * d->stride_y + d->kernel_height;
	bool in_width = d->pad_left == 0 && last_column <= d->input_width;
	bool in_height = d->pad_top == 0 && last_row <= d->input_height;
	const struct conv_q8_kernels *table = &isa->conv_q8;
	int32_t weight_zero = d->weight_zero + (d->weights_signed ? 128 : 0);
	struct requantisation *r = &conv->requantisation;

	*conv = (struct conv_q8){
		.isa = isa,
		.input_height = d->input_height,
		.input_width = d->input_width,
		.input_channels = d->input_channels,
		.output_height = d->output_height,
		.output_width = d->output_width,
		.kernel_height = d->kernel_height,
		.kernel_width = d->kernel_width,
		.stride_y = d->stride_y,
		.stride_x = d->stride_x,
		.pad_top = d->pad_top,
		.pad_left = d->pad_left,
		.padded = !in_width || !in_height,
		.input_zero = (uint8_t)d->input_zero,
		.row_factor = (int32_t)table->weight_offset - weight_zero,
	};
	conv->tap_count = (size_t)d->kernel_height * d->kernel_width;
	conv->tap_bytes = d->input_channels;
	/* Whole groups look the same packed either way; others are padded. */
	if (!conv->padded && d->input_pixel_stride == d->input_channels &&
	    d->input_channels % table->group != 0) {
		conv->tap_count = d->kernel_height;
		conv->tap_bytes *= d->kernel_width;
	}
	r->low = (float)((int32_t)d->minimum - d->output_zero);
	r->high = (float)((int32_t)d->maximum - d->output_zero);
	r->output_zero = d->output_zero;
	r->saturating = d->minimum == 0 && d->maximum == 255;
	for (size_t n = 0; n < d->weight_scale_count; n++)
		if ((double)d->input_scale * (double)d->weight_scales[n] >= 0.9 * (double)d->output_scale)
			r->saturating = false;
	r->again = d->concat_scale != 0 && (d->concat_scale != d->output_scale ||
					    d->concat_zero != d->output_zero);
	if (r->again) {
		r->saturating = false;
		r->final_scale = (float)((double)d->output_scale / (double)d->concat_scale);
		r->final_low = (float)((int32_t)d->concat_minimum - d->concat_zero);
		r->final_high = (float)((int32_t)d->concat_maximum - d->concat_zero);
		r->final_zero = d->concat_zero;
	}
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

	threadpool_share(set->memory_size, 1, index, count, &begin, &end);
	for (size_t i = 0; i < set->count; i++)
		for (size_t c = 0; c < set->convs[i].column_count; c++) {
			struct column *column = &set->convs[i].columns[c];

			if (at >= begin && at < end)
				pack_column(&packing->descriptions[i], &set->convs[i], column);
			at += column_size(&set->convs[i], column);
		}
}

/* Gives each column its place in the set's memory, or only adds up. */
static size_t place_columns(struct conv_q8_set *set, char *memory)
{
	size_t at = 0;

	for (size_t i = 0; i < set->count; i++)
		for (size_t c = 0; c < set->convs[i].column_count; c++) {
			struct conv_q8 *conv = &set->convs[i];
			struct column *column = &conv->columns[c];
			size_t weights = column_weights_size(conv, column);
			size_t vector = round_up(column->kernel->columns * sizeof(int32_t), ALIGNMENT);

			if (memory) {
				column->weights = (int8_t *)(memory + at);
				column->bias = (int32_t *)(void *)(memory + at + weights);
				column->scale = (float *)(void *)(memory + at + weights + vector);
			}
			at += weights + 2 * vector;
		}
	return at;
}

int conv_q8_set_open(const struct conv_q8_description *descriptions, size_t count,
		     const struct isa *isa, struct threadpool *pool,
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
		describe(&set->convs[i], &descriptions[i], isa);
		set->column_count += cut_columns(&isa->conv_q8, pixel_count(&set->convs[i]),
						 descriptions[i].output_channels, NULL);
	}
	set->columns = calloc(set->column_count ? set->column_count : 1, sizeof(*set->columns));
	if (!set->columns) {
		r = engine_fail_memory(error);
		goto fail;
	}
	for (size_t i = 0, at = 0; i < count; i++) {
		struct conv_q8 *conv = &set->convs[i];

		conv->columns = set->columns + at;
		conv->column_count = cut_columns(&isa->conv_q8, pixel_count(conv),
						 descriptions[i].output_channels, conv->columns);
		at += conv->column_count;
	}
	/* A mapping of its own, in large pages where the system has them: fewer
	 * page faults when it is filled, fewer translations when it is read. */
	set->memory_size = place_columns(set, NULL) + ALIGNMENT;
	set->memory = mmap(NULL, set->memory_size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (set->memory == MAP_FAILED) {
		set->memory = NULL;
		r = engine_fail_memory(error);
		goto fail;
	}
	madvise(set->memory, set->memory_size, MADV_HUGEPAGE);
	place_columns(set, set->memory);
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
	if (set->memory)
		munmap(set->memory, set->memory_size);
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
	return a->isa == b->isa && a->input_height == b->input_height &&
	       a->input_width == b->input_width && a->input_channels == b->input_channels &&
	       a->output_height == b->output_height && a->output_width == b->output_width &&
	       a->kernel_height == b->kernel_height && a->kernel_width == b->kernel_width &&
	       a->stride_y == b->stride_y && a->stride_x == b->stride_x &&
	       a->pad_top == b->pad_top && a->pad_left == b->pad_left &&
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
	return conv->kernel_height == 1 && conv->kernel_width == 1 && conv->stride_x == 1 &&
	       conv->stride_y == 1 && !conv->padded;
}

static size_t lay_scratch(const struct conv_q8 *conv, char *memory, struct scratch *ret_scratch)
{
	size_t pixels = round_up(pixel_count(conv) + ROWS_MAX, ROWS_MAX);
	size_t inputs = (size_t)conv->input_height * conv->input_width;
	size_t padding = round_up(conv->tap_bytes + KERNEL_OVERREAD, ALIGNMENT);
	size_t taps = round_up(conv->tap_count * pixels * sizeof(uint8_t *), ALIGNMENT);
	size_t windows = round_up(pixels * sizeof(int32_t), ALIGNMENT);
	size_t sums = round_up(inputs * sizeof(int32_t), ALIGNMENT);

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

	threadpool_share((size_t)conv->input_height * conv->input_width, 16, index, count, &begin,
			 &end);
	conv->isa->pixel_sums_q8(run->input + begin * run->input_pixel_stride, end - begin,
				     conv->input_channels, run->input_pixel_stride, sums + begin);
}

/* Pointers of one tap along one output row. */
static void point_row(const struct run *run, const struct conv_q8 *conv, size_t oy, size_t ky,
		      size_t kx, const uint8_t **ret_taps)
{
	ptrdiff_t y = (ptrdiff_t)(oy * conv->stride_y + ky) - (ptrdiff_t)conv->pad_top;
	ptrdiff_t x = (ptrdiff_t)kx - (ptrdiff_t)conv->pad_left;
	size_t step = conv->stride_x * run->input_pixel_stride;
	const uint8_t *row;

	if (y < 0 || y >= (ptrdiff_t)conv->input_height) {
		for (size_t ox = 0; ox < conv->output_width; ox++)
			ret_taps[ox] = run->scratch.padding;
		return;
	}
	row = run->input + (size_t)y * conv->input_width * run->input_pixel_stride;
	if (!conv->padded) {
		row += kx * run->input_pixel_stride;
		for (size_t ox = 0; ox < conv->output_width; ox++)
			ret_taps[ox] = row + ox * step;
		return;
	}
	for (size_t ox = 0; ox < conv->output_width; ox++, x += conv->stride_x)
		ret_taps[ox] = x >= 0 && x < (ptrdiff_t)conv->input_width
				       ? row + (size_t)x * run->input_pixel_stride
				       : run->scratch.padding;
}

/* Adds the sums of the pixels under one tap along one output row. */
static void add_row(const struct run *run, const struct conv_q8 *conv, size_t oy, size_t ky,
		    size_t kx, int32_t *sums)
{
	ptrdiff_t y = (ptrdiff_t)(oy * conv->stride_y + ky) - (ptrdiff_t)conv->pad_top;
	ptrdiff_t x = (ptrdiff_t)kx - (ptrdiff_t)conv->pad_left;
	int32_t outside = (int32_t)(conv->input_zero * conv->input_channels);
	const int32_t *row;

	if (y < 0 || y >= (ptrdiff_t)conv->input_height) {
		for (size_t ox = 0; ox < conv->output_width; ox++)
			sums[ox] += outside;
		return;
	}
	row = run->scratch.pixel_sums + (size_t)y * conv->input_width;
	if (!conv->padded) {
		for (size_t ox = 0; ox < conv->output_width; ox++)
			sums[ox] += row[kx + ox * conv->stride_x];
		return;
	}
	for (size_t ox = 0; ox < conv->output_width; ox++, x += conv->stride_x)
		sums[ox] += x >= 0 && x < (ptrdiff_t)conv->input_width ? row[x] : outside;
}

static void repeat_last(struct scratch *scratch, size_t tap_count, size_t pixels, bool sums)
{
	for (size_t p = pixels; p < scratch->tap_stride; p++) {
		for (size_t t = 0; t < tap_count; t++)
			scratch->taps[t * scratch->tap_stride + p] =
				scratch->taps[t * scratch->tap_stride + pixels - 1];
		if (sums)
			scratch->window_sums[p] = 0;
	}
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
	struct scratch *scratch = &run->scratch;
	bool sums = needs_sums(run) && !window_is_pixel(conv);
	size_t begin, end;

	threadpool_share(conv->output_height, 1, index, count, &begin, &end);
	for (size_t oy = begin; oy < end; oy++) {
		size_t pixel = oy * conv->output_width;

		for (size_t t = 0; t < run->tap_count; t++)
			point_row(run, conv, oy, t / run->tap_columns, t % run->tap_columns,
				  scratch->taps + t * scratch->tap_stride + pixel);
		if (!sums)
			continue;
		memset(scratch->window_sums + pixel, 0, conv->output_width * sizeof(int32_t));
		for (size_t ky = 0; ky < conv->kernel_height; ky++)
			for (size_t kx = 0; kx < conv->kernel_width; kx++)
				add_row(run, conv, oy, ky, kx, scratch->window_sums + pixel);
	}
	if (end == conv->output_height && begin < end)
		repeat_last(scratch, run->tap_count, pixel_count(conv), needs_sums(run));
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
			const struct column *column = &conv->columns[c];
			size_t rows = column->kernel->rows, blocks = (pixels + rows - 1) / rows;
			size_t first = begin > at ? (begin - at + column->block_cost - 1) / column->block_cost
						  : 0;
			size_t last = end > at ? (end - at + column->block_cost - 1) / column->block_cost
					       : 0;

			if (last > blocks)
				last = blocks;
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
				column->kernel->run(&tile);
			}
			at += blocks * column->block_cost;
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
		.tap_columns = conv->tap_count / conv->kernel_height,
	};

	if (!conv->padded && input_pixel_stride == conv->input_channels && run.tap_columns > 1 &&
	    conv->input_channels % conv->isa->conv_q8.group == 0) {
		run.tap_count = conv->kernel_height;
		run.tap_bytes = (size_t)conv->kernel_width * conv->input_channels;
		run.tap_columns = 1;
	}

	lay_scratch(conv, scratch, &run.scratch);
	for (size_t i = 0; i < count; i++)
		for (size_t c = 0; c < calls[i].conv->column_count; c++) {
			const struct column *column = &calls[i].conv->columns[c];
			size_t rows = column->kernel->rows;

			run.total_cost += (pixel_count(conv) + rows - 1) / rows * column->block_cost;
		}
	if (conv->padded)
		memset(run.scratch.padding, conv->input_zero, conv->tap_bytes + KERNEL_OVERREAD);
	if (needs_sums(&run))
		threadpool_run(pool, sum_pixels, &run);
	threadpool_run(pool, point_windows, &run);
	threadpool_run(pool, multiply, &run);
}
