/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pool_f32.c: maximum and average over a window in floats, all channels of an
 * output pixel at a time. Windows of more pixels than fit the list of pointers
 * are left to pool_f32_ref.c.
 */
#include "engine/kernels/f32.h"
#include "engine/kernels/isa.h"
#include "engine/threadpool.h"

#define PIXELS_MAX 256u

static unsigned larger(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static void pool_pixel(const struct kernel_call *call, const struct isa *isa, unsigned out_y,
		       unsigned out_x)
{
	const struct kernel_task *task = call->task;
	const struct graph_window *w = &task->node->window;
	const struct kernel_view *in = &call->inputs[0];
	unsigned top = out_y * w->stride_height, left = out_x * w->stride_width;
	unsigned bottom = smaller(top + w->kernel_height, w->pad_top + in->shape.height) - w->pad_top;
	unsigned right = smaller(left + w->kernel_width, w->pad_left + in->shape.width) - w->pad_left;
	float *out = f32_output_pixel(&call->output, out_y, out_x);
	const float *pixels[PIXELS_MAX];
	size_t count = 0;

	top = larger(top, w->pad_top) - w->pad_top;
	left = larger(left, w->pad_left) - w->pad_left;
	for (unsigned y = top; y < bottom; y++)
		for (unsigned x = left; x < right; x++)
			pixels[count++] = f32_pixel(in, y, x);
	if (task->node->operator == GRAPH_MAX_POOL) {
		isa->maximum_f32(pixels, count, in->shape.channels, task->minimum, task->maximum, out);
		return;
	}
	isa->average_f32(pixels, count, in->shape.channels,
			 1.0f / (float)(task->node->count_padding
						? w->kernel_height * w->kernel_width
						: count),
			 task->minimum, task->maximum, out);
}

static void pool_rows(void *argument, unsigned index, unsigned count)
{
	const struct kernel_call *call = argument;
	const struct isa *isa = isa_best();
	size_t begin, end;

	threadpool_share(call->output.shape.height, 1, index, count, &begin, &end);
	for (size_t y = begin; y < end; y++)
		for (unsigned x = 0; x < call->output.shape.width; x++)
			pool_pixel(call, isa, (unsigned)y, x);
}

static void run(const struct kernel_call *call)
{
	threadpool_run(call->pool, pool_rows, (void *)call);
}

static bool fits(const struct kernel_task *task)
{
	const struct graph_window *w = &task->node->window;

	return (size_t)w->kernel_height * w->kernel_width <= PIXELS_MAX;
}

const struct kernel max_pool_f32 = {
	.name = "max_pool_f32",
	.operator = GRAPH_MAX_POOL,
	.type = KERNEL_F32,
	.fits = fits,
	.run = run,
};

const struct kernel average_pool_f32 = {
	.name = "average_pool_f32",
	.operator = GRAPH_AVERAGE_POOL,
	.type = KERNEL_F32,
	.fits = fits,
	.run = run,
};
