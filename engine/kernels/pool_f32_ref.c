/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pool_f32_ref.c: maximum and average over a window, and the average over all.
 * Padding never wins a maximum. In an average it adds nothing to the sum; whether
 * it counts in the divisor is the node's property: TensorFlow leaves it out, ONNX
 * lets the file choose.
 */
#include <math.h>

#include "engine/kernels/f32.h"
#include "engine/threadpool.h"

/* Where the window of an output pixel meets the input. */
struct meeting {
	unsigned top, bottom, left, right;	/* bottom and right excluded */
	unsigned divisor;
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
	/* all in coordinates of the padded picture */
	unsigned top = out_y * w->stride_height, left = out_x * w->stride_width;
	unsigned bottom = top + w->kernel_height, right = left + w->kernel_width;
	struct meeting m = {
		.top = larger(top, w->pad_top) - w->pad_top,
		.left = larger(left, w->pad_left) - w->pad_left,
		.bottom = smaller(bottom, w->pad_top + in->height) - w->pad_top,
		.right = smaller(right, w->pad_left + in->width) - w->pad_left,
	};

	m.divisor = node->count_padding ? w->kernel_height * w->kernel_width :
					  (m.bottom - m.top) * (m.right - m.left);
	return m;
}

static void pool_maximum(const struct kernel_call *call, const struct meeting *m, float *out)
{
	const struct kernel_view *in = &call->inputs[0];

	for (unsigned c = 0; c < in->shape.channels; c++)
		out[c] = -INFINITY;
	for (unsigned y = m->top; y < m->bottom; y++)
		for (unsigned x = m->left; x < m->right; x++) {
			const float *pixel = f32_pixel(in, y, x);

			for (unsigned c = 0; c < in->shape.channels; c++)
				out[c] = pixel[c] > out[c] ? pixel[c] : out[c];
		}
}

static void pool_average(const struct kernel_call *call, const struct meeting *m, float *out)
{
	const struct kernel_view *in = &call->inputs[0];

	for (unsigned c = 0; c < in->shape.channels; c++)
		out[c] = 0;
	for (unsigned y = m->top; y < m->bottom; y++)
		for (unsigned x = m->left; x < m->right; x++) {
			const float *pixel = f32_pixel(in, y, x);

			for (unsigned c = 0; c < in->shape.channels; c++)
				out[c] += pixel[c];
		}
	for (unsigned c = 0; c < in->shape.channels; c++)
		out[c] /= (float)m->divisor;
}

static void pool_rows(void *argument, unsigned index, unsigned count)
{
	const struct kernel_call *call = argument;
	const struct kernel_task *task = call->task;
	size_t begin, end;

	threadpool_share(call->output.shape.height, 1, index, count, &begin, &end);
	for (size_t y = begin; y < end; y++)
		for (unsigned x = 0; x < call->output.shape.width; x++) {
			struct meeting m = meet(call, (unsigned)y, x);
			float *out = f32_output_pixel(&call->output, (unsigned)y, x);

			if (task->node->operator == GRAPH_MAX_POOL)
				pool_maximum(call, &m, out);
			else
				pool_average(call, &m, out);
			for (unsigned c = 0; c < task->node->shape.channels; c++)
				out[c] = f32_clamp(out[c], task->minimum, task->maximum);
		}
}

static void run(const struct kernel_call *call)
{
	threadpool_run(call->pool, pool_rows, (void *)call);
}

static void run_global(const struct kernel_call *call)
{
	const struct kernel_task *task = call->task;
	const struct graph_shape *in = &call->inputs[0].shape;
	struct meeting m = {
		.bottom = in->height, .right = in->width, .divisor = in->height * in->width,
	};
	float *out = f32_output_pixel(&call->output, 0, 0);

	pool_average(call, &m, out);
	for (unsigned c = 0; c < in->channels; c++)
		out[c] = f32_clamp(out[c], task->minimum, task->maximum);
}

const struct kernel max_pool_f32_ref = {
	.name = "max_pool_f32_ref",
	.operator = GRAPH_MAX_POOL,
	.type = KERNEL_F32,
	.run = run,
};

const struct kernel average_pool_f32_ref = {
	.name = "average_pool_f32_ref",
	.operator = GRAPH_AVERAGE_POOL,
	.type = KERNEL_F32,
	.run = run,
};

const struct kernel global_average_pool_f32_ref = {
	.name = "global_average_pool_f32_ref",
	.operator = GRAPH_GLOBAL_AVERAGE_POOL,
	.type = KERNEL_F32,
	.run = run_global,
};
