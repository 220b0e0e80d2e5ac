/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * q8.h: the 8-bit kernels. Weights, biases and limits are those of the quantised
 * network, and sums are exact; in two things the values are kept nearer to the
 * network in floats than its own integer arithmetic would keep them: a convolution
 * that is written into a slice of a concat with another scale is rounded to that
 * scale at once instead of first to its own, and a node with a reach or a fineness
 * (MODEL.md) has finer steps than the file's scale. Kernels that take each channel by
 * itself see copies of channels (copies.h) as channels of their own.
 */
#ifndef ENGINE_KERNELS_Q8_H
#define ENGINE_KERNELS_Q8_H

#include <math.h>

#include "engine/kernels/isa.h"
#include "engine/kernels/kernels.h"

extern const struct kernel convolution_q8;
extern const struct kernel fully_connected_q8;
extern const struct kernel max_pool_q8;
extern const struct kernel average_pool_q8;
extern const struct kernel global_average_pool_q8;
extern const struct kernel concat_q8;
extern const struct kernel clamp_q8;
extern const struct kernel depthwise_q8;
extern const struct kernel add_q8;
extern const struct kernel multiply_q8;
extern const struct kernel sigmoid_q8;
extern const struct kernel swish_q8;

/* What a value is stored as, 0 to 255. */
static inline uint8_t q8_store(float value, struct graph_quantisation q)
{
	float stored = rintf(value / q.scale) + (float)q.zero_point;

	return stored <= 0 ? 0 : stored >= 255 ? 255 : (uint8_t)stored;
}

static inline bool q8_same(struct graph_quantisation a, struct graph_quantisation b)
{
	return a.scale == b.scale && a.zero_point == b.zero_point;
}

/* table[q] = q of scale `from`, clamped by the node and stored as the node's
 * own and then as `task->stored`. */
void q8_table(struct graph_quantisation from, const struct kernel_task *task,
	      uint8_t ret_table[256]);

#endif
