/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * plan.h: where in one arena each node's value lies. Planned once per model and
 * type of value: values whose lives do not overlap share bytes, and the branches
 * of a concat are written straight into their slices of it.
 */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "engine/graph.h"
#include "engine/kernels/kernels.h"

#define PLAN_ALIGNMENT 64u

struct plan_value {
	struct kernel_task task;
	struct channel_layout *layout;	/* may be NULL; the task's */
	size_t offset;			/* bytes from the arena's start */
	size_t pixel_stride, row_stride;	/* elements */
	int slice_of;			/* the concat it is written into, or -1 */
};

struct plan {
	const struct graph *graph;
	enum kernel_type type;
	struct plan_value *values;	/* graph->node_count */
	size_t arena_size;		/* a multiple of PLAN_ALIGNMENT, KERNEL_OVERREAD included */
};

/* Borrows the graph. */
int plan_open(const struct graph *graph, enum kernel_type type, struct plan **ret_plan,
	      struct engine_error *error);
struct plan *plan_free(struct plan *plan);

/* The value in an arena that begins at `arena`. */
struct kernel_view plan_view(const struct plan *plan, unsigned node, void *arena);

#endif
