/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * elementwise_f32_ref.c: operators that take values one by one: clamp, sigmoid,
 * swish, sum and product of two, and the copying that a concat is. Inputs that
 * already lie in their slice of a concat are left where they are.
 */
#include <math.h>
#include <string.h>

#include "engine/kernels/f32.h"
#include "engine/threadpool.h"

static float sigmoid(float value)
{
	return 1.0f / (1.0f + expf(-value));
}

static void apply(enum graph_operator operator, const float *a, const float *b, unsigned count,
		  float *out)
{
	switch (operator) {
	case GRAPH_ADD:
		for (unsigned i = 0; i < count; i++)
			out[i] = a[i] + b[i];
		break;
	case GRAPH_MULTIPLY:
		for (unsigned i = 0; i < count; i++)
			out[i] = a[i] * b[i];
		break;
	case GRAPH_SIGMOID:
		for (unsigned i = 0; i < count; i++)
			out[i] = sigmoid(a[i]);
		break;
	case GRAPH_SWISH:
		for (unsigned i = 0; i < count; i++)
			out[i] = a[i] * sigmoid(a[i]);
		break;
	default:
		memcpy(out, a, count * sizeof(*out));
		break;
	}
}

static void apply_rows(void *argument, unsigned index, unsigned count)
{
	const struct kernel_call *call = argument;
	const struct kernel_task *task = call->task;
	const struct graph_shape *shape = &call->output.shape;
	size_t begin, end;

	threadpool_share(shape->height, 1, index, count, &begin, &end);
	for (unsigned y = (unsigned)begin; y < end; y++)
		for (unsigned x = 0; x < shape->width; x++) {
			const float *a = f32_pixel(&call->inputs[0], y, x), *b = NULL;
			float *out = f32_output_pixel(&call->output, y, x);

			if (task->node->input_count > 1) {
				const struct kernel_view *second = &call->inputs[1];

				b = second->shape.height == shape->height &&
				    second->shape.width == shape->width ?
				    f32_pixel(second, y, x) : f32_pixel(second, 0, 0);
			}
			apply(task->node->operator, a, b, shape->channels, out);
			for (unsigned c = 0; c < shape->channels; c++)
				out[c] = f32_clamp(out[c], task->minimum, task->maximum);
		}
}

static void run(const struct kernel_call *call)
{
	threadpool_run(call->pool, apply_rows, (void *)call);
}

static void join_rows(void *argument, unsigned index, unsigned count)
{
	const struct kernel_call *call = argument;
	const struct kernel_task *task = call->task;
	unsigned channel = 0;
	size_t begin, end;

	threadpool_share(call->output.shape.height, 1, index, count, &begin, &end);
	for (unsigned i = 0; i < task->node->input_count; i++) {
		const struct kernel_view *in = &call->inputs[i];
		unsigned channels = in->shape.channels;

		if (in->data != f32_output_pixel(&call->output, 0, 0) + channel)
			for (unsigned y = (unsigned)begin; y < end; y++)
				for (unsigned x = 0; x < in->shape.width; x++) {
					const float *from = f32_pixel(in, y, x);
					float *to = f32_output_pixel(&call->output, y, x) + channel;

					for (unsigned c = 0; c < channels; c++)
						to[c] = f32_clamp(from[c], task->minimum,
								  task->maximum);
				}
		channel += channels;
	}
}

static void run_concat(const struct kernel_call *call)
{
	threadpool_run(call->pool, join_rows, (void *)call);
}

#define ELEMENTWISE(identifier, text, node_operator, function) \
	const struct kernel identifier = { \
		.name = text, \
		.operator = node_operator, \
		.type = KERNEL_F32, \
		.run = function, \
	}

ELEMENTWISE(concat_f32_ref, "concat_f32_ref", GRAPH_CONCAT, run_concat);
ELEMENTWISE(add_f32_ref, "add_f32_ref", GRAPH_ADD, run);
ELEMENTWISE(multiply_f32_ref, "multiply_f32_ref", GRAPH_MULTIPLY, run);
ELEMENTWISE(clamp_f32_ref, "clamp_f32_ref", GRAPH_CLAMP, run);
ELEMENTWISE(sigmoid_f32_ref, "sigmoid_f32_ref", GRAPH_SIGMOID, run);
ELEMENTWISE(swish_f32_ref, "swish_f32_ref", GRAPH_SWISH, run);
