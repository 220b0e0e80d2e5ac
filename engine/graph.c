/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * graph.c: builds the graph from the model file. The file has one array per
 * property with an element (or a pair, or four) for each node, so that any GGUF
 * viewer shows them side by side. Shapes are not stored: they follow from the
 * input's and are inferred here, which leaves nothing to contradict itself.
 */
#include "engine/graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/limits.h"

static const char *const operator_names[GRAPH_OPERATOR_COUNT] = {
	[GRAPH_INPUT] = "input",
	[GRAPH_CONVOLUTION] = "conv2d",
	[GRAPH_FULLY_CONNECTED] = "fully_connected",
	[GRAPH_MAX_POOL] = "max_pool",
	[GRAPH_AVERAGE_POOL] = "average_pool",
	[GRAPH_GLOBAL_AVERAGE_POOL] = "global_average_pool",
	[GRAPH_CONCAT] = "concat",
	[GRAPH_ADD] = "add",
	[GRAPH_MULTIPLY] = "multiply",
	[GRAPH_CLAMP] = "clamp",
	[GRAPH_SIGMOID] = "sigmoid",
	[GRAPH_SWISH] = "swish",
};

const char *graph_operator_name(enum graph_operator operator)
{
	return (unsigned)operator < GRAPH_OPERATOR_COUNT ? operator_names[operator] : "unknown";
}

/* The arrays of the file, one element a node where not said otherwise. */
struct node_arrays {
	const char *const *names, *const *operators;
	const int32_t *input_counts, *inputs;
	const int32_t *kernels, *strides, *dilations;	/* height, width */
	const int32_t *paddings;			/* top, left, bottom, right */
	const int32_t *groups, *count_paddings, *zero_points;
	const float *clamps;				/* minimum, maximum */
	const float *scales, *reaches, *fineness;
	size_t input_total;
};

struct builder {
	const struct gguf *file;
	struct graph *graph;
	struct node_arrays arrays;
	struct engine_error *error;
	uint64_t work;
};

#define KEY "descry.encoder."

/* Less of a range than this would leave its upper part to chance. */
#define REACH_MIN 0.05f

#define FINENESS_MAX 16.0f
/* Copies of one channel, and bytes that a value may have for each channel. */
#define COPIES_MAX 16
#define COPIES_SHARE_MAX 4u

static int fail_node(const struct builder *b, const struct graph_node *node, const char *problem)
{
	return engine_fail(b->error, ENGINE_BAD_MODEL,
			   "The model file %s has a damaged graph: node %u (%s, %s) %s.",
			   gguf_name(b->file), node->index, node->name,
			   graph_operator_name(node->operator), problem);
}

static int fail_length(const struct builder *b, const char *key, size_t found, size_t wanted)
{
	return engine_fail(b->error, ENGINE_BAD_MODEL,
			   "The model file %s has %zu elements under %s; %zu are needed.",
			   gguf_name(b->file), found, key, wanted);
}

static int get_i32s(struct builder *b, const char *key, size_t wanted, const int32_t **ret_values)
{
	size_t count;
	int r = gguf_get_i32s(b->file, key, ret_values, &count, b->error);

	if (r == 0 && count != wanted)
		r = fail_length(b, key, count, wanted);
	return r;
}

static int get_f32s(struct builder *b, const char *key, size_t wanted, const float **ret_values)
{
	size_t count;
	int r = gguf_get_f32s(b->file, key, ret_values, &count, b->error);

	if (r == 0 && count != wanted)
		r = fail_length(b, key, count, wanted);
	return r;
}

static int read_arrays(struct builder *b, size_t *ret_count)
{
	struct node_arrays *a = &b->arrays;
	size_t count, operators;
	int r = gguf_get_strings(b->file, KEY "node.name", &a->names, &count, b->error);

	if (r)
		return r;
	if (count < 1 || count > LIMIT_MODEL_NODES)
		return engine_fail(b->error, ENGINE_BAD_MODEL,
				   "The model file %s has a graph of %zu nodes; 1 to %u are allowed.",
				   gguf_name(b->file), count, LIMIT_MODEL_NODES);
	r = gguf_get_strings(b->file, KEY "node.operator", &a->operators, &operators, b->error);
	if (r == 0 && operators != count)
		r = fail_length(b, KEY "node.operator", operators, count);
	if (r == 0)
		r = get_i32s(b, KEY "node.input_count", count, &a->input_counts);
	if (r == 0)
		r = gguf_get_i32s(b->file, KEY "node.inputs", &a->inputs, &a->input_total, b->error);
	if (r == 0)
		r = get_i32s(b, KEY "node.kernel", 2 * count, &a->kernels);
	if (r == 0)
		r = get_i32s(b, KEY "node.stride", 2 * count, &a->strides);
	if (r == 0)
		r = get_i32s(b, KEY "node.dilation", 2 * count, &a->dilations);
	if (r == 0)
		r = get_i32s(b, KEY "node.padding", 4 * count, &a->paddings);
	if (r == 0)
		r = get_i32s(b, KEY "node.groups", count, &a->groups);
	if (r == 0)
		r = get_i32s(b, KEY "node.count_padding", count, &a->count_paddings);
	if (r == 0)
		r = get_f32s(b, KEY "node.clamp", 2 * count, &a->clamps);
	if (r == 0)
		r = get_f32s(b, KEY "node.scale", count, &a->scales);
	if (r == 0)
		r = get_i32s(b, KEY "node.zero_point", count, &a->zero_points);
	if (r == 0 && gguf_find(b->file, KEY "node.reach"))
		r = get_f32s(b, KEY "node.reach", count, &a->reaches);
	if (r == 0 && gguf_find(b->file, KEY "node.fineness"))
		r = get_f32s(b, KEY "node.fineness", count, &a->fineness);
	if (r == 0)
		*ret_count = count;
	return r;
}

static int read_operator(struct builder *b, struct graph_node *node)
{
	const char *name = b->arrays.operators[node->index];

	for (unsigned i = 0; i < GRAPH_OPERATOR_COUNT; i++)
		if (strcmp(name, operator_names[i]) == 0) {
			node->operator = (enum graph_operator)i;
			if ((node->operator == GRAPH_INPUT) == (node->index == 0))
				return 0;
			return fail_node(b, node, "is not in its place: the input must be the "
					 "first node and only that");
		}
	return engine_fail(b->error, ENGINE_UNSUPPORTED,
			   "The model file %s uses the operator %s at node %u (%s), which this version does not know.",
			   gguf_name(b->file), name, node->index, node->name);
}

static int read_inputs(struct builder *b, struct graph_node *node, size_t *used)
{
	static const struct { unsigned minimum, maximum; } arity[GRAPH_OPERATOR_COUNT] = {
		[GRAPH_INPUT] = { 0, 0 },
		[GRAPH_CONVOLUTION] = { 1, 1 },
		[GRAPH_FULLY_CONNECTED] = { 1, 1 },
		[GRAPH_MAX_POOL] = { 1, 1 },
		[GRAPH_AVERAGE_POOL] = { 1, 1 },
		[GRAPH_GLOBAL_AVERAGE_POOL] = { 1, 1 },
		[GRAPH_CONCAT] = { 1, LIMIT_MODEL_NODES },
		[GRAPH_ADD] = { 2, 2 },
		[GRAPH_MULTIPLY] = { 2, 2 },
		[GRAPH_CLAMP] = { 1, 1 },
		[GRAPH_SIGMOID] = { 1, 1 },
		[GRAPH_SWISH] = { 1, 1 },
	};
	int32_t count = b->arrays.input_counts[node->index];

	if (count < 0 || (unsigned)count < arity[node->operator].minimum ||
	    (unsigned)count > arity[node->operator].maximum)
		return fail_node(b, node, "has a wrong number of inputs");
	if ((size_t)count > b->arrays.input_total - *used)
		return fail_length(b, KEY "node.inputs", b->arrays.input_total,
				   *used + (size_t)count);
	node->inputs = b->graph->inputs + *used;
	node->input_count = (unsigned)count;
	for (int32_t i = 0; i < count; i++) {
		int32_t input = b->arrays.inputs[*used + (size_t)i];

		if (input < 0 || (unsigned)input >= node->index)
			return fail_node(b, node, "reads a node that does not come before it, "
					 "which would be a cycle");
		b->graph->inputs[*used + (size_t)i] = (uint32_t)input;
	}
	*used += (size_t)count;
	return 0;
}

static bool within(int32_t value, int32_t minimum, int32_t maximum)
{
	return value >= minimum && value <= maximum;
}

static int read_window(struct builder *b, struct graph_node *node)
{
	const int32_t side = LIMIT_MODEL_SIDE;
	const int32_t *kernel = b->arrays.kernels + 2 * node->index;
	const int32_t *stride = b->arrays.strides + 2 * node->index;
	const int32_t *dilation = b->arrays.dilations + 2 * node->index;
	const int32_t *padding = b->arrays.paddings + 4 * node->index;

	for (unsigned i = 0; i < 2; i++) {
		int64_t extent;

		if (!within(kernel[i], 1, side) || !within(stride[i], 1, side) ||
		    !within(dilation[i], 1, side))
			return fail_node(b, node, "has a kernel, stride or dilation out of range");
		extent = (int64_t)(kernel[i] - 1) * dilation[i] + 1;
		/* less padding than the kernel is wide, so every window meets the picture */
		if (extent > side || !within(padding[i], 0, (int32_t)extent - 1) ||
		    !within(padding[i + 2], 0, (int32_t)extent - 1))
			return fail_node(b, node, "has a padding out of range");
	}
	node->window = (struct graph_window){
		.kernel_height = (unsigned)kernel[0], .kernel_width = (unsigned)kernel[1],
		.stride_height = (unsigned)stride[0], .stride_width = (unsigned)stride[1],
		.dilation_height = (unsigned)dilation[0], .dilation_width = (unsigned)dilation[1],
		.pad_top = (unsigned)padding[0], .pad_left = (unsigned)padding[1],
		.pad_bottom = (unsigned)padding[2], .pad_right = (unsigned)padding[3],
	};
	return 0;
}

static int read_values(struct builder *b, struct graph_node *node)
{
	const struct node_arrays *a = &b->arrays;
	unsigned i = node->index;

	if (!within(a->groups[i], 1, LIMIT_MODEL_CHANNELS))
		return fail_node(b, node, "has a number of groups out of range");
	node->groups = (unsigned)a->groups[i];
	if (!within(a->count_paddings[i], 0, 1))
		return fail_node(b, node, "has a count_padding that is neither 0 nor 1");
	node->count_padding = a->count_paddings[i];
	node->minimum = a->clamps[2 * i];
	node->maximum = a->clamps[2 * i + 1];
	if (isnan(node->minimum) || isnan(node->maximum) || node->minimum > node->maximum)
		return fail_node(b, node, "has a clamp that is no range");
	if (!isfinite(a->scales[i]) || a->scales[i] < 0 || !within(a->zero_points[i], 0, 255))
		return fail_node(b, node, "has a scale or zero point out of range");
	node->file_scale = a->scales[i];
	node->quantisation.scale = a->scales[i];
	node->quantisation.zero_point = a->zero_points[i];
	if (a->reaches) {
		if (!(a->reaches[i] >= REACH_MIN && a->reaches[i] <= 1.0f) ||
		    (a->reaches[i] < 1.0f && a->zero_points[i] != 0))
			return fail_node(b, node, "has a reach that is not possible");
		node->quantisation.scale *= a->reaches[i];
	}
	if (a->fineness) {
		if (!(a->fineness[i] >= 1.0f && a->fineness[i] <= FINENESS_MAX) ||
		    (a->fineness[i] > 1.0f && a->zero_points[i] != 0))
			return fail_node(b, node, "has a fineness that is not possible");
		node->quantisation.scale /= a->fineness[i];
	}
	return 0;
}

static const struct graph_shape *input_shape(const struct builder *b,
					     const struct graph_node *node, unsigned input)
{
	return &b->graph->nodes[node->inputs[input]].shape;
}

size_t graph_shape_count(const struct graph_shape *shape)
{
	return (size_t)shape->height * shape->width * shape->channels;
}

/* `ret_out` 0 when the window does not fit. */
static unsigned slide(unsigned in, unsigned kernel, unsigned dilation, unsigned stride,
		      unsigned pad_before, unsigned pad_after)
{
	unsigned extent = (kernel - 1) * dilation + 1;
	unsigned padded = in + pad_before + pad_after;

	return padded < extent ? 0 : (padded - extent) / stride + 1;
}

static int infer_window(struct builder *b, struct graph_node *node, unsigned channels)
{
	const struct graph_window *w = &node->window;
	const struct graph_shape *in = input_shape(b, node, 0);

	node->shape.height = slide(in->height, w->kernel_height, w->dilation_height,
				   w->stride_height, w->pad_top, w->pad_bottom);
	node->shape.width = slide(in->width, w->kernel_width, w->dilation_width,
				  w->stride_width, w->pad_left, w->pad_right);
	node->shape.channels = channels;
	if (!node->shape.height || !node->shape.width)
		return fail_node(b, node, "has a kernel larger than its input");
	return 0;
}

/* The tensor encoder.<node>.<part>, or NULL. */
static const struct gguf_tensor *find_part(const struct builder *b, const struct graph_node *node,
					   const char *part)
{
	char name[LIMIT_MODEL_NAME + 1];
	int length = snprintf(name, sizeof(name), "encoder.%s.%s", node->name, part);

	return length > 0 && (size_t)length < sizeof(name) ? gguf_find_tensor(b->file, name) : NULL;
}

static bool all_finite(const struct gguf_tensor *tensor)
{
	const float *values = tensor->data;

	for (size_t i = 0; i < tensor->count; i++)
		if (!isfinite(values[i]))
			return false;
	return true;
}

/* Bias and quantisation of a node whose weight is known and has `channels`. */
static int read_weight_parts(struct builder *b, struct graph_node *node, size_t channels)
{
	node->bias = find_part(b, node, "bias");
	node->weight_scale = find_part(b, node, "scale");
	node->weight_zero_point = find_part(b, node, "zero_point");
	if (node->bias && (node->bias->rank != 1 || node->bias->count != channels ||
			   (node->bias->type != GGUF_TENSOR_F32 &&
			    node->bias->type != GGUF_TENSOR_I32)))
		return fail_node(b, node, "has a bias of a wrong shape or type");
	if (node->weight->type == GGUF_TENSOR_I32)
		return fail_node(b, node, "has weights of a wrong type");
	if (node->weight->type != GGUF_TENSOR_I8) {
		if (node->weight_scale || node->weight_zero_point ||
		    (node->bias && node->bias->type == GGUF_TENSOR_I32))
			return fail_node(b, node, "mixes float weights with quantised parts");
		return 0;
	}
	if (!node->weight_scale || node->weight_scale->rank != 1 ||
	    node->weight_scale->type != GGUF_TENSOR_F32 ||
	    (node->weight_scale->count != 1 && node->weight_scale->count != channels) ||
	    !all_finite(node->weight_scale))
		return fail_node(b, node, "has 8-bit weights without scales that fit them");
	if (node->weight_zero_point &&
	    (node->weight_zero_point->rank != 1 ||
	     node->weight_zero_point->type != GGUF_TENSOR_I8 ||
	     (node->weight_zero_point->count != 1 && node->weight_zero_point->count != channels)))
		return fail_node(b, node, "has zero points that do not fit its weights");
	if (node->bias && node->bias->type == GGUF_TENSOR_I32 &&
	    b->graph->nodes[node->inputs[0]].quantisation.scale == 0)
		return fail_node(b, node, "has an integer bias, but its input is not quantised");
	return 0;
}

static int read_copies(struct builder *b, struct graph_node *node)
{
	const struct gguf_tensor *copies = find_part(b, node, "copies");
	const int8_t *values;
	size_t total = 0;

	if (!copies)
		return 0;
	if (copies->type != GGUF_TENSOR_I8 || copies->rank != 1 ||
	    copies->count != node->shape.channels)
		return fail_node(b, node, "has copies of a wrong shape or type");
	if (node->quantisation.scale == 0 || node->quantisation.zero_point != 0 ||
	    node->minimum < 0 || node->groups != 1)
		return fail_node(b, node, "has copies, but is no convolution in 8 bits of values from 0");
	values = copies->data;
	for (size_t i = 0; i < copies->count; i++) {
		if (values[i] < -COPIES_MAX || values[i] == 0 || values[i] > COPIES_MAX)
			return fail_node(b, node, "stores a channel an impossible number of times");
		total += (size_t)abs(values[i]);
	}
	if (total > (size_t)COPIES_SHARE_MAX * copies->count || total > LIMIT_MODEL_CHANNELS)
		return fail_node(b, node, "has too many copies");
	node->copies = copies;
	return 0;
}

static int infer_convolution(struct builder *b, struct graph_node *node)
{
	const struct graph_shape *in = input_shape(b, node, 0);
	const struct gguf_tensor *weight = find_part(b, node, "weight");
	int r;

	if (!weight)
		return fail_node(b, node, "lacks its weights");
	if (in->channels % node->groups)
		return fail_node(b, node, "has groups that do not divide its input's channels");
	if (weight->rank != 4 || weight->shape[0] > LIMIT_MODEL_CHANNELS ||
	    weight->shape[0] % node->groups || weight->shape[1] != node->window.kernel_height ||
	    weight->shape[2] != node->window.kernel_width ||
	    weight->shape[3] != in->channels / node->groups)
		return fail_node(b, node, "has weights of a shape that does not fit its input");
	node->weight = weight;
	r = infer_window(b, node, (unsigned)weight->shape[0]);
	if (r == 0)
		r = read_weight_parts(b, node, weight->shape[0]);
	if (r == 0)
		r = read_copies(b, node);
	if (r == 0)
		node->operations = (uint64_t)node->shape.height * node->shape.width * weight->count;
	return r;
}

static int infer_fully_connected(struct builder *b, struct graph_node *node)
{
	const struct gguf_tensor *weight = find_part(b, node, "weight");
	int r;

	if (!weight)
		return fail_node(b, node, "lacks its weights");
	if (weight->rank != 2 || weight->shape[0] > LIMIT_MODEL_CHANNELS ||
	    weight->shape[1] != graph_shape_count(input_shape(b, node, 0)))
		return fail_node(b, node, "has weights of a shape that does not fit its input");
	node->weight = weight;
	node->shape = (struct graph_shape){ 1, 1, (unsigned)weight->shape[0] };
	r = read_weight_parts(b, node, weight->shape[0]);
	if (r == 0)
		node->operations = weight->count;
	return r;
}

static int infer_pool(struct builder *b, struct graph_node *node)
{
	int r;

	if (node->window.dilation_height != 1 || node->window.dilation_width != 1)
		return fail_node(b, node, "is a pool with dilation");
	r = infer_window(b, node, input_shape(b, node, 0)->channels);
	if (r == 0)
		b->work += graph_shape_count(&node->shape) * node->window.kernel_height *
			   node->window.kernel_width;
	return r;
}

static int infer_concat(struct builder *b, struct graph_node *node)
{
	uint64_t channels = 0;

	node->shape = *input_shape(b, node, 0);
	for (unsigned i = 0; i < node->input_count; i++) {
		const struct graph_shape *in = input_shape(b, node, i);

		if (in->height != node->shape.height || in->width != node->shape.width)
			return fail_node(b, node, "joins values of different sizes");
		channels += in->channels;
	}
	if (channels > LIMIT_MODEL_CHANNELS)
		return fail_node(b, node, "has too many channels");
	node->shape.channels = (unsigned)channels;
	return 0;
}

static int infer_pair(struct builder *b, struct graph_node *node)
{
	const struct graph_shape *first = input_shape(b, node, 0);
	const struct graph_shape *second = input_shape(b, node, 1);

	node->shape = *first;
	if (second->channels != first->channels ||
	    ((second->height != first->height || second->width != first->width) &&
	     (second->height != 1 || second->width != 1)))
		return fail_node(b, node, "joins values of different sizes");
	return 0;
}

static int infer_input(struct builder *b, struct graph_node *node)
{
	const float *values;
	uint32_t width, height;
	int r = gguf_get_u32(b->file, KEY "input.width", &width, b->error);

	if (r == 0)
		r = gguf_get_u32(b->file, KEY "input.height", &height, b->error);
	if (r)
		return r;
	if (width < 1 || width > LIMIT_MODEL_SIDE || height < 1 || height > LIMIT_MODEL_SIDE)
		return engine_fail(b->error, ENGINE_BAD_MODEL,
				   "The model file %s wants pictures of %u × %u; 1 to %u a side are allowed.",
				   gguf_name(b->file), width, height, LIMIT_MODEL_SIDE);
	node->shape = (struct graph_shape){ height, width, 3 };
	r = get_f32s(b, KEY "input.mean", 3, &values);
	if (r)
		return r;
	memcpy(b->graph->input_mean, values, sizeof(b->graph->input_mean));
	r = get_f32s(b, KEY "input.std", 3, &values);
	if (r)
		return r;
	memcpy(b->graph->input_std, values, sizeof(b->graph->input_std));
	for (unsigned i = 0; i < 3; i++)
		if (!isfinite(b->graph->input_mean[i]) || !isfinite(b->graph->input_std[i]) ||
		    b->graph->input_std[i] <= 0)
			return fail_node(b, node, "has a normalisation that is no number");
	return 0;
}

static int infer_shape(struct builder *b, struct graph_node *node)
{
	switch (node->operator) {
	case GRAPH_INPUT:
		return infer_input(b, node);
	case GRAPH_CONVOLUTION:
		return infer_convolution(b, node);
	case GRAPH_FULLY_CONNECTED:
		return infer_fully_connected(b, node);
	case GRAPH_MAX_POOL:
	case GRAPH_AVERAGE_POOL:
		return infer_pool(b, node);
	case GRAPH_GLOBAL_AVERAGE_POOL:
		node->shape = (struct graph_shape){ 1, 1, input_shape(b, node, 0)->channels };
		return 0;
	case GRAPH_CONCAT:
		return infer_concat(b, node);
	case GRAPH_ADD:
	case GRAPH_MULTIPLY:
		return infer_pair(b, node);
	case GRAPH_CLAMP:
	case GRAPH_SIGMOID:
	case GRAPH_SWISH:
		node->shape = *input_shape(b, node, 0);
		return 0;
	case GRAPH_OPERATOR_COUNT:
		break;
	}
	return fail_node(b, node, "is of no known kind");
}

static int build_node(struct builder *b, unsigned index, size_t *used_inputs)
{
	struct graph_node *node = &b->graph->nodes[index];
	int r;

	*node = (struct graph_node){ .index = index, .name = b->arrays.names[index] };
	r = read_operator(b, node);
	if (r == 0)
		r = read_inputs(b, node, used_inputs);
	if (r == 0)
		r = read_window(b, node);
	if (r == 0)
		r = read_values(b, node);
	if (r == 0)
		r = infer_shape(b, node);
	if (r)
		return r;
	if (graph_shape_count(&node->shape) * sizeof(float) > LIMIT_MODEL_ARENA)
		return fail_node(b, node, "yields more values than fit into memory");
	b->graph->operations += node->operations;
	b->work += node->operations;
	if (b->work > LIMIT_MODEL_OPERATIONS)
		return fail_node(b, node, "brings the graph to more work than is allowed");
	if (node->quantisation.scale == 0 ||
	    (node->weight && node->weight->type != GGUF_TENSOR_I8))
		b->graph->quantised = false;
	return 0;
}

/* `required`: whether the model is of no use without this output. */
static int find_output(struct builder *b, const char *key, bool required, int *ret_node)
{
	const char *name;
	int r;

	if (!required && !gguf_find(b->file, key)) {
		*ret_node = -1;
		return 0;
	}
	r = gguf_get_string(b->file, key, &name, b->error);
	if (r)
		return r;
	for (unsigned i = 0; i < b->graph->node_count; i++)
		if (strcmp(b->graph->nodes[i].name, name) == 0) {
			*ret_node = (int)i;
			return 0;
		}
	return engine_fail(b->error, ENGINE_BAD_MODEL,
			   "The model file %s names the node %s under %s, but there is no such node.",
			   gguf_name(b->file), name, key);
}

static int find_outputs(struct builder *b)
{
	struct graph *graph = b->graph;
	int r = find_output(b, KEY "output.pool", true, &graph->pool);

	if (r == 0)
		r = find_output(b, KEY "output.grid", false, &graph->grid);
	if (r == 0)
		r = find_output(b, KEY "output.classes", false, &graph->classes);
	if (r)
		return r;
	for (unsigned i = 0; i < 2; i++) {
		int output = i ? graph->classes : graph->pool;
		const struct graph_node *node = output < 0 ? NULL : &graph->nodes[output];

		if (node && (node->shape.height != 1 || node->shape.width != 1))
			return fail_node(b, node, "is named as pooled features or classes, but has more than one pixel");
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* Copies go through what takes each byte by itself, up to a convolution, which
 * knows them. */
static int check_copies(struct builder *b)
{
	const struct graph *graph = b->graph;
	bool *copied = calloc(graph->node_count, sizeof(*copied));
	int r = copied ? 0 : engine_fail_memory(b->error);

	for (unsigned i = 0; i < graph->node_count && r == 0; i++) {
		const struct graph_node *node = &graph->nodes[i];
		bool reads = false;

		for (unsigned j = 0; j < node->input_count; j++)
			reads = reads || copied[node->inputs[j]];
		copied[i] = node->copies;
		if (!reads || (node->operator == GRAPH_CONVOLUTION && node->groups == 1))
			continue;
		copied[i] = true;
		if (node->operator != GRAPH_CONCAT && node->operator != GRAPH_MAX_POOL &&
		    node->operator != GRAPH_AVERAGE_POOL &&
		    node->operator != GRAPH_GLOBAL_AVERAGE_POOL)
			r = fail_node(b, node, "cannot read channels that are stored more than once");
	}
	free(copied);
	return r;
}

/* Two nodes of one name would share their weights unnoticed. */
static int check_names(struct builder *b)
{
	size_t count = b->graph->node_count;
	const char **names = malloc(count * sizeof(*names));
	int r = 0;

	if (!names)
		return engine_fail_memory(b->error);
	memcpy(names, b->arrays.names, count * sizeof(*names));
	qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 1; i < count && r == 0; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			r = engine_fail(b->error, ENGINE_BAD_MODEL,
					"The model file %s has two nodes with the name %s.",
					gguf_name(b->file), names[i]);
	free(names);
	return r;
}

int graph_open(const struct gguf *file, struct graph **ret_graph, struct engine_error *error)
{
	struct graph *graph = calloc(1, sizeof(*graph));
	struct builder b = { .file = file, .graph = graph, .error = error };
	size_t count, used = 0;
	int r;

	if (!graph)
		return engine_fail_memory(error);
	r = read_arrays(&b, &count);
	if (r)
		goto out;
	graph->nodes = calloc(count, sizeof(*graph->nodes));
	graph->inputs = calloc(b.arrays.input_total + 1, sizeof(*graph->inputs));
	if (!graph->nodes || !graph->inputs) {
		r = engine_fail_memory(error);
		goto out;
	}
	graph->file = file;
	graph->node_count = (unsigned)count;
	graph->quantised = true;
	r = check_names(&b);
	for (unsigned i = 0; r == 0 && i < count; i++)
		r = build_node(&b, i, &used);
	if (r == 0 && used != b.arrays.input_total)
		r = fail_length(&b, KEY "node.inputs", b.arrays.input_total, used);
	if (r == 0)
		r = find_outputs(&b);
	if (r == 0)
		r = check_copies(&b);
	if (r)
		goto out;
	*ret_graph = graph;
	graph = NULL;
out:
	graph_free(graph);
	return r;
}

struct graph *graph_free(struct graph *graph)
{
	if (!graph)
		return NULL;
	free(graph->nodes);
	free(graph->inputs);
	free(graph);
	return NULL;
}

void graph_node_weights(const struct graph_node *node, float *ret_weights)
{
	const struct gguf_tensor *weight = node->weight;
	size_t channels = weight->shape[0], each = weight->count / channels;
	const float *scales;
	const int8_t *zero_points;

	gguf_tensor_to_f32(weight, ret_weights);
	if (weight->type != GGUF_TENSOR_I8)
		return;
	scales = node->weight_scale->data;
	zero_points = node->weight_zero_point ? node->weight_zero_point->data : NULL;
	for (size_t c = 0; c < channels; c++) {
		float scale = scales[node->weight_scale->count == 1 ? 0 : c];
		float zero = zero_points ? zero_points[node->weight_zero_point->count == 1 ? 0 : c] : 0;

		for (size_t i = c * each; i < (c + 1) * each; i++)
			ret_weights[i] = (ret_weights[i] - zero) * scale;
	}
}

void graph_node_bias(const struct graph *graph, const struct graph_node *node, float *ret_bias)
{
	const int32_t *values;
	const float *scales;
	double input_scale;

	if (!node->bias) {
		memset(ret_bias, 0, node->shape.channels * sizeof(*ret_bias));
		return;
	}
	if (node->bias->type != GGUF_TENSOR_I32) {
		gguf_tensor_to_f32(node->bias, ret_bias);
		return;
	}
	values = node->bias->data;
	scales = node->weight_scale->data;
	input_scale = (double)graph->nodes[node->inputs[0]].file_scale;
	for (unsigned c = 0; c < node->shape.channels; c++) {
		double scale = (double)scales[node->weight_scale->count == 1 ? 0 : c];

		ret_bias[c] = (float)(values[c] * (input_scale * scale));
	}
}
