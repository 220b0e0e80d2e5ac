/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * executor.c: node after node in the order of the graph. Views of all values are
 * laid out once, so a run is a walk over prepared calls.
 */
#include "engine/executor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/error.h"

struct executor {
	const struct program *program;
	struct kernel_call *calls;	/* one a node */
	struct kernel_view *inputs;	/* what the calls' `inputs` point into */
	uint8_t *arena, *scratch;
	void *memory;			/* of both */
	size_t memory_size;
	executor_observer *observe;
	void *observe_argument;
};

static size_t round_up(size_t size)
{
	return (size + PLAN_ALIGNMENT - 1) & ~(size_t)(PLAN_ALIGNMENT - 1);
}

static size_t scratch_size(const struct program *program, unsigned threads)
{
	size_t largest = 0;

	for (unsigned i = 0; i < program->graph->node_count; i++) {
		const struct kernel *kernel = program->steps[i].kernel;
		size_t size = kernel && kernel->scratch ?
			      kernel->scratch(&program->plan->values[i].task,
					      program->steps[i].prepared, threads) : 0;

		if (size > largest)
			largest = size;
	}
	return largest;
}

int executor_open(const struct program *program, struct threadpool *pool,
		  struct executor **ret_executor, struct engine_error *error)
{
	const struct graph *graph = program->graph;
	struct executor *executor = calloc(1, sizeof(*executor));
	size_t input_total = 0, scratch;
	int r = 0;

	if (!executor)
		return engine_fail_memory(error);
	executor->program = program;
	for (unsigned i = 0; i < graph->node_count; i++)
		input_total += graph->nodes[i].input_count;
	scratch = round_up(scratch_size(program, threadpool_threads(pool)) + KERNEL_OVERREAD);
	executor->calls = calloc(graph->node_count, sizeof(*executor->calls));
	executor->inputs = calloc(input_total + 1, sizeof(*executor->inputs));
	executor->memory_size = program->plan->arena_size + scratch;
	/* A mapping of its own, in large pages where the system has them, goes back to
	 * the system when it is freed, which the heap would put off. It is all zero: the
	 * bytes behind each value are read, if only to be ignored. */
	executor->memory = mmap(NULL, executor->memory_size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (executor->memory == MAP_FAILED)
		executor->memory = NULL;
	if (!executor->calls || !executor->inputs || !executor->memory) {
		r = engine_fail_memory(error);
		goto out;
	}
	madvise(executor->memory, executor->memory_size, MADV_HUGEPAGE);
	executor->arena = executor->memory;
	executor->scratch = executor->arena + program->plan->arena_size;
	input_total = 0;
	for (unsigned i = 0; i < graph->node_count; i++) {
		const struct graph_node *node = &graph->nodes[i];
		struct kernel_view *inputs = executor->inputs + input_total;

		for (unsigned j = 0; j < node->input_count; j++)
			inputs[j] = plan_view(program->plan, node->inputs[j], executor->arena);
		executor->calls[i] = (struct kernel_call){
			.task = &program->plan->values[i].task,
			.prepared = program->steps[i].prepared,
			.inputs = inputs,
			.output = plan_view(program->plan, i, executor->arena),
			.scratch = executor->scratch,
			.pool = pool,
		};
		input_total += node->input_count;
	}
	*ret_executor = executor;
	executor = NULL;
out:
	executor_free(executor);
	return r;
}

struct executor *executor_free(struct executor *executor)
{
	if (!executor)
		return NULL;
	free(executor->calls);
	free(executor->inputs);
	if (executor->memory)
		munmap(executor->memory, executor->memory_size);
	free(executor);
	return NULL;
}

static uint8_t quantise(float value, struct graph_quantisation quantisation)
{
	float stored = rintf(value / quantisation.scale) + (float)quantisation.zero_point;

	return stored <= 0 ? 0 : stored >= 255 ? 255 : (uint8_t)stored;
}

void executor_load(struct executor *executor, const uint8_t *rgb)
{
	const struct graph *graph = executor->program->graph;
	const struct kernel_view *view = &executor->calls[0].output;
	const struct kernel_task *task = executor->calls[0].task;
	size_t pixels = (size_t)view->shape.height * view->shape.width;
	float *floats = view->data;
	uint8_t *bytes = view->data, stored[3][256];
	bool as_they_are = true;

	for (unsigned c = 0; c < 3; c++) {
		float table[256];

		for (unsigned i = 0; i < 256; i++) {
			float value = ((float)i - graph->input_mean[c]) / graph->input_std[c];

			table[i] = value < task->minimum ? task->minimum :
				   value > task->maximum ? task->maximum : value;
		}
		if (executor->program->plan->type == KERNEL_F32) {
			for (size_t i = 0; i < pixels; i++)
				floats[3 * i + c] = table[rgb[3 * i + c]];
			continue;
		}
		for (unsigned i = 0; i < 256; i++) {
			stored[c][i] = quantise(table[i], task->stored);
			as_they_are = as_they_are && stored[c][i] == i;
		}
	}
	if (executor->program->plan->type == KERNEL_F32)
		return;
	if (as_they_are) {
		memcpy(bytes, rgb, 3 * pixels);
		return;
	}
	for (size_t i = 0; i < pixels; i++)
		for (unsigned c = 0; c < 3; c++)
			bytes[3 * i + c] = stored[c][rgb[3 * i + c]];
}

int executor_run(struct executor *executor, const atomic_bool *cancel,
		 struct engine_error *error)
{
	const struct program *program = executor->program;

	for (unsigned i = 0; i < program->graph->node_count; i++) {
		if (cancel && atomic_load_explicit(cancel, memory_order_relaxed))
			return engine_fail(error, ENGINE_CANCELLED,
					   "The description was cancelled.");
		if (program->steps[i].kernel)
			program->steps[i].kernel->run(&executor->calls[i]);
		if (executor->observe)
			executor->observe(executor->observe_argument, executor, i);
	}
	return 0;
}

/* A pixel whose channels have copies: stacked ones are summed, of split ones the
 * mean is taken. */
static void read_copies(const uint8_t *bytes, const struct channel_layout *layout,
			unsigned channels, const float table[256], float *ret_values)
{
	memset(ret_values, 0, channels * sizeof(*ret_values));
	for (unsigned i = 0; i < layout->count; i++) {
		struct stored_channel stored = layout->channels[i];
		float value = table[bytes[i]];

		ret_values[stored.channel] += stored.split ? value / (float)stored.count : value;
	}
}

void executor_read(const struct executor *executor, unsigned node, float *ret_values)
{
	const struct kernel_view *view = &executor->calls[node].output;
	const struct kernel_task *task = executor->calls[node].task;
	struct graph_quantisation stored = task->stored;
	bool floats = executor->program->plan->type == KERNEL_F32;
	float table[256];

	if (!floats)
		for (int i = 0; i < 256; i++)
			table[i] = stored.scale * (float)(i - stored.zero_point);
	for (unsigned y = 0; y < view->shape.height; y++)
		for (unsigned x = 0; x < view->shape.width; x++) {
			size_t start = y * view->row_stride + x * view->pixel_stride;
			unsigned channels = task->node->shape.channels;

			if (floats)
				memcpy(ret_values, (const float *)view->data + start,
				       channels * sizeof(float));
			else if (task->layout)
				read_copies((const uint8_t *)view->data + start, task->layout,
					    channels, table, ret_values);
			else
				for (unsigned c = 0; c < channels; c++)
					ret_values[c] = table[((const uint8_t *)view->data)[start + c]];
			ret_values += channels;
		}
}

void executor_observe(struct executor *executor, executor_observer *observe, void *argument)
{
	executor->observe = observe;
	executor->observe_argument = argument;
}
