/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * onnx_arithmetic.c: operators value by value, and normalisation, which becomes a
 * scale and an offset of the layer before.
 */
#include "engine/lab/onnx_reader.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int onnx_read_clamp(struct onnx_reader *reader, float minimum, float maximum)
{
	const struct onnx_value *value = onnx_input(reader, 0);
	struct blueprint_node *node;
	bool flat;
	unsigned from;
	int r;

	if (!value || value->node < 0 || onnx_padded(value))
		return onnx_fail_unsupported(reader, "reads something that is no picture");
	from = (unsigned)value->node;
	flat = value->flat;
	r = onnx_add_node(reader, GRAPH_CLAMP, &from, 1, &node);
	if (r)
		return r;
	node->minimum = minimum;
	node->maximum = maximum;
	onnx_find_value(reader, onnx_output_name(reader))->flat = flat;
	return 0;
}

int onnx_read_limit(struct onnx_reader *reader, size_t index, const char *attribute, float otherwise,
		    float *ret_limit)
{
	const struct onnx_value *value = onnx_input(reader, index);
	float *floats;
	size_t count;
	int r;

	if (!value) {
		*ret_limit = onnx_float_attribute(reader, attribute, otherwise);
		return 0;
	}
	if (!value->constant)
		return onnx_fail_unsupported(reader, "has a limit that is computed");
	r = onnx_read_floats(reader, value->constant, &floats, &count);
	if (r)
		return r;
	*ret_limit = floats[0];
	free(floats);
	return count == 1 ? 0 : onnx_fail_unsupported(reader, "has more than one limit");
}

int onnx_read_clip(struct onnx_reader *reader)
{
	float minimum, maximum;
	int r = onnx_read_limit(reader, 1, "min", -INFINITY, &minimum);

	if (r == 0)
		r = onnx_read_limit(reader, 2, "max", INFINITY, &maximum);
	return r ? r : onnx_read_clamp(reader, minimum, maximum);
}

int onnx_read_sigmoid(struct onnx_reader *reader)
{
	struct blueprint_node *node;
	unsigned from;
	int r = onnx_picture_input(reader, 0, &from);

	return r ? r : onnx_add_node(reader, GRAPH_SIGMOID, &from, 1, &node);
}

/* One float a channel of the value that is scaled: from one for all, or [C], or
 * [C, 1, 1] and the like. */
static int read_channel_constants(struct onnx_reader *reader, const Onnx__Tensor *tensor,
				  size_t channels, bool flat, float **ret_floats)
{
	size_t count, last = tensor->n_dims ? (size_t)tensor->dims[tensor->n_dims - 1] : 1;
	float *floats, *spread;
	bool inner = !flat && tensor->n_dims > 0 && last != 1;
	int r = onnx_read_floats(reader, tensor, &floats, &count);

	if (r)
		return r;
	if ((count != 1 && count != channels) || (count != 1 && inner)) {
		free(floats);
		return onnx_fail_unsupported(reader, "has a constant that is not one for each channel");
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
static int read_constant_arithmetic(struct onnx_reader *reader, char operation, size_t value_index)
{
	const struct onnx_value *value = onnx_input(reader, value_index);
	const Onnx__Tensor *tensor = onnx_input(reader, 1 - value_index)->constant;
	const struct graph_shape *shape = &reader->blueprint->nodes[value->node].shape;
	size_t channels = shape->channels;
	unsigned from = (unsigned)value->node;
	float *constants, *others;
	bool flat = value->flat;
	int r;

	if (onnx_padded(value) || (flat && (shape->height > 1 || shape->width > 1)) ||
	    (value_index == 1 && operation == '/'))
		return onnx_fail_unsupported(reader, "computes with a constant in a way that is not supported");
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
	r = blueprint_affine(reader->blueprint, onnx_node_name(reader), from, constants, others,
			     reader->error);
	free(constants);
	free(others);
	if (r == 0)
		r = onnx_yield_newest(reader);
	if (r == 0)
		onnx_find_value(reader, onnx_output_name(reader))->flat = flat;
	return r;
}

int onnx_read_arithmetic(struct onnx_reader *reader, char operation)
{
	const struct onnx_value *a = onnx_input(reader, 0), *b = onnx_input(reader, 1);
	const struct graph_shape *first, *second;
	struct blueprint_node *node;
	unsigned inputs[2];

	if (!a || !b)
		return onnx_fail_unsupported(reader, "reads something that was not computed before it");
	if (a->node >= 0 && b->constant)
		return read_constant_arithmetic(reader, operation, 0);
	if (b->node >= 0 && a->constant)
		return read_constant_arithmetic(reader, operation, 1);
	if (a->node < 0 || b->node < 0 || a->flat || b->flat || onnx_padded(a) || onnx_padded(b) ||
	    (operation != '+' && operation != '*'))
		return onnx_fail_unsupported(reader, "joins values in a way that is not supported");
	inputs[0] = (unsigned)a->node;
	inputs[1] = (unsigned)b->node;
	first = &reader->blueprint->nodes[inputs[0]].shape;
	second = &reader->blueprint->nodes[inputs[1]].shape;
	/* only the second operand of the engine's may be one pixel for all */
	if (first->height * first->width < second->height * second->width) {
		inputs[0] = (unsigned)b->node;
		inputs[1] = (unsigned)a->node;
	}
	return onnx_add_node(reader, operation == '+' ? GRAPH_ADD : GRAPH_MULTIPLY, inputs, 2, &node);
}

int onnx_read_normalisation(struct onnx_reader *reader)
{
	float epsilon = onnx_float_attribute(reader, "epsilon", 1e-5f);
	float *parts[4] = { NULL };	/* scale, bias, mean, variance */
	unsigned from;
	size_t count;
	int r = onnx_picture_input(reader, 0, &from);

	if (r == 0 && onnx_padded(onnx_input(reader, 0)))
		r = onnx_fail_unsupported(reader, "reads a padded value");
	for (unsigned i = 0; i < 4 && r == 0; i++) {
		const struct onnx_value *value = onnx_input(reader, i + 1);

		if (!value || !value->constant)
			r = onnx_fail_unsupported(reader, "has statistics that are computed");
		else
			r = onnx_read_floats(reader, value->constant, &parts[i], &count);
		if (r == 0 && count != reader->blueprint->nodes[from].shape.channels)
			r = onnx_fail_unsupported(reader, "has statistics that do not fit its input");
	}
	if (r == 0) {
		for (size_t i = 0; i < count; i++) {
			double scale = (double)parts[0][i] /
				       sqrt((double)parts[3][i] + (double)epsilon);

			parts[1][i] = (float)((double)parts[1][i] - (double)parts[2][i] * scale);
			parts[0][i] = (float)scale;
		}
		r = blueprint_affine(reader->blueprint, onnx_node_name(reader), from, parts[0], parts[1],
				     reader->error);
	}
	for (unsigned i = 0; i < 4; i++)
		free(parts[i]);
	return r ? r : onnx_yield_newest(reader);
}
