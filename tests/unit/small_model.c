/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * small_model.c: blueprints put together by hand.
 */
#include "tests/unit/small_model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/model.h"

float small_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (float)(*state >> 40) / 8388608.0f - 1.0f;
}

static struct blueprint_node *add(struct blueprint *blueprint, enum graph_operator operator,
				  const char *name, const unsigned *inputs, unsigned count)
{
	struct engine_error error;
	struct blueprint_node *node;

	assert_int_equal(blueprint_add(blueprint, operator, name, inputs, count, &node, &error), 0);
	if (count)
		node->shape = blueprint->nodes[inputs[0]].shape;
	return node;
}

static unsigned slide(unsigned in, unsigned kernel, unsigned stride, unsigned padding)
{
	return (in + 2 * padding - kernel) / stride + 1;
}

static void set_window(struct blueprint_node *node, unsigned kernel, unsigned stride,
		       unsigned padding)
{
	node->window = (struct graph_window){
		kernel, kernel, stride, stride, 1, 1, padding, padding, padding, padding,
	};
	node->shape.height = slide(node->shape.height, kernel, stride, padding);
	node->shape.width = slide(node->shape.width, kernel, stride, padding);
}

static void fill_weights(struct blueprint_node *node, uint64_t *state)
{
	size_t count = blueprint_weight_count(node), channels = node->weight_shape[0];

	node->weights = malloc(count * sizeof(float));
	node->bias = malloc(channels * sizeof(float));
	assert_non_null(node->weights);
	assert_non_null(node->bias);
	for (size_t i = 0; i < count; i++)
		node->weights[i] = small_random(state);
	for (size_t i = 0; i < channels; i++)
		node->bias[i] = small_random(state);
}

struct blueprint_node *small_convolution(struct blueprint *blueprint, const char *name,
					 unsigned input, unsigned channels, unsigned kernel,
					 unsigned stride, unsigned padding, unsigned groups,
					 uint64_t *state)
{
	struct blueprint_node *node = add(blueprint, GRAPH_CONVOLUTION, name, &input, 1);
	unsigned depth = node->shape.channels / groups;

	set_window(node, kernel, stride, padding);
	node->groups = groups;
	node->shape.channels = channels;
	node->weight_rank = 4;
	node->weight_shape[0] = channels;
	node->weight_shape[1] = node->weight_shape[2] = kernel;
	node->weight_shape[3] = depth;
	fill_weights(node, state);
	return node;
}

struct small_model small_model_write(const struct blueprint *blueprint)
{
	struct small_model model = { 0 };
	struct engine_error error;
	struct gguf_writer *writer;
	FILE *stream;
	char *text;
	size_t size;

	assert_int_equal(gguf_writer_open(&writer, &error), 0);
	gguf_writer_set_string(writer, "general.architecture", MODEL_ARCHITECTURE);
	gguf_writer_set_u32(writer, "descry.format", MODEL_FORMAT);
	blueprint_write(blueprint, writer);
	stream = open_memstream(&text, &size);
	assert_non_null(stream);
	assert_int_equal(gguf_writer_write_stream(writer, stream, "memory", &error), 0);
	fclose(stream);
	gguf_writer_free(writer);
	model.size = size;
	model.bytes = aligned_alloc(64, (size + 63) & ~(size_t)63);
	assert_non_null(model.bytes);
	memcpy(model.bytes, text, size);
	free(text);
	return model;
}

void small_model_free(struct small_model *model)
{
	free(model->bytes);
	*model = (struct small_model){ 0 };
}

static struct blueprint *start(unsigned width, unsigned height)
{
	struct engine_error error;
	struct blueprint *blueprint;
	struct blueprint_node *node;

	assert_int_equal(blueprint_open(&blueprint, &error), 0);
	blueprint->width = width;
	blueprint->height = height;
	for (unsigned c = 0; c < 3; c++) {
		blueprint->mean[c] = 128;
		blueprint->std[c] = 128;
	}
	node = add(blueprint, GRAPH_INPUT, "input", NULL, 0);
	node->shape = (struct graph_shape){ height, width, 3 };
	return blueprint;
}

struct small_model small_model_all_operators(void)
{
	struct blueprint *blueprint = start(12, 10);
	struct small_model model;
	struct blueprint_node *node;
	uint64_t state = 1;

	small_convolution(blueprint, "stem", 0, 8, 3, 1, 1, 1, &state)->minimum = 0;
	node = add(blueprint, GRAPH_MAX_POOL, "largest", (unsigned[]){ 1 }, 1);
	set_window(node, 3, 2, 1);
	node = add(blueprint, GRAPH_AVERAGE_POOL, "mean", (unsigned[]){ 1 }, 1);
	set_window(node, 3, 2, 1);
	node->count_padding = true;
	small_convolution(blueprint, "depthwise", 3, 8, 3, 1, 1, 8, &state)->maximum = 6;
	node = add(blueprint, GRAPH_CONCAT, "join", (unsigned[]){ 2, 4 }, 2);
	node->shape.channels = 16;
	node = add(blueprint, GRAPH_SWISH, "swish", (unsigned[]){ 5 }, 1);
	node = add(blueprint, GRAPH_GLOBAL_AVERAGE_POOL, "squeeze", (unsigned[]){ 6 }, 1);
	node->shape.height = node->shape.width = 1;
	small_convolution(blueprint, "excite", 7, 16, 1, 1, 0, 1, &state);
	add(blueprint, GRAPH_SIGMOID, "gate", (unsigned[]){ 8 }, 1);
	add(blueprint, GRAPH_MULTIPLY, "scaled", (unsigned[]){ 6, 9 }, 2);
	add(blueprint, GRAPH_ADD, "residual", (unsigned[]){ 10, 5 }, 2);
	node = add(blueprint, GRAPH_CLAMP, "relu6", (unsigned[]){ 11 }, 1);
	node->minimum = 0;
	node->maximum = 6;
	node = add(blueprint, GRAPH_GLOBAL_AVERAGE_POOL, "pool", (unsigned[]){ 12 }, 1);
	node->shape.height = node->shape.width = 1;
	node = add(blueprint, GRAPH_FULLY_CONNECTED, "head", (unsigned[]){ 13 }, 1);
	node->shape.channels = 5;
	node->weight_rank = 2;
	node->weight_shape[0] = 5;
	node->weight_shape[1] = 16;
	fill_weights(node, &state);
	blueprint->grid = 12;
	blueprint->pool = 13;
	blueprint->classes = 14;
	model = small_model_write(blueprint);
	blueprint_free(blueprint);
	return model;
}

/* Turns the floats of a node into 8-bit codes. */
static void quantise(struct blueprint_node *node)
{
	size_t count = blueprint_weight_count(node);

	node->codes = malloc(count);
	node->scales = malloc(sizeof(float));
	node->zero_points = malloc(1);
	node->scale_count = 1;
	node->scales[0] = 1.0f / 120;
	node->zero_points[0] = 5;
	for (size_t i = 0; i < count; i++)
		node->codes[i] = (int8_t)(rintf(node->weights[i] * 120) + 5 > 127 ? 127 :
					  rintf(node->weights[i] * 120) + 5);
	free(node->weights);
	node->weights = NULL;
}

struct small_model small_model_quantised(void)
{
	struct blueprint *blueprint = start(20, 16);
	struct small_model model;
	struct blueprint_node *node;
	uint64_t state = 7;
	const float scales[] = {
		1.0f / 128, 0.04f, 0.04f, 0.06f, 0.05f, 0.06f, 0.06f, 0.05f, 0.07f, 1.0f / 255,
		0.06f, 0.05f, 0.05f, 0.2f,
	};
	const int32_t zeros[] = { 128, 0, 0, 0, 0, 0, 0, 90, 60, 0, 70, 10, 10, 100 };

	small_convolution(blueprint, "stem", 0, 16, 3, 2, 0, 1, &state);
	node = add(blueprint, GRAPH_MAX_POOL, "largest", (unsigned[]){ 1 }, 1);
	set_window(node, 3, 1, 1);
	small_convolution(blueprint, "wide", 2, 24, 3, 1, 1, 1, &state);
	small_convolution(blueprint, "point", 1, 8, 1, 1, 0, 1, &state);
	node = add(blueprint, GRAPH_CONCAT, "join", (unsigned[]){ 3, 4 }, 2);
	node->shape.channels = 32;
	node = add(blueprint, GRAPH_AVERAGE_POOL, "mean", (unsigned[]){ 5 }, 1);
	set_window(node, 3, 1, 1);
	small_convolution(blueprint, "depthwise", 6, 32, 3, 1, 1, 32, &state);
	add(blueprint, GRAPH_ADD, "residual", (unsigned[]){ 7, 6 }, 2);
	add(blueprint, GRAPH_SIGMOID, "gate", (unsigned[]){ 8 }, 1);
	add(blueprint, GRAPH_MULTIPLY, "gated", (unsigned[]){ 8, 9 }, 2);
	add(blueprint, GRAPH_SWISH, "swish", (unsigned[]){ 10 }, 1);
	node = add(blueprint, GRAPH_AVERAGE_POOL, "pool", (unsigned[]){ 11 }, 1);
	node->window.kernel_height = node->shape.height;
	node->window.kernel_width = node->shape.width;
	node->shape.height = node->shape.width = 1;
	small_convolution(blueprint, "head", 12, 11, 1, 1, 0, 1, &state);
	for (unsigned i = 0; i < blueprint->count; i++) {
		node = &blueprint->nodes[i];
		node->quantisation = (struct graph_quantisation){ scales[i], zeros[i] };
		node->minimum = scales[i] * (float)(0 - zeros[i]);
		node->maximum = scales[i] * (float)(255 - zeros[i]);
		if (node->weights)
			quantise(node);
	}
	blueprint->grid = 11;
	blueprint->pool = 12;
	blueprint->classes = 13;
	model = small_model_write(blueprint);
	blueprint_free(blueprint);
	return model;
}

/* Convolutions, pools and a concat of concats, all in 8 bits; `groups` of the last
 * convolution but the head. */
static struct small_model write_copyable(unsigned groups)
{
	struct blueprint *blueprint = start(20, 16);
	struct small_model model;
	struct blueprint_node *node;
	uint64_t state = 11;
	const float scales[] = {
		1.0f / 128, 0.04f, 0.04f, 0.4f, 0.12f, 0.4f, 0.4f, 0.9f, 0.9f,
	};

	small_convolution(blueprint, "stem", 0, 16, 3, 1, 1, 1, &state);
	node = add(blueprint, GRAPH_MAX_POOL, "largest", (unsigned[]){ 1 }, 1);
	set_window(node, 3, 2, 1);
	small_convolution(blueprint, "wide", 2, 24, 3, 1, 1, 1, &state);
	small_convolution(blueprint, "point", 2, 8, 1, 1, 0, 1, &state);
	node = add(blueprint, GRAPH_CONCAT, "join", (unsigned[]){ 3, 4 }, 2);
	node->shape.channels = 32;
	node = add(blueprint, GRAPH_AVERAGE_POOL, "mean", (unsigned[]){ 5 }, 1);
	set_window(node, 3, 1, 1);
	small_convolution(blueprint, "last", 6, groups == 1 ? 20 : 32, groups == 1 ? 1 : 3, 1,
			  groups == 1 ? 0 : 1, groups, &state);
	node = add(blueprint, GRAPH_GLOBAL_AVERAGE_POOL, "pool", (unsigned[]){ 7 }, 1);
	node->shape.height = node->shape.width = 1;
	for (unsigned i = 0; i < blueprint->count; i++) {
		node = &blueprint->nodes[i];
		node->quantisation = (struct graph_quantisation){ scales[i], i == 0 ? 128 : 0 };
		node->minimum = i == 0 ? -1 : 0;
		node->maximum = scales[i] * (float)(i == 0 ? 127 : 255);
		if (node->weights)
			quantise(node);
	}
	blueprint->grid = 7;
	blueprint->pool = 8;
	model = small_model_write(blueprint);
	blueprint_free(blueprint);
	return model;
}

struct small_model small_model_copyable(void)
{
	return write_copyable(1);
}

struct small_model small_model_depthwise(void)
{
	return write_copyable(32);
}
