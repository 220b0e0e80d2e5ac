/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * convolution_q8.c: convolutions and fully connected layers of a graph, handed
 * to conv_q8.c. After the packing the original weights are given back to the
 * file's mapping, so that a model does not lie in memory twice.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/conv_q8.h"
#include "engine/error.h"
#include "engine/kernels/q8.h"

static bool uniform(const struct gguf_tensor *zero_points)
{
	const int8_t *values = zero_points->data;

	for (size_t i = 1; i < zero_points->count; i++)
		if (values[i] != values[0])
			return false;
	return true;
}

static bool quantised_weights(const struct kernel_task *task)
{
	const struct graph_node *node = task->node;
	const struct graph_node *input = &task->graph->nodes[node->inputs[0]];

	return node->weight->type == GGUF_TENSOR_I8 && node->weight_scale &&
	       (!node->weight_zero_point || uniform(node->weight_zero_point)) &&
	       input->quantisation.scale > 0 && node->quantisation.scale > 0 &&
	       node->weight->count / node->shape.channels <= 32768;
}

static bool fits_convolution(const struct kernel_task *task)
{
	const struct graph_window *w = &task->node->window;

	return task->node->groups == 1 && w->dilation_height == 1 && w->dilation_width == 1 &&
	       quantised_weights(task);
}

static unsigned stored_channels(const struct channel_layout *layout, unsigned channels)
{
	return layout ? layout->count : channels;
}

static void describe_convolution(const struct kernel_task *task, struct conv_q8_description *d)
{
	const struct graph_node *node = task->node;
	const struct graph_node *input = &task->graph->nodes[node->inputs[0]];
	const struct graph_window *w = &node->window;

	d->input_height = input->shape.height;
	d->input_width = input->shape.width;
	d->input_channels = stored_channels(task->input_layout, input->shape.channels);
	d->kernel_height = w->kernel_height;
	d->kernel_width = w->kernel_width;
	d->stride_y = w->stride_height;
	d->stride_x = w->stride_width;
	d->pad_top = w->pad_top;
	d->pad_left = w->pad_left;
	if (input->operator == GRAPH_INPUT)
		d->input_pixel_stride = input->shape.channels;
}

/* All of the input is one pixel of many channels. */
static void describe_fully_connected(const struct kernel_task *task, struct conv_q8_description *d)
{
	d->input_height = d->input_width = 1;
	d->input_channels = (unsigned)(task->node->weight->count / task->node->shape.channels);
	d->kernel_height = d->kernel_width = d->stride_y = d->stride_x = 1;
}

/* A bias in floats, or in units of the file's input scale, is brought to units of
 * input scale × weight scale. Copies differ by what is added to their values. */
static int32_t *round_bias(const struct kernel_task *task, const struct conv_q8_description *d)
{
	const struct graph_node *node = task->node;
	double finer = (double)task->graph->nodes[node->inputs[0]].file_scale / (double)d->input_scale;
	int32_t *bias = calloc(d->output_channels, sizeof(*bias));

	for (unsigned n = 0; bias && n < d->output_channels; n++) {
		unsigned channel = task->layout ? task->layout->channels[n].channel : n;
		double scale = (double)d->input_scale *
			(double)d->weight_scales[d->weight_scale_count > 1 ? n : 0];
		double units = 0;

		if (node->bias)
			units = node->bias->type == GGUF_TENSOR_I32 ?
				((const int32_t *)node->bias->data)[channel] * finer :
				(double)((const float *)node->bias->data)[channel] / scale;
		if (task->layout)
			units += stored_channel_offset(task->layout->channels[n]) *
				(double)d->output_scale / scale;
		units = rint(units);
		bias[n] = units > 1e9 ? 1000000000 : units < -1e9 ? -1000000000 : (int32_t)units;
	}
	return bias;
}

/* Bytes that follow each other in a pixel with copies and in one without. */
struct stretch {
	unsigned to, from, length;
};

/* The weights of a convolution between values that are stored with copies. */
struct expansion {
	const struct kernel_task *task;
	const int8_t *weights;		/* of the file */
	int32_t zero;
	unsigned input_channels;	/* of the file's weights */
	size_t taps, row;		/* of an output channel: taps, bytes when expanded */
	unsigned rows;
	struct stretch *stretches;	/* of the input's layout, if it has more bytes */
	unsigned *split;		/* bytes that have a part of their channel's weight */
	unsigned stretch_count, split_count;
	int8_t *expanded;
};

static int find_stretches(struct expansion *e, struct engine_error *error)
{
	const struct channel_layout *in = e->task->input_layout;

	if (!in || in->count == e->input_channels)
		return 0;
	e->stretches = calloc(in->count, sizeof(*e->stretches));
	e->split = calloc(in->count, sizeof(*e->split));
	if (!e->stretches || !e->split)
		return engine_fail_memory(error);
	for (unsigned k = 0; k < in->count; k++) {
		struct stored_channel stored = in->channels[k];

		if (k == 0 || stored.channel != in->channels[k - 1].channel + 1)
			e->stretches[e->stretch_count++] =
				(struct stretch){ .to = k, .from = stored.channel };
		e->stretches[e->stretch_count - 1].length++;
		if (stored.split)
			e->split[e->split_count++] = k;
	}
	return 0;
}

static void expand_tap(const struct expansion *e, const int8_t *from, int8_t *ret_to)
{
	for (unsigned i = 0; i < e->stretch_count; i++) {
		const struct stretch *stretch = &e->stretches[i];

		memcpy(ret_to + stretch->to, from + stretch->from, stretch->length);
	}
	for (unsigned i = 0; i < e->split_count; i++) {
		struct stored_channel stored = e->task->input_layout->channels[e->split[i]];
		int weight = from[stored.channel];

		ret_to[e->split[i]] =
			(int8_t)(e->zero + stored_channel_weight(stored, weight - e->zero));
	}
}

static void expand_rows(const struct expansion *e)
{
	const struct channel_layout *in = e->task->input_layout, *out = e->task->layout;

	for (size_t n = 0; n < e->rows; n++) {
		size_t channel = out ? out->channels[n].channel : n;
		const int8_t *from = e->weights + channel * e->taps * e->input_channels;
		int8_t *to = e->expanded + n * e->row;

		if (!e->stretches)
			memcpy(to, from, e->row);
		else
			for (size_t t = 0; t < e->taps; t++)
				expand_tap(e, from + t * e->input_channels, to + t * in->count);
	}
}

/* Weights and their scales for the copies that the input and the output have. What
 * is allocated is handed out, for the caller to free. */
static int expand(const struct kernel_task *task, struct conv_q8_description *d,
		  int8_t **ret_weights, float **ret_scales, struct engine_error *error)
{
	const struct graph_node *node = task->node;
	struct expansion e = {
		.task = task, .weights = node->weight->data, .zero = d->weight_zero,
		.input_channels = task->graph->nodes[node->inputs[0]].shape.channels,
		.taps = (size_t)d->kernel_height * d->kernel_width, .rows = d->output_channels,
	};
	int r;

	if (!task->layout && !task->input_layout)
		return 0;
	e.row = e.taps * d->input_channels;
	r = find_stretches(&e, error);
	if (r == 0) {
		e.expanded = *ret_weights = malloc(e.rows * e.row);
		r = e.expanded ? 0 : engine_fail_memory(error);
	}
	if (r == 0)
		expand_rows(&e);
	free(e.stretches);
	free(e.split);
	if (r)
		return r;
	d->weights = e.expanded;
	if (!task->layout || d->weight_scale_count == 1)
		return 0;
	*ret_scales = malloc(e.rows * sizeof(float));
	if (!*ret_scales)
		return engine_fail_memory(error);
	for (unsigned n = 0; n < e.rows; n++)
		(*ret_scales)[n] = d->weight_scales[task->layout->channels[n].channel];
	d->weight_scales = *ret_scales;
	d->weight_scale_count = e.rows;
	return 0;
}

static uint8_t larger(uint8_t a, uint8_t b)
{
	return a > b ? a : b;
}

static uint8_t smaller(uint8_t a, uint8_t b)
{
	return a < b ? a : b;
}

static struct conv_q8_description describe(const struct kernel_task *task)
{
	const struct graph_node *node = task->node;
	const struct graph_node *input = &task->graph->nodes[node->inputs[0]];
	struct conv_q8_description d = {
		.output_height = node->shape.height,
		.output_width = node->shape.width,
		.output_channels = stored_channels(task->layout, node->shape.channels),
		.weights = node->weight->data,
		.weights_signed = true,
		.weight_scales = node->weight_scale->data,
		.weight_scale_count = node->weight_scale->count,
		.input_scale = input->quantisation.scale,
		.input_zero = input->quantisation.zero_point,
		.output_scale = task->stored.scale,
		.output_zero = task->stored.zero_point,
		.minimum = larger(q8_store(node->minimum, task->stored),
				  q8_store(task->minimum, task->stored)),
		.maximum = smaller(q8_store(node->maximum, task->stored),
				   q8_store(task->maximum, task->stored)),
	};

	if (node->operator == GRAPH_CONVOLUTION)
		describe_convolution(task, &d);
	else
		describe_fully_connected(task, &d);
	if (node->weight_zero_point)
		d.weight_zero = *(const int8_t *)node->weight_zero_point->data;
	return d;
}

static size_t packed_size(const struct kernel_task *task)
{
	struct conv_q8_description d = describe(task);

	return conv_q8_set_size(&d, 1, isa_best());
}

static int prepare(const struct kernel_task *task, void *packed, void **ret_prepared,
		   struct engine_error *error)
{
	const struct graph_node *node = task->node;
	struct conv_q8_description d = describe(task);
	struct conv_q8_set *set;
	int32_t *bias = NULL;
	int8_t *weights = NULL;
	float *scales = NULL;
	int r;

	r = expand(task, &d, &weights, &scales, error);
	if (r == 0 && (node->bias || task->layout)) {
		d.bias = bias = round_bias(task, &d);
		if (!bias)
			r = engine_fail_memory(error);
	}
	if (r == 0)
		r = conv_q8_set_open(&d, 1, isa_best(), NULL, packed, &set, error);
	free(weights);
	free(scales);
	free(bias);
	if (r)
		return r;
	gguf_forget(task->graph->file, node->weight);
	*ret_prepared = set;
	return 0;
}

static void release(void *prepared)
{
	conv_q8_set_free(prepared);
}

static size_t scratch(const struct kernel_task *task, const void *prepared, unsigned threads)
{
	(void)task;
	(void)threads;
	return conv_q8_scratch_size(conv_q8_set_at(prepared, 0));
}

static void run(const struct kernel_call *call)
{
	struct conv_q8_call conv = {
		.conv = conv_q8_set_at(call->prepared, 0),
		.output = call->output.data,
		.output_pixel_stride = call->output.pixel_stride,
	};

	conv_q8_run(&conv, 1, call->inputs[0].data, call->inputs[0].pixel_stride, call->scratch,
		    call->pool);
}

const struct kernel convolution_q8 = {
	.name = "conv2d_q8",
	.operator = GRAPH_CONVOLUTION,
	.type = KERNEL_Q8,
	.fits = fits_convolution,
	.packed = packed_size,
	.prepare = prepare,
	.release = release,
	.scratch = scratch,
	.run = run,
};

const struct kernel fully_connected_q8 = {
	.name = "fully_connected_q8",
	.operator = GRAPH_FULLY_CONNECTED,
	.type = KERNEL_Q8,
	.fits = quantised_weights,
	.packed = packed_size,
	.prepare = prepare,
	.release = release,
	.scratch = scratch,
	.run = run,
};
