/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * concat_q8.c: joining values and clamping them, in 8 bits. One byte of input
 * gives one byte of output, so all rounding is done beforehand in a table of 256
 * entries. Inputs that already lie in their slice are left where they are.
 */
#include <string.h>

#include "engine/kernels/q8.h"
#include "engine/threadpool.h"

void q8_table(struct graph_quantisation from, const struct kernel_task *task,
	      uint8_t ret_table[256])
{
	struct graph_quantisation own = task->node->quantisation;
	uint8_t low = q8_store(task->node->minimum, own);
	uint8_t high = q8_store(task->node->maximum, own);
	/* Single precision, as in the convolution's second rounding. */
	float to_own = (float)((double)from.scale / (double)own.scale);
	float to_stored = (float)((double)own.scale / (double)task->stored.scale);

	for (int i = 0; i < 256; i++) {
		int q = i;

		if (!q8_same(from, own)) {
			float value = rintf((float)(i - from.zero_point) * to_own) +
				      (float)own.zero_point;

			q = value <= 0 ? 0 : value >= 255 ? 255 : (int)value;
		}
		q = q < low ? low : q > high ? high : q;
		if (!q8_same(own, task->stored)) {
			float value = rintf((float)(q - own.zero_point) * to_stored) +
				      (float)task->stored.zero_point;

			q = value <= 0 ? 0 : value >= 255 ? 255 : (int)value;
		}
		ret_table[i] = (uint8_t)q;
	}
}

static void copy_pixels(const struct kernel_view *in, const struct kernel_view *out,
			size_t channel, size_t begin, size_t end, const uint8_t table[256])
{
	for (size_t p = begin; p < end; p++) {
		const uint8_t *from = (const uint8_t *)in->data + p * in->pixel_stride;
		uint8_t *to = (uint8_t *)out->data + p * out->pixel_stride + channel;

		for (unsigned c = 0; c < in->shape.channels; c++)
			to[c] = table[from[c]];
	}
}

/* Slices are whole pixels of the concat, so rows need no attention. */
static void join(void *argument, unsigned index, unsigned count)
{
	const struct kernel_call *call = argument;
	const struct kernel_task *task = call->task;
	const struct graph_shape *shape = &call->output.shape;
	size_t channel = 0, begin, end;

	threadpool_share((size_t)shape->height * shape->width, 1, index, count, &begin, &end);
	for (unsigned i = 0; i < task->node->input_count; i++) {
		const struct kernel_view *in = &call->inputs[i];
		const struct graph_node *node = &task->graph->nodes[task->node->inputs[i]];

		if (in->data != (uint8_t *)call->output.data + channel) {
			uint8_t table[256];

			q8_table(node->quantisation, task, table);
			copy_pixels(in, &call->output, channel, begin, end, table);
		}
		channel += in->shape.channels;
	}
}

static bool all_in_place(const struct kernel_call *call)
{
	size_t channel = 0;

	for (unsigned i = 0; i < call->task->node->input_count; i++) {
		if (call->inputs[i].data != (uint8_t *)call->output.data + channel)
			return false;
		channel += call->inputs[i].shape.channels;
	}
	return true;
}

static void run(const struct kernel_call *call)
{
	if (!all_in_place(call))
		threadpool_run(call->pool, join, (void *)call);
}

const struct kernel concat_q8 = {
	.name = "concat_q8",
	.operator = GRAPH_CONCAT,
	.type = KERNEL_Q8,
	.run = run,
};

const struct kernel clamp_q8 = {
	.name = "clamp_q8",
	.operator = GRAPH_CLAMP,
	.type = KERNEL_Q8,
	.run = run,
};
