/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pool_q8.c: maximum and average over a window in 8 bits. An average of the scale
 * of its input is rounded to the nearest, halves up, as TFLite's reference does:
 * (sum + count / 2) / count in whole numbers. One that is stored with a finer
 * scale, since averages reach less far than what they are made of, is brought to
 * it in the same multiplication. Any other change of scale is a table of 256
 * entries.
 */
#include <string.h>

#include "engine/kernels/q8.h"
#include "engine/threadpool.h"

/* Windows of more pixels go the slow way. 257 bytes add up to less than 2^16. */
#define PIXELS_MAX 257u

/* Where the window of an output pixel meets the input; bottom and right are
 * excluded. */
struct meeting {
	unsigned top, bottom, left, right, divisor;
};

static unsigned larger(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static struct meeting meet(const struct kernel_call *call, unsigned out_y, unsigned out_x)
{
	const struct graph_node *node = call->task->node;
	const struct graph_window *w = &node->window;
	const struct graph_shape *in = &call->inputs[0].shape;
	unsigned top = out_y * w->stride_height, left = out_x * w->stride_width;
	struct meeting m;

	if (node->operator == GRAPH_GLOBAL_AVERAGE_POOL)
		return (struct meeting){0, in->height, 0, in->width, in->height * in->width};
	m.top = larger(top, w->pad_top) - w->pad_top;
	m.bottom = smaller(top + w->kernel_height, w->pad_top + in->height) - w->pad_top;
	m.left = larger(left, w->pad_left) - w->pad_left;
	m.right = smaller(left + w->kernel_width, w->pad_left + in->width) - w->pad_left;
	m.divisor = node->count_padding ? w->kernel_height * w->kernel_width
					: (m.bottom - m.top) * (m.right - m.left);
	return m;
}

static unsigned covered(const struct meeting *m)
{
	return (m->bottom - m->top) * (m->right - m->left);
}

static const uint8_t *pixel_at(const struct kernel_view *in, unsigned y, unsigned x)
{
	return (const uint8_t *)in->data + y * in->row_stride + x * in->pixel_stride;
}

struct pooling {
	const struct kernel_call *call;
	const struct isa *isa;
	/* An average whose stored scale is the input's divided by this; 1 for any other. */
	double finer;
	bool translate;
	uint8_t table[256];
};

/* Any window; padding that counts stands for the value 0, stored as the zero
 * point. A maximum of nothing does not occur: padding is less than the window. */
static uint8_t pool_one(const struct pooling *pooling, const struct meeting *m, size_t channel)
{
	const struct kernel_call *call = pooling->call;
	const struct kernel_task *task = call->task;
	int32_t zero = task->graph->nodes[task->node->inputs[0]].quantisation.zero_point;
	uint64_t sum = (uint64_t)(m->divisor - smaller(covered(m), m->divisor)) * (uint32_t)zero;
	uint8_t most = 0;

	for (unsigned y = m->top; y < m->bottom; y++)
		for (unsigned x = m->left; x < m->right; x++) {
			uint8_t byte = pixel_at(&call->inputs[0], y, x)[channel];

			sum += byte;
			most = byte > most ? byte : most;
		}
	if (task->node->operator == GRAPH_MAX_POOL)
		return most;
	if (pooling->finer == 1)
		return (uint8_t)((sum + m->divisor / 2) / m->divisor);
	return (uint8_t)fmin(rint((double)sum * pooling->finer / m->divisor), 255);
}

/* The multiplier that makes (x · multiplier) >> 16 the quotient x / divisor for
 * all x up to 255 · divisor + divisor / 2, or 0 where there is none: it exceeds
 * 2^16 / divisor by excess / divisor, and x · excess must stay below 2^16. */
static uint16_t reciprocal(unsigned divisor)
{
	unsigned multiplier = (65536 + divisor - 1) / divisor;
	unsigned excess = multiplier * divisor - 65536;

	if (multiplier > UINT16_MAX || (255 * divisor + divisor / 2) * excess >= 65536)
		return 0;
	return (uint16_t)multiplier;
}

/* What average_q8 needs. A change of scale makes the multiplier inexact by less
 * than a thirtieth of a code. False where it does not fit. */
static bool find_multiplier(const struct pooling *pooling, unsigned divisor, uint16_t *ret_half,
			    uint16_t *ret_multiplier)
{
	double multiplier = 65536 * pooling->finer / divisor;

	if (pooling->finer == 1) {
		*ret_half = (uint16_t)(divisor / 2);
		*ret_multiplier = reciprocal(divisor);
		return *ret_multiplier != 0;
	}
	if (multiplier < 2048 || multiplier >= 65535.5)
		return false;
	*ret_half = (uint16_t)rint(32768 / multiplier);
	*ret_multiplier = (uint16_t)rint(multiplier);
	return true;
}

/* Channels begin to end of one output pixel. */
static void pool(const struct pooling *pooling, const struct meeting *m, size_t begin, size_t end,
		 uint8_t *out)
{
	const struct kernel_call *call = pooling->call;
	bool maximum = call->task->node->operator == GRAPH_MAX_POOL;
	const uint8_t *pixels[PIXELS_MAX];
	bool copy = maximum || (m->divisor == 1 && pooling->finer == 1);
	uint16_t half, multiplier;
	size_t count = 0;

	if (covered(m) > PIXELS_MAX ||
	    (!copy && (covered(m) != m->divisor ||
		       !find_multiplier(pooling, m->divisor, &half, &multiplier)))) {
		for (size_t c = begin; c < end; c++)
			out[c] = pool_one(pooling, m, c);
		return;
	}
	for (unsigned y = m->top; y < m->bottom; y++)
		for (unsigned x = m->left; x < m->right; x++)
			pixels[count++] = pixel_at(&call->inputs[0], y, x) + begin;
	if (copy)
		pooling->isa->maximum_q8(pixels, count, end - begin, out + begin);
	else
		pooling->isa->average_q8(pixels, count, end - begin, half, multiplier,
					 out + begin);
}

static void pool_share(void *argument, unsigned index, unsigned count)
{
	const struct pooling *pooling = argument;
	const struct kernel_call *call = pooling->call;
	const struct graph_shape *shape = &call->output.shape;
	size_t total = (size_t)shape->height * shape->width * shape->channels, begin, end;

	/* By channels within pixels, so that one pixel can be shared. */
	threadpool_share(total, 64, index, count, &begin, &end);
	while (begin < end) {
		size_t pixel = begin / shape->channels, channel = begin % shape->channels;
		size_t last = end - begin < shape->channels - channel ? channel + end - begin
								      : shape->channels;
		unsigned y = (unsigned)(pixel / shape->width), x = (unsigned)(pixel % shape->width);
		struct meeting m = meet(call, y, x);
		uint8_t *out = (uint8_t *)call->output.data + y * call->output.row_stride +
			       x * call->output.pixel_stride;

		pool(pooling, &m, channel, last, out);
		if (pooling->translate)
			for (size_t c = channel; c < last; c++)
				out[c] = pooling->table[out[c]];
		begin += last - channel;
	}
}

static void run(const struct kernel_call *call)
{
	const struct kernel_task *task = call->task;
	const struct graph_node *input = &task->graph->nodes[task->node->inputs[0]];
	struct graph_quantisation from = input->quantisation;
	struct pooling pooling = {.call = call, .isa = isa_best(), .finer = 1};

	/* Where the limits are those of the codes anyway. */
	if (task->node->operator != GRAPH_MAX_POOL && from.zero_point == 0 &&
	    q8_same(task->node->quantisation, task->stored) &&
	    task->stored.zero_point == 0 && q8_store(task->minimum, task->stored) == 0 &&
	    q8_store(task->maximum, task->stored) == 255 && from.scale != task->stored.scale) {
		pooling.finer = (double)from.scale / (double)task->stored.scale;
		from = task->stored;
	}
	q8_table(from, task, pooling.table);
	for (unsigned i = 0; i < 256; i++)
		if (pooling.table[i] != i)
			pooling.translate = true;
	threadpool_run(call->pool, pool_share, &pooling);
}

const struct kernel max_pool_q8 = {
	.name = "max_pool_q8",
	.operator = GRAPH_MAX_POOL,
	.type = KERNEL_Q8,
	.run = run,
};

const struct kernel average_pool_q8 = {
	.name = "average_pool_q8",
	.operator = GRAPH_AVERAGE_POOL,
	.type = KERNEL_Q8,
	.run = run,
};

const struct kernel global_average_pool_q8 = {
	.name = "global_average_pool_q8",
	.operator = GRAPH_GLOBAL_AVERAGE_POOL,
	.type = KERNEL_Q8,
	.run = run,
};
