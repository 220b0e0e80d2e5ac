/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ranges.c: the file of ranges, and how a model holds them; what values are possible
 * is checked when the model is opened. */
#include "engine/lab/ranges.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/limits.h"

int ranges_new(const struct graph *graph, struct node_range **ret_ranges,
	       struct engine_error *error)
{
	struct node_range *ranges = calloc(graph->node_count, sizeof(*ranges));

	if (!ranges)
		return engine_fail_memory(error);
	for (unsigned i = 0; i < graph->node_count; i++)
		ranges[i].reach = ranges[i].fineness = 1;
	*ret_ranges = ranges;
	return 0;
}

struct node_range *ranges_free(struct node_range *ranges, const struct graph *graph)
{
	for (unsigned i = 0; ranges && i < graph->node_count; i++)
		free(ranges[i].copies);
	free(ranges);
	return NULL;
}

static json_t *load(const char *path, struct engine_error *error)
{
	json_error_t problem;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);

	if (json_is_object(root))
		return root;
	engine_error_set(error, "The file %s does not hold ranges in JSON: %s.", path,
			 root ? "it is no object" : problem.text);
	json_decref(root);
	return NULL;
}

/* False where the values are none; `entry` may be NULL. */
static bool read_copies(const struct graph_node *node, json_t *entry, struct node_range *range)
{
	const char *name;
	json_t *value;

	if (!entry)
		return true;
	range->copies = malloc(node->shape.channels);
	if (!range->copies || !json_is_object(entry))
		return false;
	memset(range->copies, 1, node->shape.channels);
	json_object_foreach(entry, name, value) {
		char *end;
		unsigned long channel = strtoul(name, &end, 10);

		if (end == name || *end != '\0' || channel >= node->shape.channels ||
		    !json_is_integer(value) || json_integer_value(value) < INT8_MIN ||
		    json_integer_value(value) > INT8_MAX)
			return false;
		range->copies[channel] = (int8_t)json_integer_value(value);
	}
	return true;
}

static bool read_number(json_t *entry, float *ret_value)
{
	if (!entry)
		return true;
	*ret_value = (float)json_number_value(entry);
	return json_is_number(entry);
}

static bool read_node(const struct graph_node *node, json_t *entry, struct node_range *range)
{
	if (!json_is_object(entry))
		return read_number(entry, &range->reach);
	return read_number(json_object_get(entry, "reach"), &range->reach) &&
	       read_number(json_object_get(entry, "fineness"), &range->fineness) &&
	       read_copies(node, json_object_get(entry, "copies"), range);
}

int ranges_read(const struct graph *graph, const char *path, struct node_range *ret_ranges,
		struct engine_error *error)
{
	json_t *root = load(path, error), *value;
	const char *name;
	int r = 0;

	if (!root)
		return ENGINE_BAD_OPTION;
	json_object_foreach(root, name, value) {
		unsigned i = 0;

		while (i < graph->node_count && strcmp(graph->nodes[i].name, name) != 0)
			i++;
		if (i == graph->node_count || !read_node(&graph->nodes[i], value, &ret_ranges[i])) {
			r = engine_fail(error, ENGINE_BAD_OPTION,
					"The file %s names the node %s, which the model does not have, "
					"or gives it what is no range.", path, name);
			break;
		}
	}
	json_decref(root);
	return r;
}

static json_t *describe(const struct graph_node *node, const struct node_range *range)
{
	json_t *entry, *copies;

	if (range->fineness == 1 && !range->copies)
		return json_real((double)range->reach);
	entry = json_pack("{s:f,s:f}", "reach", (double)range->reach, "fineness",
			  (double)range->fineness);
	copies = range->copies ? json_object() : NULL;
	for (unsigned c = 0; copies && c < node->shape.channels; c++) {
		char name[16];

		snprintf(name, sizeof(name), "%u", c);
		if (range->copies[c] != 1)
			json_object_set_new(copies, name, json_integer(range->copies[c]));
	}
	if (copies)
		json_object_set_new(entry, "copies", copies);
	return entry;
}

int ranges_save(const struct graph *graph, const struct node_range *ranges, const char *path,
		struct engine_error *error)
{
	json_t *root = json_object();
	int r;

	for (unsigned i = 0; i < graph->node_count; i++)
		if (ranges[i].reach < 1 || ranges[i].fineness > 1 || ranges[i].copies)
			json_object_set_new(root, graph->nodes[i].name,
					    describe(&graph->nodes[i], &ranges[i]));
	r = json_dump_file(root, path, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	json_decref(root);
	return r == 0 ? 0 :
		engine_fail(error, ENGINE_BAD_OPTION, "The file %s cannot be written.", path);
}

int ranges_write(const struct graph *graph, const struct node_range *ranges,
		 struct gguf_writer *writer, struct engine_error *error)
{
	float *values = malloc(graph->node_count * sizeof(*values));

	if (!values)
		return engine_fail_memory(error);
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < graph->node_count; i++)
			values[i] = pass ? ranges[i].fineness : ranges[i].reach;
		gguf_writer_set_f32s(writer, pass ? "descry.encoder.node.fineness" :
				     "descry.encoder.node.reach", values, graph->node_count);
	}
	free(values);
	for (unsigned i = 0; i < graph->node_count; i++) {
		size_t channels = graph->nodes[i].shape.channels;
		char name[LIMIT_MODEL_NAME + 32];

		snprintf(name, sizeof(name), "encoder.%s.copies", graph->nodes[i].name);
		gguf_writer_remove_tensor(writer, name);
		if (ranges[i].copies)
			gguf_writer_add_tensor(writer, name, GGUF_TENSOR_I8, 1, &channels,
					       ranges[i].copies);
	}
	return 0;
}
