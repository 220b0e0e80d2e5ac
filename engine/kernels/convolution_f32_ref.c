/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * convolution_f32_ref.c: convolution by its definition, any kernel, stride,
 * dilation, padding and groups. Rows of the output are shared out to the
 * threads.
 */
#include "engine/kernels/f32.h"
#include "engine/threadpool.h"

/* One output pixel. */
static void convolve(const struct kernel_call *call, unsigned out_y, unsigned out_x)
{
	const struct kernel_task *task = call->task;
	const struct graph_node *node = task->node;
	const struct graph_window *w = &node->window;
	const struct kernel_view *in = &call->inputs[0];
	const struct f32_weights *weights = call->prepared;
	unsigned depth = in->shape.channels / node->groups;
	unsigned group_channels = node->shape.channels / node->groups;
	float *out = f32_output_pixel(&call->output, out_y, out_x);

	for (unsigned c = 0; c < node->shape.channels; c++) {
		const float *weight = weights->weights +
				      (size_t)c * w->kernel_height * w->kernel_width * depth;
		unsigned first = c / group_channels * depth;
		float sum = weights->bias[c];

		for (unsigned ky = 0; ky < w->kernel_height; ky++) {
			/* wraps below 0, so one comparison tells whether it is inside */
			unsigned y = out_y * w->stride_height + ky * w->dilation_height - w->pad_top;

			if (y >= in->shape.height)
				continue;
			for (unsigned kx = 0; kx < w->kernel_width; kx++) {
				unsigned x = out_x * w->stride_width + kx * w->dilation_width -
					     w->pad_left;
				const float *pixel, *tap;

				if (x >= in->shape.width)
					continue;
				pixel = f32_pixel(in, y, x) + first;
				tap = weight + ((size_t)ky * w->kernel_width + kx) * depth;
				for (unsigned i = 0; i < depth; i++)
					sum += pixel[i] * tap[i];
			}
		}
		out[c] = f32_clamp(sum, task->minimum, task->maximum);
	}
}

static void convolve_rows(void *argument, unsigned index, unsigned count)
{
	const struct kernel_call *call = argument;
	size_t begin, end;

	threadpool_share(call->output.shape.height, 1, index, count, &begin, &end);
	for (size_t y = begin; y < end; y++)
		for (unsigned x = 0; x < call->output.shape.width; x++)
			convolve(call, (unsigned)y, x);
}

static void run(const struct kernel_call *call)
{
	threadpool_run(call->pool, convolve_rows, (void *)call);
}

const struct kernel convolution_f32_ref = {
	.name = "conv2d_f32_ref",
	.operator = GRAPH_CONVOLUTION,
	.type = KERNEL_F32,
	.prepare = f32_weights_prepare,
	.release = f32_weights_release,
	.run = run,
};
