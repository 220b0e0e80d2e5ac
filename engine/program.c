/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * program.c: the choice between 8-bit and 32-bit values is made for the whole
 * graph at once: a mixture would need conversions at every border.
 */
#include "engine/program.h"

#include <stdlib.h>

#include "engine/error.h"

static bool all_have_kernels(const struct plan *plan, enum engine_path path)
{
	for (unsigned i = 1; i < plan->graph->node_count; i++)
		if (!kernel_find(&plan->values[i].task, path))
			return false;
	return true;
}

/* Leaves the plan NULL where the type cannot serve. */
static int plan_type(struct program *program, enum kernel_type type, struct engine_error *error)
{
	int r = plan_open(program->graph, type, &program->plan, error);

	if (r == 0 && !all_have_kernels(program->plan, program->path))
		program->plan = plan_free(program->plan);
	return r;
}

int program_open(const struct graph *graph, enum engine_path path, struct threadpool *pool,
		 struct program **ret_program, struct engine_error *error)
{
	struct program *program = calloc(1, sizeof(*program));
	int r = 0;

	if (!program)
		return engine_fail_memory(error);
	program->graph = graph;
	program->path = path;
	program->steps = calloc(graph->node_count, sizeof(*program->steps));
	if (!program->steps) {
		r = engine_fail_memory(error);
		goto out;
	}
	if (path == ENGINE_PATH_AUTO && graph->quantised)
		r = plan_type(program, KERNEL_Q8, error);
	if (r == 0 && !program->plan)
		r = plan_type(program, KERNEL_F32, error);
	if (r)
		goto out;
	if (!program->plan) {
		r = engine_fail(error, ENGINE_UNSUPPORTED,
				"The model has a layer that this version cannot compute.");
		goto out;
	}
	for (unsigned i = 1; i < graph->node_count && r == 0; i++) {
		const struct kernel_task *task = &program->plan->values[i].task;
		struct program_step *step = &program->steps[i];

		step->kernel = kernel_find(task, path);
		if (step->kernel->prepare)
			r = step->kernel->prepare(task, pool, &step->prepared, error);
	}
	if (r)
		goto out;
	*ret_program = program;
	program = NULL;
out:
	program_free(program);
	return r;
}

struct program *program_free(struct program *program)
{
	if (!program)
		return NULL;
	for (unsigned i = 0; program->steps && i < program->graph->node_count; i++)
		if (program->steps[i].prepared && program->steps[i].kernel->release)
			program->steps[i].kernel->release(program->steps[i].prepared);
	free(program->steps);
	plan_free(program->plan);
	free(program);
	return NULL;
}
