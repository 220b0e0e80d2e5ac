/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ranges.c: the file of ranges; the values are checked when the model is opened. */
#include "engine/lab/ranges.h"

#include <jansson.h>
#include <string.h>

#include "engine/error.h"

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

int ranges_read(const struct graph *graph, const char *path, float *ret_reaches,
		struct engine_error *error)
{
	json_t *root = load(path, error), *value;
	const char *name;
	int r = 0;

	if (!root)
		return ENGINE_BAD_OPTION;
	for (unsigned i = 0; i < graph->node_count; i++)
		ret_reaches[i] = 1;
	json_object_foreach(root, name, value) {
		unsigned i = 0;

		while (i < graph->node_count && strcmp(graph->nodes[i].name, name) != 0)
			i++;
		if (i == graph->node_count || !json_is_number(value)) {
			r = engine_fail(error, ENGINE_BAD_OPTION,
					"The file %s names the node %s, which the model does not have, "
					"or gives it no number.", path, name);
			break;
		}
		ret_reaches[i] = (float)json_number_value(value);
	}
	json_decref(root);
	return r;
}

int ranges_save(const struct graph *graph, const float *reaches, const char *path,
		struct engine_error *error)
{
	json_t *root = json_object();
	int r;

	for (unsigned i = 0; i < graph->node_count; i++)
		if (reaches[i] < 1)
			json_object_set_new(root, graph->nodes[i].name, json_real((double)reaches[i]));
	r = json_dump_file(root, path, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	json_decref(root);
	return r == 0 ? 0 :
		engine_fail(error, ENGINE_BAD_OPTION, "The file %s cannot be written.", path);
}
