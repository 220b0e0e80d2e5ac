/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * blueprint.c: see blueprint.h. Shapes are kept by the importers, which need them for
 * paddings and transpositions; the engine infers them again when the model is
 * opened, so a wrong one cannot travel.
 */
#include "engine/lab/blueprint.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/error.h"
#include "engine/limits.h"

/* GGUF's limit for a tensor's name is 64 bytes: "encoder." before, ".zero_point"
 * behind. */
#define NAME_LENGTH_MAX 44u

int blueprint_open(struct blueprint **ret_blueprint, struct engine_error *error)
{
	struct blueprint *blueprint = calloc(1, sizeof(*blueprint));

	if (!blueprint)
		return engine_fail_memory(error);
	blueprint->pool = blueprint->grid = blueprint->classes = -1;
	for (unsigned i = 0; i < 3; i++)
		blueprint->std[i] = 1;
	*ret_blueprint = blueprint;
	return 0;
}

static void free_node(struct blueprint_node *node)
{
	free(node->name);
	free(node->inputs);
	free(node->weights);
	free(node->codes);
	free(node->scales);
	free(node->zero_points);
	free(node->bias);
	free(node->integer_bias);
}

struct blueprint *blueprint_free(struct blueprint *blueprint)
{
	if (!blueprint)
		return NULL;
	for (unsigned i = 0; i < blueprint->count; i++)
		free_node(&blueprint->nodes[i]);
	free(blueprint->nodes);
	free(blueprint);
	return NULL;
}

int blueprint_add(struct blueprint *blueprint, enum graph_operator operator, const char *name,
		const unsigned *inputs, unsigned input_count, struct blueprint_node **ret_node,
		struct engine_error *error)
{
	struct blueprint_node node = {
		.operator = operator,
		.input_count = input_count,
		.window = { 1, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
		.groups = 1,
		.minimum = -INFINITY,
		.maximum = INFINITY,
	};

	if (blueprint->count >= LIMIT_MODEL_NODES)
		return engine_fail(error, ENGINE_UNSUPPORTED,
				   "The network has more than %u layers.", LIMIT_MODEL_NODES);
	if (blueprint->count == blueprint->capacity) {
		unsigned capacity = blueprint->capacity ? 2 * blueprint->capacity : 64;
		struct blueprint_node *grown = reallocarray(blueprint->nodes, capacity, sizeof(*grown));

		if (!grown)
			return engine_fail_memory(error);
		blueprint->nodes = grown;
		blueprint->capacity = capacity;
	}
	node.name = strdup(name);
	node.inputs = calloc(input_count + 1, sizeof(*node.inputs));
	if (!node.name || !node.inputs) {
		free_node(&node);
		return engine_fail_memory(error);
	}
	if (input_count)
		memcpy(node.inputs, inputs, input_count * sizeof(*inputs));
	blueprint->nodes[blueprint->count] = node;
	*ret_node = &blueprint->nodes[blueprint->count++];
	return 0;
}

size_t blueprint_weight_count(const struct blueprint_node *node)
{
	size_t count = 1;

	for (unsigned i = 0; i < node->weight_rank; i++)
		count *= node->weight_shape[i];
	return count;
}

unsigned blueprint_readers(const struct blueprint *blueprint, unsigned node)
{
	unsigned readers = 0;

	for (unsigned i = 0; i < blueprint->count; i++)
		for (unsigned j = 0; j < blueprint->nodes[i].input_count; j++)
			readers += blueprint->nodes[i].inputs[j] == node;
	return readers;
}

void blueprint_redirect(struct blueprint *blueprint, unsigned old, unsigned new)
{
	for (unsigned i = 0; i < blueprint->count; i++)
		for (unsigned j = 0; j < blueprint->nodes[i].input_count; j++)
			if (blueprint->nodes[i].inputs[j] == old)
				blueprint->nodes[i].inputs[j] = new;
	if (blueprint->classes == (int)old)
		blueprint->classes = (int)new;
}

bool blueprint_slide(const struct blueprint *blueprint, struct blueprint_node *node,
		     unsigned channels)
{
	const struct graph_shape *in = &blueprint->nodes[node->inputs[0]].shape;
	const struct graph_window *w = &node->window;
	unsigned height = in->height + w->pad_top + w->pad_bottom;
	unsigned width = in->width + w->pad_left + w->pad_right;
	unsigned reach_y = (w->kernel_height - 1) * w->dilation_height + 1;
	unsigned reach_x = (w->kernel_width - 1) * w->dilation_width + 1;

	if (height < reach_y || width < reach_x)
		return false;
	node->shape = (struct graph_shape){
		(height - reach_y) / w->stride_height + 1,
		(width - reach_x) / w->stride_width + 1, channels,
	};
	return true;
}

int blueprint_affine(struct blueprint *blueprint, const char *name, unsigned input,
		     const float *scale, const float *shift, struct engine_error *error)
{
	struct graph_shape shape = blueprint->nodes[input].shape;
	struct blueprint_node *node;
	int r = blueprint_add(blueprint, GRAPH_CONVOLUTION, name, &input, 1, &node, error);

	if (r)
		return r;
	node->affine = true;
	node->shape = shape;
	node->groups = shape.channels;
	node->weight_rank = 4;
	node->weight_shape[0] = shape.channels;
	node->weight_shape[1] = node->weight_shape[2] = node->weight_shape[3] = 1;
	node->weights = calloc(shape.channels, sizeof(float));
	node->bias = calloc(shape.channels, sizeof(float));
	if (!node->weights || !node->bias)
		return engine_fail_memory(error);
	memcpy(node->weights, scale, shape.channels * sizeof(float));
	memcpy(node->bias, shift, shape.channels * sizeof(float));
	return 0;
}

static bool unlimited(const struct blueprint_node *node)
{
	return isinf(node->minimum) && isinf(node->maximum);
}

/* Whether one node reads what `node` yields, and nobody else. */
static bool only_reader(const struct blueprint *blueprint, unsigned node)
{
	return blueprint_readers(blueprint, node) == 1 && blueprint->classes != (int)node;
}

static int fold_affine(struct blueprint *blueprint, unsigned index, struct engine_error *error)
{
	struct blueprint_node *affine = &blueprint->nodes[index];
	struct blueprint_node *node = &blueprint->nodes[affine->inputs[0]];
	size_t channels = affine->shape.channels, each;

	if (!affine->affine || !node->weights || !unlimited(node) ||
	    node->weight_shape[0] != channels || !only_reader(blueprint, affine->inputs[0]))
		return 0;
	if (!node->bias)
		node->bias = calloc(channels, sizeof(float));
	if (!node->bias)
		return engine_fail_memory(error);
	each = blueprint_weight_count(node) / channels;
	for (size_t c = 0; c < channels; c++) {
		for (size_t i = c * each; i < (c + 1) * each; i++)
			node->weights[i] *= affine->weights[c];
		node->bias[c] = node->bias[c] * affine->weights[c] + affine->bias[c];
	}
	node->minimum = affine->minimum;
	node->maximum = affine->maximum;
	blueprint_redirect(blueprint, index, affine->inputs[0]);
	return 0;
}

static float limit(float value, float minimum, float maximum)
{
	return value < minimum ? minimum : value > maximum ? maximum : value;
}

static void fold_clamp(struct blueprint *blueprint, unsigned index)
{
	struct blueprint_node *clamp = &blueprint->nodes[index];
	struct blueprint_node *node = &blueprint->nodes[clamp->inputs[0]];

	/* a quantised clamp may also change the scale */
	if (clamp->operator != GRAPH_CLAMP || node->operator == GRAPH_INPUT ||
	    clamp->quantisation.scale != node->quantisation.scale ||
	    !only_reader(blueprint, clamp->inputs[0]))
		return;
	node->minimum = limit(node->minimum, clamp->minimum, clamp->maximum);
	node->maximum = limit(node->maximum, clamp->minimum, clamp->maximum);
	blueprint_redirect(blueprint, index, clamp->inputs[0]);
}

static void fold_swish(struct blueprint *blueprint, unsigned index)
{
	struct blueprint_node *node = &blueprint->nodes[index];

	if (node->operator != GRAPH_MULTIPLY)
		return;
	for (unsigned i = 0; i < 2; i++) {
		const struct blueprint_node *gate = &blueprint->nodes[node->inputs[i]];

		if (gate->operator != GRAPH_SIGMOID || gate->inputs[0] != node->inputs[1 - i] ||
		    !unlimited(gate) || gate->quantisation.scale > 0)
			continue;
		node->inputs[0] = node->inputs[1 - i];
		node->input_count = 1;
		node->operator = GRAPH_SWISH;
		return;
	}
}

/* Makes the readers of a folded node's input countable again: a node that was
 * folded away reads nothing. */
static void detach_unread(struct blueprint *blueprint, unsigned index)
{
	if (blueprint->classes != (int)index && blueprint_readers(blueprint, index) == 0)
		blueprint->nodes[index].input_count = 0;
}

int blueprint_simplify(struct blueprint *blueprint, struct engine_error *error)
{
	int r = 0;

	for (unsigned i = 1; i < blueprint->count && r == 0; i++) {
		if (blueprint->nodes[i].input_count == 0)
			continue;
		fold_swish(blueprint, i);
		r = fold_affine(blueprint, i, error);
		detach_unread(blueprint, i);
		if (blueprint->nodes[i].input_count == 0)
			continue;
		fold_clamp(blueprint, i);
		detach_unread(blueprint, i);
	}
	return r;
}

int blueprint_exchange_colours(struct blueprint *blueprint, struct engine_error *error)
{
	for (unsigned i = 1; i < blueprint->count; i++) {
		struct blueprint_node *node = &blueprint->nodes[i];

		for (unsigned j = 0; j < node->input_count; j++)
			if (node->inputs[j] == 0 &&
			    (node->operator != GRAPH_CONVOLUTION || node->weight_shape[3] != 3))
				return engine_fail(error, ENGINE_UNSUPPORTED,
						   "The network reads the picture with %s, so its colours cannot be exchanged.",
						   graph_operator_name(node->operator));
		if (!node->input_count || node->inputs[0] != 0)
			continue;
		for (size_t k = 0; k < blueprint_weight_count(node); k += 3) {
			if (node->weights) {
				float red = node->weights[k];

				node->weights[k] = node->weights[k + 2];
				node->weights[k + 2] = red;
			} else {
				int8_t red = node->codes[k];

				node->codes[k] = node->codes[k + 2];
				node->codes[k + 2] = red;
			}
		}
	}
	return 0;
}

int blueprint_sweep(struct blueprint *blueprint, struct engine_error *error)
{
	unsigned *index = calloc(blueprint->count + 1, sizeof(*index));
	int *features[] = { &blueprint->pool, &blueprint->grid, &blueprint->classes };
	unsigned kept = 0;

	if (!index)
		return engine_fail_memory(error);
	/* index: first whether a node is needed, then its new number */
	index[0] = 1;
	for (unsigned i = 0; i < 3; i++)
		if (*features[i] >= 0)
			index[*features[i]] = 1;
	for (unsigned i = blueprint->count; i-- > 0;)
		for (unsigned j = 0; index[i] && j < blueprint->nodes[i].input_count; j++)
			index[blueprint->nodes[i].inputs[j]] = 1;
	for (unsigned i = 0; i < blueprint->count; i++) {
		if (!index[i]) {
			free_node(&blueprint->nodes[i]);
			continue;
		}
		index[i] = kept;
		blueprint->nodes[kept] = blueprint->nodes[i];
		for (unsigned j = 0; j < blueprint->nodes[kept].input_count; j++)
			/* kept is at most i: only nodes that were kept are read */
			// NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
			blueprint->nodes[kept].inputs[j] = index[blueprint->nodes[kept].inputs[j]];
		kept++;
	}
	blueprint->count = kept;
	for (unsigned i = 0; i < 3; i++)
		if (*features[i] >= 0)
			*features[i] = (int)index[*features[i]];
	free(index);
	return 0;
}

static int find_name(const struct blueprint *blueprint, const char *name, int *ret_node,
		     struct engine_error *error)
{
	for (unsigned i = 0; i < blueprint->count; i++)
		if (strcmp(blueprint->nodes[i].name, name) == 0) {
			*ret_node = (int)i;
			return 0;
		}
	return engine_fail(error, ENGINE_BAD_OPTION,
			   "The network has no layer with the name %s.", name);
}

static bool one_pixel(const struct blueprint_node *node)
{
	return node->shape.height == 1 && node->shape.width == 1;
}

int blueprint_find_features(struct blueprint *blueprint, const char *pool, const char *grid,
			  const char *classes, struct engine_error *error)
{
	int r = 0;
	unsigned head;

	if (classes && *classes)
		r = find_name(blueprint, classes, &blueprint->classes, error);
	if (r)
		return r;
	if (pool && *pool) {
		r = find_name(blueprint, pool, &blueprint->pool, error);
	} else {
		/* the head: the last layer with weights before the classes */
		head = (unsigned)blueprint->classes;
		while (head && !blueprint->nodes[head].weight_rank)
			head = blueprint->nodes[head].inputs[0];
		if (head && one_pixel(&blueprint->nodes[blueprint->nodes[head].inputs[0]]))
			blueprint->pool = (int)blueprint->nodes[head].inputs[0];
	}
	if (r)
		return r;
	if (blueprint->pool < 0)
		return engine_fail(error, ENGINE_UNSUPPORTED,
				   "The network has no pooled features before its head. "
				   "Name the layer to use for them.");
	if (grid && *grid)
		return find_name(blueprint, grid, &blueprint->grid, error);
	for (unsigned i = (unsigned)blueprint->pool; i && blueprint->grid < 0;) {
		i = blueprint->nodes[i].inputs[0];
		if (!one_pixel(&blueprint->nodes[i]) && i)
			blueprint->grid = (int)i;
	}
	if (blueprint->classes == blueprint->pool)
		blueprint->classes = -1;
	return 0;
}

/* Whether the last part of a name only repeats what the layer does. */
static bool says_nothing(const char *part)
{
	static const char *const parts[] = {
		"relu", "relu6", "biasadd", "conv2d", "avgpool", "maxpool", "add", "output_0",
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strcasecmp(part, parts[i]) == 0)
			return true;
	return false;
}

static void clean_name(char *name, const char *scope)
{
	size_t length = strlen(scope);
	char *last;

	for (char *c = name; *c; c++)
		if (*c == '/' || isspace((unsigned char)*c) || *c == ':' || *c == ';')
			*c = '.';
	while (*name == '.')
		memmove(name, name + 1, strlen(name));
	while (length && strncmp(name, scope, length) == 0 && name[length] == '.' &&
	       name[length + 1])
		memmove(name, name + length + 1, strlen(name + length + 1) + 1);
	last = strrchr(name, '.');
	if (last && last != name && says_nothing(last + 1))
		*last = '\0';
}

/* The first part of the first layer's name, where it has several: the scope that
 * TensorFlow puts before all. Empty otherwise. */
static void find_scope(const struct blueprint *blueprint, char *ret_scope, size_t size)
{
	const char *name = "";
	size_t length;

	for (unsigned i = 1; i < blueprint->count && !*name; i++)
		if (blueprint->nodes[i].weight_rank)
			name = blueprint->nodes[i].name;
	name += strspn(name, "/.");
	length = strcspn(name, "/.");
	ret_scope[0] = '\0';
	if (name[length] && length < size) {
		memcpy(ret_scope, name, length);
		ret_scope[length] = '\0';
	}
}

static bool name_taken(const struct blueprint *blueprint, unsigned before, const char *name)
{
	for (unsigned i = 0; i < before; i++)
		if (strcmp(blueprint->nodes[i].name, name) == 0)
			return true;
	return false;
}

int blueprint_finish_names(struct blueprint *blueprint, struct engine_error *error)
{
	char scope[NAME_LENGTH_MAX];

	find_scope(blueprint, scope, sizeof(scope));
	for (unsigned i = 0; i < blueprint->count; i++) {
		struct blueprint_node *node = &blueprint->nodes[i];

		clean_name(node->name, scope);
		if (*node->name && strlen(node->name) <= NAME_LENGTH_MAX &&
		    !name_taken(blueprint, i, node->name))
			continue;
		free(node->name);
		if (asprintf(&node->name, "%s.%u", graph_operator_name(node->operator), i) < 0) {
			node->name = NULL;
			return engine_fail_memory(error);
		}
	}
	return 0;
}

/* One element (or `each`) a node, in arrays that are freed with the writer's
 * call: keys are copied. */
struct arrays {
	const char **names, **operators;
	int32_t *input_counts, *inputs, *kernels, *strides, *dilations, *paddings, *groups,
		*count_paddings, *zero_points;
	float *clamps, *scales;
	size_t input_total;
};

static void fill_arrays(const struct blueprint *blueprint, struct arrays *a)
{
	for (unsigned i = 0; i < blueprint->count; i++) {
		const struct blueprint_node *node = &blueprint->nodes[i];
		const struct graph_window *w = &node->window;

		a->names[i] = node->name;
		a->operators[i] = graph_operator_name(node->operator);
		a->input_counts[i] = (int32_t)node->input_count;
		for (unsigned j = 0; j < node->input_count; j++)
			a->inputs[a->input_total++] = (int32_t)node->inputs[j];
		a->kernels[2 * i] = (int32_t)w->kernel_height;
		a->kernels[2 * i + 1] = (int32_t)w->kernel_width;
		a->strides[2 * i] = (int32_t)w->stride_height;
		a->strides[2 * i + 1] = (int32_t)w->stride_width;
		a->dilations[2 * i] = (int32_t)w->dilation_height;
		a->dilations[2 * i + 1] = (int32_t)w->dilation_width;
		a->paddings[4 * i] = (int32_t)w->pad_top;
		a->paddings[4 * i + 1] = (int32_t)w->pad_left;
		a->paddings[4 * i + 2] = (int32_t)w->pad_bottom;
		a->paddings[4 * i + 3] = (int32_t)w->pad_right;
		a->groups[i] = (int32_t)node->groups;
		a->count_paddings[i] = node->count_padding;
		a->clamps[2 * i] = node->minimum;
		a->clamps[2 * i + 1] = node->maximum;
		a->scales[i] = node->quantisation.scale;
		a->zero_points[i] = node->quantisation.zero_point;
	}
}

#define KEY "descry.encoder."

static void write_arrays(const struct blueprint *blueprint, struct gguf_writer *writer)
{
	size_t count = blueprint->count, inputs = 0;
	struct arrays a = { 0 };
	int32_t *integers;
	float *floats;

	for (unsigned i = 0; i < count; i++)
		inputs += blueprint->nodes[i].input_count;
	integers = calloc(14 * count + inputs, sizeof(*integers));
	floats = calloc(3 * count, sizeof(*floats));
	a.names = calloc(count, sizeof(*a.names));
	a.operators = calloc(count, sizeof(*a.operators));
	if (!integers || !floats || !a.names || !a.operators) {
		gguf_writer_give_tensor(writer, KEY, GGUF_TENSOR_I8, 1, &count, NULL);
		goto out;
	}
	a.input_counts = integers;
	a.kernels = integers + count;
	a.strides = integers + 3 * count;
	a.dilations = integers + 5 * count;
	a.paddings = integers + 7 * count;
	a.groups = integers + 11 * count;
	a.count_paddings = integers + 12 * count;
	a.zero_points = integers + 13 * count;
	a.inputs = integers + 14 * count;
	a.clamps = floats;
	a.scales = floats + 2 * count;
	fill_arrays(blueprint, &a);
	gguf_writer_set_strings(writer, KEY "node.name", a.names, count);
	gguf_writer_set_strings(writer, KEY "node.operator", a.operators, count);
	gguf_writer_set_i32s(writer, KEY "node.input_count", a.input_counts, count);
	gguf_writer_set_i32s(writer, KEY "node.inputs", a.inputs, a.input_total);
	gguf_writer_set_i32s(writer, KEY "node.kernel", a.kernels, 2 * count);
	gguf_writer_set_i32s(writer, KEY "node.stride", a.strides, 2 * count);
	gguf_writer_set_i32s(writer, KEY "node.dilation", a.dilations, 2 * count);
	gguf_writer_set_i32s(writer, KEY "node.padding", a.paddings, 4 * count);
	gguf_writer_set_i32s(writer, KEY "node.groups", a.groups, count);
	gguf_writer_set_i32s(writer, KEY "node.count_padding", a.count_paddings, count);
	gguf_writer_set_f32s(writer, KEY "node.clamp", a.clamps, 2 * count);
	gguf_writer_set_f32s(writer, KEY "node.scale", a.scales, count);
	gguf_writer_set_i32s(writer, KEY "node.zero_point", a.zero_points, count);
out:
	free(integers);
	free(floats);
	free(a.names);
	free(a.operators);
}

static void write_part(struct gguf_writer *writer, const struct blueprint_node *node,
		       const char *part, enum gguf_tensor_type type, unsigned rank,
		       const size_t *shape, const void *data)
{
	char name[NAME_LENGTH_MAX + 32];

	if (!data)
		return;
	snprintf(name, sizeof(name), "encoder.%s.%s", node->name, part);
	gguf_writer_add_tensor(writer, name, type, rank, shape, data);
}

void blueprint_write(const struct blueprint *blueprint, struct gguf_writer *writer)
{
	const struct { const char *key; int node; } features[] = {
		{ KEY "output.pool", blueprint->pool },
		{ KEY "output.grid", blueprint->grid },
		{ KEY "output.classes", blueprint->classes },
	};

	gguf_writer_set_u32(writer, KEY "input.width", blueprint->width);
	gguf_writer_set_u32(writer, KEY "input.height", blueprint->height);
	gguf_writer_set_f32s(writer, KEY "input.mean", blueprint->mean, 3);
	gguf_writer_set_f32s(writer, KEY "input.std", blueprint->std, 3);
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (features[i].node >= 0)
			gguf_writer_set_string(writer, features[i].key,
					       blueprint->nodes[features[i].node].name);
	write_arrays(blueprint, writer);
	for (unsigned i = 0; i < blueprint->count; i++) {
		const struct blueprint_node *node = &blueprint->nodes[i];
		size_t channels = node->shape.channels;

		write_part(writer, node, "weight", GGUF_TENSOR_F32, node->weight_rank,
			   node->weight_shape, node->weights);
		write_part(writer, node, "weight", GGUF_TENSOR_I8, node->weight_rank,
			   node->weight_shape, node->codes);
		write_part(writer, node, "scale", GGUF_TENSOR_F32, 1, &node->scale_count,
			   node->scales);
		write_part(writer, node, "zero_point", GGUF_TENSOR_I8, 1, &node->scale_count,
			   node->zero_points);
		write_part(writer, node, "bias", GGUF_TENSOR_F32, 1, &channels, node->bias);
		write_part(writer, node, "bias", GGUF_TENSOR_I32, 1, &channels,
			   node->integer_bias);
	}
}
