/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tflite_reader.c: field numbers are those of TensorFlow's published schema
 * (schema.fbs, version 3).
 */
#include "engine/lab/tflite_reader.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int tflite_fail_damaged(const struct tflite_reader *reader)
{
	return engine_fail(reader->error, ENGINE_BAD_MODEL,
			   "The file %s is damaged: a part of it points outside. Get it again.",
			   reader->file);
}

static const char *builtin_name(int code)
{
	static const struct { int code; const char *name; } names[] = {
		{ TFLITE_ADD, "ADD" },
		{ TFLITE_AVERAGE_POOL_2D, "AVERAGE_POOL_2D" },
		{ TFLITE_CONCATENATION, "CONCATENATION" },
		{ TFLITE_CONV_2D, "CONV_2D" },
		{ TFLITE_DEPTHWISE_CONV_2D, "DEPTHWISE_CONV_2D" },
		{ TFLITE_DEQUANTIZE, "DEQUANTIZE" },
		{ TFLITE_FULLY_CONNECTED, "FULLY_CONNECTED" },
		{ TFLITE_LOGISTIC, "LOGISTIC" },
		{ TFLITE_MAX_POOL_2D, "MAX_POOL_2D" },
		{ TFLITE_MUL, "MUL" },
		{ TFLITE_RELU, "RELU" },
		{ TFLITE_RELU_N1_TO_1, "RELU_N1_TO_1" },
		{ TFLITE_RELU6, "RELU6" },
		{ TFLITE_RESHAPE, "RESHAPE" },
		{ TFLITE_SOFTMAX, "SOFTMAX" },
		{ TFLITE_PAD, "PAD" },
		{ TFLITE_MEAN, "MEAN" },
		{ TFLITE_SQUEEZE, "SQUEEZE" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == code)
			return names[i].name;
	return NULL;
}

/* The name of what the operator yields stands for the operator. */
static const char *operator_label(const struct tflite_reader *reader)
{
	struct flatbuffer buffer = reader->buffer;
	int32_t output = reader->outputs.count ?
			 flatbuffer_i32_at(&buffer, reader->outputs, 0) : -1;

	return output >= 0 && (size_t)output < reader->tensor_count ?
	       reader->tensors[output].name : "";
}

void tflite_set_unsupported(const struct tflite_reader *reader, const char *what)
{
	const char *name = builtin_name(reader->code);
	char number[32];

	snprintf(number, sizeof(number), "number %d", reader->code);
	engine_error_set(reader->error, "The file %s cannot be imported: operator %zu (%s, %s) %s.",
			 reader->file, reader->operator_index, name ? name : number,
			 operator_label(reader), what);
}

static size_t type_size(enum tflite_type type)
{
	switch (type) {
	case TFLITE_FLOAT32:
	case TFLITE_INT32:
		return 4;
	case TFLITE_FLOAT16:
		return 2;
	case TFLITE_UINT8:
	case TFLITE_INT8:
		return 1;
	}
	return 0;
}

size_t tflite_element_count(const struct tflite_tensor *tensor)
{
	size_t count = 1;

	for (unsigned i = 0; i < tensor->rank; i++)
		count *= tensor->shape[i];
	return count;
}

int tflite_read_tensor(struct tflite_reader *reader, flatbuffer_table table,
		       struct tflite_tensor *tensor)
{
	struct flatbuffer *buffer = &reader->buffer;
	struct flatbuffer_vector shape = flatbuffer_vector(buffer, table, 0, 4);
	flatbuffer_table quantisation = flatbuffer_field(buffer, table, 4);
	int32_t data = flatbuffer_i32(buffer, table, 2, 0);
	size_t count = 1;

	*tensor = (struct tflite_tensor){
		.table = table, .node = -1, .rank = (unsigned)shape.count,
	};
	flatbuffer_string(buffer, table, 3, tensor->name, sizeof(tensor->name));
	tensor->type = (enum tflite_type)flatbuffer_u8(buffer, table, 1, TFLITE_FLOAT32);
	if (shape.count > TFLITE_RANK_MAX)
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
		flatbuffer_table holder = flatbuffer_table_at(buffer, reader->buffers,
							      (size_t)data);

		tensor->data = flatbuffer_vector(buffer, holder, 0, 1);
		if (tensor->data.count && tensor->data.count != count * type_size(tensor->type))
			return engine_fail(reader->error, ENGINE_BAD_MODEL,
					   "The file %s has the tensor %s with %zu bytes of data where %zu belong.",
					   reader->file, tensor->name, tensor->data.count,
					   count * type_size(tensor->type));
	}
	return buffer->damaged ? tflite_fail_damaged(reader) : 0;
}

struct tflite_tensor *tflite_operand(struct tflite_reader *reader, struct flatbuffer_vector list,
				     size_t index)
{
	int32_t number;

	if (index >= list.count)
		return NULL;
	number = flatbuffer_i32_at(&reader->buffer, list, index);
	if (number < 0 || (size_t)number >= reader->tensor_count)
		return NULL;
	return &reader->tensors[number];
}

struct graph_shape tflite_image_shape(const struct tflite_tensor *tensor)
{
	if (tensor->rank == 4)
		return (struct graph_shape){ tensor->shape[1], tensor->shape[2], tensor->shape[3] };
	return (struct graph_shape){ 1, 1, (unsigned)tflite_element_count(tensor) };
}

int tflite_read_quantisation(struct tflite_reader *reader, const struct tflite_tensor *tensor,
			     struct graph_quantisation *ret_quantisation)
{
	float scale;
	int64_t zero_point;
	int shift = 0;

	if (tensor->type != TFLITE_UINT8 && tensor->type != TFLITE_INT8) {
		*ret_quantisation = (struct graph_quantisation){ 0 };
		return 0;
	}
	if (tensor->scales.count != 1)
		return tflite_fail_unsupported(reader, "yields 8-bit values without one scale");
	scale = flatbuffer_f32_at(&reader->buffer, tensor->scales, 0);
	zero_point = tensor->zero_points.count ?
		     flatbuffer_i64_at(&reader->buffer, tensor->zero_points, 0) : 0;
	if (tensor->type == TFLITE_INT8)
		shift = 128;
	if (!isfinite(scale) || scale <= 0 || zero_point < -shift || zero_point > 255 - shift)
		return tflite_fail_unsupported(reader,
			"yields values with a scale or zero point out of range");
	*ret_quantisation = (struct graph_quantisation){ scale, (int32_t)(zero_point + shift) };
	return 0;
}

int tflite_read_constants(struct tflite_reader *reader, const struct tflite_tensor *tensor,
			  size_t wanted, int32_t *ret_values)
{
	if (!tensor || tensor->type != TFLITE_INT32 ||
	    tensor->data.count != wanted * sizeof(int32_t))
		return tflite_fail_unsupported(reader, "has parameters that are not supported");
	memcpy(ret_values, reader->buffer.data + tensor->data.start, wanted * sizeof(int32_t));
	return 0;
}
