/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * onnx_layers.c: operators with windows or weights: convolutions, pools, means,
 * products, padding.
 */
#include "engine/lab/onnx_reader.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
static int read_window(struct onnx_reader *reader, struct blueprint_node *node, const unsigned *kernel)
{
	const struct graph_shape *in = &reader->blueprint->nodes[node->inputs[0]].shape;
	const Onnx__Attribute *automatic = onnx_find_attribute(reader, "auto_pad");
	const struct onnx_value *value = onnx_input(reader, 0);
	unsigned k[2], s[2], d[2], p[4];
	int r = 0;

	if (kernel)
		memcpy(k, kernel, sizeof(k));
	else
		r = onnx_sizes_attribute(reader, "kernel_shape", 2, 1, 0, k);
	if (r == 0)
		r = onnx_sizes_attribute(reader, "strides", 2, 1, 1, s);
	if (r == 0)
		r = onnx_sizes_attribute(reader, "dilations", 2, 1, 1, d);
	if (r == 0)
		r = onnx_sizes_attribute(reader, "pads", 4, 0, 0, p);
	if (r)
		return r;
	if (automatic && automatic->s.len >= 4 && memcmp(automatic->s.data, "SAME", 4) == 0) {
		bool upper = automatic->s.len == 10 &&
			     memcmp(automatic->s.data, "SAME_UPPER", 10) == 0;

		pad_same(in->height, k[0], s[0], d[0], upper, &p[0], &p[2]);
		pad_same(in->width, k[1], s[1], d[1], upper, &p[1], &p[3]);
	}
	if (onnx_int_attribute(reader, "ceil_mode", 0)) {
		unsigned below = reach_beyond(in->height, k[0], s[0], p[0], p[2]);
		unsigned beside = reach_beyond(in->width, k[1], s[1], p[1], p[3]);

		if ((below || beside) && node->operator == GRAPH_AVERAGE_POOL &&
		    onnx_int_attribute(reader, "count_include_pad", 0))
			return onnx_fail_unsupported(reader, "counts padding and reaches beyond it");
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

/* One bias a channel, where the operator has one. */
static int read_bias(struct onnx_reader *reader, struct blueprint_node *node, size_t index)
{
	const struct onnx_value *value = onnx_input(reader, index);
	size_t count;
	int r;

	if (!value)
		return 0;
	if (!value->constant)
		return onnx_fail_unsupported(reader, "has a bias that is computed");
	r = onnx_read_floats(reader, value->constant, &node->bias, &count);
	if (r == 0 && count != node->shape.channels)
		r = onnx_fail_unsupported(reader, "has a bias of a wrong size");
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

int onnx_read_convolution(struct onnx_reader *reader)
{
	const struct onnx_value *weight = onnx_input(reader, 1);
	const Onnx__Tensor *tensor = weight ? weight->constant : NULL;
	struct blueprint_node *node;
	unsigned from, kernel[2];
	float *floats = NULL;
	size_t count;
	int64_t group = onnx_int_attribute(reader, "group", 1);
	int r = onnx_picture_input(reader, 0, &from);

	if (r)
		return r;
	if (!tensor || tensor->n_dims != 4)
		return onnx_fail_unsupported(reader, "has weights that are computed or not of two dimensions");
	for (unsigned i = 0; i < 4; i++)
		if (tensor->dims[i] < 1 || tensor->dims[i] > (int64_t)LIMIT_MODEL_CHANNELS)
			return onnx_fail_unsupported(reader, "has weights of a size out of range");
	if (group < 1 || group > tensor->dims[0] || tensor->dims[0] % group ||
	    tensor->dims[1] * group != (int64_t)reader->blueprint->nodes[from].shape.channels)
		return onnx_fail_unsupported(reader, "has weights that do not fit its input");
	r = onnx_add_node(reader, GRAPH_CONVOLUTION, &from, 1, &node);
	if (r)
		return r;
	kernel[0] = (unsigned)tensor->dims[2];
	kernel[1] = (unsigned)tensor->dims[3];
	r = read_window(reader, node, kernel);
	if (r)
		return r;
	node->groups = (unsigned)group;
	if (!blueprint_slide(reader->blueprint, node, (unsigned)tensor->dims[0]))
		return onnx_fail_unsupported(reader, "has a kernel larger than its input");
	r = onnx_read_floats(reader, tensor, &floats, &count);
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

int onnx_read_pool(struct onnx_reader *reader, enum graph_operator operator)
{
	const struct onnx_value *value = onnx_input(reader, 0);
	struct blueprint_node *node;
	bool before = value && onnx_padded(value), own;
	unsigned from;
	int r = onnx_picture_input(reader, 0, &from);

	if (r)
		return r;
	/* zeros before a maximum are harmless only where nothing is below zero */
	if (before && operator == GRAPH_MAX_POOL && reader->blueprint->nodes[from].minimum < 0)
		return onnx_fail_unsupported(reader, "takes the maximum of a value padded with zeros");
	r = onnx_add_node(reader, operator, &from, 1, &node);
	if (r == 0)
		r = read_window(reader, node, NULL);
	if (r)
		return r;
	/* `value` may have moved when the node was added */
	value = onnx_input(reader, 0);
	own = node->window.pad_top != value->padding[0] || node->window.pad_left != value->padding[1] ||
	      node->window.pad_bottom != value->padding[2] ||
	      node->window.pad_right != value->padding[3];
	node->count_padding = operator == GRAPH_AVERAGE_POOL &&
			      (before || onnx_int_attribute(reader, "count_include_pad", 0));
	if (before && own && operator == GRAPH_AVERAGE_POOL &&
	    !onnx_int_attribute(reader, "count_include_pad", 0))
		return onnx_fail_unsupported(reader, "averages a padded value that it pads itself");
	if (!blueprint_slide(reader->blueprint, node, node->shape.channels))
		return onnx_fail_unsupported(reader, "has a kernel larger than its input");
	return 0;
}

int onnx_read_global_pool(struct onnx_reader *reader)
{
	struct blueprint_node *node;
	unsigned from;
	int r = onnx_picture_input(reader, 0, &from);

	if (r == 0)
		r = onnx_add_node(reader, GRAPH_GLOBAL_AVERAGE_POOL, &from, 1, &node);
	if (r == 0)
		node->shape.height = node->shape.width = 1;
	return r;
}

int onnx_read_mean(struct onnx_reader *reader)
{
	const Onnx__Attribute *axes = onnx_find_attribute(reader, "axes");
	struct onnx_value *value;
	int r;

	if (!axes || axes->n_ints != 2 ||
	    !((axes->ints[0] == 2 && axes->ints[1] == 3) ||
	      (axes->ints[0] == -2 && axes->ints[1] == -1) ||
	      (axes->ints[0] == -1 && axes->ints[1] == -2)))
		return onnx_fail_unsupported(reader, "averages over other axes than height and width");
	r = onnx_read_global_pool(reader);
	value = r == 0 ? onnx_find_value(reader, onnx_output_name(reader)) : NULL;
	if (value && !onnx_int_attribute(reader, "keepdims", 1))
		value->flat = true;
	return r;
}

/* The rows of `floats` are the outputs. Columns come in the order channel, row,
 * column of the flattened picture and leave as the engine has them. */
static int add_fully_connected(struct onnx_reader *reader, const float *floats, size_t rows,
			       size_t columns)
{
	const struct onnx_value *value = onnx_input(reader, 0);
	const struct graph_shape *shape;
	struct blueprint_node *node;
	unsigned from;
	int r;

	if (!value || value->node < 0 || onnx_padded(value))
		return onnx_fail_unsupported(reader, "reads something that is no picture");
	shape = &reader->blueprint->nodes[value->node].shape;
	if (!value->flat || graph_shape_count(shape) != columns || rows > LIMIT_MODEL_CHANNELS)
		return onnx_fail_unsupported(reader, "has weights that do not fit its input");
	from = (unsigned)value->node;
	r = onnx_add_node(reader, GRAPH_FULLY_CONNECTED, &from, 1, &node);
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
	onnx_find_value(reader, onnx_output_name(reader))->flat = true;
	return 0;
}

int onnx_read_product(struct onnx_reader *reader, bool transposed, bool with_bias)
{
	const struct onnx_value *weight = onnx_input(reader, 1);
	const Onnx__Tensor *tensor = weight ? weight->constant : NULL;
	struct blueprint_node *node;
	float *floats, *turned = NULL;
	size_t count, rows, columns;
	int r;

	if (!tensor || tensor->n_dims != 2)
		return onnx_fail_unsupported(reader, "has weights that are computed or of a wrong shape");
	if (with_bias && (onnx_float_attribute(reader, "alpha", 1) != 1 ||
			  onnx_float_attribute(reader, "beta", 1) != 1 ||
			  onnx_int_attribute(reader, "transA", 0)))
		return onnx_fail_unsupported(reader, "scales or transposes its input");
	r = onnx_read_floats(reader, tensor, &floats, &count);
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

int onnx_read_padding(struct onnx_reader *reader)
{
	const struct onnx_value *value = onnx_input(reader, 0);
	const Onnx__Attribute *mode = onnx_find_attribute(reader, "mode");
	const Onnx__Attribute *pads = onnx_find_attribute(reader, "pads");
	int64_t numbers[ONNX_NUMBERS_MAX];
	struct onnx_value *same;
	float constant;
	size_t count;
	int r = 0;

	if (!value || value->node < 0 || value->flat)
		return onnx_fail_unsupported(reader, "reads something that is no picture");
	if (pads && pads->n_ints <= ONNX_NUMBERS_MAX) {	/* before opset 11 */
		count = pads->n_ints;
		memcpy(numbers, pads->ints, count * sizeof(*numbers));
	} else {
		r = onnx_read_numbers(reader, onnx_input(reader, 1), numbers, &count);
	}
	if (r == 0)
		r = onnx_read_limit(reader, 2, "value", 0, &constant);
	if (r)
		return r;
	if ((mode && (mode->s.len != 8 || memcmp(mode->s.data, "constant", 8) != 0)) ||
	    constant != 0 || count != 8 || numbers[0] || numbers[1] || numbers[4] || numbers[5])
		return onnx_fail_unsupported(reader, "pads with something else than zeros around the picture");
	for (unsigned i = 0; i < 8; i++)
		if (numbers[i] < 0 || numbers[i] > (int64_t)LIMIT_MODEL_SIDE)
			return onnx_fail_unsupported(reader, "has a padding out of range");
	r = onnx_yield_same(reader, value);
	if (r)
		return r;
	same = onnx_find_value(reader, onnx_output_name(reader));
	same->padding[0] += (unsigned)numbers[2];
	same->padding[1] += (unsigned)numbers[3];
	same->padding[2] += (unsigned)numbers[6];
	same->padding[3] += (unsigned)numbers[7];
	return 0;
}
