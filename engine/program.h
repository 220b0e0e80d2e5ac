/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * program.h: a graph made ready to run: a plan, and for each node the kernel
 * chosen from the table with its weights prepared. Immutable, so that contexts
 * of one model share it.
 */
#ifndef ENGINE_PROGRAM_H
#define ENGINE_PROGRAM_H

#include "engine/kernels/kernels.h"
#include "engine/plan.h"

struct program_step {
	const struct kernel *kernel;	/* NULL: nothing to do (the input) */
	void *prepared;
};

struct program {
	const struct graph *graph;
	enum engine_path path;
	struct plan *plan;
	struct program_step *steps;	/* graph->node_count */
};

/* ENGINE_PATH_AUTO takes 8-bit values if the graph is quantised and there is an
 * 8-bit kernel for each of its nodes. Borrows the graph; `pool`, which may be
 * NULL, helps with the packing. */
int program_open(const struct graph *graph, enum engine_path path, struct threadpool *pool,
		 struct program **ret_program, struct engine_error *error);
struct program *program_free(struct program *program);

#endif
