/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * encoder.c: features leave as floats whatever type the graph was run with, so
 * the decoder, caches and training see one kind.
 */
#include "engine/encoder.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include <cblas.h>

#include "engine/error.h"
#include "engine/image_resize.h"
#include "engine/kernels/isa.h"
#include "engine/thread_choice.h"

struct encoder {
	const struct program *program;
	struct program *once;		/* in floats, of the second looks; NULL before the first */
	struct threadpool *threads;	/* may be NULL */
	struct image_resizer *resizer;
	struct executor *executor;
	uint8_t *rgb;
	float *pool, *grid, *classes;	/* grid, classes: NULL where the model has none */
	struct engine_features features;
	struct thread_choice choice;
};

static int allocate_feature(const struct graph *graph, int node, float **ret_values,
			    struct engine_error *error)
{
	if (node < 0)
		return 0;
	*ret_values = calloc(graph_shape_count(&graph->nodes[node].shape), sizeof(float));
	return *ret_values ? 0 : engine_fail_memory(error);
}

int encoder_open(const struct program *program, struct threadpool *pool,
		 struct encoder **ret_encoder, struct engine_error *error)
{
	const struct graph *graph = program->graph;
	const struct graph_shape *input = &graph->nodes[0].shape;
	struct encoder *encoder = calloc(1, sizeof(*encoder));
	int r;

	if (!encoder)
		return engine_fail_memory(error);
	encoder->program = program;
	encoder->threads = pool;
	encoder->choice.settled = true;
	r = image_resizer_open(input->width, input->height, threadpool_threads(pool),
			       &encoder->resizer, error);
	if (r == 0)
		r = executor_open(program, pool, &encoder->executor, error);
	if (r == 0)
		r = allocate_feature(graph, graph->pool, &encoder->pool, error);
	if (r == 0)
		r = allocate_feature(graph, graph->grid, &encoder->grid, error);
	if (r == 0)
		r = allocate_feature(graph, graph->classes, &encoder->classes, error);
	if (r)
		goto out;
	encoder->rgb = calloc((size_t)input->height * input->width, 3);
	if (!encoder->rgb) {
		r = engine_fail_memory(error);
		goto out;
	}
	encoder->features = (struct engine_features){
		.pool = encoder->pool, .grid = encoder->grid, .classes = encoder->classes,
	};
	*ret_encoder = encoder;
	encoder = NULL;
out:
	encoder_free(encoder);
	return r;
}

struct encoder *encoder_free(struct encoder *encoder)
{
	if (!encoder)
		return NULL;
	image_resizer_free(encoder->resizer);
	executor_free(encoder->executor);
	program_free(encoder->once);
	free(encoder->rgb);
	free(encoder->pool);
	free(encoder->grid);
	free(encoder->classes);
	free(encoder);
	return NULL;
}

/* Whether the pooled features are the mean of the grid and nothing else. */
static bool pool_is_mean(const struct graph *graph)
{
	const struct graph_node *pool = &graph->nodes[graph->pool];
	const struct graph_shape *grid;

	if (graph->grid < 0 || pool->input_count != 1 || (int)pool->inputs[0] != graph->grid)
		return false;
	grid = &graph->nodes[graph->grid].shape;
	return pool->operator == GRAPH_GLOBAL_AVERAGE_POOL ||
	       (pool->operator == GRAPH_AVERAGE_POOL && !pool->window.pad_top &&
		!pool->window.pad_left && pool->window.kernel_height == grid->height &&
		pool->window.kernel_width == grid->width);
}

static void average_grid(struct encoder *encoder)
{
	const struct graph *graph = encoder->program->graph;
	const struct graph_shape *shape = &graph->nodes[graph->grid].shape;
	size_t cells = (size_t)shape->height * shape->width;

	for (unsigned c = 0; c < shape->channels; c++)
		encoder->pool[c] = 0;
	for (size_t i = 0; i < cells; i++)
		for (unsigned c = 0; c < shape->channels; c++)
			encoder->pool[c] += encoder->grid[i * shape->channels + c];
	for (unsigned c = 0; c < shape->channels; c++)
		encoder->pool[c] /= (float)cells;
}

static void softmax(float *values, size_t count)
{
	float largest = values[0];
	double sum = 0;

	for (size_t i = 1; i < count; i++)
		if (values[i] > largest)
			largest = values[i];
	for (size_t i = 0; i < count; i++) {
		values[i] = expf(values[i] - largest);
		sum += (double)values[i];
	}
	for (size_t i = 0; i < count; i++)
		values[i] = (float)((double)values[i] / sum);
}

static double milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void read_features(struct encoder *encoder, const struct executor *executor,
			  enum kernel_type type)
{
	const struct graph *graph = encoder->program->graph;

	if (graph->grid >= 0)
		executor_read(executor, (unsigned)graph->grid, encoder->grid);
	/* A mean of 8-bit values is finer than 8 bits: rounding it again would only
	 * add noise to what the decoder reads as floats. */
	if (type == KERNEL_Q8 && pool_is_mean(graph))
		average_grid(encoder);
	else
		executor_read(executor, (unsigned)graph->pool, encoder->pool);
	if (graph->classes >= 0) {
		executor_read(executor, (unsigned)graph->classes, encoder->classes);
		softmax(encoder->classes, graph->nodes[graph->classes].shape.channels);
	}
}

int encoder_run_pixels(struct encoder *encoder, const uint8_t *rgb, const atomic_bool *cancel,
		       const struct engine_features **ret_features, struct engine_error *error)
{
	int r;

	double start = milliseconds();

	if (!encoder->choice.settled)
		threadpool_limit(encoder->threads, encoder->choice.threads);
	/* the number is the process's, so it is set for each run */
	if (encoder->program->plan->type == KERNEL_F32)
		openblas_set_num_threads((int)threadpool_threads(encoder->threads));
	executor_load(encoder->executor, rgb);
	r = executor_run(encoder->executor, cancel, error);
	if (r)
		return r;
	if (!encoder->choice.settled) {
		thread_choice_note(&encoder->choice, milliseconds() - start);
		threadpool_limit(encoder->threads, encoder->choice.threads);
	}
	read_features(encoder, encoder->executor, encoder->program->plan->type);
	*ret_features = &encoder->features;
	return 0;
}

bool encoder_can_look_again(const struct encoder *encoder)
{
	/* kernels of 16 channels and more have vectors of 8 floats and more */
	return encoder->program->plan->type == KERNEL_Q8 && isa_best()->conv_f32[0].columns >= 16;
}

int encoder_look_again(struct encoder *encoder, const atomic_bool *cancel,
		       const struct engine_features **ret_features,
		       struct engine_timings *timings, struct engine_error *error)
{
	struct executor *executor = NULL;
	double start = milliseconds();
	int r = 0;

	if (!encoder->once)
		r = program_open(encoder->program->graph, KERNEL_PATH_ONCE, encoder->threads,
				 &encoder->once, error);
	if (r == 0)
		r = executor_open(encoder->once, encoder->threads, &executor, error);
	if (r == 0) {
		executor_load(executor, encoder->rgb);
		r = executor_run(executor, cancel, error);
	}
	if (r == 0) {
		read_features(encoder, executor, KERNEL_F32);
		*ret_features = &encoder->features;
	}
	executor_free(executor);
	timings->encode_ms += milliseconds() - start;
	return r;
}

int encoder_run(struct encoder *encoder, const struct engine_image *image,
		const atomic_bool *cancel, const struct engine_features **ret_features,
		struct engine_timings *ret_timings, struct engine_error *error)
{
	double start = milliseconds(), resized;
	int r;

	image_resizer_run(encoder->resizer, encoder->threads, image, encoder->rgb);
	resized = milliseconds();
	r = encoder_run_pixels(encoder, encoder->rgb, cancel, ret_features, error);
	if (r == 0 && ret_timings) {
		ret_timings->preprocess_ms = resized - start;
		ret_timings->encode_ms = milliseconds() - resized;
	}
	return r;
}

void encoder_choose_threads(struct encoder *encoder)
{
	encoder->choice = thread_choice(threadpool_threads(encoder->threads));
}

const struct engine_features *encoder_features(const struct encoder *encoder)
{
	return &encoder->features;
}

struct executor *encoder_executor(struct encoder *encoder)
{
	return encoder->executor;
}
