/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * import_tflite.c: the layout is TensorFlow's published schema (schema.fbs,
 * version 3); field numbers stand where they are used. TFLite already has what
 * the engine wants: batch normalisation folded, channels innermost, weights
 * output-major.
 *
 * Quantised networks that were converted from training-aware TensorFlow graphs
 * have no fused ReLU: the range of each tensor's 8 bits is what limits it, so
 * every node is clamped to the range of its output. Codes of type uint8 are kept
 * as int8 by subtracting 128 from them and from their zero point.
 */
#include "engine/lab/import_tflite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/half.h"
#include "engine/lab/flatbuffer.h"
#include "engine/limits.h"

#define TFLITE_VERSION 3

enum tensor_type {
	TYPE_FLOAT32 = 0,
	TYPE_FLOAT16 = 1,
	TYPE_INT32 = 2,
	TYPE_UINT8 = 3,
	TYPE_INT8 = 9,
};

enum builtin_operator {
	BUILTIN_ADD = 0,
	BUILTIN_AVERAGE_POOL_2D = 1,
	BUILTIN_CONCATENATION = 2,
	BUILTIN_CONV_2D = 3,
	BUILTIN_DEPTHWISE_CONV_2D = 4,
	BUILTIN_DEQUANTIZE = 6,
	BUILTIN_FULLY_CONNECTED = 9,
	BUILTIN_LOGISTIC = 14,
	BUILTIN_MAX_POOL_2D = 17,
	BUILTIN_MUL = 18,
	BUILTIN_RELU = 19,
	BUILTIN_RELU_N1_TO_1 = 20,
	BUILTIN_RELU6 = 21,
	BUILTIN_RESHAPE = 22,
	BUILTIN_SOFTMAX = 25,
	BUILTIN_PAD = 34,
	BUILTIN_MEAN = 40,
	BUILTIN_SQUEEZE = 43,
};

enum activation {
	ACTIVATION_NONE = 0,
	ACTIVATION_RELU = 1,
	ACTIVATION_RELU_N1_TO_1 = 2,
	ACTIVATION_RELU6 = 3,
};

enum { PADDING_SAME = 0, PADDING_VALID = 1 };

#define TENSOR_RANK_MAX 5u

struct tensor {
	flatbuffer_table table;
	char name[LIMIT_MODEL_NAME];
	enum tensor_type type;
	unsigned rank;
	unsigned shape[TENSOR_RANK_MAX];
	struct flatbuffer_vector data;	/* empty for values that are computed */
	struct flatbuffer_vector scales, zero_points;
	int node;			/* that yields it, or -1 */
	unsigned padding[4];		/* top, left, bottom, right, put around it by PAD */
};

struct reader {
	struct flatbuffer buffer;
	const char *file;
	struct blueprint *blueprint;
	struct engine_error *error;
	struct flatbuffer_vector buffers;
	struct tensor *tensors;
	size_t tensor_count;
	/* of the operator that is being read */
	flatbuffer_table options;
	struct flatbuffer_vector inputs, outputs;
	size_t operator_index;
	int code;
};

static int fail_damaged(const struct reader *reader)
{
	return engine_fail(reader->error, ENGINE_BAD_MODEL,
			   "The file %s is damaged: a part of it points outside. Get it again.",
			   reader->file);
}

static const char *builtin_name(int code)
{
	static const struct { int code; const char *name; } names[] = {
		{ BUILTIN_ADD, "ADD" },
		{ BUILTIN_AVERAGE_POOL_2D, "AVERAGE_POOL_2D" },
		{ BUILTIN_CONCATENATION, "CONCATENATION" },
		{ BUILTIN_CONV_2D, "CONV_2D" },
		{ BUILTIN_DEPTHWISE_CONV_2D, "DEPTHWISE_CONV_2D" },
		{ BUILTIN_DEQUANTIZE, "DEQUANTIZE" },
		{ BUILTIN_FULLY_CONNECTED, "FULLY_CONNECTED" },
		{ BUILTIN_LOGISTIC, "LOGISTIC" },
		{ BUILTIN_MAX_POOL_2D, "MAX_POOL_2D" },
		{ BUILTIN_MUL, "MUL" },
		{ BUILTIN_RELU, "RELU" },
		{ BUILTIN_RELU_N1_TO_1, "RELU_N1_TO_1" },
		{ BUILTIN_RELU6, "RELU6" },
		{ BUILTIN_RESHAPE, "RESHAPE" },
		{ BUILTIN_SOFTMAX, "SOFTMAX" },
		{ BUILTIN_PAD, "PAD" },
		{ BUILTIN_MEAN, "MEAN" },
		{ BUILTIN_SQUEEZE, "SQUEEZE" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == code)
			return names[i].name;
	return NULL;
}

/* The name of what the operator yields stands for the operator. */
static const char *operator_label(const struct reader *reader)
{
	struct flatbuffer buffer = reader->buffer;
	int32_t output = reader->outputs.count ?
			 flatbuffer_i32_at(&buffer, reader->outputs, 0) : -1;

	return output >= 0 && (size_t)output < reader->tensor_count ?
	       reader->tensors[output].name : "";
}

static int fail_unsupported(const struct reader *reader, const char *what)
{
	const char *name = builtin_name(reader->code);
	char number[32];

	snprintf(number, sizeof(number), "number %d", reader->code);
	return engine_fail(reader->error, ENGINE_UNSUPPORTED,
			   "The file %s cannot be imported: operator %zu (%s, %s) %s.", reader->file,
			   reader->operator_index, name ? name : number, operator_label(reader), what);
}

static size_t type_size(enum tensor_type type)
{
	switch (type) {
	case TYPE_FLOAT32:
	case TYPE_INT32:
		return 4;
	case TYPE_FLOAT16:
		return 2;
	case TYPE_UINT8:
	case TYPE_INT8:
		return 1;
	}
	return 0;
}

static size_t element_count(const struct tensor *tensor)
{
	size_t count = 1;

	for (unsigned i = 0; i < tensor->rank; i++)
		count *= tensor->shape[i];
	return count;
}

static int read_tensor(struct reader *reader, flatbuffer_table table, struct tensor *tensor)
{
	struct flatbuffer *buffer = &reader->buffer;
	struct flatbuffer_vector shape = flatbuffer_vector(buffer, table, 0, 4);
	flatbuffer_table quantisation = flatbuffer_field(buffer, table, 4);
	int32_t data = flatbuffer_i32(buffer, table, 2, 0);
	size_t count = 1;

	*tensor = (struct tensor){ .table = table, .node = -1, .rank = (unsigned)shape.count };
	flatbuffer_string(buffer, table, 3, tensor->name, sizeof(tensor->name));
	tensor->type = (enum tensor_type)flatbuffer_u8(buffer, table, 1, TYPE_FLOAT32);
	if (shape.count > TENSOR_RANK_MAX)
		return engine_fail(reader->error, ENGINE_UNSUPPORTED,
				   "The file %s cannot be imported: the tensor %s has %zu dimensions.",
				   reader->file, tensor->name, shape.count);
	for (unsigned i = 0; i < tensor->rank; i++) {
		int32_t dimension = flatbuffer_i32_at(buffer, shape, i);

		if (dimension < 1 || __builtin_mul_overflow(count, (size_t)dimension, &count) ||
		    count > LIMIT_MODEL_ARENA)
			return engine_fail(reader->error, ENGINE_BAD_MODEL,
					   "The file %s has the tensor %s of a size that cannot be used.",
					   reader->file, tensor->name);
		tensor->shape[i] = (unsigned)dimension;
	}
	tensor->scales = flatbuffer_vector(buffer, quantisation, 2, 4);
	tensor->zero_points = flatbuffer_vector(buffer, quantisation, 3, 8);
	if (data) {
		flatbuffer_table holder = flatbuffer_table_at(buffer, reader->buffers, (size_t)data);

		tensor->data = flatbuffer_vector(buffer, holder, 0, 1);
		if (tensor->data.count && tensor->data.count != count * type_size(tensor->type))
			return engine_fail(reader->error, ENGINE_BAD_MODEL,
					   "The file %s has the tensor %s with %zu bytes of data where %zu belong.",
					   reader->file, tensor->name, tensor->data.count,
					   count * type_size(tensor->type));
	}
	return buffer->damaged ? fail_damaged(reader) : 0;
}

/* The tensor of an operator's input or output; NULL if there is none. */
static struct tensor *operand(struct reader *reader, struct flatbuffer_vector list, size_t index)
{
	int32_t number;

	if (index >= list.count)
		return NULL;
	number = flatbuffer_i32_at(&reader->buffer, list, index);
	if (number < 0 || (size_t)number >= reader->tensor_count)
		return NULL;
	return &reader->tensors[number];
}

static struct graph_shape image_shape(const struct tensor *tensor)
{
	if (tensor->rank == 4)
		return (struct graph_shape){ tensor->shape[1], tensor->shape[2], tensor->shape[3] };
	return (struct graph_shape){ 1, 1, (unsigned)element_count(tensor) };
}

/* In the engine's 0 … 255, whichever 8-bit type the file uses. */
static int read_quantisation(struct reader *reader, const struct tensor *tensor,
			     struct graph_quantisation *ret_quantisation)
{
	float scale;
	int64_t zero_point;
	int shift = 0;

	if (tensor->type != TYPE_UINT8 && tensor->type != TYPE_INT8) {
		*ret_quantisation = (struct graph_quantisation){ 0 };
		return 0;
	}
	if (tensor->scales.count != 1)
		return fail_unsupported(reader, "yields 8-bit values without one scale");
	scale = flatbuffer_f32_at(&reader->buffer, tensor->scales, 0);
	zero_point = tensor->zero_points.count ?
		     flatbuffer_i64_at(&reader->buffer, tensor->zero_points, 0) : 0;
	if (tensor->type == TYPE_INT8)
		shift = 128;
	if (!isfinite(scale) || scale <= 0 || zero_point < -shift || zero_point > 255 - shift)
		return fail_unsupported(reader, "yields values with a scale or zero point out of range");
	*ret_quantisation = (struct graph_quantisation){ scale, (int32_t)(zero_point + shift) };
	return 0;
}

static int clamp_to(struct reader *reader, struct blueprint_node *node, int activation)
{
	static const struct { float minimum, maximum; } ranges[] = {
		[ACTIVATION_NONE] = { -INFINITY, INFINITY },
		[ACTIVATION_RELU] = { 0, INFINITY },
		[ACTIVATION_RELU_N1_TO_1] = { -1, 1 },
		[ACTIVATION_RELU6] = { 0, 6 },
	};
	struct graph_quantisation q = node->quantisation;

	if (activation < 0 || (size_t)activation >= sizeof(ranges) / sizeof(ranges[0]))
		return fail_unsupported(reader, "has an activation that is not supported");
	node->minimum = ranges[activation].minimum;
	node->maximum = ranges[activation].maximum;
	/* add_node fills it before it calls */
	// NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult)
	if (q.scale > 0) {
		node->minimum = fmaxf(node->minimum, q.scale * (float)(0 - q.zero_point));
		node->maximum = fminf(node->maximum, q.scale * (float)(255 - q.zero_point));
	}
	return 0;
}

/* Adds the node that yields the operator's first output from `inputs`. */
static int add_node(struct reader *reader, enum graph_operator operator,
		    struct tensor *const *inputs, size_t input_count, int activation,
		    struct blueprint_node **ret_node)
{
	struct tensor *output = operand(reader, reader->outputs, 0);
	struct graph_quantisation quantisation;
	struct blueprint_node *node;
	unsigned *indices;
	int r;

	if (!output || output->rank < 2 || output->shape[0] != 1)
		return fail_unsupported(reader, "yields a value that is no picture");
	r = read_quantisation(reader, output, &quantisation);
	if (r)
		return r;
	indices = calloc(input_count + 1, sizeof(*indices));
	if (!indices)
		return engine_fail_memory(reader->error);
	for (size_t i = 0; i < input_count; i++) {
		if (!inputs[i] || inputs[i]->node < 0) {
			free(indices);
			return fail_unsupported(reader, "reads something that is not computed before it");
		}
		indices[i] = (unsigned)inputs[i]->node;
	}
	output->node = (int)reader->blueprint->count;
	r = blueprint_add(reader->blueprint, operator, output->name, indices, (unsigned)input_count,
			&node, reader->error);
	free(indices);
	if (r)
		return r;
	node->quantisation = quantisation;
	node->shape = image_shape(output);
	r = clamp_to(reader, node, activation);
	if (r == 0)
		*ret_node = node;
	return r;
}

/* Padding of one axis as TensorFlow defines SAME: the odd pixel goes behind. */
static void pad_same(unsigned in, unsigned kernel, unsigned stride, unsigned dilation,
		     unsigned *ret_before, unsigned *ret_after)
{
	unsigned out = (in + stride - 1) / stride;
	unsigned needed = (out - 1) * stride + (kernel - 1) * dilation + 1;
	unsigned total = needed > in ? needed - in : 0;

	*ret_before = total / 2;
	*ret_after = total - total / 2;
}

static int set_window(struct reader *reader, struct blueprint_node *node, const struct tensor *input,
		      int padding, int32_t kernel_height, int32_t kernel_width,
		      int32_t stride_height, int32_t stride_width, int32_t dilation_height,
		      int32_t dilation_width)
{
	const int32_t values[] = { kernel_height, kernel_width, stride_height, stride_width,
				   dilation_height, dilation_width };
	struct graph_window *w = &node->window;
	struct graph_shape in = image_shape(input);
	bool padded = input->padding[0] || input->padding[1] || input->padding[2] ||
		      input->padding[3];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (values[i] < 1 || values[i] > (int32_t)LIMIT_MODEL_SIDE)
			return fail_unsupported(reader, "has a kernel or stride out of range");
	if (padding != PADDING_SAME && padding != PADDING_VALID)
		return fail_unsupported(reader, "has a padding that is not supported");
	if (padded && (padding == PADDING_SAME || node->operator != GRAPH_CONVOLUTION))
		return fail_unsupported(reader, "reads a padded value that it pads itself");
	*w = (struct graph_window){
		.kernel_height = (unsigned)kernel_height, .kernel_width = (unsigned)kernel_width,
		.stride_height = (unsigned)stride_height, .stride_width = (unsigned)stride_width,
		.dilation_height = (unsigned)dilation_height,
		.dilation_width = (unsigned)dilation_width,
		.pad_top = input->padding[0], .pad_left = input->padding[1],
		.pad_bottom = input->padding[2], .pad_right = input->padding[3],
	};
	if (padding == PADDING_SAME) {
		pad_same(in.height, w->kernel_height, w->stride_height, w->dilation_height,
			 &w->pad_top, &w->pad_bottom);
		pad_same(in.width, w->kernel_width, w->stride_width, w->dilation_width,
			 &w->pad_left, &w->pad_right);
	}
	return 0;
}

/* Element `from` of the file's order goes to place `to` of the engine's. A
 * depthwise convolution has [1, height, width, channels] in the file. */
static size_t transposed(size_t to, size_t channels, size_t each)
{
	return to % each * channels + to / each;
}

static int copy_weights(struct reader *reader, const struct tensor *weight, bool depthwise,
			struct blueprint_node *node)
{
	const uint8_t *data = reader->buffer.data + weight->data.start;
	size_t count = element_count(weight), channels = node->shape.channels;
	size_t each = count / channels;

	if (weight->type == TYPE_UINT8 || weight->type == TYPE_INT8) {
		uint8_t flip = weight->type == TYPE_UINT8 ? 0x80 : 0;

		node->codes = malloc(count);
		if (!node->codes)
			return engine_fail_memory(reader->error);
		for (size_t i = 0; i < count; i++)
			node->codes[i] = (int8_t)(data[depthwise ? transposed(i, channels, each) : i] ^
						  flip);
		return 0;
	}
	node->weights = calloc(count, sizeof(*node->weights));
	if (!node->weights)
		return engine_fail_memory(reader->error);
	for (size_t i = 0; i < count; i++) {
		size_t from = depthwise ? transposed(i, channels, each) : i;
		uint16_t half;

		if (weight->type == TYPE_FLOAT16) {
			memcpy(&half, data + 2 * from, sizeof(half));
			node->weights[i] = half_to_float(half);
		} else {
			memcpy(&node->weights[i], data + 4 * from, sizeof(float));
		}
	}
	return 0;
}

static int copy_scales(struct reader *reader, const struct tensor *weight,
		       struct blueprint_node *node)
{
	size_t count = weight->scales.count;
	bool zero = true;

	if (!node->codes)
		return 0;
	if (count != 1 && count != node->shape.channels)
		return fail_unsupported(reader, "has 8-bit weights without scales that fit them");
	node->scale_count = count;
	node->scales = calloc(count, sizeof(*node->scales));
	node->zero_points = calloc(count, sizeof(*node->zero_points));
	if (!node->scales || !node->zero_points)
		return engine_fail_memory(reader->error);
	for (size_t i = 0; i < count; i++) {
		int64_t zero_point = i < weight->zero_points.count ?
			flatbuffer_i64_at(&reader->buffer, weight->zero_points, i) : 0;
		int shift = weight->type == TYPE_UINT8 ? 128 : 0;

		if (zero_point < INT8_MIN + shift || zero_point > INT8_MAX + shift)
			return fail_unsupported(reader, "has weights with a zero point out of range");
		node->scales[i] = flatbuffer_f32_at(&reader->buffer, weight->scales, i);
		node->zero_points[i] = (int8_t)(zero_point - shift);
		zero = zero && zero_point == shift;
	}
	if (zero) {
		free(node->zero_points);
		node->zero_points = NULL;
	}
	return 0;
}

static int copy_bias(struct reader *reader, const struct tensor *bias, struct blueprint_node *node)
{
	size_t channels = node->shape.channels;
	void *values;

	if (!bias)
		return 0;
	if (!bias->data.count || element_count(bias) != channels ||
	    bias->type != (node->codes && node->quantisation.scale > 0 ? TYPE_INT32 : TYPE_FLOAT32))
		return fail_unsupported(reader, "has a bias of a wrong shape or type");
	values = calloc(channels, sizeof(float));
	if (!values)
		return engine_fail_memory(reader->error);
	memcpy(values, reader->buffer.data + bias->data.start, channels * sizeof(float));
	if (bias->type == TYPE_INT32)
		node->integer_bias = values;
	else
		node->bias = values;
	return 0;
}

static int read_weights(struct reader *reader, struct blueprint_node *node, bool depthwise)
{
	const struct tensor *weight = operand(reader, reader->inputs, 1);
	const struct tensor *bias = operand(reader, reader->inputs, 2);
	int r;

	if (!weight || !weight->data.count ||
	    (weight->type != TYPE_FLOAT32 && weight->type != TYPE_FLOAT16 &&
	     weight->type != TYPE_UINT8 && weight->type != TYPE_INT8))
		return fail_unsupported(reader, "has weights that are computed or of a type that is not supported");
	/* add_node gave it */
	// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
	node->weight_rank = weight->rank;
	for (unsigned i = 0; i < weight->rank; i++)
		node->weight_shape[i] = weight->shape[i];
	if (depthwise) {
		node->weight_shape[0] = weight->shape[3];
		node->weight_shape[3] = 1;
	}
	if (node->weight_shape[0] != node->shape.channels)
		return fail_unsupported(reader, "has weights that do not fit its output");
	r = copy_weights(reader, weight, depthwise, node);
	if (r == 0)
		r = copy_scales(reader, weight, node);
	if (r == 0)
		r = copy_bias(reader, bias, node);
	return r;
}

/* Conv2DOptions and DepthwiseConv2DOptions differ by the multiplier, field 3. */
static int read_convolution(struct reader *reader, bool depthwise)
{
	struct flatbuffer *b = &reader->buffer;
	flatbuffer_table options = reader->options;
	struct tensor *input = operand(reader, reader->inputs, 0);
	const struct tensor *weight = operand(reader, reader->inputs, 1);
	unsigned shift = depthwise ? 1 : 0;
	struct blueprint_node *node = NULL;
	int r;

	if (!weight || weight->rank != 4 || !input || input->rank != 4)
		return fail_unsupported(reader, "has weights or an input of a wrong shape");
	r = add_node(reader, GRAPH_CONVOLUTION, &input, 1,
		     flatbuffer_u8(b, options, 3 + shift, ACTIVATION_NONE), &node);
	if (r)
		return r;
	if (depthwise)
		/* add_node gave it */
		// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
		node->groups = input->shape[3];
	r = set_window(reader, node, input, flatbuffer_u8(b, options, 0, PADDING_SAME),
		       (int32_t)weight->shape[1], (int32_t)weight->shape[2],
		       flatbuffer_i32(b, options, 2, 0), flatbuffer_i32(b, options, 1, 0),
		       flatbuffer_i32(b, options, 5 + shift, 1),
		       flatbuffer_i32(b, options, 4 + shift, 1));
	return r ? r : read_weights(reader, node, depthwise);
}

static int read_pool(struct reader *reader, enum graph_operator operator)
{
	struct flatbuffer *b = &reader->buffer;
	flatbuffer_table options = reader->options;
	struct tensor *input = operand(reader, reader->inputs, 0);
	struct blueprint_node *node = NULL;
	int r = add_node(reader, operator, &input, 1,
			 flatbuffer_u8(b, options, 5, ACTIVATION_NONE), &node);

	return r ? r : set_window(reader, node, input, flatbuffer_u8(b, options, 0, PADDING_SAME),
				  flatbuffer_i32(b, options, 4, 0), flatbuffer_i32(b, options, 3, 0),
				  flatbuffer_i32(b, options, 2, 0), flatbuffer_i32(b, options, 1, 0),
				  1, 1);
}

static int read_fully_connected(struct reader *reader)
{
	struct tensor *input = operand(reader, reader->inputs, 0);
	const struct tensor *weight = operand(reader, reader->inputs, 1);
	struct blueprint_node *node = NULL;
	int r;

	if (!weight || weight->rank != 2)
		return fail_unsupported(reader, "has weights of a wrong shape");
	r = add_node(reader, GRAPH_FULLY_CONNECTED, &input, 1,
		     flatbuffer_u8(&reader->buffer, reader->options, 0, ACTIVATION_NONE), &node);
	return r ? r : read_weights(reader, node, false);
}

static int read_concat(struct reader *reader)
{
	size_t count = reader->inputs.count;
	struct tensor **inputs = calloc(count + 1, sizeof(struct tensor *));
	int32_t axis = flatbuffer_i32(&reader->buffer, reader->options, 0, 0);
	struct blueprint_node *node = NULL;
	int r;

	if (!inputs)
		return engine_fail_memory(reader->error);
	for (size_t i = 0; i < count; i++)
		inputs[i] = operand(reader, reader->inputs, i);
	if (axis != 3 && axis != -1)
		r = fail_unsupported(reader, "joins along another axis than the channels");
	else
		r = add_node(reader, GRAPH_CONCAT, inputs, count,
			     flatbuffer_u8(&reader->buffer, reader->options, 1, ACTIVATION_NONE),
			     &node);
	free(inputs);
	return r;
}

static int read_pair(struct reader *reader, enum graph_operator operator)
{
	struct tensor *inputs[2] = { operand(reader, reader->inputs, 0),
				     operand(reader, reader->inputs, 1) };
	struct blueprint_node *node;

	/* only the second operand of the engine's may be one pixel for all */
	if (inputs[0] && inputs[1] && inputs[0]->node >= 0 && inputs[1]->node >= 0 &&
	    element_count(inputs[0]) < element_count(inputs[1])) {
		struct tensor *first = inputs[0];

		inputs[0] = inputs[1];
		inputs[1] = first;
	}
	return add_node(reader, operator, inputs, 2,
			flatbuffer_u8(&reader->buffer, reader->options, 0, ACTIVATION_NONE), &node);
}

static int read_single(struct reader *reader, enum graph_operator operator, int activation)
{
	struct tensor *input = operand(reader, reader->inputs, 0);
	struct blueprint_node *node;

	return add_node(reader, operator, &input, 1, activation, &node);
}

/* Operators that leave the values as they are in the engine's layout. */
static int pass_on(struct reader *reader)
{
	const struct tensor *input = operand(reader, reader->inputs, 0);
	struct tensor *output = operand(reader, reader->outputs, 0);

	if (!input || !output || element_count(input) != element_count(output))
		return fail_unsupported(reader, "changes the number of values");
	output->node = input->node;
	if (input->node < 0) {	/* weights that are widened */
		output->data = input->data;
		output->type = input->type;
		output->scales = input->scales;
		output->zero_points = input->zero_points;
	}
	return 0;
}

/* A constant vector of integers, such as axes and paddings. */
static int read_constants(struct reader *reader, const struct tensor *tensor, size_t wanted,
			  int32_t *ret_values)
{
	if (!tensor || tensor->type != TYPE_INT32 || tensor->data.count != wanted * sizeof(int32_t))
		return fail_unsupported(reader, "has parameters that are not supported");
	memcpy(ret_values, reader->buffer.data + tensor->data.start, wanted * sizeof(int32_t));
	return 0;
}

static int read_padding(struct reader *reader)
{
	const struct tensor *input = operand(reader, reader->inputs, 0);
	struct tensor *output = operand(reader, reader->outputs, 0);
	int32_t p[8] = { 0 };	/* before and behind: batch, height, width, channels */
	int r = read_constants(reader, operand(reader, reader->inputs, 1), 8, p);

	if (r)
		return r;
	for (unsigned i = 0; i < 8; i++)
		if (p[i] < 0 || p[i] > (int32_t)LIMIT_MODEL_SIDE || (p[i] && (i < 2 || i > 5)))
			return fail_unsupported(reader, "pads other sides than height and width");
	if (!input || !output || input->node < 0 || input->rank != 4)
		return fail_unsupported(reader, "reads something that is no picture");
	output->node = input->node;
	output->padding[0] = (unsigned)p[2];
	output->padding[1] = (unsigned)p[4];
	output->padding[2] = (unsigned)p[3];
	output->padding[3] = (unsigned)p[5];
	/* what reads it convolves the unpadded value with this padding */
	memcpy(output->shape, input->shape, sizeof(output->shape));
	return 0;
}

static int read_mean(struct reader *reader)
{
	const struct tensor *input = operand(reader, reader->inputs, 0);
	int32_t axes[2] = { 0 };
	int r = read_constants(reader, operand(reader, reader->inputs, 1), 2, axes);

	if (r)
		return r;
	if (!input || input->rank != 4 || axes[0] < 1 || axes[0] > 2 ||
	    axes[1] != 3 - axes[0])
		return fail_unsupported(reader, "averages over other axes than height and width");
	return read_single(reader, GRAPH_GLOBAL_AVERAGE_POOL, ACTIVATION_NONE);
}

static int read_operator(struct reader *reader)
{
	switch (reader->code) {
	case BUILTIN_ADD:
		return read_pair(reader, GRAPH_ADD);
	case BUILTIN_MUL:
		return read_pair(reader, GRAPH_MULTIPLY);
	case BUILTIN_AVERAGE_POOL_2D:
		return read_pool(reader, GRAPH_AVERAGE_POOL);
	case BUILTIN_MAX_POOL_2D:
		return read_pool(reader, GRAPH_MAX_POOL);
	case BUILTIN_CONCATENATION:
		return read_concat(reader);
	case BUILTIN_CONV_2D:
		return read_convolution(reader, false);
	case BUILTIN_DEPTHWISE_CONV_2D:
		return read_convolution(reader, true);
	case BUILTIN_FULLY_CONNECTED:
		return read_fully_connected(reader);
	case BUILTIN_LOGISTIC:
		return read_single(reader, GRAPH_SIGMOID, ACTIVATION_NONE);
	case BUILTIN_RELU:
		return read_single(reader, GRAPH_CLAMP, ACTIVATION_RELU);
	case BUILTIN_RELU_N1_TO_1:
		return read_single(reader, GRAPH_CLAMP, ACTIVATION_RELU_N1_TO_1);
	case BUILTIN_RELU6:
		return read_single(reader, GRAPH_CLAMP, ACTIVATION_RELU6);
	case BUILTIN_MEAN:
		return read_mean(reader);
	case BUILTIN_PAD:
		return read_padding(reader);
	case BUILTIN_DEQUANTIZE:
	case BUILTIN_RESHAPE:
	case BUILTIN_SQUEEZE:
	case BUILTIN_SOFTMAX:	/* the engine turns the head's values into probabilities */
		return pass_on(reader);
	default:
		return fail_unsupported(reader, "is not supported");
	}
}

static int read_input(struct reader *reader, flatbuffer_table graph)
{
	struct blueprint *blueprint = reader->blueprint;
	struct tensor *tensor;
	struct blueprint_node *node = NULL;
	int r;

	reader->inputs = reader->outputs = flatbuffer_vector(&reader->buffer, graph, 1, 4);
	tensor = operand(reader, reader->inputs, 0);
	if (reader->inputs.count != 1 || !tensor || tensor->rank != 4 || tensor->shape[0] != 1 ||
	    tensor->shape[3] != 3)
		return engine_fail(reader->error, ENGINE_UNSUPPORTED,
				   "The file %s cannot be imported: its input is not one RGB picture.",
				   reader->file);
	r = add_node(reader, GRAPH_INPUT, NULL, 0, ACTIVATION_NONE, &node);
	if (r)
		return r;
	blueprint->height = tensor->shape[1];
	blueprint->width = tensor->shape[2];
	if (node->quantisation.scale > 0)
		for (unsigned c = 0; c < 3; c++) {
			blueprint->mean[c] = (float)node->quantisation.zero_point;
			blueprint->std[c] = 1.0f / node->quantisation.scale;
		}
	return 0;
}

static int read_output(struct reader *reader, flatbuffer_table graph)
{
	const struct tensor *tensor;

	reader->outputs = flatbuffer_vector(&reader->buffer, graph, 2, 4);
	tensor = operand(reader, reader->outputs, 0);
	if (!tensor || tensor->node < 0)
		return engine_fail(reader->error, ENGINE_BAD_MODEL,
				   "The file %s has no output that its operators compute.",
				   reader->file);
	reader->blueprint->classes = tensor->node;
	return 0;
}

static int read_graph(struct reader *reader, flatbuffer_table model)
{
	struct flatbuffer *b = &reader->buffer;
	struct flatbuffer_vector codes = flatbuffer_vector(b, model, 1, 4);
	struct flatbuffer_vector graphs = flatbuffer_vector(b, model, 2, 4);
	struct flatbuffer_vector tensors, operators;
	flatbuffer_table graph;
	int r = 0;

	if (b->damaged || graphs.count < 1)
		return fail_damaged(reader);
	reader->buffers = flatbuffer_vector(b, model, 4, 4);
	graph = flatbuffer_table_at(b, graphs, 0);
	tensors = flatbuffer_vector(b, graph, 0, 4);
	operators = flatbuffer_vector(b, graph, 3, 4);
	if (b->damaged)
		return fail_damaged(reader);
	reader->tensors = calloc(tensors.count + 1, sizeof(*reader->tensors));
	if (!reader->tensors)
		return engine_fail_memory(reader->error);
	for (size_t i = 0; r == 0 && i < tensors.count; i++) {
		r = read_tensor(reader, flatbuffer_table_at(b, tensors, i), &reader->tensors[i]);
		reader->tensor_count = i + 1;
	}
	if (r == 0)
		r = read_input(reader, graph);
	for (size_t i = 0; r == 0 && i < operators.count; i++) {
		flatbuffer_table operator = flatbuffer_table_at(b, operators, i);
		flatbuffer_table code = flatbuffer_table_at(b, codes,
			(size_t)(uint32_t)flatbuffer_i32(b, operator, 0, 0));
		/* newer files have the number in field 3, older ones in field 0 */
		int32_t old = flatbuffer_u8(b, code, 0, 0), new = flatbuffer_i32(b, code, 3, 0);

		reader->operator_index = i;
		reader->code = new > old ? new : old;
		reader->inputs = flatbuffer_vector(b, operator, 1, 4);
		reader->outputs = flatbuffer_vector(b, operator, 2, 4);
		reader->options = flatbuffer_field(b, operator, 4);
		r = b->damaged ? fail_damaged(reader) : read_operator(reader);
		if (r == 0 && b->damaged)
			r = fail_damaged(reader);
	}
	return r ? r : read_output(reader, graph);
}

bool tflite_recognise(const uint8_t *data, size_t size)
{
	return size >= 8 && memcmp(data + 4, "TFL3", 4) == 0;
}

int tflite_read(const uint8_t *data, size_t size, const char *name, struct blueprint *blueprint,
		struct engine_error *error)
{
	struct reader reader = {
		.buffer = { .data = data, .size = size },
		.file = name, .blueprint = blueprint, .error = error,
	};
	flatbuffer_table model = flatbuffer_root(&reader.buffer);
	int r;

	if (flatbuffer_i32(&reader.buffer, model, 0, 0) != TFLITE_VERSION && !reader.buffer.damaged)
		return engine_fail(error, ENGINE_UNSUPPORTED,
				   "The file %s is of another version of TensorFlow Lite than %d.",
				   name, TFLITE_VERSION);
	r = reader.buffer.damaged ? fail_damaged(&reader) : read_graph(&reader, model);
	free(reader.tensors);
	return r;
}
