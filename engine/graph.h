/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * graph.h: the encoder as the model file describes it: nodes in the order in
 * which they run, each with the shape it yields, its weights and how its values
 * are quantised. Built once per model and immutable. MODEL.md documents the keys
 * it is read from.
 *
 * Every node yields one value of height × width × channels. A node may only read
 * nodes before it, so a graph in a valid file cannot have a cycle.
 */
#ifndef ENGINE_GRAPH_H
#define ENGINE_GRAPH_H

#include "engine/engine.h"
#include "engine/gguf.h"

enum graph_operator {
	GRAPH_INPUT,			/* the picture; always node 0 and only there */
	GRAPH_CONVOLUTION,		/* with groups; depthwise when groups = channels */
	GRAPH_FULLY_CONNECTED,		/* over all of its input, row by row, channels innermost */
	GRAPH_MAX_POOL,
	GRAPH_AVERAGE_POOL,
	GRAPH_GLOBAL_AVERAGE_POOL,
	GRAPH_CONCAT,			/* along the channels */
	GRAPH_ADD,			/* the second operand may be 1 × 1 × channels */
	GRAPH_MULTIPLY,			/* likewise */
	GRAPH_CLAMP,			/* ReLU, ReLU6 and the like standing alone */
	GRAPH_SIGMOID,
	GRAPH_SWISH,			/* x · sigmoid(x) */
	GRAPH_OPERATOR_COUNT,
};

/* The name in model files, "conv2d". */
const char *graph_operator_name(enum graph_operator operator);

struct graph_shape {
	unsigned height, width, channels;
};

/* value = scale · (stored − zero_point), stored in 0 … 255. A scale of 0 stands
 * for values that are not quantised. */
struct graph_quantisation {
	float scale;
	int32_t zero_point;
};

/* Kernel, stride, padding of convolutions and pools; 1, 1 and 0 elsewhere. */
struct graph_window {
	unsigned kernel_height, kernel_width;
	unsigned stride_height, stride_width;
	unsigned dilation_height, dilation_width;
	unsigned pad_top, pad_left, pad_bottom, pad_right;
};

struct graph_node {
	const char *name;
	enum graph_operator operator;
	unsigned index;
	const uint32_t *inputs;		/* indices of nodes before this one */
	unsigned input_count;
	struct graph_shape shape;	/* of the value it yields */
	struct graph_window window;
	unsigned groups;
	bool count_padding;		/* average pool: the divisor counts padding too */

	/* Every value is clamped to this before it is stored; ±infinity where the
	 * network does not limit it. For quantised nodes it is what 0 … 255 can hold,
	 * or less. */
	float minimum, maximum;
	struct graph_quantisation quantisation;
	/* The file's scale, in whose units the I32 biases of the nodes that read this
	 * one are; `quantisation` is finer where the file says so. */
	float file_scale;
	/* I8, one a channel: how often the 8-bit path stores it. 1: once; above: that
	 * many times, stacked; −2 and below: split into that many (copies.h). May be
	 * NULL. */
	const struct gguf_tensor *copies;

	/* Convolution: [channels, kernel_height, kernel_width, input channels / groups];
	 * fully connected: [channels, input elements]. F32, F16 or I8. NULL elsewhere. */
	const struct gguf_tensor *weight;
	/* One a channel, F32, or I32 in units of input scale × weight scale. May be
	 * NULL. */
	const struct gguf_tensor *bias;
	/* For I8 weights: weight = scale · (stored − zero_point), one of each for the
	 * whole tensor or one a channel. zero_point may be NULL, for 0. */
	const struct gguf_tensor *weight_scale;		/* F32 */
	const struct gguf_tensor *weight_zero_point;	/* I8 */

	uint64_t operations;		/* multiply-accumulates */
};

struct graph {
	const struct gguf *file;	/* that holds names and weights */
	struct graph_node *nodes;
	unsigned node_count;
	/* How the RGB bytes become the input's values: (byte − mean) / std. */
	float input_mean[3], input_std[3];
	/* Indices of the nodes whose values are the features; -1 where there is none.
	 * There is always a pool. */
	int pool, grid, classes;
	/* Every node is quantised, so the 8-bit path can run it. */
	bool quantised;
	uint64_t operations;
	uint32_t *inputs;		/* what the nodes' `inputs` point into */
};

/* Borrows the file, which must outlive the graph. */
int graph_open(const struct gguf *file, struct graph **ret_graph, struct engine_error *error);
struct graph *graph_free(struct graph *graph);

size_t graph_shape_count(const struct graph_shape *shape);

/* Weight tensors widened to 32-bit floats, scales and zero points applied.
 * `ret_weights` has weight->count elements, `ret_bias` shape.channels; without a
 * bias it is zeros. */
void graph_node_weights(const struct graph_node *node, float *ret_weights);
void graph_node_bias(const struct graph *graph, const struct graph_node *node, float *ret_bias);

#endif
