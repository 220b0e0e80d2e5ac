/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * conv_q8.h: convolutions in 8 bits, NHWC. A set packs the weights of a whole
 * network once; a run needs only scratch memory. Fully connected layers are
 * convolutions of one pixel.
 *
 * Arithmetic: real value = scale · (q − zero). Products are summed exactly in 32
 * bits, with the bias at scale input_scale · weight_scale, then
 *   q = output_zero + rint(clamp(float(sum) · float(input_scale · weight_scale / output_scale)))
 * to the nearest, ties to even. That is the float32 requantisation of XNNPACK's
 * "fp32" kernels. It differs from the fixed-point rule of gemmlowp and the
 * TFLite reference (31-bit multiplier, rounding right shift) only where the
 * exact product lies within one part in 2^24 of a half. The output scale is that
 * of the place the values are written to; see kernels/q8.h.
 */
#ifndef ENGINE_CONV_Q8_H
#define ENGINE_CONV_Q8_H

#include "engine/engine.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/kernels.h"
#include "engine/threadpool.h"

struct conv_q8_description {
	unsigned input_height, input_width, input_channels;
	unsigned output_height, output_width, output_channels;
	unsigned kernel_height, kernel_width, stride_y, stride_x, pad_top, pad_left;
	/* Where the input always has this distance between pixels; 0: any. Only
	 * inputs of few channels, such as pictures, gain by saying so. */
	size_t input_pixel_stride;

	/* Output channel, kernel row, kernel column, input channel. */
	const void *weights;
	bool weights_signed;		/* int8, else uint8 */
	int32_t weight_zero;
	const float *weight_scales;	/* one, or one an output channel */
	size_t weight_scale_count;
	const int32_t *bias;		/* or NULL */

	float input_scale, output_scale;
	int32_t input_zero, output_zero;
	uint8_t minimum, maximum;	/* of the stored output, 0 and 255 for none */
};

struct conv_q8;
struct conv_q8_set;

/* Bytes of memory that packing takes, a multiple of 64; follows from the shapes alone.
 * SIZE_MAX when there is not even memory to find out. */
size_t conv_q8_set_size(const struct conv_q8_description *descriptions, size_t count,
			const struct isa *isa);

/* Packs `count` convolutions into `memory`, aligned to 64 bytes, which must outlive the
 * set, with the workers of `pool` (may be NULL). Borrows the descriptions and what they
 * point to only for the call. */
int conv_q8_set_open(const struct conv_q8_description *descriptions, size_t count,
		     const struct isa *isa, struct threadpool *pool, void *memory,
		     struct conv_q8_set **ret_set, struct engine_error *error);
struct conv_q8_set *conv_q8_set_free(struct conv_q8_set *set);
const struct conv_q8 *conv_q8_set_at(const struct conv_q8_set *set, size_t index);

/* Whether the two may run as one on a common input. */
bool conv_q8_joinable(const struct conv_q8 *a, const struct conv_q8 *b);

struct conv_q8_call {
	const struct conv_q8 *conv;
	uint8_t *output;
	size_t output_pixel_stride;
};

/* Bytes of 64-byte aligned scratch memory that a run needs, joined or not. */
size_t conv_q8_scratch_size(const struct conv_q8 *conv);

/* Runs joinable convolutions on one input, whose KERNEL_OVERREAD bytes beyond
 * the end must be readable. */
void conv_q8_run(const struct conv_q8_call *calls, size_t count, const uint8_t *input,
		 size_t input_pixel_stride, void *scratch, struct threadpool *pool);

#endif
