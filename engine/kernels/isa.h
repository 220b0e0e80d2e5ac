/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * isa.h: the inner loops by instruction set. Each processor family has a row of
 * them; isa_best() names the row that this processor runs best, found once a
 * process. DESCRY_KERNELS=NAME in the environment asks for another row, which
 * tests and measurements use. What a loop does is the same in every row, to the
 * last bit; the operators of kernels.h are built on them.
 *
 * Input may be read up to 64 bytes beyond its end; nothing is written there.
 */
#ifndef ENGINE_ISA_H
#define ENGINE_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/winograd.h"

/* --- Convolution in 8 bits -------------------------------------------------- */

/*
 * What becomes of a sum of products `s` of output channel n:
 *   q = output_zero + rint(clamp(float(s) · scale[n], low, high))
 * with rint to the nearest, ties to even, all in 32-bit floats, so that every
 * instruction set stores the same bits.
 */
struct requantisation {
	float low, high;		/* bounds of q − output_zero */
	int32_t output_zero;
	/* The bounds are 0 and 255 and no product can leave 32 bits, so that a
	 * saturating conversion to bytes does all of the clamping. */
	bool saturating;
};

/* One tile: `rows` pixels (at most the kernel's) by `columns` channels. */
struct conv_q8_tile {
	/* taps[t·tap_stride + r]: the input bytes of tap t for row r. Stands, as
	 * row_sums does, for all rows that the kernel can do, whatever `rows`
	 * says, which only bounds what is stored. */
	const uint8_t *const *taps;
	size_t tap_stride, tap_count;
	size_t tap_bytes;
	size_t rows, columns;
	const int8_t *weights;		/* packed for this tile */
	const int32_t *bias;		/* kernel columns */
	const float *scale;		/* kernel columns */
	/* row_factor · row_sums[r] is added to every channel of row r; NULL: 0 */
	const int32_t *row_sums;
	int32_t row_factor;
	const struct requantisation *requantisation;
	uint8_t *output;
	size_t output_stride;
};

typedef void conv_q8_function(const struct conv_q8_tile *tile);

/* A tile in 32-bit floats. Weights are packed as [tap][channel][columns]. */
struct conv_f32_tile {
	const uint8_t *const *taps;	/* of floats; as above */
	size_t tap_stride, tap_count;
	size_t tap_channels;
	size_t rows, columns;
	const float *weights, *bias;
	float low, high;
	float *output;
	size_t output_stride;
};

typedef void conv_f32_function(const struct conv_f32_tile *tile);

/* ret_products[r·product_stride + n] = Σ_k values[r·value_stride + k] · weights[k][n]
 * for up to all rows and all columns of the kernel. */
typedef void product_f32_function(size_t rows, const float *values, size_t value_stride,
				  size_t depth, const float *weights, float *ret_products,
				  size_t product_stride);

/* q8, or the other two. */
struct conv_kernel {
	unsigned rows, columns;
	conv_q8_function *q8;
	conv_f32_function *f32;
	product_f32_function *product;
};

/*
 * Weights are packed as [tap][tap_bytes / group][columns][group], padded with
 * zeros. The kernel computes Σ (a − activation_offset)(w − weight_offset) of
 * unsigned a and w; w − weight_offset is what is stored.
 */
struct conv_q8_kernels {
	const struct conv_kernel *kernels;	/* widest first */
	size_t count;
	unsigned group;
	uint8_t activation_offset, weight_offset;
	bool narrow;	/* stored weights must not be −128 */
};

/* Of sixteen rows of `depth` bytes, a multiple of 4, word i of row r exclusive-or `flips`
 * to ret_packed[i·stride + 4r]. Nothing is read beyond the last row. */
typedef void pack_words_q8_function(const uint8_t *rows, size_t depth, uint32_t flips,
				    uint8_t *ret_packed, size_t stride);

/* ret_sums[r] = Σ_k weights[r][k] of rows without gaps. Nothing is read beyond the last. */
typedef void row_sums_q8_function(const int8_t *weights, size_t rows, size_t columns,
				  int32_t *ret_sums);

/* --- Minimal filtering in floats (winograd.h) ---------------------------------- */

/* From the pixels under one tile, row by row, `points` along each direction;
 * ret_values[point·stride + channel]. Whole vectors are written. */
typedef void winograd_input_function(const struct winograd_axis *axis, const float *const *pixels,
				     size_t channels, float *ret_values, size_t stride);

/* What becomes of the outputs. The bias is readable to whole vectors. */
struct winograd_store {
	const float *bias;
	float low, high;
	size_t channels;
};

/* To the pixels of one tile, row by row, from products[point·stride + channel],
 * readable to whole vectors. */
typedef void winograd_output_function(const struct winograd_axis *axis, const float *products,
				      size_t stride, const struct winograd_store *to,
				      float *const *pixels);

/* F(outputs, taps) along one direction or both. */
struct winograd_kernel {
	unsigned outputs, taps, directions;
	winograd_input_function *input;
	winograd_output_function *output;
};

#define WINOGRAD_KERNEL_COUNT 7u

/* ret_sums[p] = sum of the `channels` bytes of pixel p. */
typedef void pixel_sums_q8_function(const uint8_t *pixels, size_t count, size_t channels,
				    size_t pixel_stride, int32_t *ret_sums);

/* --- Pools ------------------------------------------------------------------- */

/* The largest byte of `count` pixels, channel by channel. */
typedef void maximum_q8_function(const uint8_t *const *pixels, size_t count, size_t channels,
				 uint8_t *ret_bytes);

/* ((sum + half) · multiplier) >> 16 likewise, at most 255; sum + half stays below
 * 2^16, what comes out before it is limited below 2^15. */
typedef void average_q8_function(const uint8_t *const *pixels, size_t count, size_t channels,
				 uint16_t half, uint16_t multiplier, uint8_t *ret_bytes);

/* The largest of `count` pixels in floats, and their sum times a factor, channel by
 * channel, clamped. */
typedef void maximum_f32_function(const float *const *pixels, size_t count, size_t channels,
				  float low, float high, float *ret_values);
typedef void average_f32_function(const float *const *pixels, size_t count, size_t channels,
				  float factor, float low, float high, float *ret_values);

/* --- Matrix–vector products in 8 bits --------------------------------------- */

struct matrix_q8 {
	const int8_t *weights;	/* rows × columns, −127 to 127 */
	const float *scales;	/* by row */
	const int32_t *sums;	/* by row, of the weights */
	size_t rows, columns;
	/* What is read after this product, fetched into the caches along with it as far
	 * as there are vectors beyond the first four. May be NULL. */
	const int8_t *next;
	size_t next_size;
};

/* y[j·y_stride + r] = scales[r] · x_scales[j] · Σ_k w[r][k] x[j][k] for the rows
 * row_begin to row_end and all `count` vectors, which share one pass over the
 * weights. */
typedef void matvec_q8_function(const struct matrix_q8 *matrix, size_t row_begin, size_t row_end,
				const int8_t *x, const float *x_scales, size_t count,
				size_t x_stride, float *y, size_t y_stride);

/* q = rint(x / scale) with scale = max |x| / 127 (1 when all are zero). */
typedef void quantise_q8_function(const float *x, size_t count, int8_t *ret_q, float *ret_scale);

/* --- Resizing ------------------------------------------------------------------ */

/* Weights have 22 bits of fraction; RESIZE_HALF rounds. */
#define RESIZE_FRACTION_BITS 22
#define RESIZE_HALF (1 << (RESIZE_FRACTION_BITS - 1))
#define RESIZE_GROUP 4u

/* Output i is the sum of count[i] inputs from first[i] on, weighted by
 * weights[i · stride …], which zeros fill up to a multiple of RESIZE_GROUP. */
struct resize_filter {
	size_t size, stride;
	const unsigned *first, *count;
	const int32_t *weights;
};

/* A row of RGB pixels. Writes one byte beyond the last pixel. */
typedef void resize_row_function(const struct resize_filter *filter, const uint8_t *pixels,
				 uint8_t *ret_pixels);

/* ret_bytes[i] = the sum of rows[k][i], weighted by weights[k], `size` of them. */
typedef void resize_column_function(const uint8_t *const *rows, const int32_t *weights,
				    size_t count, size_t size, uint8_t *ret_bytes);

/* --- The table ----------------------------------------------------------------- */

struct isa {
	const char *name;
	bool (*supported)(void);
	struct conv_q8_kernels conv_q8;
	const struct conv_kernel *conv_f32;	/* widest first */
	size_t conv_f32_count;
	const struct winograd_kernel *winograd;	/* WINOGRAD_KERNEL_COUNT */
	pack_words_q8_function *pack_words_q8;
	row_sums_q8_function *row_sums_q8;
	pixel_sums_q8_function *pixel_sums_q8;
	maximum_q8_function *maximum_q8;
	average_q8_function *average_q8;
	average_f32_function *average_f32;
	maximum_f32_function *maximum_f32;
	matvec_q8_function *matvec_q8;
	quantise_q8_function *quantise_q8;
	resize_row_function *resize_row;
	resize_column_function *resize_column;
};

const struct isa *isa_best(void);

/* The rows this processor can run, best first; NULL past the last. */
const struct isa *isa_at(size_t index);

/* By name, NULL if unknown or not for this processor. */
const struct isa *isa_named(const char *name);

/* --- The same on every processor ------------------------------------------------ */

/* By the best row of the table. */
row_sums_q8_function matvec_q8_sums;
quantise_q8_function quantise_q8;

/* Kernels, by file. */
conv_q8_function conv_q8_4x8_plain;
conv_f32_function conv_f32_4x8_plain;
product_f32_function product_f32_4x8_plain;
pack_words_q8_function pack_words_q8_plain;
row_sums_q8_function row_sums_q8_plain;
pixel_sums_q8_function pixel_sums_q8_plain;
maximum_q8_function maximum_q8_128;
average_q8_function average_q8_128;
average_f32_function average_f32_128;
maximum_f32_function maximum_f32_128;
extern const struct winograd_kernel winograd_128[WINOGRAD_KERNEL_COUNT];
matvec_q8_function matvec_q8_plain;
quantise_q8_function quantise_q8_128;
resize_row_function resize_row_plain;
resize_column_function resize_column_plain;
#if defined(__x86_64__)
conv_f32_function conv_f32_6x16_avx2, conv_f32_5x80_avx512, conv_f32_6x64_avx512,
	conv_f32_8x48_avx512, conv_f32_8x32_avx512, conv_f32_8x16_avx512;
product_f32_function product_f32_6x16_avx2, product_f32_5x80_avx512, product_f32_6x64_avx512,
	product_f32_8x48_avx512, product_f32_8x32_avx512, product_f32_8x16_avx512;
conv_q8_function conv_q8_4x8_sse41, conv_q8_6x16_avx2, conv_q8_6x16_avxvnni;
conv_q8_function conv_q8_5x80_avx512vnni, conv_q8_6x64_avx512vnni, conv_q8_8x48_avx512vnni,
	conv_q8_8x32_avx512vnni, conv_q8_8x16_avx512vnni;
pack_words_q8_function pack_words_q8_avx512;
row_sums_q8_function row_sums_q8_avx2;
pixel_sums_q8_function pixel_sums_q8_avx2, pixel_sums_q8_avx512;
maximum_q8_function maximum_q8_avx2, maximum_q8_avx512;
average_q8_function average_q8_avx2, average_q8_avx512;
average_f32_function average_f32_avx2, average_f32_avx512;
maximum_f32_function maximum_f32_avx2, maximum_f32_avx512;
extern const struct winograd_kernel winograd_avx2[WINOGRAD_KERNEL_COUNT];
extern const struct winograd_kernel winograd_avx512[WINOGRAD_KERNEL_COUNT];
matvec_q8_function matvec_q8_sse41, matvec_q8_avx2, matvec_q8_avx512vnni;
quantise_q8_function quantise_q8_avx2, quantise_q8_avx512;
resize_row_function resize_row_sse41, resize_row_avx2, resize_row_avx512;
resize_column_function resize_column_sse41, resize_column_avx2, resize_column_avx512;
#elif defined(__aarch64__)
conv_f32_function conv_f32_8x8_neon;
product_f32_function product_f32_8x8_neon;
conv_q8_function conv_q8_4x4_neon, conv_q8_8x8_neondot, conv_q8_8x8_i8mm;
pixel_sums_q8_function pixel_sums_q8_neon;
matvec_q8_function matvec_q8_neon, matvec_q8_neondot;
resize_row_function resize_row_neon;
resize_column_function resize_column_neon;
#endif

#endif
