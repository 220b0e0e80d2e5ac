/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * quantise_encoder.c: brings a float encoder to 8 bits after its training.
 *
 * Photos are run twice through the float network. The first time the range of
 * each node's values is found, the second time their distribution within it;
 * then the range is narrowed to where cutting off what is rare and rounding what
 * is left cost least together (least mean squared error). Weights get one scale
 * a channel. Lastly the photos run through both networks, and each layer's
 * values are compared: the error that is reported is the one that arrives there,
 * that of all layers before included.
 *
 * An encoder that was trained in 8 bits keeps its weights, biases and limits, but
 * the ranges of its values are those of the largest that training ever met. For
 * it the same two passes find the share of each range that is worth having codes
 * for (ranges.h), which costs nothing when it runs.
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/context.h"
#include "engine/error.h"
#include "engine/gguf_writer.h"
#include "engine/kernels/isa.h"
#include "engine/lab/lab.h"
#include "engine/lab/ranges.h"
#include "engine/limits.h"

#define BINS 2048u
#define STEPS 64u		/* ranges that are tried, from a quarter to the whole */
#define REACH_LEAST 0.1		/* of an encoder that was trained in 8 bits */

struct observed {
	float low, high;
	uint32_t *bins;		/* BINS, of the second pass */
};

struct quantiser {
	const char *const *photos;
	size_t photo_count;
	struct engine_error *error;
	struct engine_model *model;
	struct engine_context *context;
	const struct graph *graph;
	struct observed *observed;	/* by node */
	struct graph_quantisation *chosen;	/* by node */
	struct node_range *ranges;	/* by node, of an encoder that is in 8 bits already */
	float *values;			/* room for the largest value */
	/* of the comparison */
	float **kept;			/* by node: the float network's values for one photo */
	double *errors, *squares;	/* by node, over all photos */
};

struct report {
	struct lab_quantisation public;	/* first, so that either can stand for the other */
	struct lab_quantised_layer *layers;
	char *names;
};

static int load_photo(struct quantiser *q, const struct engine_context *context, size_t index,
		      const struct engine_features **ret_features)
{
	struct engine_image *image = NULL;
	int r, fd = open(q->photos[index], O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return engine_fail(q->error, ENGINE_BAD_OPTION, "The photo %s cannot be opened.",
				   q->photos[index]);
	r = engine_image_read(fd, NULL, &image, q->error);
	close(fd);
	if (r == 0)
		r = encoder_run(context->encoder, image, NULL, ret_features, NULL, q->error);
	engine_image_free(image);
	return r;
}

static void find_range(void *argument, const struct executor *executor, unsigned node)
{
	struct quantiser *q = argument;
	struct observed *o = &q->observed[node];
	size_t count = graph_shape_count(&q->graph->nodes[node].shape);

	executor_read(executor, node, q->values);
	for (size_t i = 0; i < count; i++) {
		o->low = q->values[i] < o->low ? q->values[i] : o->low;
		o->high = q->values[i] > o->high ? q->values[i] : o->high;
	}
}

static void fill_bins(void *argument, const struct executor *executor, unsigned node)
{
	struct quantiser *q = argument;
	struct observed *o = &q->observed[node];
	size_t count = graph_shape_count(&q->graph->nodes[node].shape);
	float per_unit = o->high > o->low ? (float)BINS / (o->high - o->low) : 0;

	executor_read(executor, node, q->values);
	for (size_t i = 0; i < count; i++) {
		unsigned bin = (unsigned)((q->values[i] - o->low) * per_unit);

		o->bins[bin < BINS ? bin : BINS - 1]++;
	}
}

/* Mean squared error of 8 bits over low to high, from the distribution. */
static double cost(const struct observed *o, double low, double high)
{
	double width = ((double)o->high - (double)o->low) / BINS;
	double step = (high - low) / 255, sum = 0;

	for (unsigned i = 0; i < BINS; i++) {
		double value = (double)o->low + (i + 0.5) * width;
		double beyond = value < low ? low - value : value > high ? value - high : 0;

		if (o->bins[i])
			sum += o->bins[i] * (beyond * beyond + step * step / 12);
	}
	return sum;
}

static struct graph_quantisation quantisation_for(double low, double high)
{
	double scale;

	low = low < 0 ? low : 0;	/* zero must have a code: padding is made of it */
	high = high > 0 ? high : 0;
	scale = high - low > 1e-12 ? (high - low) / 255 : 1;
	return (struct graph_quantisation){ (float)scale, (int32_t)rint(-low / scale) };
}

static struct graph_quantisation choose_range(const struct observed *o)
{
	double low = fmin((double)o->low, 0), high = fmax((double)o->high, 0);
	double best = INFINITY, best_share = 1;

	for (unsigned i = 0; i < STEPS; i++) {
		double share = 1 - 0.75 * i / STEPS;
		double found = cost(o, low * share, high * share);

		if (found < best) {
			best = found;
			best_share = share;
		}
	}
	return quantisation_for(low * best_share, high * best_share);
}

/* The bytes themselves where the normalisation allows it. */
static struct graph_quantisation choose_input(const struct quantiser *q)
{
	const struct graph *graph = q->graph;
	const float *mean = graph->input_mean, *std = graph->input_std;

	if (mean[0] == mean[1] && mean[1] == mean[2] && std[0] == std[1] && std[1] == std[2] &&
	    rintf(mean[0]) == mean[0] && mean[0] >= 0 && mean[0] <= 255)
		return (struct graph_quantisation){ 1 / std[0], (int32_t)mean[0] };
	return quantisation_for(
		(double)fminf(fminf((0 - mean[0]) / std[0], (0 - mean[1]) / std[1]),
			      (0 - mean[2]) / std[2]),
		(double)fmaxf(fmaxf((255 - mean[0]) / std[0], (255 - mean[1]) / std[1]),
			      (255 - mean[2]) / std[2]));
}

static unsigned reader_count(const struct graph *graph, unsigned node)
{
	bool feature = graph->pool == (int)node || graph->grid == (int)node ||
		       graph->classes == (int)node;
	unsigned readers = feature ? 1 : 0;

	for (unsigned i = 0; i < graph->node_count; i++)
		for (unsigned j = 0; j < graph->nodes[i].input_count; j++)
			readers += graph->nodes[i].inputs[j] == node;
	return readers;
}

static void choose_quantisation(struct quantiser *q)
{
	const struct graph *graph = q->graph;

	for (unsigned i = 0; i < graph->node_count; i++) {
		const struct graph_node *node = &graph->nodes[i];

		if (node->operator == GRAPH_INPUT)
			q->chosen[i] = choose_input(q);
		else if (node->operator == GRAPH_MAX_POOL || node->operator == GRAPH_AVERAGE_POOL)
			q->chosen[i] = q->chosen[node->inputs[0]];
		else
			q->chosen[i] = choose_range(&q->observed[i]);
	}
	/* what only a concat reads is rounded once, to the concat's steps */
	for (unsigned i = graph->node_count; i-- > 0;) {
		const struct graph_node *node = &graph->nodes[i];

		for (unsigned j = 0; node->operator == GRAPH_CONCAT && j < node->input_count; j++) {
			enum graph_operator operator = graph->nodes[node->inputs[j]].operator;

			if (operator != GRAPH_INPUT && operator != GRAPH_MAX_POOL &&
			    operator != GRAPH_AVERAGE_POOL && reader_count(graph, node->inputs[j]) == 1)
				q->chosen[node->inputs[j]] = q->chosen[i];
		}
	}
}

static double choose_reach(const struct observed *o, double range)
{
	double best = INFINITY, reach = 1;

	for (unsigned i = 0; i < STEPS; i++) {
		double share = 1 - (1 - REACH_LEAST) * i / STEPS;
		double found = cost(o, 0, range * share);

		if (found < best) {
			best = found;
			reach = share;
		}
	}
	return reach;
}

/* A maximum is stored as what it is made of, so that it stays a copy. */
static void choose_reaches(struct quantiser *q)
{
	for (unsigned i = 0; i < q->graph->node_count; i++) {
		const struct graph_node *node = &q->graph->nodes[i];

		if (node->operator == GRAPH_INPUT || node->quantisation.zero_point != 0)
			continue;
		if (node->operator == GRAPH_MAX_POOL)
			q->ranges[i].reach = q->ranges[node->inputs[0]].reach;
		else
			q->ranges[i].reach = (float)choose_reach(&q->observed[i],
								 255 * (double)node->file_scale);
	}
}

static int observe(struct quantiser *q)
{
	struct executor *executor = encoder_executor(q->context->encoder);
	const struct engine_features *features;
	int r = 0;

	for (unsigned pass = 0; pass < 2 && r == 0; pass++) {
		executor_observe(executor, pass ? fill_bins : find_range, q);
		for (size_t i = 0; i < q->photo_count && r == 0; i++)
			r = load_photo(q, q->context, i, &features);
	}
	executor_observe(executor, NULL, NULL);
	return r;
}

static void write_weights(struct gguf_writer *writer, const struct graph_node *node)
{
	const struct gguf_tensor *weight = node->weight;
	size_t channels = weight->shape[0], each = weight->count / channels;
	float *floats = calloc(weight->count, sizeof(*floats));
	float *scales = calloc(channels, sizeof(*scales));
	int8_t *codes = malloc(weight->count);
	char name[LIMIT_MODEL_NAME + 32];

	if (floats && scales && codes) {
		graph_node_weights(node, floats);
		for (size_t c = 0; c < channels; c++)
			quantise_q8(floats + c * each, each, codes + c * each, &scales[c]);
	}
	free(floats);
	/* a NULL is remembered as lack of memory */
	gguf_writer_give_tensor(writer, weight->name, GGUF_TENSOR_I8, weight->rank, weight->shape,
				codes);
	snprintf(name, sizeof(name), "encoder.%s.scale", node->name);
	gguf_writer_give_tensor(writer, name, GGUF_TENSOR_F32, 1, &channels, scales);
}

static int write_model(struct quantiser *q, const char *output)
{
	const struct graph *graph = q->graph;
	size_t count = graph->node_count;
	float *scales = calloc(count, sizeof(*scales)), *clamps = calloc(2 * count, sizeof(*clamps));
	int32_t *zeros = calloc(count, sizeof(*zeros));
	struct gguf_writer *writer = NULL;
	int r = gguf_writer_open(&writer, q->error);

	if (r == 0 && (!scales || !clamps || !zeros))
		r = engine_fail_memory(q->error);
	if (r)
		goto out;
	gguf_writer_copy(writer, q->model->file, "");
	for (size_t i = 0; i < count; i++) {
		const struct graph_node *node = &graph->nodes[i];
		struct graph_quantisation chosen = q->chosen[i];

		scales[i] = chosen.scale;
		zeros[i] = chosen.zero_point;
		clamps[2 * i] = fmaxf(node->minimum, chosen.scale * (float)(0 - chosen.zero_point));
		clamps[2 * i + 1] = fminf(node->maximum,
					  chosen.scale * (float)(255 - chosen.zero_point));
		if (clamps[2 * i] > clamps[2 * i + 1])
			clamps[2 * i] = clamps[2 * i + 1];
		if (node->weight)
			write_weights(writer, node);
	}
	gguf_writer_set_f32s(writer, "descry.encoder.node.scale", scales, count);
	gguf_writer_set_i32s(writer, "descry.encoder.node.zero_point", zeros, count);
	gguf_writer_set_f32s(writer, "descry.encoder.node.clamp", clamps, 2 * count);
	r = gguf_writer_write(writer, output, q->error);
out:
	gguf_writer_free(writer);
	free(scales);
	free(clamps);
	free(zeros);
	return r;
}

static int write_ranges(struct quantiser *q, const char *output)
{
	struct gguf_writer *writer = NULL;
	int r = gguf_writer_open(&writer, q->error);

	if (r)
		return r;
	gguf_writer_copy(writer, q->model->file, "");
	r = ranges_write(q->graph, q->ranges, writer, q->error);
	if (r == 0)
		r = gguf_writer_write(writer, output, q->error);
	gguf_writer_free(writer);
	return r;
}

static void keep_values(void *argument, const struct executor *executor, unsigned node)
{
	struct quantiser *q = argument;

	executor_read(executor, node, q->kept[node]);
}

static void compare_values(void *argument, const struct executor *executor, unsigned node)
{
	struct quantiser *q = argument;
	size_t count = graph_shape_count(&q->graph->nodes[node].shape);

	executor_read(executor, node, q->values);
	for (size_t i = 0; i < count; i++) {
		double difference = (double)q->values[i] - (double)q->kept[node][i];

		q->errors[node] += difference * difference;
		q->squares[node] += (double)q->kept[node][i] * (double)q->kept[node][i];
	}
}

static double relative(double error, double square)
{
	return square > 0 ? sqrt(error / square) : 0;
}

/* Runs the photos through both networks. */
static int compare(struct quantiser *q, struct engine_model *quantised, struct report *report)
{
	const struct engine_context_options options = { .threads = 0 };
	const struct engine_features *features;
	unsigned pool_size = q->model->info.pool_size;
	float *pool = calloc(pool_size, sizeof(*pool));
	struct engine_context *context = NULL;
	double error = 0, square = 0;
	int r = pool ? engine_context_open(quantised, &options, &context, q->error) :
		       engine_fail_memory(q->error);

	for (size_t i = 0; i < q->photo_count && r == 0; i++) {
		executor_observe(encoder_executor(q->context->encoder), keep_values, q);
		r = load_photo(q, q->context, i, &features);
		if (r)
			break;
		memcpy(pool, features->pool, pool_size * sizeof(*pool));
		executor_observe(encoder_executor(context->encoder), compare_values, q);
		r = load_photo(q, context, i, &features);
		for (unsigned c = 0; r == 0 && c < pool_size; c++) {
			double difference = (double)features->pool[c] - (double)pool[c];

			error += difference * difference;
			square += (double)pool[c] * (double)pool[c];
		}
	}
	report->public.pool_error = relative(error, square);
	engine_context_free(context);
	free(pool);
	return r;
}

static int build_report(struct quantiser *q, struct report *report)
{
	unsigned count = q->graph->node_count;
	bool quantised = q->graph->quantised;
	size_t names = 0, used = 0;

	for (unsigned i = 0; i < count; i++)
		names += strlen(q->graph->nodes[i].name) + 1;
	report->layers = calloc(count, sizeof(*report->layers));
	report->names = malloc(names);
	if (!report->layers || !report->names)
		return engine_fail_memory(q->error);
	for (unsigned i = 0; i < count; i++) {
		const struct graph_node *node = &q->graph->nodes[i];
		size_t length = strlen(node->name) + 1;

		memcpy(report->names + used, node->name, length);
		report->layers[i] = (struct lab_quantised_layer){
			.name = report->names + used,
			.operation = graph_operator_name(node->operator),
			.scale = quantised ? node->file_scale * q->ranges[i].reach : q->chosen[i].scale,
			.zero_point = (unsigned)(quantised ? node->quantisation.zero_point :
						 q->chosen[i].zero_point),
			.error = relative(q->errors[i], q->squares[i]),
		};
		used += length;
	}
	report->public.layers = report->layers;
	report->public.layer_count = count;
	report->public.photo_count = q->photo_count;
	return 0;
}

static int allocate(struct quantiser *q)
{
	unsigned count = q->graph->node_count;
	size_t largest = 0;

	q->observed = calloc(count, sizeof(*q->observed));
	q->chosen = calloc(count, sizeof(*q->chosen));
	q->kept = calloc(count, sizeof(float *));
	q->errors = calloc(count, sizeof(*q->errors));
	q->squares = calloc(count, sizeof(*q->squares));
	if (!q->observed || !q->chosen || !q->kept || !q->errors || !q->squares)
		return engine_fail_memory(q->error);
	for (unsigned i = 0; i < count; i++) {
		size_t size = graph_shape_count(&q->graph->nodes[i].shape);

		largest = size > largest ? size : largest;
		q->observed[i].low = INFINITY;
		q->observed[i].high = -INFINITY;
		q->observed[i].bins = calloc(BINS, sizeof(*q->observed[i].bins));
		q->kept[i] = calloc(size, sizeof(float));
		if (!q->observed[i].bins || !q->kept[i])
			return engine_fail_memory(q->error);
	}
	q->values = calloc(largest, sizeof(*q->values));
	return q->values ? 0 : engine_fail_memory(q->error);
}

static void release(struct quantiser *q)
{
	for (unsigned i = 0; q->graph && i < q->graph->node_count; i++) {
		if (q->observed)
			free(q->observed[i].bins);
		if (q->kept)
			free(q->kept[i]);
	}
	ranges_free(q->ranges, q->graph);
	free(q->observed);
	free(q->chosen);
	free(q->kept);
	free(q->errors);
	free(q->squares);
	free(q->values);
	engine_context_free(q->context);
	engine_model_free(q->model);
}

int lab_quantise_encoder(const char *input, const char *const *photos, size_t photo_count,
			 const char *output, const char *ranges,
			 struct lab_quantisation **ret_quantisation, struct engine_error *error)
{
	const struct engine_context_options options = { .threads = 1, .path = ENGINE_PATH_FLOAT };
	struct quantiser q = { .photos = photos, .photo_count = photo_count, .error = error };
	struct report *report = calloc(1, sizeof(*report));
	struct engine_model *quantised = NULL;
	int r = report ? engine_model_open(input, &q.model, error) : engine_fail_memory(error);

	if (r)
		goto out;
	if (photo_count == 0) {
		r = engine_fail(error, ENGINE_BAD_OPTION,
				"There are no photos to find the ranges of the values with.");
		goto out;
	}
	q.graph = q.model->graph;
	r = allocate(&q);
	if (r == 0)
		r = ranges_new(q.graph, &q.ranges, error);
	if (r == 0)
		r = engine_context_open(q.model, &options, &q.context, error);
	if (r == 0)
		r = observe(&q);
	if (r)
		goto out;
	if (q.graph->quantised) {
		choose_reaches(&q);
		r = write_ranges(&q, output);
		if (r == 0 && ranges)
			r = ranges_save(q.graph, q.ranges, ranges, error);
	} else {
		choose_quantisation(&q);
		r = write_model(&q, output);
	}
	if (r == 0)
		r = engine_model_open(output, &quantised, error);
	if (r)
		goto out;
	report->public.eight_bits = quantised->program->plan->type == KERNEL_Q8;
	r = compare(&q, quantised, report);
	if (r == 0)
		r = build_report(&q, report);
	if (r)
		goto out;
	*ret_quantisation = &report->public;
	report = NULL;
out:
	engine_model_free(quantised);
	lab_quantisation_free(report ? &report->public : NULL);
	release(&q);
	return r;
}

int lab_set_ranges(const char *input, const char *ranges, const char *output,
		   struct engine_error *error)
{
	struct quantiser q = { .error = error };
	int r = engine_model_open(input, &q.model, error);

	if (r)
		return r;
	q.graph = q.model->graph;
	r = ranges_new(q.graph, &q.ranges, error);
	if (r == 0 && !q.graph->quantised)
		r = engine_fail(error, ENGINE_BAD_OPTION, "The encoder of %s is not in 8 bits.", input);
	if (r == 0)
		r = ranges_read(q.graph, ranges, q.ranges, error);
	if (r == 0)
		r = write_ranges(&q, output);
	release(&q);
	return r;
}

struct lab_quantisation *lab_quantisation_free(struct lab_quantisation *public)
{
	struct report *report = (struct report *)public;

	if (!report)
		return NULL;
	free(report->layers);
	free(report->names);
	free(report);
	return NULL;
}
