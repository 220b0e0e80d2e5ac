/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * program.h: a graph made ready to run: a plan, and for each node the kernel
 * chosen from the table with its weights prepared. Immutable, so that contexts
 * of one model share it.
 */
#ifndef ENGINE_PROGRAM_H
#define ENGINE_PROGRAM_H

#include <stdatomic.h>

#include "engine/kernels/kernels.h"
#include "engine/plan.h"

struct program_step {
	const struct kernel *kernel;	/* NULL: nothing to do (the input) */
	void *packed, *prepared;
};

struct program {
	const struct graph *graph;
	enum engine_path path;
	struct plan *plan;
	struct program_step *steps;	/* graph->node_count */
	void *packed;			/* the weights that kernels packed, in one mapping */
	size_t packed_size;
	atomic_uint taken;		/* how many of the last nodes a thread has taken */
};

/* Chooses kernels and memory. ENGINE_PATH_AUTO takes 8-bit values if the graph is
 * quantised and there is an 8-bit kernel for each of its nodes. Borrows the graph. */
int program_plan(const struct graph *graph, enum engine_path path, struct program **ret_program,
		 struct engine_error *error);

/* Prepares node after node until none is left. Meant to be called by several threads at
 * once, each with an `error` of its own; when all have returned 0 the program can run. */
int program_prepare(struct program *program, struct engine_error *error);

/* Both, with the threads of `pool`, which may be NULL. */
int program_open(const struct graph *graph, enum engine_path path, struct threadpool *pool,
		 struct program **ret_program, struct engine_error *error);
struct program *program_free(struct program *program);

#endif
