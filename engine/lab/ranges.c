/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ranges.c: a channel whose values are stored in units of its reach r comes out
 * of its convolution divided by r, so the scale of its weights is divided, codes
 * and bias staying what they are, and is multiplied by r in the convolution that
 * reads it, whose weights are rounded anew, with one scale for each channel.
 * Maxima between the two are not affected, and a ReLU commutes with a positive
 * factor.
 */
#include "engine/lab/ranges.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/kernels/isa.h"
#include "engine/limits.h"

#define REACH_LEAST 0.05

static bool has_channels(const struct graph_node *node)
{
	return node->operator == GRAPH_CONVOLUTION && node->groups == 1 && node->weight &&
	       node->weight->type == GGUF_TENSOR_I8 && node->quantisation.zero_point == 0 &&
	       node->minimum == 0 && (!node->bias || node->bias->type == GGUF_TENSOR_I32);
}

/* The only node that reads this one, or -1. */
static int only_reader(const struct graph *graph, unsigned node)
{
	int reader = -1;

	if (graph->pool == (int)node || graph->grid == (int)node || graph->classes == (int)node)
		return -1;
	for (unsigned i = 0; i < graph->node_count; i++)
		for (unsigned j = 0; j < graph->nodes[i].input_count; j++)
			if (graph->nodes[i].inputs[j] == node) {
				if (reader >= 0)
					return -1;
				reader = (int)i;
			}
	return reader;
}

/* From the picture on, until something is read twice. */
static void find_chain(struct ranges *ranges)
{
	const struct graph *graph = ranges->graph;
	int from = only_reader(graph, 0), to;

	while (from >= 0 && has_channels(&graph->nodes[from])) {
		to = only_reader(graph, (unsigned)from);
		while (to >= 0 && graph->nodes[to].operator == GRAPH_MAX_POOL)
			to = only_reader(graph, (unsigned)to);
		if (to < 0 || !has_channels(&graph->nodes[to]))
			return;
		ranges->reader[from] = to;
		from = to;
	}
}

int ranges_open(const struct graph *graph, struct ranges **ret_ranges,
		struct engine_error *error)
{
	struct ranges *ranges = calloc(1, sizeof(*ranges));
	unsigned count = graph->node_count;

	if (!ranges)
		return engine_fail_memory(error);
	ranges->graph = graph;
	ranges->reach = calloc(count, sizeof(*ranges->reach));
	ranges->channels = calloc(count, sizeof(float *));
	ranges->reader = calloc(count, sizeof(*ranges->reader));
	if (!ranges->reach || !ranges->channels || !ranges->reader) {
		ranges_free(ranges);
		return engine_fail_memory(error);
	}
	for (unsigned i = 0; i < count; i++) {
		ranges->reach[i] = 1;
		ranges->reader[i] = -1;
	}
	find_chain(ranges);
	for (unsigned i = 0; i < count; i++) {
		unsigned channels = graph->nodes[i].shape.channels;

		if (ranges->reader[i] < 0)
			continue;
		ranges->channels[i] = calloc(channels, sizeof(float));
		if (!ranges->channels[i]) {
			ranges_free(ranges);
			return engine_fail_memory(error);
		}
		for (unsigned c = 0; c < channels; c++)
			ranges->channels[i][c] = 1;
	}
	*ret_ranges = ranges;
	return 0;
}

struct ranges *ranges_free(struct ranges *ranges)
{
	if (!ranges)
		return NULL;
	for (unsigned i = 0; ranges->channels && i < ranges->graph->node_count; i++)
		free(ranges->channels[i]);
	free(ranges->channels);
	free(ranges->reader);
	free(ranges->reach);
	free(ranges);
	return NULL;
}

/* --- The file ------------------------------------------------------------------- */

static bool read_reach(const json_t *value, float *ret_reach)
{
	double reach = json_number_value(value);

	if (!json_is_number(value) || !(reach >= REACH_LEAST && reach <= 1))
		return false;
	*ret_reach = (float)reach;
	return true;
}

static int read_node(struct ranges *ranges, unsigned node, const json_t *value, const char *path,
		     struct engine_error *error)
{
	const struct graph_node *n = &ranges->graph->nodes[node];
	bool right = true;

	if (!json_is_array(value))
		right = read_reach(value, &ranges->reach[node]);
	else if (!ranges->channels[node] || json_array_size(value) != n->shape.channels)
		right = false;
	for (unsigned c = 0; right && json_is_array(value) && c < n->shape.channels; c++)
		right = read_reach(json_array_get(value, c), &ranges->channels[node][c]);
	if (!right)
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "The file %s has a range for the node %s that does not fit it.",
				   path, n->name);
	return 0;
}

int ranges_read(struct ranges *ranges, const char *path, struct engine_error *error)
{
	json_error_t problem;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &problem), *value;
	const char *name;
	int r = 0;

	if (!json_is_object(root)) {
		r = engine_fail(error, ENGINE_BAD_OPTION,
				"The file %s does not hold ranges in JSON: %s.", path,
				root ? "no object" : problem.text);
		json_decref(root);
		return r;
	}
	json_object_foreach(root, name, value) {
		unsigned i = 0;

		while (i < ranges->graph->node_count &&
		       strcmp(ranges->graph->nodes[i].name, name) != 0)
			i++;
		r = i < ranges->graph->node_count ? read_node(ranges, i, value, path, error) :
			engine_fail(error, ENGINE_BAD_OPTION,
				    "The file %s names the node %s, which the model does not have.",
				    path, name);
		if (r)
			break;
	}
	json_decref(root);
	return r;
}

/* Three digits are as many as a range has worth keeping. */
static double rounded(float reach)
{
	return rint((double)reach * 1000) / 1000;
}

int ranges_save(const struct ranges *ranges, const char *path, struct engine_error *error)
{
	json_t *root = json_object();
	int r;

	for (unsigned i = 0; i < ranges->graph->node_count; i++) {
		const struct graph_node *node = &ranges->graph->nodes[i];
		json_t *list;

		if (!ranges->channels[i]) {
			if (ranges->reach[i] < 1)
				json_object_set_new(root, node->name,
						    json_real(rounded(ranges->reach[i])));
			continue;
		}
		list = json_array();
		for (unsigned c = 0; c < node->shape.channels; c++)
			json_array_append_new(list, json_real(rounded(ranges->channels[i][c])));
		json_object_set_new(root, node->name, list);
	}
	r = json_dump_file(root, path, JSON_INDENT(1) | JSON_REAL_PRECISION(4));
	json_decref(root);
	return r == 0 ? 0 : engine_fail(error, ENGINE_BAD_OPTION, "The file %s cannot be written.",
					path);
}

/* --- The model -------------------------------------------------------------------- */

static void give(struct gguf_writer *writer, const struct graph_node *node, const char *part,
		 enum gguf_tensor_type type, size_t count, void *data)
{
	char name[LIMIT_MODEL_NAME + 32];

	snprintf(name, sizeof(name), "encoder.%s.%s", node->name, part);
	gguf_writer_give_tensor(writer, name, type, 1, &count, data);
}

/* Weights that take the factors `in` of the channels they read, rounded anew;
 * scales, and the bias in their units. */
static int write_reader(const struct ranges *ranges, const struct graph_node *node,
			const float *in, float *scales, struct gguf_writer *writer)
{
	const struct gguf_tensor *weight = node->weight;
	size_t channels = node->shape.channels, each = weight->count / channels;
	unsigned inputs = ranges->graph->nodes[node->inputs[0]].shape.channels;
	double unit = (double)ranges->graph->nodes[node->inputs[0]].file_scale;
	float *floats = calloc(weight->count, sizeof(*floats));
	float *biases = calloc(channels, sizeof(*biases));
	int8_t *codes = malloc(weight->count), *zero = calloc(1, 1);
	int32_t *units = calloc(channels, sizeof(*units));
	int r = floats && biases && codes && zero && units ? 0 : -1;

	if (r == 0) {
		graph_node_weights(node, floats);
		graph_node_bias(ranges->graph, node, biases);
		for (size_t i = 0; i < weight->count; i++)
			floats[i] *= in[i % inputs];
		for (size_t n = 0; n < channels; n++) {
			quantise_q8(floats + n * each, each, codes + n * each, &scales[n]);
			units[n] = (int32_t)rint((double)biases[n] / (unit * (double)scales[n]));
		}
		gguf_writer_give_tensor(writer, weight->name, GGUF_TENSOR_I8, weight->rank,
					weight->shape, codes);
		codes = NULL;
		if (node->weight_zero_point) {
			give(writer, node, "zero_point", GGUF_TENSOR_I8, 1, zero);
			zero = NULL;
		}
		if (node->bias) {
			give(writer, node, "bias", GGUF_TENSOR_I32, channels, units);
			units = NULL;
		}
	}
	free(floats);
	free(biases);
	free(codes);
	free(zero);
	free(units);
	return r;
}

static int write_convolution(const struct ranges *ranges, unsigned index, const float *in,
			     struct gguf_writer *writer)
{
	const struct graph_node *node = &ranges->graph->nodes[index];
	const float *out = ranges->channels[index], *old = node->weight_scale->data;
	float *scales = calloc(node->shape.channels, sizeof(*scales));

	if (!scales)
		return -1;
	for (unsigned n = 0; n < node->shape.channels; n++)
		scales[n] = old[node->weight_scale->count > 1 ? n : 0];
	if (in && write_reader(ranges, node, in, scales, writer)) {
		free(scales);
		return -1;
	}
	for (unsigned n = 0; out && n < node->shape.channels; n++)
		scales[n] /= out[n];
	give(writer, node, "scale", GGUF_TENSOR_F32, node->shape.channels, scales);
	return 0;
}

/* The factors of the channels that a node reads, or NULL. */
static const float *factors_into(const struct ranges *ranges, unsigned node)
{
	for (unsigned i = 0; i < ranges->graph->node_count; i++)
		if (ranges->reader[i] == (int)node)
			return ranges->channels[i];
	return NULL;
}

int ranges_write(const struct ranges *ranges, struct gguf_writer *writer,
		 struct engine_error *error)
{
	for (unsigned i = 0; i < ranges->graph->node_count; i++) {
		const float *in = factors_into(ranges, i);

		if ((in || ranges->channels[i]) && write_convolution(ranges, i, in, writer))
			return engine_fail_memory(error);
	}
	gguf_writer_set_f32s(writer, "descry.encoder.node.reach", ranges->reach,
			     ranges->graph->node_count);
	return 0;
}
