/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bench_layers.c: where the encoder's time goes. Runs the network many times and
 * prints, as a table in Markdown, each node's shortest and median time, its
 * operations a second (a product and a sum are two), what that is of the ceiling
 * and its share of the whole. The ceiling is what the instruction that multiplies
 * does when nothing else is in its way, measured here, where that is AVX-512 VNNI
 * and the encoder runs in 8 bits.
 *
 * Usage: bench_layers MODEL [THREADS [RUNS [PATH]]]   PATH: auto, blas, float
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/context.h"
#include "engine/kernels/isa.h"
#include "engine/model.h"

struct record {
	double *times;	/* node by node, run after run */
	double last;
	unsigned nodes, run;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void note(void *argument, const struct executor *executor, unsigned node)
{
	struct record *record = argument;
	double time = now();

	(void)executor;
	record->times[(size_t)record->run * record->nodes + node] = time - record->last;
	record->last = time;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int fail(const char *what, const struct engine_error *error)
{
	fprintf(stderr, "%s: %s\n", what, error->message);
	return 1;
}

#if defined(__x86_64__)
/* Thousand million operations a second of one thread; the best of several tries. */
static double measure_ceiling(void)
{
	enum { ROUNDS = 200000, SUMS = 12, OPERATIONS = 2 * 64 };
	double best = 0;

	for (unsigned try = 0; try < 20; try++) {
		double start = now(), rate;

#define ONE(sum) "vpdpbusd %%zmm30, %%zmm31, %%zmm" #sum "\n\t"
		for (unsigned i = 0; i < ROUNDS; i++)
			__asm__ volatile(ONE(0) ONE(1) ONE(2) ONE(3) ONE(4) ONE(5) ONE(6) ONE(7)
					 ONE(8) ONE(9) ONE(10) ONE(11)
					 ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
					 "xmm7", "xmm8", "xmm9", "xmm10", "xmm11");
#undef ONE
		rate = (double)ROUNDS * SUMS * OPERATIONS / ((now() - start) * 1e6);
		if (rate > best)
			best = rate;
	}
	return best;
}
#endif

/* Of all threads; 0 where it is not known. */
static double ceiling(unsigned threads, enum engine_path path)
{
#if defined(__x86_64__)
	if (strcmp(isa_best()->name, "avx512vnni") == 0 && path == ENGINE_PATH_AUTO)
		return threads * measure_ceiling();
#endif
	(void)threads;
	(void)path;
	return 0;
}

/* A rate and what it is of the ceiling, as two cells. */
static void print_rate(double rate, double most)
{
	printf(" %.0f |", rate);
	if (most > 0)
		printf(" %.0f%% |", 100 * rate / most);
}

int main(int argc, char **argv)
{
	struct engine_context_options options = {.threads = argc > 2 ? (unsigned)atoi(argv[2]) : 1};
	unsigned runs = argc > 3 ? (unsigned)atoi(argv[3]) : 50;
	struct engine_error error;
	struct engine_model *model;
	struct engine_context *context;
	const struct engine_features *features;
	const struct graph *graph;
	struct executor *executor;
	struct record record = {0};
	double total_least = 0, total_median = 0, most, *one;
	uint8_t *rgb;
	size_t size;

	if (argc < 2) {
		fprintf(stderr, "usage: bench_layers MODEL [THREADS [RUNS [PATH]]]\n");
		return 2;
	}
	if (argc > 4 && strcmp(argv[4], "blas") == 0)
		options.path = ENGINE_PATH_BLAS;
	if (argc > 4 && strcmp(argv[4], "float") == 0)
		options.path = ENGINE_PATH_FLOAT;
	if (engine_model_open(argv[1], &model, &error))
		return fail(argv[1], &error);
	if (engine_context_open(model, &options, &context, &error))
		return fail("context", &error);
	graph = model->graph;
	executor = encoder_executor(context->encoder);
	size = (size_t)graph->nodes[0].shape.height * graph->nodes[0].shape.width * 3;
	rgb = malloc(size);
	for (size_t i = 0; i < size; i++)
		rgb[i] = (uint8_t)(i * 2654435761u >> 13);
	record.nodes = graph->node_count;
	record.times = calloc((size_t)runs * graph->node_count, sizeof(double));
	one = calloc(runs, sizeof(double));
	for (unsigned i = 0; i < 3; i++)
		encoder_run_pixels(context->encoder, rgb, NULL, &features, &error);
	executor_observe(executor, note, &record);
	for (record.run = 0; record.run < runs; record.run++) {
		record.last = now();
		encoder_run_pixels(context->encoder, rgb, NULL, &features, &error);
	}
	for (unsigned i = 0; i < graph->node_count; i++) {
		for (unsigned r = 0; r < runs; r++)
			one[r] = record.times[(size_t)r * graph->node_count + i];
		qsort(one, runs, sizeof(*one), compare);
		total_least += one[0];
		total_median += one[runs / 2];
	}
	most = ceiling(options.threads, options.path);
	printf("| layer | shape | least ms | median ms | GOP/s |%s share |\n|---|---|---|---|---|%s---|\n",
	       most > 0 ? " of the ceiling |" : "", most > 0 ? "---|" : "");
	for (unsigned i = 0; i < graph->node_count; i++) {
		const struct graph_node *node = &graph->nodes[i];

		for (unsigned r = 0; r < runs; r++)
			one[r] = record.times[(size_t)r * graph->node_count + i];
		qsort(one, runs, sizeof(*one), compare);
		printf("| %s | %u×%u×%u | %.4f | %.4f |", node->name, node->shape.height,
		       node->shape.width, node->shape.channels, one[0], one[runs / 2]);
		if (node->operations > 0)
			print_rate(2e-6 * (double)node->operations / one[0], most);
		else
			printf("%s", most > 0 ? " | |" : " |");
		printf(" %.1f%% |\n", 100 * one[0] / total_least);
	}
	printf("| all | | %.3f | %.3f |", total_least, total_median);
	print_rate(2e-6 * (double)graph->operations / total_least, most);
	printf(" |\n");
	if (most > 0)
		printf("\nCeiling: %.0f GOP/s.\n", most);
	free(one);
	free(record.times);
	free(rgb);
	engine_context_free(context);
	engine_model_free(model);
	return 0;
}
