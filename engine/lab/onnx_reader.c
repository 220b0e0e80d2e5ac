/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * onnx_reader.c: the values that an ONNX file names, and what a node says about
 * itself: attributes, inputs, constants, what it yields.
 */
#include "engine/lab/onnx_reader.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void onnx_set_unsupported(const struct onnx_reader *reader, const char *what)
{
	const Onnx__Node *node = reader->node;

	engine_error_set(reader->error,
			 "The file %s cannot be imported: the operator %s at node %s %s.",
			 reader->file, node->op_type,
			 *node->name || !node->n_output ? node->name : node->output[0], what);
}

struct onnx_value *onnx_find_value(struct onnx_reader *reader, const char *name)
{
	for (size_t i = reader->value_count; i-- > 0;)
		if (strcmp(reader->values[i].name, name) == 0)
			return &reader->values[i];
	return NULL;
}

int onnx_add_value(struct onnx_reader *reader, const char *name, struct onnx_value **ret_value)
{
	if (reader->value_count == reader->value_capacity) {
		size_t capacity = reader->value_capacity ? 2 * reader->value_capacity : 256;
		struct onnx_value *grown = reallocarray(reader->values, capacity, sizeof(*grown));

		if (!grown)
			return engine_fail_memory(reader->error);
		reader->values = grown;
		reader->value_capacity = capacity;
	}
	*ret_value = &reader->values[reader->value_count++];
	**ret_value = (struct onnx_value){ .name = name, .node = -1 };
	return 0;
}

const Onnx__Attribute *onnx_find_attribute(const struct onnx_reader *reader, const char *name)
{
	for (size_t i = 0; i < reader->node->n_attribute; i++)
		if (strcmp(reader->node->attribute[i]->name, name) == 0)
			return reader->node->attribute[i];
	return NULL;
}

int64_t onnx_int_attribute(const struct onnx_reader *reader, const char *name, int64_t otherwise)
{
	const Onnx__Attribute *attribute = onnx_find_attribute(reader, name);

	return attribute ? attribute->i : otherwise;
}

float onnx_float_attribute(const struct onnx_reader *reader, const char *name, float otherwise)
{
	const Onnx__Attribute *attribute = onnx_find_attribute(reader, name);

	return attribute ? attribute->f : otherwise;
}

int onnx_sizes_attribute(const struct onnx_reader *reader, const char *name, size_t count,
			 int64_t minimum, unsigned otherwise, unsigned *ret_sizes)
{
	const Onnx__Attribute *attribute = onnx_find_attribute(reader, name);

	if (attribute && attribute->n_ints != count)
		return onnx_fail_unsupported(reader, "is not of two dimensions");
	for (size_t i = 0; i < count; i++) {
		int64_t size = attribute ? attribute->ints[i] : otherwise;

		if (size < minimum || size > (int64_t)LIMIT_MODEL_SIDE)
			return onnx_fail_unsupported(reader, "has a size out of range");
		ret_sizes[i] = (unsigned)size;
	}
	return 0;
}

struct onnx_value *onnx_input(struct onnx_reader *reader, size_t index)
{
	if (index >= reader->node->n_input || !*reader->node->input[index])
		return NULL;
	return onnx_find_value(reader, reader->node->input[index]);
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

int onnx_read_floats(struct onnx_reader *reader, const Onnx__Tensor *tensor, float **ret_floats,
		     size_t *ret_count)
{
	size_t count = element_count(tensor);
	const void *source = NULL;

	if (tensor->data_type != DATA_FLOAT)
		return onnx_fail_unsupported(reader, "has constants that are not 32-bit floats");
	if (tensor->data_location)
		return onnx_fail_unsupported(reader, "has constants in another file");
	if (tensor->n_float_data && tensor->n_float_data == count)
		source = tensor->float_data;
	else if (count < SIZE_MAX / 4 && tensor->raw_data.len == count * sizeof(float))
		source = tensor->raw_data.data;
	if (!source || !count)
		return onnx_fail_unsupported(reader, "has constants whose data do not fit their shape");
	*ret_floats = calloc(count, sizeof(float));
	if (!*ret_floats)
		return engine_fail_memory(reader->error);
	memcpy(*ret_floats, source, count * sizeof(float));
	*ret_count = count;
	return 0;
}

int onnx_read_numbers(struct onnx_reader *reader, const struct onnx_value *value, int64_t *ret_numbers,
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
		return onnx_fail_unsupported(reader, "has parameters that are computed from the picture");
	count = element_count(tensor);
	if (count > ONNX_NUMBERS_MAX)
		return onnx_fail_unsupported(reader, "has too many parameters");
	if (tensor->n_int64_data == count)
		memcpy(ret_numbers, tensor->int64_data, count * sizeof(int64_t));
	else if (tensor->raw_data.len == count * sizeof(int64_t))
		memcpy(ret_numbers, tensor->raw_data.data, count * sizeof(int64_t));
	else
		return onnx_fail_unsupported(reader, "has constants whose data do not fit their shape");
	*ret_count = count;
	return 0;
}

const char *onnx_output_name(const struct onnx_reader *reader)
{
	return reader->node->n_output ? reader->node->output[0] : "";
}

const char *onnx_node_name(const struct onnx_reader *reader)
{
	return *reader->node->name ? reader->node->name : onnx_output_name(reader);
}

int onnx_yield_newest(struct onnx_reader *reader)
{
	struct onnx_value *value;
	int r = onnx_add_value(reader, onnx_output_name(reader), &value);

	if (r == 0)
		value->node = (int)reader->blueprint->count - 1;
	return r;
}

int onnx_yield_same(struct onnx_reader *reader, const struct onnx_value *other)
{
	struct onnx_value copy = *other, *value;
	int r = onnx_add_value(reader, onnx_output_name(reader), &value);

	if (r)
		return r;
	copy.name = value->name;
	*value = copy;
	return 0;
}

int onnx_yield_numbers(struct onnx_reader *reader, const int64_t *numbers, size_t count)
{
	struct onnx_value *value;
	int r;

	if (count > ONNX_NUMBERS_MAX)
		return onnx_fail_unsupported(reader, "computes too many numbers");
	r = onnx_add_value(reader, onnx_output_name(reader), &value);
	if (r)
		return r;
	value->is_numbers = true;
	value->number_count = count;
	memcpy(value->numbers, numbers, count * sizeof(*numbers));
	return 0;
}

int onnx_add_node(struct onnx_reader *reader, enum graph_operator operator, const unsigned *inputs,
		  unsigned count, struct blueprint_node **ret_node)
{
	int r = blueprint_add(reader->blueprint, operator, onnx_node_name(reader), inputs, count, ret_node,
			      reader->error);

	if (r == 0)
		(*ret_node)->shape = reader->blueprint->nodes[inputs[0]].shape;
	return r ? r : onnx_yield_newest(reader);
}

int onnx_picture_input(struct onnx_reader *reader, size_t index, unsigned *ret_node)
{
	const struct onnx_value *value = onnx_input(reader, index);

	if (!value || value->node < 0 || value->flat)
		return onnx_fail_unsupported(reader, "reads something that is no picture");
	*ret_node = (unsigned)value->node;
	return 0;
}

bool onnx_padded(const struct onnx_value *value)
{
	return value->padding[0] || value->padding[1] || value->padding[2] || value->padding[3];
}
