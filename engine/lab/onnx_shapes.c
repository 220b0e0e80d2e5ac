/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * onnx_shapes.c: operators that join values or only change their shape, and the
 * constant arithmetic on shapes that exporters leave behind.
 */
#include "engine/lab/onnx_reader.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int onnx_read_concat(struct onnx_reader *reader)
{
	size_t count = reader->node->n_input, number_count = 0;
	int64_t axis = onnx_int_attribute(reader, "axis", 1), numbers[ONNX_NUMBERS_MAX];
	struct blueprint_node *node;
	unsigned *inputs, channels = 0;
	int r = 0;

	if (count && onnx_input(reader, 0) && (onnx_input(reader, 0)->is_numbers || onnx_input(reader, 0)->constant)) {
		for (size_t i = 0; i < count && r == 0; i++) {
			int64_t part[ONNX_NUMBERS_MAX];
			size_t part_count;

			r = onnx_read_numbers(reader, onnx_input(reader, i), part, &part_count);
			if (r == 0 && number_count + part_count > ONNX_NUMBERS_MAX)
				r = onnx_fail_unsupported(reader, "joins too many numbers");
			for (size_t j = 0; r == 0 && j < part_count; j++)
				numbers[number_count++] = part[j];
		}
		return r ? r : onnx_yield_numbers(reader, numbers, number_count);
	}
	if ((axis != 1 && axis != -3) || !count || count > LIMIT_MODEL_NODES)
		return onnx_fail_unsupported(reader, "joins along another axis than the channels");
	inputs = calloc(count, sizeof(*inputs));
	if (!inputs)
		return engine_fail_memory(reader->error);
	for (size_t i = 0; i < count && r == 0; i++) {
		r = onnx_picture_input(reader, i, &inputs[i]);
		if (r == 0 && onnx_padded(onnx_input(reader, i)))
			r = onnx_fail_unsupported(reader, "joins padded values");
		if (r == 0)
			channels += reader->blueprint->nodes[inputs[i]].shape.channels;
	}
	if (r == 0)
		r = onnx_add_node(reader, GRAPH_CONCAT, inputs, (unsigned)count, &node);
	if (r == 0)
		node->shape.channels = channels;
	free(inputs);
	return r;
}

int onnx_read_flatten(struct onnx_reader *reader)
{
	const struct onnx_value *value = onnx_input(reader, 0);
	struct onnx_value *same;
	int r;

	if (!value || value->node < 0 || onnx_padded(value))
		return onnx_fail_unsupported(reader, "reads something that is no picture");
	r = onnx_yield_same(reader, value);
	if (r)
		return r;
	same = onnx_find_value(reader, onnx_output_name(reader));
	same->flat = true;
	return 0;
}

int onnx_read_reshape(struct onnx_reader *reader)
{
	const struct onnx_value *value = onnx_input(reader, 0);
	const struct graph_shape *shape;
	int64_t numbers[ONNX_NUMBERS_MAX];
	size_t count;
	int r;

	if (!value || value->node < 0)
		return onnx_fail_unsupported(reader, "reads something that is no picture");
	shape = &reader->blueprint->nodes[value->node].shape;
	r = onnx_read_numbers(reader, onnx_input(reader, 1), numbers, &count);
	if (r)
		return r;
	if (count == 2)
		return onnx_read_flatten(reader);
	if (count == 4 && shape->height == 1 && shape->width == 1 &&
	    (numbers[1] == (int64_t)shape->channels || numbers[1] == -1)) {
		r = onnx_yield_same(reader, value);
		if (r == 0)
			onnx_find_value(reader, onnx_output_name(reader))->flat = false;
		return r;
	}
	return onnx_fail_unsupported(reader, "changes the shape in a way that is not supported");
}

int onnx_read_squeeze(struct onnx_reader *reader)
{
	const struct onnx_value *value = onnx_input(reader, 0);
	const struct graph_shape *shape;

	if (value && value->is_numbers)
		return onnx_yield_same(reader, value);
	if (!value || value->node < 0)
		return onnx_fail_unsupported(reader, "reads something that is no picture");
	shape = &reader->blueprint->nodes[value->node].shape;
	if (shape->height != 1 || shape->width != 1)
		return onnx_fail_unsupported(reader, "removes dimensions that are larger than one");
	return onnx_read_flatten(reader);
}

int onnx_read_pass_on(struct onnx_reader *reader)
{
	const struct onnx_value *value = onnx_input(reader, 0);

	if (!value)
		return onnx_fail_unsupported(reader, "reads something that was not computed before it");
	return onnx_yield_same(reader, value);
}

int onnx_read_numbers_as_they_are(struct onnx_reader *reader)
{
	const struct onnx_value *value = onnx_input(reader, 0);

	if (!value || value->node >= 0)
		return onnx_fail_unsupported(reader, "changes a picture in a way that is not supported");
	return onnx_yield_same(reader, value);
}

int onnx_read_constant(struct onnx_reader *reader)
{
	const Onnx__Attribute *attribute = onnx_find_attribute(reader, "value");
	struct onnx_value *value;
	int r;

	if (!attribute || !attribute->t)
		return onnx_fail_unsupported(reader, "has no tensor as its value");
	r = onnx_add_value(reader, onnx_output_name(reader), &value);
	if (r == 0)
		value->constant = attribute->t;
	return r;
}

int onnx_read_shape(struct onnx_reader *reader)
{
	const struct onnx_value *value = onnx_input(reader, 0);
	const struct graph_shape *shape;

	if (!value || value->node < 0 || onnx_padded(value))
		return onnx_fail_unsupported(reader, "reads something that is no picture");
	shape = &reader->blueprint->nodes[value->node].shape;
	if (value->flat)
		return onnx_yield_numbers(reader, (int64_t[]){ 1, (int64_t)graph_shape_count(shape) }, 2);
	return onnx_yield_numbers(reader, (int64_t[]){ 1, shape->channels, shape->height, shape->width }, 4);
}

int onnx_read_gather(struct onnx_reader *reader)
{
	int64_t from[ONNX_NUMBERS_MAX], indices[ONNX_NUMBERS_MAX], chosen[ONNX_NUMBERS_MAX];
	size_t from_count, index_count;
	int r = onnx_read_numbers(reader, onnx_input(reader, 0), from, &from_count);

	if (r == 0)
		r = onnx_read_numbers(reader, onnx_input(reader, 1), indices, &index_count);
	if (r)
		return r;
	for (size_t i = 0; i < index_count; i++) {
		int64_t index = indices[i] < 0 ? indices[i] + (int64_t)from_count : indices[i];

		if (index < 0 || index >= (int64_t)from_count)
			return onnx_fail_unsupported(reader, "chooses a number that is not there");
		chosen[i] = from[index];
	}
	return onnx_yield_numbers(reader, chosen, index_count);
}
