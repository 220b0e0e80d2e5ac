/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * f32.c: weights, columns and windows for the 32-bit kernels.
 */
#include "engine/kernels/f32.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "engine/error.h"

int f32_weights_prepare(const struct kernel_task *task, void *packed,
			void **ret_prepared, struct engine_error *error)
{
	const struct graph_node *node = task->node;
	struct f32_weights *weights = calloc(1, sizeof(*weights));

	(void)packed;
	if (!weights)
		return engine_fail_memory(error);
	weights->bias = calloc(node->shape.channels, sizeof(*weights->bias));
	if (!weights->bias)
		goto failed;
	graph_node_bias(task->graph, node, weights->bias);
	if (node->weight->type == GGUF_TENSOR_F32) {
		weights->weights = node->weight->data;
	} else {
		weights->widened = calloc(node->weight->count, sizeof(*weights->widened));
		if (!weights->widened)
			goto failed;
		graph_node_weights(node, weights->widened);
		weights->weights = weights->widened;
	}
	*ret_prepared = weights;
	return 0;
failed:
	f32_weights_release(weights);
	return engine_fail_memory(error);
}

void f32_weights_release(void *prepared)
{
	struct f32_weights *weights = prepared;

	if (!weights)
		return;
	free(weights->widened);
	free(weights->bias);
	free(weights);
}

int f32_columns_open(struct f32_columns *columns, size_t pixels, unsigned channels, size_t depth,
		     struct engine_error *error)
{
	const struct isa *isa = isa_best();

	columns->count = gemm_cut(isa->conv_f32, isa->conv_f32_count, pixels, channels, NULL);
	columns->columns = calloc(columns->count, sizeof(*columns->columns));
	if (!columns->columns)
		return engine_fail_memory(error);
	gemm_cut(isa->conv_f32, isa->conv_f32_count, pixels, channels, columns->columns);
	columns->size = gemm_place(columns->columns, columns->count, depth, NULL);
	return 0;
}

int f32_columns_allocate(struct f32_columns *columns, size_t depth, struct engine_error *error)
{
	void *memory = mmap(NULL, columns->size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return engine_fail_memory(error);
	columns->memory = memory;
	madvise(memory, columns->size, MADV_HUGEPAGE);
	gemm_place(columns->columns, columns->count, depth, memory);
	return 0;
}

void f32_columns_close(struct f32_columns *columns)
{
	if (columns->memory)
		munmap(columns->memory, columns->size);
	free(columns->columns);
}

struct gemm_window f32_window(const struct kernel_task *task)
{
	const struct graph_node *node = task->node;
	const struct graph_shape *in = &task->graph->nodes[node->inputs[0]].shape;
	const struct graph_window *w = &node->window;

	return (struct gemm_window){
		in->height, in->width, node->shape.height, node->shape.width, w->kernel_height,
		w->kernel_width, w->stride_height, w->stride_width, w->pad_top, w->pad_left,
	};
}
