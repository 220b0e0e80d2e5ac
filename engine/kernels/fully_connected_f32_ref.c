/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * fully_connected_f32_ref.c: one product per channel over all of the input. The
 * plan keeps an input of more than one pixel unbroken.
 */
#include "engine/kernels/f32.h"
#include "engine/threadpool.h"

static void connect(void *argument, unsigned index, unsigned count)
{
	const struct kernel_call *call = argument;
	const struct kernel_task *task = call->task;
	const struct f32_weights *weights = call->prepared;
	size_t inputs = task->node->weight->shape[1], begin, end;
	const float *in = f32_pixel(&call->inputs[0], 0, 0);
	float *out = f32_output_pixel(&call->output, 0, 0);

	threadpool_share(task->node->shape.channels, 1, index, count, &begin, &end);
	for (size_t c = begin; c < end; c++) {
		const float *weight = weights->weights + c * inputs;
		float sum = weights->bias[c];

		for (size_t i = 0; i < inputs; i++)
			sum += in[i] * weight[i];
		out[c] = f32_clamp(sum, task->minimum, task->maximum);
	}
}

static void run(const struct kernel_call *call)
{
	threadpool_run(call->pool, connect, (void *)call);
}

const struct kernel fully_connected_f32_ref = {
	.name = "fully_connected_f32_ref",
	.operator = GRAPH_FULLY_CONNECTED,
	.type = KERNEL_F32,
	.prepare = f32_weights_prepare,
	.release = f32_weights_release,
	.run = run,
};
