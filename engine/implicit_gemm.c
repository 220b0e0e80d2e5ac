/* SPDX-License-Identifier: GPL-3.0-or-later */
/* implicit_gemm.c: cutting, pointing, sharing. */
#include "engine/implicit_gemm.h"

size_t gemm_round_up(size_t n, size_t multiple)
{
	return (n + multiple - 1) / multiple * multiple;
}

bool gemm_is_padded(const struct gemm_window *w)
{
	size_t last_column = (size_t)(w->output_width - 1) * w->stride_x + w->kernel_width;
	size_t last_row = (size_t)(w->output_height - 1) * w->stride_y + w->kernel_height;

	return w->pad_top > 0 || w->pad_left > 0 || last_column > w->input_width ||
	       last_row > w->input_height;
}

/* --- Columns ------------------------------------------------------------------ */

/* Time a block takes: products, or loads where those are more. */
static size_t block_cost(const struct conv_kernel *kernel, unsigned narrowest)
{
	size_t vectors = kernel->columns / narrowest, rows = kernel->rows;
	size_t products = vectors * rows, loads = vectors + rows;

	return (products > loads ? products : loads) + 2;
}

static size_t block_count(const struct conv_kernel *kernel, size_t pixels)
{
	return (pixels + kernel->rows - 1) / kernel->rows;
}

size_t gemm_cut(const struct conv_kernel *kernels, size_t kernel_count, size_t pixels,
		unsigned channels, struct gemm_column *ret_columns)
{
	enum { WINDOW = 16 };
	unsigned narrowest = kernels[kernel_count - 1].columns, begin = 0;
	size_t widest = kernels[0].columns / narrowest;
	size_t units = (channels + narrowest - 1) / narrowest, count = 0;
	/* the least cost of u units, and the kernel that begins it */
	size_t cost[WINDOW + 1] = {0};
	const struct conv_kernel *choice[WINDOW + 1] = {&kernels[0]};

	for (size_t u = 1; u <= WINDOW; u++) {
		cost[u] = SIZE_MAX;
		for (size_t k = 0; k < kernel_count; k++) {
			size_t width = kernels[k].columns / narrowest, sum;

			if (width > u)
				continue;
			sum = cost[u - width] + block_count(&kernels[k], pixels) *
							block_cost(&kernels[k], narrowest);
			if (sum < cost[u]) {
				cost[u] = sum;
				choice[u] = &kernels[k];
			}
		}
	}
	while (units > 0) {
		/* far from the end the widest kernel is always right */
		const struct conv_kernel *kernel =
			units > WINDOW && units - widest >= WINDOW / 2 ? &kernels[0]
			: units > WINDOW			       ? &kernels[kernel_count - 1]
								       : choice[units];
		unsigned left = channels - begin;

		if (ret_columns)
			ret_columns[count] = (struct gemm_column){
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

size_t gemm_place(struct gemm_column *columns, size_t count, size_t depth, float *memory)
{
	size_t at = 0;

	for (size_t c = 0; c < count; c++) {
		size_t width = columns[c].kernel->columns;
		size_t weights = gemm_round_up(depth * width, 16), bias = gemm_round_up(width, 16);

		if (memory) {
			columns[c].weights = memory + at;
			columns[c].bias = memory + at + weights;
		}
		at += weights + bias;
	}
	return at * sizeof(float);
}

size_t gemm_cost(const struct gemm_column *columns, size_t count, size_t pixels)
{
	size_t sum = 0;

	for (size_t c = 0; c < count; c++)
		sum += block_count(columns[c].kernel, pixels) * columns[c].block_cost;
	return sum;
}

void gemm_blocks(const struct gemm_column *column, size_t pixels, size_t begin, size_t end,
		 size_t *at, size_t *ret_first, size_t *ret_last)
{
	size_t blocks = block_count(column->kernel, pixels), cost = column->block_cost;
	size_t first = begin > *at ? (begin - *at + cost - 1) / cost : 0;
	size_t last = end > *at ? (end - *at + cost - 1) / cost : 0;

	*ret_first = first;
	*ret_last = last < blocks ? last : blocks;
	*at += blocks * cost;
}

/* --- Pointers ----------------------------------------------------------------- */

size_t gemm_tap_stride(const struct gemm_window *w)
{
	return gemm_round_up((size_t)w->output_height * w->output_width + GEMM_ROWS_MAX,
			     GEMM_ROWS_MAX);
}

/* One tap along one output row. */
static void point_row(const struct gemm_window *w, const uint8_t *input, size_t pixel_bytes,
		      const uint8_t *padding, bool padded, size_t oy, size_t ky, size_t kx,
		      const uint8_t **ret_taps)
{
	ptrdiff_t y = (ptrdiff_t)(oy * w->stride_y + ky) - (ptrdiff_t)w->pad_top;
	ptrdiff_t x = (ptrdiff_t)kx - (ptrdiff_t)w->pad_left;
	size_t step = w->stride_x * pixel_bytes;
	const uint8_t *row;

	if (y < 0 || y >= (ptrdiff_t)w->input_height) {
		for (size_t ox = 0; ox < w->output_width; ox++)
			ret_taps[ox] = padding;
		return;
	}
	row = input + (size_t)y * w->input_width * pixel_bytes;
	if (!padded) {
		row += kx * pixel_bytes;
		for (size_t ox = 0; ox < w->output_width; ox++)
			ret_taps[ox] = row + ox * step;
		return;
	}
	for (size_t ox = 0; ox < w->output_width; ox++, x += w->stride_x)
		ret_taps[ox] = x >= 0 && x < (ptrdiff_t)w->input_width
				       ? row + (size_t)x * pixel_bytes
				       : padding;
}

void gemm_point(const struct gemm_window *w, const void *input, size_t pixel_bytes,
		const void *padding, size_t tap_columns, size_t begin, size_t end,
		const uint8_t **ret_taps)
{
	size_t taps = w->kernel_height * tap_columns, stride = gemm_tap_stride(w);
	size_t pixels = (size_t)w->output_height * w->output_width;
	bool padded = gemm_is_padded(w);

	for (size_t oy = begin; oy < end; oy++)
		for (size_t t = 0; t < taps; t++)
			point_row(w, input, pixel_bytes, padding, padded, oy, t / tap_columns,
				  t % tap_columns, ret_taps + t * stride + oy * w->output_width);
	if (begin < end && end == w->output_height)
		for (size_t t = 0; t < taps; t++)
			for (size_t p = pixels; p < stride; p++)
				ret_taps[t * stride + p] = ret_taps[t * stride + pixels - 1];
}
