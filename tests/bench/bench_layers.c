/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bench_layers.c: where the encoder's time goes. Runs the network many times and
 * prints each node's shortest and median time, its products a second, and its
 * share of the whole.
 *
 * Usage: bench_layers MODEL [THREADS [RUNS [PATH]]]   PATH: auto, blas, float
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/context.h"
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
	double total_least = 0, total_median = 0, *one;
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
	printf("node                                     shape          least ms  median ms   GOP/s  share\n");
	for (unsigned i = 0; i < graph->node_count; i++) {
		const struct graph_node *node = &graph->nodes[i];
		char shape[32];

		for (unsigned r = 0; r < runs; r++)
			one[r] = record.times[(size_t)r * graph->node_count + i];
		qsort(one, runs, sizeof(*one), compare);
		snprintf(shape, sizeof(shape), "%ux%ux%u", node->shape.height, node->shape.width,
			 node->shape.channels);
		printf("%-40.40s %-14s %9.4f %9.4f %8.1f %5.1f%%\n", node->name, shape, one[0],
		       one[runs / 2], 2e-6 * (double)node->operations / one[0],
		       100 * one[0] / total_least);
	}
	printf("sum of least %.3f ms, of medians %.3f ms, %.1f GOP/s\n", total_least, total_median,
	       2e-6 * (double)graph->operations / total_least);
	free(one);
	free(record.times);
	free(rgb);
	engine_context_free(context);
	engine_model_free(model);
	return 0;
}
