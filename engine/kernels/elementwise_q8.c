/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * elementwise_q8.c: operators that take 8-bit values one by one. Those with one
 * operand give one byte for each byte, so a table of 256 entries holds all they
 * can yield. Sums and products are taken in floats and rounded once to the node's
 * own steps.
 */
#include "engine/kernels/q8.h"
#include "engine/threadpool.h"

/* What a call needs besides its values, made once for all threads. */
struct work {
	const struct kernel_call *call;
	uint8_t table[256];	/* of one operand; or from the node's own steps to what is stored */
	float factors[2];	/* of each operand's steps in the node's own, or of their product */
	int32_t zeros[2];
	int32_t low, high;	/* what the node may yield, in its own steps */
};

static float sigmoid(float value)
{
	return 1.0f / (1.0f + expf(-value));
}

static struct graph_quantisation input_quantisation(const struct kernel_task *task, unsigned input)
{
	return task->graph->nodes[task->node->inputs[input]].quantisation;
}

/* The clamps and roundings that come after a node's arithmetic. */
static uint8_t finish(const struct kernel_task *task, float value)
{
	const struct graph_node *node = task->node;
	struct graph_quantisation own = node->quantisation;
	uint8_t low = q8_store(node->minimum, own), high = q8_store(node->maximum, own);
	uint8_t q = q8_store(value, own);

	q = q < low ? low : q > high ? high : q;
	if (q8_same(own, task->stored))
		return q;
	return q8_store(own.scale * (float)(q - own.zero_point), task->stored);
}

static void look_up(void *argument, unsigned index, unsigned count)
{
	const struct work *work = argument;
	const struct kernel_view *in = &work->call->inputs[0], *out = &work->call->output;
	size_t begin, end;

	threadpool_share((size_t)out->shape.height * out->shape.width, 1, index, count, &begin, &end);
	for (size_t p = begin; p < end; p++) {
		const uint8_t *from = (const uint8_t *)in->data + p * in->pixel_stride;
		uint8_t *to = (uint8_t *)out->data + p * out->pixel_stride;

		for (unsigned c = 0; c < out->shape.channels; c++)
			to[c] = work->table[from[c]];
	}
}

static void run_single(const struct kernel_call *call)
{
	const struct kernel_task *task = call->task;
	struct graph_quantisation from = input_quantisation(task, 0);
	struct work work = { .call = call };

	for (int i = 0; i < 256; i++) {
		float value = from.scale * (float)(i - from.zero_point);
		float gate = sigmoid(value);

		work.table[i] = finish(task, task->node->operator == GRAPH_SWISH ? value * gate : gate);
	}
	threadpool_run(call->pool, look_up, &work);
}

/* Rounds to the node's own steps, keeps within its limits and stores. */
static uint8_t store(const struct work *work, float steps)
{
	float q = rintf(steps);

	q = q < (float)work->low ? (float)work->low : q > (float)work->high ? (float)work->high : q;
	return work->table[(uint8_t)q];
}

static void combine(void *argument, unsigned index, unsigned count)
{
	const struct work *work = argument;
	const struct kernel_call *call = work->call;
	const struct kernel_view *a = &call->inputs[0], *b = &call->inputs[1], *out = &call->output;
	bool spread = b->shape.height * b->shape.width == 1;
	float zero = (float)call->task->node->quantisation.zero_point;
	size_t begin, end;

	threadpool_share((size_t)out->shape.height * out->shape.width, 1, index, count, &begin, &end);
	for (size_t p = begin; p < end; p++) {
		const uint8_t *x = (const uint8_t *)a->data + p * a->pixel_stride;
		const uint8_t *y = (const uint8_t *)b->data + (spread ? 0 : p * b->pixel_stride);
		uint8_t *to = (uint8_t *)out->data + p * out->pixel_stride;

		if (call->task->node->operator == GRAPH_ADD)
			for (unsigned c = 0; c < out->shape.channels; c++)
				to[c] = store(work, work->factors[0] * (float)(x[c] - work->zeros[0]) +
						    work->factors[1] * (float)(y[c] - work->zeros[1]) +
						    zero);
		else
			for (unsigned c = 0; c < out->shape.channels; c++)
				to[c] = store(work, work->factors[0] *
						    (float)((x[c] - work->zeros[0]) *
							    (y[c] - work->zeros[1])) + zero);
	}
}

static void run_pair(const struct kernel_call *call)
{
	const struct kernel_task *task = call->task;
	const struct graph_node *node = task->node;
	struct graph_quantisation own = node->quantisation;
	struct graph_quantisation a = input_quantisation(task, 0), b = input_quantisation(task, 1);
	struct work work = {
		.call = call,
		.factors = { a.scale / own.scale, b.scale / own.scale },
		.zeros = { a.zero_point, b.zero_point },
		.low = q8_store(node->minimum, own),
		.high = q8_store(node->maximum, own),
	};

	if (node->operator == GRAPH_MULTIPLY)
		work.factors[0] = (float)((double)a.scale * (double)b.scale / (double)own.scale);
	for (int i = 0; i < 256; i++)
		work.table[i] = q8_same(own, task->stored) ? (uint8_t)i :
				q8_store(own.scale * (float)(i - own.zero_point), task->stored);
	threadpool_run(call->pool, combine, &work);
}

const struct kernel add_q8 = {
	.name = "add_q8",
	.operator = GRAPH_ADD,
	.type = KERNEL_Q8,
	.run = run_pair,
};

const struct kernel multiply_q8 = {
	.name = "multiply_q8",
	.operator = GRAPH_MULTIPLY,
	.type = KERNEL_Q8,
	.run = run_pair,
};

const struct kernel sigmoid_q8 = {
	.name = "sigmoid_q8",
	.operator = GRAPH_SIGMOID,
	.type = KERNEL_Q8,
	.run = run_single,
};

const struct kernel swish_q8 = {
	.name = "swish_q8",
	.operator = GRAPH_SWISH,
	.type = KERNEL_Q8,
	.run = run_single,
};
