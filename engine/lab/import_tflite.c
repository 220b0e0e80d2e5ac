/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * import_tflite.c: the layout is TensorFlow's published schema (schema.fbs,
 * version 3); field numbers stand where they are used. TFLite already has what
 * the engine wants: batch normalisation folded, channels innermost, weights
 * output-major.
 *
 * Quantised networks that were converted from training-aware TensorFlow graphs
 * have no fused ReLU: the range of each tensor's 8 bits is what limits it, so
 * every node is clamped to the range of its output.
 */
#include "engine/lab/import_tflite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/lab/tflite_reader.h"

#define TFLITE_VERSION 3

enum activation {
	ACTIVATION_NONE = 0,
	ACTIVATION_RELU = 1,
	ACTIVATION_RELU_N1_TO_1 = 2,
	ACTIVATION_RELU6 = 3,
};

enum { PADDING_SAME = 0, PADDING_VALID = 1 };

static int clamp_to(struct tflite_reader *reader, struct blueprint_node *node, int activation)
{
	static const struct { float minimum, maximum; } ranges[] = {
		[ACTIVATION_NONE] = { -INFINITY, INFINITY },
		[ACTIVATION_RELU] = { 0, INFINITY },
		[ACTIVATION_RELU_N1_TO_1] = { -1, 1 },
		[ACTIVATION_RELU6] = { 0, 6 },
	};
	struct graph_quantisation q = node->quantisation;

	if (activation < 0 || (size_t)activation >= sizeof(ranges) / sizeof(ranges[0]))
		return tflite_fail_unsupported(reader, "has an activation that is not supported");
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
static int add_node(struct tflite_reader *reader, enum graph_operator operator,
		    struct tflite_tensor *const *inputs, size_t input_count, int activation,
		    struct blueprint_node **ret_node)
{
	struct tflite_tensor *output = tflite_operand(reader, reader->outputs, 0);
	struct graph_quantisation quantisation;
	struct blueprint_node *node;
	unsigned *indices;
	int r;

	if (!output || output->rank < 2 || output->shape[0] != 1)
		return tflite_fail_unsupported(reader, "yields a value that is no picture");
	r = tflite_read_quantisation(reader, output, &quantisation);
	if (r)
		return r;
	indices = calloc(input_count + 1, sizeof(*indices));
	if (!indices)
		return engine_fail_memory(reader->error);
	for (size_t i = 0; i < input_count; i++) {
		if (!inputs[i] || inputs[i]->node < 0) {
			free(indices);
			return tflite_fail_unsupported(reader,
				"reads something that is not computed before it");
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
	node->shape = tflite_image_shape(output);
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

static int set_window(struct tflite_reader *reader, struct blueprint_node *node,
		      const struct tflite_tensor *input, int padding,
		      int32_t kernel_height, int32_t kernel_width,
		      int32_t stride_height, int32_t stride_width,
		      int32_t dilation_height, int32_t dilation_width)
{
	const int32_t values[] = { kernel_height, kernel_width, stride_height, stride_width,
				   dilation_height, dilation_width };
	struct graph_window *w = &node->window;
	struct graph_shape in = tflite_image_shape(input);
	bool padded = input->padding[0] || input->padding[1] || input->padding[2] ||
		      input->padding[3];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (values[i] < 1 || values[i] > (int32_t)LIMIT_MODEL_SIDE)
			return tflite_fail_unsupported(reader,
						       "has a kernel or stride out of range");
	if (padding != PADDING_SAME && padding != PADDING_VALID)
		return tflite_fail_unsupported(reader, "has a padding that is not supported");
	if (padded && (padding == PADDING_SAME || node->operator != GRAPH_CONVOLUTION))
		return tflite_fail_unsupported(reader, "reads a padded value that it pads itself");
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

/* Conv2DOptions and DepthwiseConv2DOptions differ by the multiplier, field 3. */
static int read_convolution(struct tflite_reader *reader, bool depthwise)
{
	struct flatbuffer *b = &reader->buffer;
	flatbuffer_table options = reader->options;
	struct tflite_tensor *input = tflite_operand(reader, reader->inputs, 0);
	const struct tflite_tensor *weight = tflite_operand(reader, reader->inputs, 1);
	unsigned shift = depthwise ? 1 : 0;
	struct blueprint_node *node = NULL;
	int r;

	if (!weight || weight->rank != 4 || !input || input->rank != 4)
		return tflite_fail_unsupported(reader, "has weights or an input of a wrong shape");
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
	return r ? r : tflite_read_weights(reader, node, depthwise);
}

static int read_pool(struct tflite_reader *reader, enum graph_operator operator)
{
	struct flatbuffer *b = &reader->buffer;
	flatbuffer_table options = reader->options;
	struct tflite_tensor *input = tflite_operand(reader, reader->inputs, 0);
	struct blueprint_node *node = NULL;
	int r = add_node(reader, operator, &input, 1,
			 flatbuffer_u8(b, options, 5, ACTIVATION_NONE), &node);

	return r ? r : set_window(reader, node, input, flatbuffer_u8(b, options, 0, PADDING_SAME),
				  flatbuffer_i32(b, options, 4, 0), flatbuffer_i32(b, options, 3, 0),
				  flatbuffer_i32(b, options, 2, 0), flatbuffer_i32(b, options, 1, 0),
				  1, 1);
}

static int read_fully_connected(struct tflite_reader *reader)
{
	struct tflite_tensor *input = tflite_operand(reader, reader->inputs, 0);
	const struct tflite_tensor *weight = tflite_operand(reader, reader->inputs, 1);
	struct blueprint_node *node = NULL;
	int r;

	if (!weight || weight->rank != 2)
		return tflite_fail_unsupported(reader, "has weights of a wrong shape");
	r = add_node(reader, GRAPH_FULLY_CONNECTED, &input, 1,
		     flatbuffer_u8(&reader->buffer, reader->options, 0, ACTIVATION_NONE), &node);
	return r ? r : tflite_read_weights(reader, node, false);
}

static int read_concat(struct tflite_reader *reader)
{
	size_t count = reader->inputs.count;
	struct tflite_tensor **inputs = calloc(count + 1, sizeof(struct tflite_tensor *));
	int32_t axis = flatbuffer_i32(&reader->buffer, reader->options, 0, 0);
	struct blueprint_node *node = NULL;
	int r;

	if (!inputs)
		return engine_fail_memory(reader->error);
	for (size_t i = 0; i < count; i++)
		inputs[i] = tflite_operand(reader, reader->inputs, i);
	if (axis != 3 && axis != -1)
		r = tflite_fail_unsupported(reader, "joins along another axis than the channels");
	else
		r = add_node(reader, GRAPH_CONCAT, inputs, count,
			     flatbuffer_u8(&reader->buffer, reader->options, 1, ACTIVATION_NONE),
			     &node);
	free(inputs);
	return r;
}

static int read_pair(struct tflite_reader *reader, enum graph_operator operator)
{
	struct tflite_tensor *inputs[2] = { tflite_operand(reader, reader->inputs, 0),
				     tflite_operand(reader, reader->inputs, 1) };
	struct blueprint_node *node;

	/* only the second operand of the engine's may be one pixel for all */
	if (inputs[0] && inputs[1] && inputs[0]->node >= 0 && inputs[1]->node >= 0 &&
	    tflite_element_count(inputs[0]) < tflite_element_count(inputs[1])) {
		struct tflite_tensor *first = inputs[0];

		inputs[0] = inputs[1];
		inputs[1] = first;
	}
	return add_node(reader, operator, inputs, 2,
			flatbuffer_u8(&reader->buffer, reader->options, 0, ACTIVATION_NONE), &node);
}

static int read_single(struct tflite_reader *reader, enum graph_operator operator, int activation)
{
	struct tflite_tensor *input = tflite_operand(reader, reader->inputs, 0);
	struct blueprint_node *node;

	return add_node(reader, operator, &input, 1, activation, &node);
}

/* Operators that leave the values as they are in the engine's layout. */
static int pass_on(struct tflite_reader *reader)
{
	const struct tflite_tensor *input = tflite_operand(reader, reader->inputs, 0);
	struct tflite_tensor *output = tflite_operand(reader, reader->outputs, 0);

	if (!input || !output || tflite_element_count(input) != tflite_element_count(output))
		return tflite_fail_unsupported(reader, "changes the number of values");
	output->node = input->node;
	if (input->node < 0) {	/* weights that are widened */
		output->data = input->data;
		output->type = input->type;
		output->scales = input->scales;
		output->zero_points = input->zero_points;
	}
	return 0;
}

static int read_padding(struct tflite_reader *reader)
{
	const struct tflite_tensor *input = tflite_operand(reader, reader->inputs, 0);
	struct tflite_tensor *output = tflite_operand(reader, reader->outputs, 0);
	int32_t p[8] = { 0 };	/* before and behind: batch, height, width, channels */
	int r = tflite_read_constants(reader, tflite_operand(reader, reader->inputs, 1), 8, p);

	if (r)
		return r;
	for (unsigned i = 0; i < 8; i++)
		if (p[i] < 0 || p[i] > (int32_t)LIMIT_MODEL_SIDE || (p[i] && (i < 2 || i > 5)))
			return tflite_fail_unsupported(reader,
				"pads other sides than height and width");
	if (!input || !output || input->node < 0 || input->rank != 4)
		return tflite_fail_unsupported(reader, "reads something that is no picture");
	output->node = input->node;
	output->padding[0] = (unsigned)p[2];
	output->padding[1] = (unsigned)p[4];
	output->padding[2] = (unsigned)p[3];
	output->padding[3] = (unsigned)p[5];
	/* what reads it convolves the unpadded value with this padding */
	memcpy(output->shape, input->shape, sizeof(output->shape));
	return 0;
}

static int read_mean(struct tflite_reader *reader)
{
	const struct tflite_tensor *input = tflite_operand(reader, reader->inputs, 0);
	int32_t axes[2] = { 0 };
	int r = tflite_read_constants(reader, tflite_operand(reader, reader->inputs, 1), 2, axes);

	if (r)
		return r;
	if (!input || input->rank != 4 || axes[0] < 1 || axes[0] > 2 ||
	    axes[1] != 3 - axes[0])
		return tflite_fail_unsupported(reader,
			"averages over other axes than height and width");
	return read_single(reader, GRAPH_GLOBAL_AVERAGE_POOL, ACTIVATION_NONE);
}

static int read_operator(struct tflite_reader *reader)
{
	switch (reader->code) {
	case TFLITE_ADD:
		return read_pair(reader, GRAPH_ADD);
	case TFLITE_MUL:
		return read_pair(reader, GRAPH_MULTIPLY);
	case TFLITE_AVERAGE_POOL_2D:
		return read_pool(reader, GRAPH_AVERAGE_POOL);
	case TFLITE_MAX_POOL_2D:
		return read_pool(reader, GRAPH_MAX_POOL);
	case TFLITE_CONCATENATION:
		return read_concat(reader);
	case TFLITE_CONV_2D:
		return read_convolution(reader, false);
	case TFLITE_DEPTHWISE_CONV_2D:
		return read_convolution(reader, true);
	case TFLITE_FULLY_CONNECTED:
		return read_fully_connected(reader);
	case TFLITE_LOGISTIC:
		return read_single(reader, GRAPH_SIGMOID, ACTIVATION_NONE);
	case TFLITE_RELU:
		return read_single(reader, GRAPH_CLAMP, ACTIVATION_RELU);
	case TFLITE_RELU_N1_TO_1:
		return read_single(reader, GRAPH_CLAMP, ACTIVATION_RELU_N1_TO_1);
	case TFLITE_RELU6:
		return read_single(reader, GRAPH_CLAMP, ACTIVATION_RELU6);
	case TFLITE_MEAN:
		return read_mean(reader);
	case TFLITE_PAD:
		return read_padding(reader);
	case TFLITE_DEQUANTIZE:
	case TFLITE_RESHAPE:
	case TFLITE_SQUEEZE:
	case TFLITE_SOFTMAX:	/* the engine turns the head's values into probabilities */
		return pass_on(reader);
	default:
		return tflite_fail_unsupported(reader, "is not supported");
	}
}

static int read_input(struct tflite_reader *reader, flatbuffer_table graph)
{
	struct blueprint *blueprint = reader->blueprint;
	struct tflite_tensor *tensor;
	struct blueprint_node *node = NULL;
	int r;

	reader->inputs = reader->outputs = flatbuffer_vector(&reader->buffer, graph, 1, 4);
	tensor = tflite_operand(reader, reader->inputs, 0);
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

static int read_output(struct tflite_reader *reader, flatbuffer_table graph)
{
	const struct tflite_tensor *tensor;

	reader->outputs = flatbuffer_vector(&reader->buffer, graph, 2, 4);
	tensor = tflite_operand(reader, reader->outputs, 0);
	if (!tensor || tensor->node < 0)
		return engine_fail(reader->error, ENGINE_BAD_MODEL,
				   "The file %s has no output that its operators compute.",
				   reader->file);
	reader->blueprint->classes = tensor->node;
	return 0;
}

static int read_graph(struct tflite_reader *reader, flatbuffer_table model)
{
	struct flatbuffer *b = &reader->buffer;
	struct flatbuffer_vector codes = flatbuffer_vector(b, model, 1, 4);
	struct flatbuffer_vector graphs = flatbuffer_vector(b, model, 2, 4);
	struct flatbuffer_vector tensors, operators;
	flatbuffer_table graph;
	int r = 0;

	if (b->damaged || graphs.count < 1)
		return tflite_fail_damaged(reader);
	reader->buffers = flatbuffer_vector(b, model, 4, 4);
	graph = flatbuffer_table_at(b, graphs, 0);
	tensors = flatbuffer_vector(b, graph, 0, 4);
	operators = flatbuffer_vector(b, graph, 3, 4);
	if (b->damaged)
		return tflite_fail_damaged(reader);
	reader->tensors = calloc(tensors.count + 1, sizeof(*reader->tensors));
	if (!reader->tensors)
		return engine_fail_memory(reader->error);
	for (size_t i = 0; r == 0 && i < tensors.count; i++) {
		r = tflite_read_tensor(reader, flatbuffer_table_at(b, tensors, i),
				       &reader->tensors[i]);
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
		r = b->damaged ? tflite_fail_damaged(reader) : read_operator(reader);
		if (r == 0 && b->damaged)
			r = tflite_fail_damaged(reader);
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
	struct tflite_reader reader = {
		.buffer = { .data = data, .size = size },
		.file = name, .blueprint = blueprint, .error = error,
	};
	flatbuffer_table model = flatbuffer_root(&reader.buffer);
	int r;

	if (flatbuffer_i32(&reader.buffer, model, 0, 0) != TFLITE_VERSION && !reader.buffer.damaged)
		return engine_fail(error, ENGINE_UNSUPPORTED,
				   "The file %s is of another version of TensorFlow Lite than %d.",
				   name, TFLITE_VERSION);
	r = reader.buffer.damaged ? tflite_fail_damaged(&reader) : read_graph(&reader, model);
	free(reader.tensors);
	return r;
}
