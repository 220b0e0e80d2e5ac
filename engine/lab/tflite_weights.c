/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tflite_weights.c: the weights of convolutions and matrix products. TFLite has them
 * output-major, as the engine wants them, but for depthwise ones. Codes of type
 * uint8 are kept as int8 by subtracting 128 from them and from their zero point.
 */
#include "engine/lab/tflite_reader.h"

#include <stdlib.h>
#include <string.h>

#include "engine/half.h"

/* Element `from` of the file's order goes to place `to` of the engine's. A
 * depthwise convolution has [1, height, width, channels] in the file. */
static size_t transposed(size_t to, size_t channels, size_t each)
{
	return to % each * channels + to / each;
}

static int copy_weights(struct tflite_reader *reader, const struct tflite_tensor *weight,
			bool depthwise, struct blueprint_node *node)
{
	const uint8_t *data = reader->buffer.data + weight->data.start;
	size_t count = tflite_element_count(weight), channels = node->shape.channels;
	size_t each = count / channels;

	if (weight->type == TFLITE_UINT8 || weight->type == TFLITE_INT8) {
		uint8_t flip = weight->type == TFLITE_UINT8 ? 0x80 : 0;

		node->codes = malloc(count);
		if (!node->codes)
			return engine_fail_memory(reader->error);
		for (size_t i = 0; i < count; i++)
			node->codes[i] = (int8_t)(flip ^
				data[depthwise ? transposed(i, channels, each) : i]);
		return 0;
	}
	node->weights = calloc(count, sizeof(*node->weights));
	if (!node->weights)
		return engine_fail_memory(reader->error);
	for (size_t i = 0; i < count; i++) {
		size_t from = depthwise ? transposed(i, channels, each) : i;
		uint16_t half;

		if (weight->type == TFLITE_FLOAT16) {
			memcpy(&half, data + 2 * from, sizeof(half));
			node->weights[i] = half_to_float(half);
		} else {
			memcpy(&node->weights[i], data + 4 * from, sizeof(float));
		}
	}
	return 0;
}

static int copy_scales(struct tflite_reader *reader, const struct tflite_tensor *weight,
		       struct blueprint_node *node)
{
	size_t count = weight->scales.count;
	bool zero = true;

	if (!node->codes)
		return 0;
	if (count != 1 && count != node->shape.channels)
		return tflite_fail_unsupported(reader,
					       "has 8-bit weights without scales that fit them");
	node->scale_count = count;
	node->scales = calloc(count, sizeof(*node->scales));
	node->zero_points = calloc(count, sizeof(*node->zero_points));
	if (!node->scales || !node->zero_points)
		return engine_fail_memory(reader->error);
	for (size_t i = 0; i < count; i++) {
		int64_t zero_point = i < weight->zero_points.count ?
			flatbuffer_i64_at(&reader->buffer, weight->zero_points, i) : 0;
		int shift = weight->type == TFLITE_UINT8 ? 128 : 0;

		if (zero_point < INT8_MIN + shift || zero_point > INT8_MAX + shift)
			return tflite_fail_unsupported(reader,
				"has weights with a zero point out of range");
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

static int copy_bias(struct tflite_reader *reader, const struct tflite_tensor *bias,
		     struct blueprint_node *node)
{
	size_t channels = node->shape.channels;
	enum tflite_type wanted;
	void *values;

	if (!bias)
		return 0;
	wanted = node->codes && node->quantisation.scale > 0 ? TFLITE_INT32 : TFLITE_FLOAT32;
	if (!bias->data.count || tflite_element_count(bias) != channels || bias->type != wanted)
		return tflite_fail_unsupported(reader, "has a bias of a wrong shape or type");
	values = calloc(channels, sizeof(float));
	if (!values)
		return engine_fail_memory(reader->error);
	memcpy(values, reader->buffer.data + bias->data.start, channels * sizeof(float));
	if (bias->type == TFLITE_INT32)
		node->integer_bias = values;
	else
		node->bias = values;
	return 0;
}

int tflite_read_weights(struct tflite_reader *reader, struct blueprint_node *node, bool depthwise)
{
	const struct tflite_tensor *weight = tflite_operand(reader, reader->inputs, 1);
	const struct tflite_tensor *bias = tflite_operand(reader, reader->inputs, 2);
	int r;

	if (!weight || !weight->data.count ||
	    (weight->type != TFLITE_FLOAT32 && weight->type != TFLITE_FLOAT16 &&
	     weight->type != TFLITE_UINT8 && weight->type != TFLITE_INT8))
		return tflite_fail_unsupported(reader,
			"has weights that are computed or of a type that is not supported");
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
		return tflite_fail_unsupported(reader, "has weights that do not fit its output");
	r = copy_weights(reader, weight, depthwise, node);
	if (r == 0)
		r = copy_scales(reader, weight, node);
	if (r == 0)
		r = copy_bias(reader, bias, node);
	return r;
}
