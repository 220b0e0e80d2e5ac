/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * depthwise_q8.c: convolutions of each channel by itself. Weights are turned to
 * [taps, channels] and freed of their zero point, so that the inner loop walks
 * over the channels of one pixel and one tap, side by side in both.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/kernels/q8.h"
#include "engine/threadpool.h"

struct depthwise {
	int16_t *weights;	/* taps × channels */
	int32_t *bias;		/* in units of input scale × weight scale */
	float *factors;		/* of such a unit, in steps of the output */
	int32_t low, high;	/* in the node's own steps */
	uint8_t store[256];	/* from the node's own steps to what is stored */
};

static bool fits(const struct kernel_task *task)
{
	const struct graph_node *node = task->node;
	const struct graph_node *input = &task->graph->nodes[node->inputs[0]];

	return node->groups == node->shape.channels && node->groups == input->shape.channels &&
	       node->weight->type == GGUF_TENSOR_I8 && node->weight_scale &&
	       input->quantisation.scale > 0 && node->quantisation.scale > 0 &&
	       node->weight->count / node->shape.channels <= 32768;
}

static void release(void *prepared)
{
	struct depthwise *depthwise = prepared;

	if (!depthwise)
		return;
	free(depthwise->weights);
	free(depthwise->bias);
	free(depthwise->factors);
	free(depthwise);
}

/* `finer`: the file's input scale in units of the one in use. */
static int32_t bias_of(const struct graph_node *node, unsigned channel, double unit, double finer)
{
	double units;

	if (!node->bias)
		return 0;
	if (node->bias->type == GGUF_TENSOR_I32)
		units = rint(((const int32_t *)node->bias->data)[channel] * finer);
	else
		units = rint((double)((const float *)node->bias->data)[channel] / unit);
	return units > 1e9 ? 1000000000 : units < -1e9 ? -1000000000 : (int32_t)units;
}

static int prepare(const struct kernel_task *task, void *packed, void **ret_prepared,
		   struct engine_error *error)
{
	const struct graph_node *node = task->node;
	struct graph_quantisation own = node->quantisation;
	const struct graph_node *input = &task->graph->nodes[node->inputs[0]];
	double input_scale = (double)input->quantisation.scale;
	double finer = (double)input->file_scale / input_scale;
	const float *scales = node->weight_scale->data;
	const int8_t *codes = node->weight->data;
	const int8_t *zeros = node->weight_zero_point ? node->weight_zero_point->data : NULL;
	size_t channels = node->shape.channels, taps = node->weight->count / channels;
	struct depthwise *depthwise = calloc(1, sizeof(*depthwise));

	(void)packed;
	if (!depthwise)
		return engine_fail_memory(error);
	depthwise->weights = calloc(node->weight->count, sizeof(*depthwise->weights));
	depthwise->bias = calloc(channels, sizeof(*depthwise->bias));
	depthwise->factors = calloc(channels, sizeof(*depthwise->factors));
	if (!depthwise->weights || !depthwise->bias || !depthwise->factors) {
		release(depthwise);
		return engine_fail_memory(error);
	}
	for (size_t c = 0; c < channels; c++) {
		double unit = input_scale * (double)scales[node->weight_scale->count > 1 ? c : 0];
		int zero = zeros ? zeros[node->weight_zero_point->count > 1 ? c : 0] : 0;

		for (size_t t = 0; t < taps; t++)
			depthwise->weights[t * channels + c] =
				(int16_t)(codes[c * taps + t] - zero);
		depthwise->bias[c] = bias_of(node, (unsigned)c, unit, finer);
		depthwise->factors[c] = (float)(unit / (double)own.scale);
	}
	depthwise->low = q8_store(node->minimum, own);
	depthwise->high = q8_store(node->maximum, own);
	for (int i = 0; i < 256; i++)
		depthwise->store[i] = q8_same(own, task->stored) ? (uint8_t)i :
				      q8_store(own.scale * (float)(i - own.zero_point), task->stored);
	*ret_prepared = depthwise;
	return 0;
}

/* One row of sums for each thread. */
static size_t scratch(const struct kernel_task *task, const void *prepared, unsigned threads)
{
	(void)prepared;
	return threads * task->node->shape.channels * sizeof(int32_t);
}

static void convolve(const struct kernel_call *call, unsigned out_y, unsigned out_x, int32_t *sums)
{
	const struct depthwise *depthwise = call->prepared;
	const struct graph_node *node = call->task->node;
	const struct graph_window *w = &node->window;
	const struct kernel_view *in = &call->inputs[0];
	int32_t zero = call->task->graph->nodes[node->inputs[0]].quantisation.zero_point;
	unsigned channels = node->shape.channels;
	const int16_t *weights = depthwise->weights;
	uint8_t *out = (uint8_t *)call->output.data + out_y * call->output.row_stride +
		       out_x * call->output.pixel_stride;

	memcpy(sums, depthwise->bias, channels * sizeof(*sums));
	for (unsigned ky = 0; ky < w->kernel_height; ky++) {
		unsigned y = out_y * w->stride_height + ky * w->dilation_height - w->pad_top;

		for (unsigned kx = 0; kx < w->kernel_width; kx++, weights += channels) {
			unsigned x = out_x * w->stride_width + kx * w->dilation_width - w->pad_left;
			const uint8_t *pixel;

			if (y >= in->shape.height || x >= in->shape.width)
				continue;
			pixel = (const uint8_t *)in->data + y * in->row_stride + x * in->pixel_stride;
			for (unsigned c = 0; c < channels; c++)
				sums[c] += (pixel[c] - zero) * weights[c];
		}
	}
	for (unsigned c = 0; c < channels; c++) {
		float q = rintf((float)sums[c] * depthwise->factors[c]) +
			  (float)node->quantisation.zero_point;

		q = q < (float)depthwise->low ? (float)depthwise->low :
		    q > (float)depthwise->high ? (float)depthwise->high : q;
		out[c] = depthwise->store[(uint8_t)q];
	}
}

static void convolve_rows(void *argument, unsigned index, unsigned count)
{
	const struct kernel_call *call = argument;
	int32_t *sums = (int32_t *)call->scratch + (size_t)index * call->output.shape.channels;
	size_t begin, end;

	threadpool_share(call->output.shape.height, 1, index, count, &begin, &end);
	for (size_t y = begin; y < end; y++)
		for (unsigned x = 0; x < call->output.shape.width; x++)
			convolve(call, (unsigned)y, x, sums);
}

static void run(const struct kernel_call *call)
{
	threadpool_run(call->pool, convolve_rows, (void *)call);
}

const struct kernel depthwise_q8 = {
	.name = "conv2d_q8_depthwise",
	.operator = GRAPH_CONVOLUTION,
	.type = KERNEL_Q8,
	.fits = fits,
	.prepare = prepare,
	.release = release,
	.scratch = scratch,
	.run = run,
};
