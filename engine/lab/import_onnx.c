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

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/lab/onnx.pb-c.h"
#include "engine/limits.h"

#define OPSET_MIN 7
#define OPSET_MAX 17
#define NUMBERS_MAX 16u		/* of a list that shapes are computed with */

enum data_type { DATA_FLOAT = 1, DATA_INT64 = 7 };

struct value {
	const char *name;
	const Onnx__Tensor *constant;	/* NULL for values that are computed */
	bool is_numbers;
	int64_t numbers[NUMBERS_MAX];
	size_t number_count;
	int node;			/* that yields it, or -1 */
	bool flat;			/* [1, channels · height · width] in ONNX's order */
	unsigned padding[4];		/* top, left, bottom, right, zeros put around it by Pad */
};

struct reader {
	const char *file;
	struct blueprint *blueprint;
	struct engine_error *error;
	int64_t opset;
	struct value *values;
	size_t value_count, value_capacity;
	const Onnx__Node *node;		/* that is being read */
};

static void set_unsupported(const struct reader *reader, const char *what)
{
	const Onnx__Node *node = reader->node;

	engine_error_set(reader->error,
			 "The file %s cannot be imported: the operator %s at node %s %s.",
			 reader->file, node->op_type,
			 *node->name || !node->n_output ? node->name : node->output[0], what);
}

/* A macro, so that the compiler sees that the status is not 0. */
#define fail_unsupported(reader, what) (set_unsupported(reader, what), ENGINE_UNSUPPORTED)

static struct value *find_value(struct reader *reader, const char *name)
{
	for (size_t i = reader->value_count; i-- > 0;)
		if (strcmp(reader->values[i].name, name) == 0)
			return &reader->values[i];
	return NULL;
}

/* The name is borrowed from the message. Pointers to other values end here. */
static int add_value(struct reader *reader, const char *name, struct value **ret_value)
{
	if (reader->value_count == reader->value_capacity) {
		size_t capacity = reader->value_capacity ? 2 * reader->value_capacity : 256;
		struct value *grown = reallocarray(reader->values, capacity, sizeof(*grown));

		if (!grown)
			return engine_fail_memory(reader->error);
		reader->values = grown;
		reader->value_capacity = capacity;
	}
	*ret_value = &reader->values[reader->value_count++];
	**ret_value = (struct value){ .name = name, .node = -1 };
	return 0;
}

/* --- Attributes and inputs -------------------------------------------------- */

static const Onnx__Attribute *find_attribute(const struct reader *reader, const char *name)
{
	for (size_t i = 0; i < reader->node->n_attribute; i++)
		if (strcmp(reader->node->attribute[i]->name, name) == 0)
			return reader->node->attribute[i];
	return NULL;
}

static int64_t int_attribute(const struct reader *reader, const char *name, int64_t otherwise)
{
	const Onnx__Attribute *attribute = find_attribute(reader, name);

	return attribute ? attribute->i : otherwise;
}

static float float_attribute(const struct reader *reader, const char *name, float otherwise)
{
	const Onnx__Attribute *attribute = find_attribute(reader, name);

	return attribute ? attribute->f : otherwise;
}

/* `count` sizes, each within the limits; all `otherwise` if the attribute is
 * absent. */
static int sizes_attribute(const struct reader *reader, const char *name, size_t count,
			   int64_t minimum, unsigned otherwise, unsigned *ret_sizes)
{
	const Onnx__Attribute *attribute = find_attribute(reader, name);

	if (attribute && attribute->n_ints != count)
		return fail_unsupported(reader, "is not of two dimensions");
	for (size_t i = 0; i < count; i++) {
		int64_t size = attribute ? attribute->ints[i] : otherwise;

		if (size < minimum || size > (int64_t)LIMIT_MODEL_SIDE)
			return fail_unsupported(reader, "has a size out of range");
		ret_sizes[i] = (unsigned)size;
	}
	return 0;
}

/* NULL for an input that is absent or empty. */
static struct value *input(struct reader *reader, size_t index)
{
	if (index >= reader->node->n_input || !*reader->node->input[index])
		return NULL;
	return find_value(reader, reader->node->input[index]);
}

static size_t element_count(const Onnx__Tensor *tensor)
{
	size_t count = 1;

	for (size_t i = 0; i < tensor->n_dims; i++)
		if (tensor->dims[i] < 0 ||
		    __builtin_mul_overflow(count, (size_t)tensor->dims[i], &count))
			return SIZE_MAX;
	return count;
}

/* The floats of a constant, wherever the message holds them. They may be
 * unaligned, so they are copied. */
static int read_floats(struct reader *reader, const Onnx__Tensor *tensor, float **ret_floats,
		       size_t *ret_count)
{
	size_t count = element_count(tensor);
	const void *source = NULL;

	if (tensor->data_type != DATA_FLOAT)
		return fail_unsupported(reader, "has constants that are not 32-bit floats");
	if (tensor->data_location)
		return fail_unsupported(reader, "has constants in another file");
	if (tensor->n_float_data && tensor->n_float_data == count)
		source = tensor->float_data;
	else if (count < SIZE_MAX / 4 && tensor->raw_data.len == count * sizeof(float))
		source = tensor->raw_data.data;
	if (!source || !count)
		return fail_unsupported(reader, "has constants whose data do not fit their shape");
	*ret_floats = calloc(count, sizeof(float));
	if (!*ret_floats)
		return engine_fail_memory(reader->error);
	memcpy(*ret_floats, source, count * sizeof(float));
	*ret_count = count;
	return 0;
}

/* The whole numbers of an input: constants and what was computed from shapes. */
static int read_numbers(struct reader *reader, const struct value *value, int64_t *ret_numbers,
			size_t *ret_count)
{
	const Onnx__Tensor *tensor = value ? value->constant : NULL;
	size_t count;

	if (value && value->is_numbers) {
		memcpy(ret_numbers, value->numbers, sizeof(value->numbers));
		*ret_count = value->number_count;
		return 0;
	}
	if (!tensor || tensor->data_type != DATA_INT64 || tensor->data_location)
		return fail_unsupported(reader, "has parameters that are computed from the picture");
	count = element_count(tensor);
	if (count > NUMBERS_MAX)
		return fail_unsupported(reader, "has too many parameters");
	if (tensor->n_int64_data == count)
		memcpy(ret_numbers, tensor->int64_data, count * sizeof(int64_t));
	else if (tensor->raw_data.len == count * sizeof(int64_t))
		memcpy(ret_numbers, tensor->raw_data.data, count * sizeof(int64_t));
	else
		return fail_unsupported(reader, "has constants whose data do not fit their shape");
	*ret_count = count;
	return 0;
}

/* --- What nodes yield ------------------------------------------------------- */

static const char *output_name(const struct reader *reader)
{
	return reader->node->n_output ? reader->node->output[0] : "";
}

static const char *node_name(const struct reader *reader)
{
	return *reader->node->name ? reader->node->name : output_name(reader);
}

/* The operator's first output is what the newest node of the blueprint yields. */
static int yield_newest(struct reader *reader)
{
	struct value *value;
	int r = add_value(reader, output_name(reader), &value);

	if (r == 0)
		value->node = (int)reader->blueprint->count - 1;
	return r;
}

/* It is the same as another value. */
static int yield_same(struct reader *reader, const struct value *other)
{
	struct value copy = *other, *value;
	int r = add_value(reader, output_name(reader), &value);

	if (r)
		return r;
	copy.name = value->name;
	*value = copy;
	return 0;
}

static int yield_numbers(struct reader *reader, const int64_t *numbers, size_t count)
{
	struct value *value;
	int r;

	if (count > NUMBERS_MAX)
		return fail_unsupported(reader, "computes too many numbers");
	r = add_value(reader, output_name(reader), &value);
	if (r)
		return r;
	value->is_numbers = true;
	value->number_count = count;
	memcpy(value->numbers, numbers, count * sizeof(*numbers));
	return 0;
}

static int add_node(struct reader *reader, enum graph_operator operator, const unsigned *inputs,
		    unsigned count, struct blueprint_node **ret_node)
{
	int r = blueprint_add(reader->blueprint, operator, node_name(reader), inputs, count, ret_node,
			      reader->error);

	if (r == 0)
		(*ret_node)->shape = reader->blueprint->nodes[inputs[0]].shape;
	return r ? r : yield_newest(reader);
}

/* A picture, not flattened, that a node yields. */
static int picture_input(struct reader *reader, size_t index, unsigned *ret_node)
{
	const struct value *value = input(reader, index);

	if (!value || value->node < 0 || value->flat)
		return fail_unsupported(reader, "reads something that is no picture");
	*ret_node = (unsigned)value->node;
	return 0;
}

static bool padded(const struct value *value)
{
	return value->padding[0] || value->padding[1] || value->padding[2] || value->padding[3];
}

/* --- Windows ---------------------------------------------------------------- */

static void pad_same(unsigned in, unsigned kernel, unsigned stride, unsigned dilation, bool upper,
		     unsigned *ret_before, unsigned *ret_after)
{
	unsigned out = (in + stride - 1) / stride;
	unsigned needed = (out - 1) * stride + (kernel - 1) * dilation + 1;
	unsigned total = needed > in ? needed - in : 0;

	*ret_before = upper ? total / 2 : total - total / 2;
	*ret_after = total - *ret_before;
}

/* Rows behind the padding that ceil_mode reaches beyond what floor would. */
static unsigned reach_beyond(unsigned in, unsigned kernel, unsigned stride, unsigned before,
			     unsigned after)
{
	unsigned padded_in = in + before + after, out;

	if (padded_in < kernel)
		return 0;
	out = (padded_in - kernel + stride - 1) / stride + 1;
	/* the last window must begin inside of the picture or its front padding */
	if ((out - 1) * stride >= in + before)
		out--;
	return (out - 1) * stride + kernel > padded_in ? (out - 1) * stride + kernel - padded_in : 0;
}

/* Kernel from the attribute, or given where it follows from the weights. */
static int read_window(struct reader *reader, struct blueprint_node *node, const unsigned *kernel)
{
	const struct graph_shape *in = &reader->blueprint->nodes[node->inputs[0]].shape;
	const Onnx__Attribute *automatic = find_attribute(reader, "auto_pad");
	const struct value *value = input(reader, 0);
	unsigned k[2], s[2], d[2], p[4];
	int r = 0;

	if (kernel)
		memcpy(k, kernel, sizeof(k));
	else
		r = sizes_attribute(reader, "kernel_shape", 2, 1, 0, k);
	if (r == 0)
		r = sizes_attribute(reader, "strides", 2, 1, 1, s);
	if (r == 0)
		r = sizes_attribute(reader, "dilations", 2, 1, 1, d);
	if (r == 0)
		r = sizes_attribute(reader, "pads", 4, 0, 0, p);
	if (r)
		return r;
	if (automatic && automatic->s.len >= 4 && memcmp(automatic->s.data, "SAME", 4) == 0) {
		bool upper = automatic->s.len == 10 &&
			     memcmp(automatic->s.data, "SAME_UPPER", 10) == 0;

		pad_same(in->height, k[0], s[0], d[0], upper, &p[0], &p[2]);
		pad_same(in->width, k[1], s[1], d[1], upper, &p[1], &p[3]);
	}
	if (int_attribute(reader, "ceil_mode", 0)) {
		unsigned below = reach_beyond(in->height, k[0], s[0], p[0], p[2]);
		unsigned beside = reach_beyond(in->width, k[1], s[1], p[1], p[3]);

		if ((below || beside) && node->operator == GRAPH_AVERAGE_POOL &&
		    int_attribute(reader, "count_include_pad", 0))
			return fail_unsupported(reader, "counts padding and reaches beyond it");
		p[2] += below;
		p[3] += beside;
	}
	for (unsigned i = 0; i < 4; i++)
		p[i] += value->padding[i];
	node->window = (struct graph_window){
		.kernel_height = k[0], .kernel_width = k[1],
		.stride_height = s[0], .stride_width = s[1],
		.dilation_height = d[0], .dilation_width = d[1],
		.pad_top = p[0], .pad_left = p[1], .pad_bottom = p[2], .pad_right = p[3],
	};
	return 0;
}

/* --- Operators -------------------------------------------------------------- */

/* One bias a channel, where the operator has one. */
static int read_bias(struct reader *reader, struct blueprint_node *node, size_t index)
{
	const struct value *value = input(reader, index);
	size_t count;
	int r;

	if (!value)
		return 0;
	if (!value->constant)
		return fail_unsupported(reader, "has a bias that is computed");
	r = read_floats(reader, value->constant, &node->bias, &count);
	if (r == 0 && count != node->shape.channels)
		r = fail_unsupported(reader, "has a bias of a wrong size");
	return r;
}

/* [out, in, height, width] to [out, height, width, in] */
static float *channels_inward(const float *from, size_t out, size_t in, size_t height, size_t width)
{
	float *to = calloc(out * in * height * width, sizeof(float));

	if (!to)
		return NULL;
	for (size_t o = 0; o < out; o++)
		for (size_t i = 0; i < in; i++)
			for (size_t p = 0; p < height * width; p++)
				to[(o * height * width + p) * in + i] =
					from[(o * in + i) * height * width + p];
	return to;
}

static int read_convolution(struct reader *reader)
{
	const struct value *weight = input(reader, 1);
	const Onnx__Tensor *tensor = weight ? weight->constant : NULL;
	struct blueprint_node *node;
	unsigned from, kernel[2];
	float *floats = NULL;
	size_t count;
	int64_t group = int_attribute(reader, "group", 1);
	int r = picture_input(reader, 0, &from);

	if (r)
		return r;
	if (!tensor || tensor->n_dims != 4)
		return fail_unsupported(reader, "has weights that are computed or not of two dimensions");
	for (unsigned i = 0; i < 4; i++)
		if (tensor->dims[i] < 1 || tensor->dims[i] > (int64_t)LIMIT_MODEL_CHANNELS)
			return fail_unsupported(reader, "has weights of a size out of range");
	if (group < 1 || group > tensor->dims[0] || tensor->dims[0] % group ||
	    tensor->dims[1] * group != (int64_t)reader->blueprint->nodes[from].shape.channels)
		return fail_unsupported(reader, "has weights that do not fit its input");
	r = add_node(reader, GRAPH_CONVOLUTION, &from, 1, &node);
	if (r)
		return r;
	kernel[0] = (unsigned)tensor->dims[2];
	kernel[1] = (unsigned)tensor->dims[3];
	r = read_window(reader, node, kernel);
	if (r)
		return r;
	node->groups = (unsigned)group;
	if (!blueprint_slide(reader->blueprint, node, (unsigned)tensor->dims[0]))
		return fail_unsupported(reader, "has a kernel larger than its input");
	r = read_floats(reader, tensor, &floats, &count);
	if (r)
		return r;
	node->weight_rank = 4;
	node->weight_shape[0] = (size_t)tensor->dims[0];
	node->weight_shape[1] = kernel[0];
	node->weight_shape[2] = kernel[1];
	node->weight_shape[3] = (size_t)tensor->dims[1];
	node->weights = channels_inward(floats, node->weight_shape[0], node->weight_shape[3],
					kernel[0], kernel[1]);
	free(floats);
	if (!node->weights)
		return engine_fail_memory(reader->error);
	return read_bias(reader, node, 2);
}

static int read_pool(struct reader *reader, enum graph_operator operator)
{
	const struct value *value = input(reader, 0);
	struct blueprint_node *node;
	bool before = value && padded(value), own;
	unsigned from;
	int r = picture_input(reader, 0, &from);

	if (r)
		return r;
	/* zeros before a maximum are harmless only where nothing is below zero */
	if (before && operator == GRAPH_MAX_POOL && reader->blueprint->nodes[from].minimum < 0)
		return fail_unsupported(reader, "takes the maximum of a value padded with zeros");
	r = add_node(reader, operator, &from, 1, &node);
	if (r == 0)
		r = read_window(reader, node, NULL);
	if (r)
		return r;
	/* `value` may have moved when the node was added */
	value = input(reader, 0);
	own = node->window.pad_top != value->padding[0] || node->window.pad_left != value->padding[1] ||
	      node->window.pad_bottom != value->padding[2] ||
	      node->window.pad_right != value->padding[3];
	node->count_padding = operator == GRAPH_AVERAGE_POOL &&
			      (before || int_attribute(reader, "count_include_pad", 0));
	if (before && own && operator == GRAPH_AVERAGE_POOL &&
	    !int_attribute(reader, "count_include_pad", 0))
		return fail_unsupported(reader, "averages a padded value that it pads itself");
	if (!blueprint_slide(reader->blueprint, node, node->shape.channels))
		return fail_unsupported(reader, "has a kernel larger than its input");
	return 0;
}

static int read_global_pool(struct reader *reader)
{
	struct blueprint_node *node;
	unsigned from;
	int r = picture_input(reader, 0, &from);

	if (r == 0)
		r = add_node(reader, GRAPH_GLOBAL_AVERAGE_POOL, &from, 1, &node);
	if (r == 0)
		node->shape.height = node->shape.width = 1;
	return r;
}

/* ReduceMean over height and width. */
static int read_mean(struct reader *reader)
{
	const Onnx__Attribute *axes = find_attribute(reader, "axes");
	struct value *value;
	int r;

	if (!axes || axes->n_ints != 2 ||
	    !((axes->ints[0] == 2 && axes->ints[1] == 3) ||
	      (axes->ints[0] == -2 && axes->ints[1] == -1) ||
	      (axes->ints[0] == -1 && axes->ints[1] == -2)))
		return fail_unsupported(reader, "averages over other axes than height and width");
	r = read_global_pool(reader);
	value = r == 0 ? find_value(reader, output_name(reader)) : NULL;
	if (value && !int_attribute(reader, "keepdims", 1))
		value->flat = true;
	return r;
}

static int read_clamp(struct reader *reader, float minimum, float maximum)
{
	const struct value *value = input(reader, 0);
	struct blueprint_node *node;
	bool flat;
	unsigned from;
	int r;

	if (!value || value->node < 0 || padded(value))
		return fail_unsupported(reader, "reads something that is no picture");
	from = (unsigned)value->node;
	flat = value->flat;
	r = add_node(reader, GRAPH_CLAMP, &from, 1, &node);
	if (r)
		return r;
	node->minimum = minimum;
	node->maximum = maximum;
	find_value(reader, output_name(reader))->flat = flat;
	return 0;
}

/* A scalar from an input (opset 11 on) or an attribute (before). */
static int read_limit(struct reader *reader, size_t index, const char *attribute, float otherwise,
		      float *ret_limit)
{
	const struct value *value = input(reader, index);
	float *floats;
	size_t count;
	int r;

	if (!value) {
		*ret_limit = float_attribute(reader, attribute, otherwise);
		return 0;
	}
	if (!value->constant)
		return fail_unsupported(reader, "has a limit that is computed");
	r = read_floats(reader, value->constant, &floats, &count);
	if (r)
		return r;
	*ret_limit = floats[0];
	free(floats);
	return count == 1 ? 0 : fail_unsupported(reader, "has more than one limit");
}

static int read_clip(struct reader *reader)
{
	float minimum, maximum;
	int r = read_limit(reader, 1, "min", -INFINITY, &minimum);

	if (r == 0)
		r = read_limit(reader, 2, "max", INFINITY, &maximum);
	return r ? r : read_clamp(reader, minimum, maximum);
}

static int read_sigmoid(struct reader *reader)
{
	struct blueprint_node *node;
	unsigned from;
	int r = picture_input(reader, 0, &from);

	return r ? r : add_node(reader, GRAPH_SIGMOID, &from, 1, &node);
}

/* One float a channel of the value that is scaled: from one for all, or [C], or
 * [C, 1, 1] and the like. */
static int read_channel_constants(struct reader *reader, const Onnx__Tensor *tensor,
				  size_t channels, bool flat, float **ret_floats)
{
	size_t count, last = tensor->n_dims ? (size_t)tensor->dims[tensor->n_dims - 1] : 1;
	float *floats, *spread;
	bool inner = !flat && tensor->n_dims > 0 && last != 1;
	int r = read_floats(reader, tensor, &floats, &count);

	if (r)
		return r;
	if ((count != 1 && count != channels) || (count != 1 && inner)) {
		free(floats);
		return fail_unsupported(reader, "has a constant that is not one for each channel");
	}
	spread = calloc(channels, sizeof(float));
	for (size_t i = 0; spread && i < channels; i++)
		spread[i] = floats[count == 1 ? 0 : i];
	free(floats);
	if (!spread)
		return engine_fail_memory(reader->error);
	*ret_floats = spread;
	return 0;
}

/* Add, Sub, Mul, Div of a value and a constant. */
static int read_constant_arithmetic(struct reader *reader, char operation, size_t value_index)
{
	const struct value *value = input(reader, value_index);
	const Onnx__Tensor *tensor = input(reader, 1 - value_index)->constant;
	const struct graph_shape *shape = &reader->blueprint->nodes[value->node].shape;
	size_t channels = shape->channels;
	unsigned from = (unsigned)value->node;
	float *constants, *others;
	bool flat = value->flat;
	int r;

	if (padded(value) || (flat && (shape->height > 1 || shape->width > 1)) ||
	    (value_index == 1 && operation == '/'))
		return fail_unsupported(reader, "computes with a constant in a way that is not supported");
	r = read_channel_constants(reader, tensor, channels, flat, &constants);
	if (r)
		return r;
	others = calloc(channels, sizeof(float));
	if (!others) {
		free(constants);
		return engine_fail_memory(reader->error);
	}
	for (size_t i = 0; i < channels; i++) {
		float constant = constants[i];

		switch (operation) {
		case '+':
			others[i] = constant;
			constants[i] = 1;
			break;
		case '-':
			others[i] = value_index ? constant : -constant;
			constants[i] = value_index ? -1 : 1;
			break;
		case '/':
			constants[i] = 1 / constant;
			break;
		default:
			break;
		}
	}
	r = blueprint_affine(reader->blueprint, node_name(reader), from, constants, others,
			     reader->error);
	free(constants);
	free(others);
	if (r == 0)
		r = yield_newest(reader);
	if (r == 0)
		find_value(reader, output_name(reader))->flat = flat;
	return r;
}

static int read_arithmetic(struct reader *reader, char operation)
{
	const struct value *a = input(reader, 0), *b = input(reader, 1);
	const struct graph_shape *first, *second;
	struct blueprint_node *node;
	unsigned inputs[2];

	if (!a || !b)
		return fail_unsupported(reader, "reads something that was not computed before it");
	if (a->node >= 0 && b->constant)
		return read_constant_arithmetic(reader, operation, 0);
	if (b->node >= 0 && a->constant)
		return read_constant_arithmetic(reader, operation, 1);
	if (a->node < 0 || b->node < 0 || a->flat || b->flat || padded(a) || padded(b) ||
	    (operation != '+' && operation != '*'))
		return fail_unsupported(reader, "joins values in a way that is not supported");
	inputs[0] = (unsigned)a->node;
	inputs[1] = (unsigned)b->node;
	first = &reader->blueprint->nodes[inputs[0]].shape;
	second = &reader->blueprint->nodes[inputs[1]].shape;
	/* only the second operand of the engine's may be one pixel for all */
	if (first->height * first->width < second->height * second->width) {
		inputs[0] = (unsigned)b->node;
		inputs[1] = (unsigned)a->node;
	}
	return add_node(reader, operation == '+' ? GRAPH_ADD : GRAPH_MULTIPLY, inputs, 2, &node);
}

static int read_normalisation(struct reader *reader)
{
	float epsilon = float_attribute(reader, "epsilon", 1e-5f);
	float *parts[4] = { NULL };	/* scale, bias, mean, variance */
	unsigned from;
	size_t count;
	int r = picture_input(reader, 0, &from);

	if (r == 0 && padded(input(reader, 0)))
		r = fail_unsupported(reader, "reads a padded value");
	for (unsigned i = 0; i < 4 && r == 0; i++) {
		const struct value *value = input(reader, i + 1);

		if (!value || !value->constant)
			r = fail_unsupported(reader, "has statistics that are computed");
		else
			r = read_floats(reader, value->constant, &parts[i], &count);
		if (r == 0 && count != reader->blueprint->nodes[from].shape.channels)
			r = fail_unsupported(reader, "has statistics that do not fit its input");
	}
	if (r == 0) {
		for (size_t i = 0; i < count; i++) {
			double scale = (double)parts[0][i] /
				       sqrt((double)parts[3][i] + (double)epsilon);

			parts[1][i] = (float)((double)parts[1][i] - (double)parts[2][i] * scale);
			parts[0][i] = (float)scale;
		}
		r = blueprint_affine(reader->blueprint, node_name(reader), from, parts[0], parts[1],
				     reader->error);
	}
	for (unsigned i = 0; i < 4; i++)
		free(parts[i]);
	return r ? r : yield_newest(reader);
}

static int read_concat(struct reader *reader)
{
	size_t count = reader->node->n_input, number_count = 0;
	int64_t axis = int_attribute(reader, "axis", 1), numbers[NUMBERS_MAX];
	struct blueprint_node *node;
	unsigned *inputs, channels = 0;
	int r = 0;

	if (count && input(reader, 0) && (input(reader, 0)->is_numbers || input(reader, 0)->constant)) {
		for (size_t i = 0; i < count && r == 0; i++) {
			int64_t part[NUMBERS_MAX];
			size_t part_count;

			r = read_numbers(reader, input(reader, i), part, &part_count);
			if (r == 0 && number_count + part_count > NUMBERS_MAX)
				r = fail_unsupported(reader, "joins too many numbers");
			for (size_t j = 0; r == 0 && j < part_count; j++)
				numbers[number_count++] = part[j];
		}
		return r ? r : yield_numbers(reader, numbers, number_count);
	}
	if ((axis != 1 && axis != -3) || !count || count > LIMIT_MODEL_NODES)
		return fail_unsupported(reader, "joins along another axis than the channels");
	inputs = calloc(count, sizeof(*inputs));
	if (!inputs)
		return engine_fail_memory(reader->error);
	for (size_t i = 0; i < count && r == 0; i++) {
		r = picture_input(reader, i, &inputs[i]);
		if (r == 0 && padded(input(reader, i)))
			r = fail_unsupported(reader, "joins padded values");
		if (r == 0)
			channels += reader->blueprint->nodes[inputs[i]].shape.channels;
	}
	if (r == 0)
		r = add_node(reader, GRAPH_CONCAT, inputs, (unsigned)count, &node);
	if (r == 0)
		node->shape.channels = channels;
	free(inputs);
	return r;
}

static int read_flatten(struct reader *reader)
{
	const struct value *value = input(reader, 0);
	struct value *same;
	int r;

	if (!value || value->node < 0 || padded(value))
		return fail_unsupported(reader, "reads something that is no picture");
	r = yield_same(reader, value);
	if (r)
		return r;
	same = find_value(reader, output_name(reader));
	same->flat = true;
	return 0;
}

/* Only what flattens a picture, or makes a flat value one pixel of a picture. */
static int read_reshape(struct reader *reader)
{
	const struct value *value = input(reader, 0);
	const struct graph_shape *shape;
	int64_t numbers[NUMBERS_MAX];
	size_t count;
	int r;

	if (!value || value->node < 0)
		return fail_unsupported(reader, "reads something that is no picture");
	shape = &reader->blueprint->nodes[value->node].shape;
	r = read_numbers(reader, input(reader, 1), numbers, &count);
	if (r)
		return r;
	if (count == 2)
		return read_flatten(reader);
	if (count == 4 && shape->height == 1 && shape->width == 1 &&
	    (numbers[1] == (int64_t)shape->channels || numbers[1] == -1)) {
		r = yield_same(reader, value);
		if (r == 0)
			find_value(reader, output_name(reader))->flat = false;
		return r;
	}
	return fail_unsupported(reader, "changes the shape in a way that is not supported");
}

/* Squeeze: [1, C, 1, 1] becomes [1, C]. */
static int read_squeeze(struct reader *reader)
{
	const struct value *value = input(reader, 0);
	const struct graph_shape *shape;

	if (value && value->is_numbers)
		return yield_same(reader, value);
	if (!value || value->node < 0)
		return fail_unsupported(reader, "reads something that is no picture");
	shape = &reader->blueprint->nodes[value->node].shape;
	if (shape->height != 1 || shape->width != 1)
		return fail_unsupported(reader, "removes dimensions that are larger than one");
	return read_flatten(reader);
}

/* The rows of `floats` are the outputs. Columns come in the order channel, row,
 * column of the flattened picture and leave as the engine has them. */
static int add_fully_connected(struct reader *reader, const float *floats, size_t rows,
			       size_t columns)
{
	const struct value *value = input(reader, 0);
	const struct graph_shape *shape;
	struct blueprint_node *node;
	unsigned from;
	int r;

	if (!value || value->node < 0 || padded(value))
		return fail_unsupported(reader, "reads something that is no picture");
	shape = &reader->blueprint->nodes[value->node].shape;
	if (!value->flat || graph_shape_count(shape) != columns || rows > LIMIT_MODEL_CHANNELS)
		return fail_unsupported(reader, "has weights that do not fit its input");
	from = (unsigned)value->node;
	r = add_node(reader, GRAPH_FULLY_CONNECTED, &from, 1, &node);
	if (r)
		return r;
	shape = &reader->blueprint->nodes[from].shape;
	node->weights = channels_inward(floats, rows, shape->channels, shape->height, shape->width);
	if (!node->weights)
		return engine_fail_memory(reader->error);
	node->weight_rank = 2;
	node->weight_shape[0] = rows;
	node->weight_shape[1] = columns;
	node->shape = (struct graph_shape){ 1, 1, (unsigned)rows };
	find_value(reader, output_name(reader))->flat = true;
	return 0;
}

/* Gemm, and MatMul with `transposed` false. */
static int read_product(struct reader *reader, bool transposed, bool with_bias)
{
	const struct value *weight = input(reader, 1);
	const Onnx__Tensor *tensor = weight ? weight->constant : NULL;
	struct blueprint_node *node;
	float *floats, *turned = NULL;
	size_t count, rows, columns;
	int r;

	if (!tensor || tensor->n_dims != 2)
		return fail_unsupported(reader, "has weights that are computed or of a wrong shape");
	if (with_bias && (float_attribute(reader, "alpha", 1) != 1 ||
			  float_attribute(reader, "beta", 1) != 1 ||
			  int_attribute(reader, "transA", 0)))
		return fail_unsupported(reader, "scales or transposes its input");
	r = read_floats(reader, tensor, &floats, &count);
	if (r)
		return r;
	rows = (size_t)tensor->dims[transposed ? 0 : 1];
	columns = (size_t)tensor->dims[transposed ? 1 : 0];
	if (!transposed) {
		turned = calloc(count, sizeof(float));
		if (!turned) {
			free(floats);
			return engine_fail_memory(reader->error);
		}
		for (size_t i = 0; i < rows; i++)
			for (size_t j = 0; j < columns; j++)
				turned[i * columns + j] = floats[j * rows + i];
	}
	r = add_fully_connected(reader, turned ? turned : floats, rows, columns);
	free(floats);
	free(turned);
	if (r || !with_bias)
		return r;
	node = &reader->blueprint->nodes[reader->blueprint->count - 1];
	return read_bias(reader, node, 2);
}

static int read_padding(struct reader *reader)
{
	const struct value *value = input(reader, 0);
	const Onnx__Attribute *mode = find_attribute(reader, "mode");
	const Onnx__Attribute *pads = find_attribute(reader, "pads");
	int64_t numbers[NUMBERS_MAX];
	struct value *same;
	float constant;
	size_t count;
	int r = 0;

	if (!value || value->node < 0 || value->flat)
		return fail_unsupported(reader, "reads something that is no picture");
	if (pads && pads->n_ints <= NUMBERS_MAX) {	/* before opset 11 */
		count = pads->n_ints;
		memcpy(numbers, pads->ints, count * sizeof(*numbers));
	} else {
		r = read_numbers(reader, input(reader, 1), numbers, &count);
	}
	if (r == 0)
		r = read_limit(reader, 2, "value", 0, &constant);
	if (r)
		return r;
	if ((mode && (mode->s.len != 8 || memcmp(mode->s.data, "constant", 8) != 0)) ||
	    constant != 0 || count != 8 || numbers[0] || numbers[1] || numbers[4] || numbers[5])
		return fail_unsupported(reader, "pads with something else than zeros around the picture");
	for (unsigned i = 0; i < 8; i++)
		if (numbers[i] < 0 || numbers[i] > (int64_t)LIMIT_MODEL_SIDE)
			return fail_unsupported(reader, "has a padding out of range");
	r = yield_same(reader, value);
	if (r)
		return r;
	same = find_value(reader, output_name(reader));
	same->padding[0] += (unsigned)numbers[2];
	same->padding[1] += (unsigned)numbers[3];
	same->padding[2] += (unsigned)numbers[6];
	same->padding[3] += (unsigned)numbers[7];
	return 0;
}

/* Identity, Dropout, and Softmax, which the engine applies to the head itself. */
static int read_pass_on(struct reader *reader)
{
	const struct value *value = input(reader, 0);

	if (!value)
		return fail_unsupported(reader, "reads something that was not computed before it");
	return yield_same(reader, value);
}

/* Cast and Unsqueeze among the arithmetic on shapes. */
static int read_numbers_as_they_are(struct reader *reader)
{
	const struct value *value = input(reader, 0);

	if (!value || value->node >= 0)
		return fail_unsupported(reader, "changes a picture in a way that is not supported");
	return yield_same(reader, value);
}

static int read_constant(struct reader *reader)
{
	const Onnx__Attribute *attribute = find_attribute(reader, "value");
	struct value *value;
	int r;

	if (!attribute || !attribute->t)
		return fail_unsupported(reader, "has no tensor as its value");
	r = add_value(reader, output_name(reader), &value);
	if (r == 0)
		value->constant = attribute->t;
	return r;
}

static int read_shape(struct reader *reader)
{
	const struct value *value = input(reader, 0);
	const struct graph_shape *shape;

	if (!value || value->node < 0 || padded(value))
		return fail_unsupported(reader, "reads something that is no picture");
	shape = &reader->blueprint->nodes[value->node].shape;
	if (value->flat)
		return yield_numbers(reader, (int64_t[]){ 1, (int64_t)graph_shape_count(shape) }, 2);
	return yield_numbers(reader, (int64_t[]){ 1, shape->channels, shape->height, shape->width }, 4);
}

static int read_gather(struct reader *reader)
{
	int64_t from[NUMBERS_MAX], indices[NUMBERS_MAX], chosen[NUMBERS_MAX];
	size_t from_count, index_count;
	int r = read_numbers(reader, input(reader, 0), from, &from_count);

	if (r == 0)
		r = read_numbers(reader, input(reader, 1), indices, &index_count);
	if (r)
		return r;
	for (size_t i = 0; i < index_count; i++) {
		int64_t index = indices[i] < 0 ? indices[i] + (int64_t)from_count : indices[i];

		if (index < 0 || index >= (int64_t)from_count)
			return fail_unsupported(reader, "chooses a number that is not there");
		chosen[i] = from[index];
	}
	return yield_numbers(reader, chosen, index_count);
}

static int read_node(struct reader *reader)
{
	const char *type = reader->node->op_type;

	if (*reader->node->domain && strcmp(reader->node->domain, "ai.onnx") != 0)
		return fail_unsupported(reader, "belongs to an extension");
	if (strcmp(type, "Conv") == 0)
		return read_convolution(reader);
	if (strcmp(type, "BatchNormalization") == 0)
		return read_normalisation(reader);
	if (strcmp(type, "Relu") == 0)
		return read_clamp(reader, 0, INFINITY);
	if (strcmp(type, "Clip") == 0)
		return read_clip(reader);
	if (strcmp(type, "Sigmoid") == 0)
		return read_sigmoid(reader);
	if (strcmp(type, "MaxPool") == 0)
		return read_pool(reader, GRAPH_MAX_POOL);
	if (strcmp(type, "AveragePool") == 0)
		return read_pool(reader, GRAPH_AVERAGE_POOL);
	if (strcmp(type, "GlobalAveragePool") == 0)
		return read_global_pool(reader);
	if (strcmp(type, "ReduceMean") == 0)
		return read_mean(reader);
	if (strcmp(type, "Add") == 0)
		return read_arithmetic(reader, '+');
	if (strcmp(type, "Sub") == 0)
		return read_arithmetic(reader, '-');
	if (strcmp(type, "Mul") == 0)
		return read_arithmetic(reader, '*');
	if (strcmp(type, "Div") == 0)
		return read_arithmetic(reader, '/');
	if (strcmp(type, "Concat") == 0)
		return read_concat(reader);
	if (strcmp(type, "Flatten") == 0)
		return read_flatten(reader);
	if (strcmp(type, "Reshape") == 0)
		return read_reshape(reader);
	if (strcmp(type, "Squeeze") == 0)
		return read_squeeze(reader);
	if (strcmp(type, "Gemm") == 0)
		return read_product(reader, int_attribute(reader, "transB", 0), true);
	if (strcmp(type, "MatMul") == 0)
		return read_product(reader, false, false);
	if (strcmp(type, "Pad") == 0)
		return read_padding(reader);
	if (strcmp(type, "Identity") == 0 || strcmp(type, "Dropout") == 0 ||
	    strcmp(type, "Softmax") == 0)
		return read_pass_on(reader);
	if (strcmp(type, "Cast") == 0 || strcmp(type, "Unsqueeze") == 0)
		return read_numbers_as_they_are(reader);
	if (strcmp(type, "Constant") == 0)
		return read_constant(reader);
	if (strcmp(type, "Shape") == 0)
		return read_shape(reader);
	if (strcmp(type, "Gather") == 0)
		return read_gather(reader);
	return fail_unsupported(reader, "is not supported");
}

/* --- The graph --------------------------------------------------------------- */

static int read_input(struct reader *reader, const Onnx__Graph *graph)
{
	const Onnx__ValueInfo *info = NULL;
	const Onnx__Shape *shape;
	struct blueprint_node *node;
	struct value *value;
	int r;

	/* older files list their constants among the inputs */
	for (size_t i = 0; i < graph->n_input && !info; i++)
		if (!find_value(reader, graph->input[i]->name))
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
		r = add_value(reader, info->name, &value);
	if (r)
		return r;
	value->node = 0;
	node->shape = (struct graph_shape){ (unsigned)shape->dim[2]->dim_value,
					    (unsigned)shape->dim[3]->dim_value, 3 };
	reader->blueprint->height = node->shape.height;
	reader->blueprint->width = node->shape.width;
	return 0;
}

static int read_graph(struct reader *reader, const Onnx__Graph *graph)
{
	const struct value *output;
	struct value *value;
	int r = 0;

	for (size_t i = 0; i < graph->n_initializer && r == 0; i++) {
		r = add_value(reader, graph->initializer[i]->name, &value);
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
	output = graph->n_output ? find_value(reader, graph->output[0]->name) : NULL;
	if (!output || output->node < 0)
		return engine_fail(reader->error, ENGINE_BAD_MODEL,
				   "The file %s has no output that its nodes compute.", reader->file);
	reader->blueprint->classes = output->node;
	return 0;
}

int onnx_read(const uint8_t *data, size_t size, const char *name, struct blueprint *blueprint,
	      struct engine_error *error)
{
	struct reader reader = { .file = name, .blueprint = blueprint, .error = error };
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
