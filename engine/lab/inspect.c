/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * inspect.c: a model taken apart for the eye.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/lab/lab.h"
#include "engine/model.h"

struct inspection {
	struct lab_inspection public;	/* first, so that either can stand for the other */
	struct engine_model *model;
	struct lab_layer *layers;
};

static uint64_t tensor_size(const struct gguf_tensor *tensor)
{
	return tensor ? tensor->size : 0;
}

static void inspect_layers(struct inspection *inspection)
{
	const struct graph *graph = inspection->model->graph;
	const struct program *program = inspection->model->program;
	struct lab_inspection *public = &inspection->public;

	for (unsigned i = 0; i < graph->node_count; i++) {
		const struct graph_node *node = &graph->nodes[i];
		const struct kernel *kernel = program->steps[i].kernel;
		struct lab_layer *layer = &inspection->layers[i];

		*layer = (struct lab_layer){
			.name = node->name,
			.operation = graph_operator_name(node->operator),
			.kernel = kernel ? kernel->name : "",
			.height = node->shape.height,
			.width = node->shape.width,
			.channels = node->shape.channels,
			.operation_count = node->operations,
			.weight_count = node->weight ? node->weight->count : 0,
			.weight_bytes = tensor_size(node->weight) + tensor_size(node->bias) +
					tensor_size(node->weight_scale) +
					tensor_size(node->weight_zero_point),
		};
		public->weight_count += layer->weight_count;
		public->weight_bytes += layer->weight_bytes;
	}
	public->layers = inspection->layers;
	public->layer_count = graph->node_count;
	public->arena_bytes = program->plan->arena_size;
	public->quantised = program->plan->type == KERNEL_Q8;
}

static void inspect_decoder(struct inspection *inspection)
{
	const struct gguf *file = inspection->model->file;

	for (size_t i = 0; i < gguf_tensor_count(file); i++) {
		const struct gguf_tensor *tensor = gguf_tensor_at(file, i);

		if (strncmp(tensor->name, "decoder.", 8) == 0) {
			inspection->public.decoder_count += tensor->count;
			inspection->public.decoder_bytes += tensor->size;
		}
	}
}

int lab_inspect(const char *path, struct lab_inspection **ret_inspection,
		struct engine_error *error)
{
	struct inspection *inspection = calloc(1, sizeof(*inspection));
	int r;

	if (!inspection)
		return engine_fail_memory(error);
	r = engine_model_open(path, &inspection->model, error);
	if (r)
		goto out;
	inspection->layers = calloc(inspection->model->graph->node_count,
				    sizeof(*inspection->layers));
	if (!inspection->layers) {
		r = engine_fail_memory(error);
		goto out;
	}
	inspection->public.info = engine_model_info(inspection->model);
	inspect_layers(inspection);
	inspect_decoder(inspection);
	*ret_inspection = &inspection->public;
	inspection = NULL;
out:
	lab_inspection_free(inspection ? &inspection->public : NULL);
	return r;
}

struct lab_inspection *lab_inspection_free(struct lab_inspection *public)
{
	struct inspection *inspection = (struct inspection *)public;

	if (!inspection)
		return NULL;
	engine_model_free(inspection->model);
	free(inspection->layers);
	free(inspection);
	return NULL;
}
