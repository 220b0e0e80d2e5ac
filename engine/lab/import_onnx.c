/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * import_onnx.c: ONNX describes values of [batch, channels, height, width]; the
 * engine has channels innermost. So weights are transposed when they are read,
 * and the columns of a fully connected layer behind a flattened picture are put
 * into the engine's order.
 *
 * Each name of the file stands for a value: a constant, a list of whole numbers
 * that shapes are computed with, or what a node yields. Constant arithmetic on
 * shapes, which exporters leave behind, is computed here.
 */
#include "engine/lab/import_onnx.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/lab/onnx_reader.h"

#define OPSET_MIN 7
#define OPSET_MAX 17

static int read_node(struct onnx_reader *reader)
{
	const char *type = reader->node->op_type;

	if (*reader->node->domain && strcmp(reader->node->domain, "ai.onnx") != 0)
		return onnx_fail_unsupported(reader, "belongs to an extension");
	if (strcmp(type, "Conv") == 0)
		return onnx_read_convolution(reader);
	if (strcmp(type, "BatchNormalization") == 0)
		return onnx_read_normalisation(reader);
	if (strcmp(type, "Relu") == 0)
		return onnx_read_clamp(reader, 0, INFINITY);
	if (strcmp(type, "Clip") == 0)
		return onnx_read_clip(reader);
	if (strcmp(type, "Sigmoid") == 0)
		return onnx_read_sigmoid(reader);
	if (strcmp(type, "MaxPool") == 0)
		return onnx_read_pool(reader, GRAPH_MAX_POOL);
	if (strcmp(type, "AveragePool") == 0)
		return onnx_read_pool(reader, GRAPH_AVERAGE_POOL);
	if (strcmp(type, "GlobalAveragePool") == 0)
		return onnx_read_global_pool(reader);
	if (strcmp(type, "ReduceMean") == 0)
		return onnx_read_mean(reader);
	if (strcmp(type, "Add") == 0)
		return onnx_read_arithmetic(reader, '+');
	if (strcmp(type, "Sub") == 0)
		return onnx_read_arithmetic(reader, '-');
	if (strcmp(type, "Mul") == 0)
		return onnx_read_arithmetic(reader, '*');
	if (strcmp(type, "Div") == 0)
		return onnx_read_arithmetic(reader, '/');
	if (strcmp(type, "Concat") == 0)
		return onnx_read_concat(reader);
	if (strcmp(type, "Flatten") == 0)
		return onnx_read_flatten(reader);
	if (strcmp(type, "Reshape") == 0)
		return onnx_read_reshape(reader);
	if (strcmp(type, "Squeeze") == 0)
		return onnx_read_squeeze(reader);
	if (strcmp(type, "Gemm") == 0)
		return onnx_read_product(reader, onnx_int_attribute(reader, "transB", 0), true);
	if (strcmp(type, "MatMul") == 0)
		return onnx_read_product(reader, false, false);
	if (strcmp(type, "Pad") == 0)
		return onnx_read_padding(reader);
	if (strcmp(type, "Identity") == 0 || strcmp(type, "Dropout") == 0 ||
	    strcmp(type, "Softmax") == 0)
		return onnx_read_pass_on(reader);
	if (strcmp(type, "Cast") == 0 || strcmp(type, "Unsqueeze") == 0)
		return onnx_read_numbers_as_they_are(reader);
	if (strcmp(type, "Constant") == 0)
		return onnx_read_constant(reader);
	if (strcmp(type, "Shape") == 0)
		return onnx_read_shape(reader);
	if (strcmp(type, "Gather") == 0)
		return onnx_read_gather(reader);
	return onnx_fail_unsupported(reader, "is not supported");
}

static int read_input(struct onnx_reader *reader, const Onnx__Graph *graph)
{
	const Onnx__ValueInfo *info = NULL;
	const Onnx__Shape *shape;
	struct blueprint_node *node;
	struct onnx_value *value;
	int r;

	/* older files list their constants among the inputs */
	for (size_t i = 0; i < graph->n_input && !info; i++)
		if (!onnx_find_value(reader, graph->input[i]->name))
			info = graph->input[i];
	shape = info && info->type && info->type->tensor_type ? info->type->tensor_type->shape : NULL;
	if (!shape || shape->n_dim != 4 || shape->dim[1]->dim_value != 3 ||
	    shape->dim[0]->dim_value > 1 || shape->dim[2]->dim_value < 1 ||
	    shape->dim[2]->dim_value > (int64_t)LIMIT_MODEL_SIDE || shape->dim[3]->dim_value < 1 ||
	    shape->dim[3]->dim_value > (int64_t)LIMIT_MODEL_SIDE)
		return engine_fail(reader->error, ENGINE_UNSUPPORTED,
				   "The file %s cannot be imported: its input is not one RGB picture of a "
				   "fixed size.", reader->file);
	r = blueprint_add(reader->blueprint, GRAPH_INPUT, info->name, NULL, 0, &node, reader->error);
	if (r == 0)
		r = onnx_add_value(reader, info->name, &value);
	if (r)
		return r;
	value->node = 0;
	node->shape = (struct graph_shape){ (unsigned)shape->dim[2]->dim_value,
					    (unsigned)shape->dim[3]->dim_value, 3 };
	reader->blueprint->height = node->shape.height;
	reader->blueprint->width = node->shape.width;
	return 0;
}

static int read_graph(struct onnx_reader *reader, const Onnx__Graph *graph)
{
	const struct onnx_value *output;
	struct onnx_value *value;
	int r = 0;

	for (size_t i = 0; i < graph->n_initializer && r == 0; i++) {
		r = onnx_add_value(reader, graph->initializer[i]->name, &value);
		if (r == 0)
			value->constant = graph->initializer[i];
	}
	if (r == 0)
		r = read_input(reader, graph);
	for (size_t i = 0; i < graph->n_node && r == 0; i++) {
		reader->node = graph->node[i];
		r = read_node(reader);
	}
	if (r)
		return r;
	output = graph->n_output ? onnx_find_value(reader, graph->output[0]->name) : NULL;
	if (!output || output->node < 0)
		return engine_fail(reader->error, ENGINE_BAD_MODEL,
				   "The file %s has no output that its nodes compute.", reader->file);
	reader->blueprint->classes = output->node;
	return 0;
}

int onnx_read(const uint8_t *data, size_t size, const char *name, struct blueprint *blueprint,
	      struct engine_error *error)
{
	struct onnx_reader reader = { .file = name, .blueprint = blueprint, .error = error };
	Onnx__Model *model = onnx__model__unpack(NULL, size, data);
	int r;

	if (!model || !model->graph || !model->graph->n_node) {
		r = engine_fail(error, ENGINE_BAD_MODEL,
				"The file %s is no ONNX file, or a damaged one.", name);
		goto out;
	}
	for (size_t i = 0; i < model->n_opset_import; i++)
		if (!*model->opset_import[i]->domain ||
		    strcmp(model->opset_import[i]->domain, "ai.onnx") == 0)
			reader.opset = model->opset_import[i]->version;
	if (reader.opset < OPSET_MIN || reader.opset > OPSET_MAX) {
		r = engine_fail(error, ENGINE_UNSUPPORTED,
				"The file %s uses version %lld of ONNX's operators; %d to %d are supported. "
				"Export it again with one of them.", name, (long long)reader.opset,
				OPSET_MIN, OPSET_MAX);
		goto out;
	}
	r = read_graph(&reader, model->graph);
out:
	free(reader.values);
	if (model)
		onnx__model__free_unpacked(model, NULL);
	return r;
}
