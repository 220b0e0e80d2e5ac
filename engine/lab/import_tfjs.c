/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * import_tfjs.c: Keras has channels innermost, as the engine does, but kernels as
 * [height, width, in, out], so weights are turned when they are read. The weights
 * of all layers follow one another over the files of the manifest as if those
 * were one.
 */
#include "engine/lab/import_tfjs.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/lab/file.h"
#include "engine/limits.h"

#define MODEL_BYTES_MAX (64u << 20)	/* of model.json */
#define WEIGHTS_MAX 8192u

struct weight {
	const char *name;
	size_t start, count;		/* floats, in all files together */
	unsigned rank;
	size_t shape[4];
};

struct value {
	const char *layer;		/* whose output it is */
	unsigned node;
	unsigned padding[4];		/* top, left, bottom, right, put around it */
};

struct reader {
	const char *path;
	struct blueprint *blueprint;
	struct engine_error *error;
	float *data;			/* of all weight files */
	size_t data_count;
	struct weight *weights;
	size_t weight_count;
	struct value *values;
	size_t value_count;
	/* of the layer that is being read */
	const char *name, *kind;
	json_t *config;
	struct value *inputs[64];
	size_t input_count;
};

static void set_unsupported(const struct reader *reader, const char *what)
{
	engine_error_set(reader->error, "The file %s cannot be imported: the layer %s (%s) %s.",
			 reader->path, reader->name, reader->kind, what);
}

/* Macros, so that the compiler sees that the status is not 0. */
#define fail_unsupported(reader, what) (set_unsupported(reader, what), ENGINE_UNSUPPORTED)
#define fail_damaged(reader, what) \
	engine_fail((reader)->error, ENGINE_BAD_MODEL, "The file %s is damaged: %s.", \
		    (reader)->path, what)

/* --- Weights ----------------------------------------------------------------- */

static int read_weight_entry(struct reader *reader, json_t *entry, size_t *used)
{
	struct weight *weight = &reader->weights[reader->weight_count];
	const char *type = json_string_value(json_object_get(entry, "dtype"));
	json_t *shape = json_object_get(entry, "shape"), *dimension;
	size_t i;

	*weight = (struct weight){
		.name = json_string_value(json_object_get(entry, "name")),
		.start = *used, .count = 1, .rank = (unsigned)json_array_size(shape),
	};
	if (!weight->name || !type || weight->rank > 4)
		return fail_damaged(reader, "its list of weights cannot be read");
	if (strcmp(type, "float32") != 0 || json_object_get(entry, "quantization"))
		return engine_fail(reader->error, ENGINE_UNSUPPORTED,
				   "The file %s cannot be imported: the weights %s are not 32-bit floats.",
				   reader->path, weight->name);
	json_array_foreach(shape, i, dimension) {
		json_int_t size = json_integer_value(dimension);

		if (size < 1 || __builtin_mul_overflow(weight->count, (size_t)size, &weight->count))
			return fail_damaged(reader, "a weight has a size that cannot be");
		weight->shape[i] = (size_t)size;
	}
	if (__builtin_add_overflow(*used, weight->count, used) ||
	    *used > LIMIT_MODEL_BYTES / sizeof(float))
		return fail_damaged(reader, "a weight has a size that cannot be");
	reader->weight_count++;
	return 0;
}

/* Appends a file of the manifest, which must lie beside model.json. */
static int read_weight_file(struct reader *reader, const char *name, size_t *used)
{
	const char *slash = strrchr(reader->path, '/');
	struct file_map map;
	char *path;
	int r;

	if (!name || !*name || strchr(name, '/') || strcmp(name, "..") == 0)
		return fail_damaged(reader, "it names a weight file that is not beside it");
	if (asprintf(&path, "%.*s%s", slash ? (int)(slash - reader->path + 1) : 0, reader->path,
		     name) < 0)
		return engine_fail_memory(reader->error);
	r = file_map(path, LIMIT_MODEL_BYTES, &map, reader->error);
	free(path);
	if (r)
		return r;
	if (map.size > reader->data_count * sizeof(float) - *used)
		r = fail_damaged(reader, "its weight files are longer than its list of weights");
	else
		memcpy((uint8_t *)reader->data + *used, map.data, map.size);
	*used += map.size;
	file_unmap(&map);
	return r;
}

static int read_manifest(struct reader *reader, json_t *manifest)
{
	json_t *group, *entry;
	size_t i, j, used = 0, bytes = 0;
	int r = 0;

	reader->weights = calloc(WEIGHTS_MAX, sizeof(*reader->weights));
	if (!reader->weights)
		return engine_fail_memory(reader->error);
	json_array_foreach(manifest, i, group)
		json_array_foreach(json_object_get(group, "weights"), j, entry) {
			if (reader->weight_count == WEIGHTS_MAX)
				return fail_damaged(reader, "it lists too many weights");
			r = read_weight_entry(reader, entry, &used);
			if (r)
				return r;
		}
	reader->data_count = used;
	reader->data = calloc(used + 1, sizeof(float));
	if (!reader->data)
		return engine_fail_memory(reader->error);
	json_array_foreach(manifest, i, group)
		json_array_foreach(json_object_get(group, "paths"), j, entry) {
			r = read_weight_file(reader, json_string_value(entry), &bytes);
			if (r)
				return r;
		}
	if (bytes != used * sizeof(float))
		return fail_damaged(reader, "its weight files are shorter than its list of weights");
	return 0;
}

/* The weights LAYER/part; NULL if there are none. */
static const struct weight *find_weight(const struct reader *reader, const char *part)
{
	size_t length = strlen(reader->name);

	for (size_t i = 0; i < reader->weight_count; i++) {
		const char *name = reader->weights[i].name;
		const char *last = strrchr(name, '/');

		if (strncmp(name, reader->name, length) == 0 && name[length] == '/' && last &&
		    strcmp(last + 1, part) == 0)
			return &reader->weights[i];
	}
	return NULL;
}

static const float *weight_data(const struct reader *reader, const struct weight *weight)
{
	return reader->data + weight->start;
}

/* --- The configuration of a layer ----------------------------------------------- */

static const char *text_of(const struct reader *reader, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(reader->config, key));

	return text ? text : otherwise;
}

/* Two sizes, [height, width]. */
static int pair_of(const struct reader *reader, const char *key, unsigned otherwise,
		   unsigned *ret_pair)
{
	json_t *list = json_object_get(reader->config, key);

	for (unsigned i = 0; i < 2; i++) {
		json_int_t size = json_is_array(list) ? json_integer_value(json_array_get(list, i)) :
				  otherwise;

		if (size < 1 || size > (json_int_t)LIMIT_MODEL_SIDE)
			return fail_unsupported(reader, "has a size out of range");
		ret_pair[i] = (unsigned)size;
	}
	return 0;
}

static int clamp_to(struct reader *reader, struct blueprint_node *node, const char *activation)
{
	if (strcmp(activation, "relu") == 0) {
		node->minimum = 0;
	} else if (strcmp(activation, "relu6") == 0) {
		node->minimum = 0;
		node->maximum = 6;
	} else if (strcmp(activation, "linear") != 0 && strcmp(activation, "softmax") != 0) {
		return fail_unsupported(reader, "has an activation that is not supported");
	}
	return 0;
}

/* --- Layers ----------------------------------------------------------------------- */

static int add_node(struct reader *reader, enum graph_operator operator,
		    struct blueprint_node **ret_node)
{
	unsigned inputs[64];
	int r;

	if (!reader->input_count)
		return fail_unsupported(reader, "reads nothing");
	for (size_t i = 0; i < reader->input_count; i++)
		inputs[i] = reader->inputs[i]->node;
	r = blueprint_add(reader->blueprint, operator, reader->name, inputs,
			  (unsigned)reader->input_count, ret_node, reader->error);
	if (r == 0)
		(*ret_node)->shape = reader->blueprint->nodes[inputs[0]].shape;
	return r;
}

static bool padded(const struct value *value)
{
	return value->padding[0] || value->padding[1] || value->padding[2] || value->padding[3];
}

static void pad_same(unsigned in, unsigned kernel, unsigned stride, unsigned dilation,
		     unsigned *ret_before, unsigned *ret_after)
{
	unsigned out = (in + stride - 1) / stride;
	unsigned needed = (out - 1) * stride + (kernel - 1) * dilation + 1;
	unsigned total = needed > in ? needed - in : 0;

	*ret_before = total / 2;
	*ret_after = total - total / 2;
}

static int read_window(struct reader *reader, struct blueprint_node *node, const unsigned *kernel,
		       unsigned default_stride, unsigned channels)
{
	const struct graph_shape *in = &reader->blueprint->nodes[node->inputs[0]].shape;
	const struct value *value = reader->inputs[0];
	struct graph_window *w = &node->window;
	unsigned s[2], d[2];
	int r = pair_of(reader, "strides", default_stride, s);

	if (r == 0)
		r = pair_of(reader, "dilation_rate", 1, d);
	if (r)
		return r;
	*w = (struct graph_window){
		kernel[0], kernel[1], s[0], s[1], d[0], d[1],
		value->padding[0], value->padding[1], value->padding[2], value->padding[3],
	};
	if (strcmp(text_of(reader, "padding", "valid"), "same") == 0) {
		if (padded(value))
			return fail_unsupported(reader, "pads a padded value");
		pad_same(in->height, kernel[0], s[0], d[0], &w->pad_top, &w->pad_bottom);
		pad_same(in->width, kernel[1], s[1], d[1], &w->pad_left, &w->pad_right);
	}
	if (strcmp(text_of(reader, "data_format", "channels_last"), "channels_last") != 0)
		return fail_unsupported(reader, "has its channels first");
	if (!blueprint_slide(reader->blueprint, node, channels))
		return fail_unsupported(reader, "has a kernel larger than its input");
	return 0;
}

static int read_bias(struct reader *reader, struct blueprint_node *node)
{
	const struct weight *bias = find_weight(reader, "bias");

	if (!bias)
		return 0;
	if (bias->count != node->shape.channels)
		return fail_unsupported(reader, "has a bias of a wrong size");
	node->bias = calloc(bias->count, sizeof(float));
	if (!node->bias)
		return engine_fail_memory(reader->error);
	memcpy(node->bias, weight_data(reader, bias), bias->count * sizeof(float));
	return 0;
}

/* `depthwise`: [height, width, channels, multiplier]. */
static int read_convolution(struct reader *reader, bool depthwise)
{
	const struct weight *weight = find_weight(reader,
						  depthwise ? "depthwise_kernel" : "kernel");
	struct blueprint_node *node;
	size_t taps, in, out;
	const float *from;
	int r;

	if (!weight || weight->rank != 4)
		return fail_unsupported(reader, "lacks its weights");
	r = add_node(reader, GRAPH_CONVOLUTION, &node);
	if (r)
		return r;
	in = weight->shape[2];
	out = depthwise ? in * weight->shape[3] : weight->shape[3];
	if (in != node->shape.channels || out > LIMIT_MODEL_CHANNELS ||
	    weight->shape[0] > LIMIT_MODEL_SIDE || weight->shape[1] > LIMIT_MODEL_SIDE)
		return fail_unsupported(reader, "has weights that do not fit its input");
	r = read_window(reader, node, (unsigned[]){ (unsigned)weight->shape[0],
						    (unsigned)weight->shape[1] }, 1, (unsigned)out);
	if (r)
		return r;
	node->groups = depthwise ? (unsigned)in : 1;
	node->weight_rank = 4;
	node->weight_shape[0] = out;
	node->weight_shape[1] = weight->shape[0];
	node->weight_shape[2] = weight->shape[1];
	node->weight_shape[3] = depthwise ? 1 : in;
	node->weights = calloc(weight->count, sizeof(float));
	if (!node->weights)
		return engine_fail_memory(reader->error);
	taps = weight->shape[0] * weight->shape[1];
	from = weight_data(reader, weight);
	for (size_t t = 0; t < taps; t++)
		for (size_t i = 0; i < (depthwise ? 1 : in); i++)
			for (size_t o = 0; o < out; o++)
				node->weights[(o * taps + t) * node->weight_shape[3] + i] =
					from[(t * (depthwise ? 1 : in) + i) * out + o];
	r = read_bias(reader, node);
	return r ? r : clamp_to(reader, node, text_of(reader, "activation", "linear"));
}

static int read_dense(struct reader *reader)
{
	const struct weight *weight = find_weight(reader, "kernel");
	struct blueprint_node *node;
	size_t in, out;
	const float *from;
	int r;

	if (!weight || weight->rank != 2)
		return fail_unsupported(reader, "lacks its weights");
	r = add_node(reader, GRAPH_FULLY_CONNECTED, &node);
	if (r)
		return r;
	in = weight->shape[0];
	out = weight->shape[1];
	if (in != graph_shape_count(&node->shape) || out > LIMIT_MODEL_CHANNELS ||
	    padded(reader->inputs[0]))
		return fail_unsupported(reader, "has weights that do not fit its input");
	node->shape = (struct graph_shape){ 1, 1, (unsigned)out };
	node->weight_rank = 2;
	node->weight_shape[0] = out;
	node->weight_shape[1] = in;
	node->weights = calloc(weight->count, sizeof(float));
	if (!node->weights)
		return engine_fail_memory(reader->error);
	from = weight_data(reader, weight);
	for (size_t i = 0; i < in; i++)
		for (size_t o = 0; o < out; o++)
			node->weights[o * in + i] = from[i * out + o];
	r = read_bias(reader, node);
	return r ? r : clamp_to(reader, node, text_of(reader, "activation", "linear"));
}

static int read_normalisation(struct reader *reader)
{
	static const char *const parts[] = { "gamma", "beta", "moving_mean", "moving_variance" };
	double epsilon = json_number_value(json_object_get(reader->config, "epsilon"));
	const float *values[4] = { NULL };
	const struct graph_shape *shape;
	float *scale, *shift;
	int r;

	if (reader->input_count != 1 || padded(reader->inputs[0]))
		return fail_unsupported(reader, "reads a padded value");
	shape = &reader->blueprint->nodes[reader->inputs[0]->node].shape;
	for (unsigned i = 0; i < 4; i++) {
		const struct weight *weight = find_weight(reader, parts[i]);

		if (weight && weight->count != shape->channels)
			return fail_unsupported(reader, "has statistics that do not fit its input");
		values[i] = weight ? weight_data(reader, weight) : NULL;
	}
	if (!values[2] || !values[3])
		return fail_unsupported(reader, "lacks its statistics");
	scale = calloc(shape->channels, sizeof(float));
	shift = calloc(shape->channels, sizeof(float));
	for (unsigned c = 0; scale && shift && c < shape->channels; c++) {
		double product = (values[0] ? (double)values[0][c] : 1) /
				 sqrt((double)values[3][c] + epsilon);

		scale[c] = (float)product;
		shift[c] = (float)((values[1] ? (double)values[1][c] : 0) -
				   (double)values[2][c] * product);
	}
	r = scale && shift ? blueprint_affine(reader->blueprint, reader->name,
					      reader->inputs[0]->node, scale, shift, reader->error) :
			     engine_fail_memory(reader->error);
	free(scale);
	free(shift);
	return r;
}

static int read_activation(struct reader *reader, const char *activation)
{
	struct blueprint_node *node;
	enum graph_operator operator = GRAPH_CLAMP;
	int r;

	if (reader->input_count != 1 || padded(reader->inputs[0]))
		return fail_unsupported(reader, "reads a padded value");
	if (strcmp(activation, "sigmoid") == 0)
		operator = GRAPH_SIGMOID;
	else if (strcmp(activation, "swish") == 0)
		operator = GRAPH_SWISH;
	r = add_node(reader, operator, &node);
	if (r == 0 && operator == GRAPH_CLAMP)
		r = clamp_to(reader, node, activation);
	return r;
}

/* ReLU, with its optional ceiling. */
static int read_relu(struct reader *reader)
{
	json_t *ceiling = json_object_get(reader->config, "max_value");
	struct blueprint_node *node;
	int r;

	if (json_number_value(json_object_get(reader->config, "negative_slope")) != 0 ||
	    json_number_value(json_object_get(reader->config, "threshold")) != 0)
		return fail_unsupported(reader, "has a slope or a threshold");
	r = read_activation(reader, "relu");
	if (r)
		return r;
	node = &reader->blueprint->nodes[reader->blueprint->count - 1];
	if (json_is_number(ceiling))
		node->maximum = (float)json_number_value(ceiling);
	return 0;
}

static int read_pool(struct reader *reader, enum graph_operator operator)
{
	struct blueprint_node *node;
	unsigned kernel[2];
	int r = pair_of(reader, "pool_size", 2, kernel);

	if (r)
		return r;
	/* zeros before a maximum are harmless only where nothing is below zero */
	if (reader->input_count == 1 && padded(reader->inputs[0]) &&
	    (operator == GRAPH_AVERAGE_POOL ||
	     reader->blueprint->nodes[reader->inputs[0]->node].minimum < 0))
		return fail_unsupported(reader, "pools a value padded with zeros");
	r = add_node(reader, operator, &node);
	return r ? r : read_window(reader, node, kernel, kernel[0], node->shape.channels);
}

static int read_global_pool(struct reader *reader)
{
	struct blueprint_node *node;
	int r = add_node(reader, GRAPH_GLOBAL_AVERAGE_POOL, &node);

	if (r == 0)
		node->shape.height = node->shape.width = 1;
	return r;
}

static int read_joined(struct reader *reader, enum graph_operator operator)
{
	struct blueprint_node *node;
	unsigned channels = 0;
	int r;

	for (size_t i = 0; i < reader->input_count; i++) {
		if (padded(reader->inputs[i]))
			return fail_unsupported(reader, "joins padded values");
		channels += reader->blueprint->nodes[reader->inputs[i]->node].shape.channels;
	}
	if (operator != GRAPH_CONCAT && reader->input_count != 2)
		return fail_unsupported(reader, "joins another number of values than two");
	r = add_node(reader, operator, &node);
	if (r == 0 && operator == GRAPH_CONCAT)
		node->shape.channels = channels;
	return r;
}

static int read_input(struct reader *reader)
{
	json_t *shape = json_object_get(reader->config, "batch_input_shape");
	json_int_t height = json_integer_value(json_array_get(shape, 1));
	json_int_t width = json_integer_value(json_array_get(shape, 2));
	struct blueprint_node *node;
	int r;

	if (reader->blueprint->count || json_array_size(shape) != 4 ||
	    json_integer_value(json_array_get(shape, 3)) != 3 || height < 1 || width < 1 ||
	    height > (json_int_t)LIMIT_MODEL_SIDE || width > (json_int_t)LIMIT_MODEL_SIDE)
		return fail_unsupported(reader, "is not one RGB picture of a fixed size");
	r = blueprint_add(reader->blueprint, GRAPH_INPUT, reader->name, NULL, 0, &node,
			  reader->error);
	if (r)
		return r;
	node->shape = (struct graph_shape){ (unsigned)height, (unsigned)width, 3 };
	reader->blueprint->height = (unsigned)height;
	reader->blueprint->width = (unsigned)width;
	return 0;
}

/* Adds zeros to what the layer reads; whoever reads the layer applies them. */
static int read_padding(struct reader *reader, unsigned *padding)
{
	json_t *sides = json_object_get(reader->config, "padding");

	for (unsigned i = 0; i < 4; i++) {
		json_int_t zeros = json_integer_value(
			json_array_get(json_array_get(sides, i % 2), i / 2));

		if (zeros < 0 || zeros > (json_int_t)LIMIT_MODEL_SIDE)
			return fail_unsupported(reader, "has a padding out of range");
		padding[i] += (unsigned)zeros;
	}
	return 0;
}

/* Whether the layer leaves values as they are in the engine's layout. */
static bool passes_on(const char *kind)
{
	static const char *const kinds[] = { "Dropout", "Flatten", "Reshape", "Softmax" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	return false;
}

static int add_layer(struct reader *reader)
{
	const char *kind = reader->kind;

	if (strcmp(kind, "InputLayer") == 0)
		return read_input(reader);
	if (strcmp(kind, "Conv2D") == 0)
		return read_convolution(reader, false);
	if (strcmp(kind, "DepthwiseConv2D") == 0)
		return read_convolution(reader, true);
	if (strcmp(kind, "Dense") == 0)
		return read_dense(reader);
	if (strcmp(kind, "BatchNormalization") == 0)
		return read_normalisation(reader);
	if (strcmp(kind, "Activation") == 0)
		return read_activation(reader, text_of(reader, "activation", ""));
	if (strcmp(kind, "ReLU") == 0)
		return read_relu(reader);
	if (strcmp(kind, "MaxPooling2D") == 0)
		return read_pool(reader, GRAPH_MAX_POOL);
	if (strcmp(kind, "AveragePooling2D") == 0)
		return read_pool(reader, GRAPH_AVERAGE_POOL);
	if (strcmp(kind, "GlobalAveragePooling2D") == 0)
		return read_global_pool(reader);
	if (strcmp(kind, "Add") == 0)
		return read_joined(reader, GRAPH_ADD);
	if (strcmp(kind, "Multiply") == 0)
		return read_joined(reader, GRAPH_MULTIPLY);
	if (strcmp(kind, "Concatenate") == 0)
		return read_joined(reader, GRAPH_CONCAT);
	return fail_unsupported(reader, "is not supported");
}

static int find_inputs(struct reader *reader, json_t *layer)
{
	json_t *calls = json_object_get(layer, "inbound_nodes"), *source;
	size_t i;

	reader->input_count = 0;
	if (json_array_size(calls) > 1)
		return fail_unsupported(reader, "is used more than once");
	json_array_foreach(json_array_get(calls, 0), i, source) {
		const char *name = json_string_value(json_array_get(source, 0));
		struct value *found = NULL;

		for (size_t j = 0; name && j < reader->value_count; j++)
			if (strcmp(reader->values[j].layer, name) == 0)
				found = &reader->values[j];
		if (!found || i >= sizeof(reader->inputs) / sizeof(reader->inputs[0]))
			return fail_unsupported(reader, "reads a layer that does not come before it");
		reader->inputs[reader->input_count++] = found;
	}
	return 0;
}

static int read_layer(struct reader *reader, json_t *layer)
{
	struct value *value = &reader->values[reader->value_count];
	int r;

	reader->name = json_string_value(json_object_get(layer, "name"));
	reader->kind = json_string_value(json_object_get(layer, "class_name"));
	reader->config = json_object_get(layer, "config");
	if (!reader->name || !reader->kind)
		return fail_damaged(reader, "a layer has no name");
	r = find_inputs(reader, layer);
	if (r)
		return r;
	if (strcmp(reader->kind, "ZeroPadding2D") == 0 || passes_on(reader->kind)) {
		if (reader->input_count != 1)
			return fail_unsupported(reader, "reads another number of values than one");
		*value = *reader->inputs[0];
		if (strcmp(reader->kind, "Reshape") == 0 &&
		    graph_shape_count(&reader->blueprint->nodes[value->node].shape) !=
			    reader->blueprint->nodes[value->node].shape.channels)
			return fail_unsupported(reader, "changes the shape of a picture");
		if (!passes_on(reader->kind))
			r = read_padding(reader, value->padding);
	} else {
		r = add_layer(reader);
		*value = (struct value){ .node = reader->blueprint->count - 1 };
	}
	value->layer = reader->name;
	reader->value_count++;
	return r;
}

static int read_layers(struct reader *reader, json_t *root)
{
	json_t *topology = json_object_get(root, "modelTopology");
	json_t *model = json_object_get(topology, "model_config");
	json_t *config = json_object_get(model ? model : topology, "config");
	json_t *layers = json_object_get(config, "layers"), *layer;
	size_t i;
	int r = 0;

	if (!json_array_size(layers) || json_array_size(layers) > LIMIT_MODEL_NODES)
		return fail_damaged(reader, "it has no layers, or too many");
	reader->values = calloc(json_array_size(layers), sizeof(*reader->values));
	if (!reader->values)
		return engine_fail_memory(reader->error);
	json_array_foreach(layers, i, layer) {
		r = read_layer(reader, layer);
		if (r)
			return r;
	}
	reader->blueprint->classes = (int)reader->values[reader->value_count - 1].node;
	return 0;
}

bool tfjs_recognise(const uint8_t *data, size_t size)
{
	size_t i = 0;

	while (i < size && (data[i] == ' ' || data[i] == '\n' || data[i] == '\r' || data[i] == '\t'))
		i++;
	return i < size && data[i] == '{';
}

int tfjs_read(const char *path, struct blueprint *blueprint, struct engine_error *error)
{
	struct reader reader = { .path = path, .blueprint = blueprint, .error = error };
	struct file_map map;
	json_t *root;
	int r = file_map(path, MODEL_BYTES_MAX, &map, error);

	if (r)
		return r;
	root = json_loadb((const char *)map.data, map.size, JSON_REJECT_DUPLICATES, NULL);
	file_unmap(&map);
	if (!json_object_get(root, "modelTopology"))
		r = fail_damaged(&reader, "it is not TensorFlow.js's layers format");
	if (r == 0)
		r = read_manifest(&reader, json_object_get(root, "weightsManifest"));
	if (r == 0)
		r = read_layers(&reader, root);
	free(reader.data);
	free(reader.weights);
	free(reader.values);
	json_decref(root);
	return r;
}
