/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * program.c: the choice between 8-bit and 32-bit values is made for the whole
 * graph at once: a mixture would need conversions at every border.
 */
#include "engine/program.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/error.h"
#include "engine/limits.h"
#include "engine/threadpool.h"

/* What a large page is on the processors that matter. */
#define LARGE_PAGE ((size_t)2 << 20)

/* Zeros in a mapping of their own, which begins at a large page and ends with the last
 * page that is needed: where the system has large pages, filling takes a fault for each
 * of them and reading few translations, and nothing is lost by rounding. */
static void *map_pages(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), whole, before;
	char *mapping;

	if (__builtin_add_overflow(size, page - 1 + LARGE_PAGE, &whole))
		return NULL;
	size = (size + page - 1) / page * page;
	whole = size + LARGE_PAGE;
	mapping = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mapping == MAP_FAILED)
		return NULL;
	before = (LARGE_PAGE - (uintptr_t)mapping % LARGE_PAGE) % LARGE_PAGE;
	if (before)
		munmap(mapping, before);
	munmap(mapping + before + size, LARGE_PAGE - before);
	madvise(mapping + before, size, MADV_HUGEPAGE);
	return mapping + before;
}

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

/* Gives the kernels memory for packed weights, one node after the other. */
static int open_packed(struct program *program, struct engine_error *error)
{
	unsigned count = program->graph->node_count;
	size_t *places = calloc(count, sizeof(*places)), size = 0;
	bool fits = places != NULL;

	for (unsigned i = 1; fits && i < count; i++) {
		const struct kernel *kernel = program->steps[i].kernel;

		places[i] = size;
		if (kernel->packed)
			fits = !__builtin_add_overflow(
				size, kernel->packed(&program->plan->values[i].task), &size);
	}
	if (fits && size > 0) {
		program->packed = map_pages(size);
		program->packed_size = size;
		fits = program->packed != NULL;
	}
	for (unsigned i = 1; fits && i < count; i++)
		if (program->steps[i].kernel->packed)
			program->steps[i].packed = (char *)program->packed + places[i];
	free(places);
	return fits ? 0 : engine_fail_memory(error);
}

int program_plan(const struct graph *graph, enum engine_path path, struct program **ret_program,
		 struct engine_error *error)
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
	for (unsigned i = 1; i < graph->node_count; i++)
		program->steps[i].kernel = kernel_find(&program->plan->values[i].task, path);
	r = open_packed(program, error);
	if (r)
		goto out;
	*ret_program = program;
	program = NULL;
out:
	program_free(program);
	return r;
}

int program_prepare(struct program *program, struct engine_error *error)
{
	unsigned count = program->graph->node_count;

	/* from the last on: the largest come first, so that threads end together */
	for (;;) {
		unsigned taken = atomic_fetch_add(&program->taken, 1) + 1;
		struct program_step *step;
		int r;

		if (taken >= count)
			return 0;
		step = &program->steps[count - taken];
		if (!step->kernel->prepare)
			continue;
		r = step->kernel->prepare(&program->plan->values[count - taken].task, step->packed,
					  &step->prepared, error);
		if (r) {
			atomic_store(&program->taken, count);
			return r;
		}
	}
}

struct preparation {
	struct program *program;
	struct engine_error errors[LIMIT_THREADS];
	int results[LIMIT_THREADS];
};

static void prepare_share(void *argument, unsigned index, unsigned count)
{
	struct preparation *preparation = argument;

	(void)count;
	preparation->results[index] = program_prepare(preparation->program,
						      &preparation->errors[index]);
}

int program_open(const struct graph *graph, enum engine_path path, struct threadpool *pool,
		 struct program **ret_program, struct engine_error *error)
{
	struct preparation preparation = { .results = { 0 } };
	int r = program_plan(graph, path, &preparation.program, error);

	if (r)
		return r;
	threadpool_run(pool, prepare_share, &preparation);
	for (unsigned i = 0; i < LIMIT_THREADS && r == 0; i++) {
		r = preparation.results[i];
		if (r && error)
			*error = preparation.errors[i];
	}
	if (r)
		program_free(preparation.program);
	else
		*ret_program = preparation.program;
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
	if (program->packed)
		munmap(program->packed, program->packed_size);
	plan_free(program->plan);
	free(program);
	return NULL;
}
