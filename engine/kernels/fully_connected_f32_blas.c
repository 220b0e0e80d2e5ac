/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * fully_connected_f32_blas.c: a fully connected layer as a matrix–vector product
 * by OpenBLAS.
 */
#include <cblas.h>
#include <string.h>

#include "engine/kernels/f32.h"

static void run(const struct kernel_call *call)
{
	const struct kernel_task *task = call->task;
	const struct f32_weights *weights = call->prepared;
	unsigned channels = task->node->shape.channels;
	int inputs = (int)task->node->weight->shape[1];
	float *out = f32_output_pixel(&call->output, 0, 0);

	memcpy(out, weights->bias, channels * sizeof(*out));
	cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)channels, inputs, 1, weights->weights, inputs,
		    f32_pixel(&call->inputs[0], 0, 0), 1, 1, out, 1);
	for (unsigned c = 0; c < channels; c++)
		out[c] = f32_clamp(out[c], task->minimum, task->maximum);
}

const struct kernel fully_connected_f32_blas = {
	.name = "fully_connected_f32_blas",
	.operator = GRAPH_FULLY_CONNECTED,
	.type = KERNEL_F32,
	.prepare = f32_weights_prepare,
	.release = f32_weights_release,
	.run = run,
};
