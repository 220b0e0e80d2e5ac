/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * implicit_gemm.h: what convolutions by implicit GEMM have in common, whatever
 * the type of their values: columns of output channels as wide as the kernels
 * allow, pointers to the input under each tap of each output pixel, and the
 * static split of the work. See conv_q8.c for how it all fits together.
 */
#ifndef ENGINE_IMPLICIT_GEMM_H
#define ENGINE_IMPLICIT_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/kernels/isa.h"

#define GEMM_ALIGNMENT 64u
/* The most rows any kernel does; pointers stand for that many pixels more. */
#define GEMM_ROWS_MAX 16u

struct gemm_window {
	unsigned input_height, input_width, output_height, output_width;
	unsigned kernel_height, kernel_width, stride_y, stride_x, pad_top, pad_left;
};

/* Whether any tap of any pixel lies in the padding. */
bool gemm_is_padded(const struct gemm_window *window);

/* A column of output channels. */
struct gemm_column {
	const struct conv_kernel *kernel;
	unsigned begin, channels;
	size_t block_cost;	/* of `kernel->rows` pixels, in multiply steps */
	void *weights, *bias;	/* packed for the kernel */
	float *scale;
};

/* Cuts `channels` into columns at the least cost for so many pixels. Returns
 * their number; writes them when `ret_columns` is not NULL. */
size_t gemm_cut(const struct conv_kernel *kernels, size_t kernel_count, size_t pixels,
		unsigned channels, struct gemm_column *ret_columns);

/* Places packed weights, `depth` floats an output channel, and bias, every column
 * from a cache line on. Returns the bytes needed; sets the pointers when `memory`
 * is not NULL. */
size_t gemm_place(struct gemm_column *columns, size_t count, size_t depth, float *memory);

/* All blocks of all columns, in the measure of gemm_blocks. */
size_t gemm_cost(const struct gemm_column *columns, size_t count, size_t pixels);

/* The blocks of a column that fall into begin to end of the total cost, if the
 * column's own begin at *at, which is moved to the next column's. */
void gemm_blocks(const struct gemm_column *column, size_t pixels, size_t begin, size_t end,
		 size_t *at, size_t *ret_first, size_t *ret_last);

/* Entries for one tap: of the pixels and GEMM_ROWS_MAX more. */
size_t gemm_tap_stride(const struct gemm_window *window);

/* Writes the pointers of the output rows begin to end. `padding` is what taps in
 * the padding point to. With tap_columns = 1 a tap is a whole row of the kernel,
 * which must lie in one piece. The entries beyond the last pixel repeat it. */
void gemm_point(const struct gemm_window *window, const void *input, size_t pixel_bytes,
		const void *padding, size_t tap_columns, size_t begin, size_t end,
		const uint8_t **ret_taps);

size_t gemm_round_up(size_t n, size_t multiple);

#endif
