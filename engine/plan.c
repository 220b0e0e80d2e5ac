/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * plan.c: first the slices, then the places.
 *
 * A value may lie in a slice of the concat that reads it if nobody else could
 * notice: either the concat stores what the node would store (same quantisation,
 * or limits that the node keeps anyway), or the concat is its only reader.
 *
 * Places are found by best fit in order of size: the largest first, each at the
 * lowest offset where no value lies that lives at the same time. A value lives
 * from the step that writes it (the first branch, for a concat) to the last that
 * reads it or any of its slices; the features live to the end.
 */
#include "engine/plan.h"

#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/limits.h"

/* A value with bytes of its own; slices have none. */
struct block {
	unsigned node;
	unsigned first, last;		/* steps between which it lives, both included */
	size_t size, offset;
};

struct planner {
	struct plan *plan;
	unsigned *reader_counts;	/* by node; a feature counts as one reader more */
	bool *rigid;			/* by node: read by something that wants it unbroken */
	struct block *blocks;
	unsigned block_count;
};

static bool same(struct graph_quantisation a, struct graph_quantisation b)
{
	return a.scale == b.scale && a.zero_point == b.zero_point;
}

static void count_readers(struct planner *p)
{
	const struct graph *graph = p->plan->graph;
	const int outputs[] = { graph->pool, graph->grid, graph->classes };

	for (unsigned i = 0; i < graph->node_count; i++) {
		const struct graph_node *node = &graph->nodes[i];

		for (unsigned j = 0; j < node->input_count; j++) {
			const struct graph_node *input = &graph->nodes[node->inputs[j]];

			p->reader_counts[node->inputs[j]]++;
			if (node->operator == GRAPH_FULLY_CONNECTED &&
			    input->shape.height * input->shape.width > 1)
				p->rigid[node->inputs[j]] = true;
		}
	}
	for (unsigned i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++)
		if (outputs[i] >= 0)
			p->reader_counts[outputs[i]]++;
}

/* Of a pixel, with copies. */
static unsigned stored_channels(const struct plan_value *value)
{
	return value->layout ? value->layout->count : value->task.node->shape.channels;
}

static int find_layouts(struct plan *plan, struct engine_error *error)
{
	const struct graph *graph = plan->graph;
	const struct channel_layout **inputs = calloc(LIMIT_MODEL_NODES, sizeof(*inputs));
	int r = inputs ? 0 : engine_fail_memory(error);

	for (unsigned i = 1; i < graph->node_count && r == 0; i++) {
		const struct graph_node *node = &graph->nodes[i];
		struct plan_value *value = &plan->values[i];

		for (unsigned j = 0; j < node->input_count; j++)
			inputs[j] = plan->values[node->inputs[j]].layout;
		r = channel_layout_open(node, inputs, graph, &value->layout, error);
		value->task.layout = value->layout;
		value->task.input_layout = inputs[0];
	}
	free(inputs);
	return r;
}

static bool may_be_slice(const struct planner *p, const struct plan_value *value,
			 const struct plan_value *concat)
{
	const struct graph_node *node = value->task.node;
	bool alone = p->reader_counts[node->index] == 1;

	if (value->slice_of >= 0 || node->operator == GRAPH_INPUT || p->rigid[node->index])
		return false;
	if (p->plan->type == KERNEL_Q8)
		/* at most one change of scale, which a kernel can do in its store; a
		 * convolution rounds to the last of them alone */
		return same(node->quantisation, concat->task.stored) ||
		       (alone && (node->operator == GRAPH_CONVOLUTION ||
				  same(concat->task.node->quantisation, concat->task.stored) ||
				  same(concat->task.node->quantisation, node->quantisation)));
	return alone || (concat->task.minimum <= node->minimum &&
			 concat->task.maximum >= node->maximum);
}

/* Concats in descending order, so that an outer one is placed before the concats
 * it is made of. Offsets are relative to the slice's concat until they are
 * resolved. */
static void find_slices(struct planner *p)
{
	struct plan *plan = p->plan;

	for (unsigned i = plan->graph->node_count; i-- > 0;) {
		struct plan_value *concat = &plan->values[i];
		const struct graph_node *node = &plan->graph->nodes[i];
		size_t channel = 0;

		if (node->operator != GRAPH_CONCAT)
			continue;
		for (unsigned j = 0; j < node->input_count; j++) {
			struct plan_value *value = &plan->values[node->inputs[j]];

			if (may_be_slice(p, value, concat)) {
				value->slice_of = (int)i;
				value->offset = channel * kernel_type_size(plan->type);
				value->task.stored = concat->task.stored;
				if (concat->task.minimum > value->task.minimum)
					value->task.minimum = concat->task.minimum;
				if (concat->task.maximum < value->task.maximum)
					value->task.maximum = concat->task.maximum;
			}
			channel += stored_channels(value);
		}
	}
}

static unsigned find_root(const struct plan *plan, unsigned node)
{
	while (plan->values[node].slice_of >= 0)
		node = (unsigned)plan->values[node].slice_of;
	return node;
}

static void live_until(struct block *block, unsigned step)
{
	if (block && step > block->last)
		block->last = step;
}

/* Fills p->blocks: one for each value that is no slice. */
static void find_blocks(struct planner *p, struct block **by_node)
{
	const struct plan *plan = p->plan;
	const struct graph *graph = plan->graph;
	const int outputs[] = { graph->pool, graph->grid, graph->classes };

	for (unsigned i = 0; i < graph->node_count; i++) {
		const struct graph_shape *shape = &graph->nodes[i].shape;
		struct block *block;

		if (plan->values[i].slice_of >= 0)
			continue;
		block = &p->blocks[p->block_count++];
		*block = (struct block){
			.node = i, .first = i, .last = i,
			.size = (size_t)shape->height * shape->width *
				stored_channels(&plan->values[i]) * kernel_type_size(plan->type) + KERNEL_OVERREAD,
		};
		block->size = (block->size + PLAN_ALIGNMENT - 1) & ~(size_t)(PLAN_ALIGNMENT - 1);
		by_node[i] = block;
	}
	for (unsigned i = 0; i < graph->node_count; i++) {
		struct block *block = by_node[find_root(plan, i)];

		if (i < block->first)
			block->first = i;
		for (unsigned j = 0; j < graph->nodes[i].input_count; j++)
			live_until(by_node[find_root(plan, graph->nodes[i].inputs[j])], i);
	}
	for (unsigned i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++)
		if (outputs[i] >= 0)
			live_until(by_node[find_root(plan, (unsigned)outputs[i])],
				   graph->node_count);
}

static int compare_sizes(const void *a, const void *b)
{
	const struct block *x = a, *y = b;

	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	return x->node < y->node ? -1 : 1;
}

static int compare_offsets(const void *a, const void *b)
{
	const struct block *const *x = a, *const *y = b;

	return (*x)->offset < (*y)->offset ? -1 : (*x)->offset > (*y)->offset;
}

/* Gives blocks[count] its offset among those before it. `rivals` has room for
 * all blocks. */
static void place_block(struct block *blocks, unsigned count, const struct block **rivals)
{
	struct block *block = &blocks[count];
	unsigned rival_count = 0;
	size_t end = 0, best = SIZE_MAX, best_gap = SIZE_MAX;

	for (unsigned i = 0; i < count; i++)
		if (blocks[i].first <= block->last && blocks[i].last >= block->first)
			rivals[rival_count++] = &blocks[i];
	qsort(rivals, rival_count, sizeof(*rivals), compare_offsets);
	for (unsigned i = 0; i < rival_count; i++) {
		if (rivals[i]->offset >= end + block->size && rivals[i]->offset - end < best_gap) {
			best = end;
			best_gap = rivals[i]->offset - end;
		}
		if (rivals[i]->offset + rivals[i]->size > end)
			end = rivals[i]->offset + rivals[i]->size;
	}
	block->offset = best != SIZE_MAX ? best : end;
}

static int place_blocks(struct planner *p, struct engine_error *error)
{
	const struct block **rivals = calloc(p->block_count, sizeof(*rivals));
	struct plan *plan = p->plan;

	if (!rivals)
		return engine_fail_memory(error);
	qsort(p->blocks, p->block_count, sizeof(*p->blocks), compare_sizes);
	for (unsigned i = 0; i < p->block_count; i++) {
		struct block *block = &p->blocks[i];

		place_block(p->blocks, i, rivals);
		plan->values[block->node].offset = block->offset;
		if (block->offset + block->size > plan->arena_size)
			plan->arena_size = block->offset + block->size;
	}
	free(rivals);
	if (plan->arena_size > LIMIT_MODEL_ARENA)
		return engine_fail(error, ENGINE_BAD_MODEL,
				   "The model needs %zu MiB for the values between its layers; at most %u are allowed.",
				   (plan->arena_size >> 20) + 1, LIMIT_MODEL_ARENA >> 20);
	return 0;
}

/* Strides and final offsets; concats come after their slices, so walk down. */
static void resolve(struct plan *plan)
{
	for (unsigned i = plan->graph->node_count; i-- > 0;) {
		struct plan_value *value = &plan->values[i];
		const struct graph_shape *shape = &value->task.node->shape;

		if (value->slice_of >= 0) {
			const struct plan_value *concat = &plan->values[value->slice_of];

			value->offset += concat->offset;
			value->pixel_stride = concat->pixel_stride;
			value->row_stride = concat->row_stride;
		} else {
			value->pixel_stride = stored_channels(value);
			value->row_stride = (size_t)shape->width * value->pixel_stride;
		}
	}
}

int plan_open(const struct graph *graph, enum kernel_type type, struct plan **ret_plan,
	      struct engine_error *error)
{
	struct plan *plan = calloc(1, sizeof(*plan));
	struct planner p = { .plan = plan };
	struct block **by_node = NULL;
	unsigned count = graph->node_count;
	int r;

	if (!plan)
		return engine_fail_memory(error);
	plan->graph = graph;
	plan->type = type;
	plan->values = calloc(count, sizeof(*plan->values));
	p.reader_counts = calloc(count, sizeof(*p.reader_counts));
	p.rigid = calloc(count, sizeof(*p.rigid));
	p.blocks = calloc(count, sizeof(*p.blocks));
	by_node = calloc(count, sizeof(struct block *));
	if (!plan->values || !p.reader_counts || !p.rigid || !p.blocks || !by_node) {
		r = engine_fail_memory(error);
		goto out;
	}
	for (unsigned i = 0; i < count; i++) {
		const struct graph_node *node = &graph->nodes[i];

		plan->values[i] = (struct plan_value){
			.task = {
				.graph = graph, .node = node, .type = type,
				.minimum = node->minimum, .maximum = node->maximum,
				.stored = node->quantisation,
			},
			.slice_of = -1,
		};
	}
	if (type == KERNEL_Q8) {
		r = find_layouts(plan, error);
		if (r)
			goto out;
	}
	count_readers(&p);
	find_slices(&p);
	find_blocks(&p, by_node);
	r = place_blocks(&p, error);
	if (r)
		goto out;
	resolve(plan);
	*ret_plan = plan;
	plan = NULL;
out:
	free(by_node);
	free(p.blocks);
	free(p.rigid);
	free(p.reader_counts);
	plan_free(plan);
	return r;
}

struct plan *plan_free(struct plan *plan)
{
	if (!plan)
		return NULL;
	for (unsigned i = 0; plan->values && i < plan->graph->node_count; i++)
		channel_layout_free(plan->values[i].layout);
	free(plan->values);
	free(plan);
	return NULL;
}

struct kernel_view plan_view(const struct plan *plan, unsigned node, void *arena)
{
	const struct plan_value *value = &plan->values[node];
	const struct graph_shape *shape = &value->task.node->shape;

	return (struct kernel_view){
		.data = (char *)arena + value->offset,
		.shape = { shape->height, shape->width, stored_channels(value) },
		.pixel_stride = value->pixel_stride,
		.row_stride = value->row_stride,
	};
}
