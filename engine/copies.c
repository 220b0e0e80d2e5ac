/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * copies.c: the bytes of a pixel, in order: a node's channels as they are, then
 * the further copies; a concat has those of its inputs one after the other.
 *
 * Stacking lets a few channels that reach far keep a step that suits the others.
 * Splitting quantises one channel more finely: copies rounded half a step apart
 * have a mean that is rounded to half steps. Both leave the weights whole numbers
 * and zero a zero, so that padding stays what it was. Splitting of outliers is the
 * idea of Zhao and others, "Improving neural network quantization without
 * retraining using outlier channel splitting" (2019).
 */
#include "engine/copies.h"

#include <stdlib.h>

#include "engine/error.h"

static struct channel_layout *allocate(size_t count)
{
	struct channel_layout *layout = calloc(1, sizeof(*layout) +
					       count * sizeof(layout->channels[0]));

	if (layout)
		layout->count = (unsigned)count;
	return layout;
}

static struct stored_channel plain(unsigned channel)
{
	return (struct stored_channel){ .channel = (uint16_t)channel, .count = 1 };
}

static struct channel_layout *lay_own(const struct graph_node *node)
{
	const int8_t *copies = node->copies->data;
	unsigned channels = node->shape.channels, at = channels;
	struct channel_layout *layout;
	size_t count = 0;

	for (unsigned c = 0; c < channels; c++)
		count += (size_t)abs(copies[c]);
	layout = allocate(count);
	for (unsigned c = 0; layout && c < channels; c++) {
		struct stored_channel copy = {
			.channel = (uint16_t)c, .count = (uint8_t)abs(copies[c]),
			.split = copies[c] < 0,
		};

		layout->channels[c] = copy;
		for (copy.index = 1; copy.index < copy.count; copy.index++)
			layout->channels[at++] = copy;
	}
	return layout;
}

static struct channel_layout *lay_joined(const struct graph_node *node,
					 const struct channel_layout *const *inputs,
					 const struct graph *graph)
{
	struct channel_layout *layout;
	unsigned at = 0, channel = 0;
	size_t count = 0;

	for (unsigned i = 0; i < node->input_count; i++)
		count += inputs[i] ? inputs[i]->count : graph->nodes[node->inputs[i]].shape.channels;
	layout = allocate(count);
	for (unsigned i = 0; layout && i < node->input_count; i++) {
		unsigned channels = graph->nodes[node->inputs[i]].shape.channels;
		unsigned bytes = inputs[i] ? inputs[i]->count : channels;

		for (unsigned j = 0; j < bytes; j++) {
			struct stored_channel copy = inputs[i] ? inputs[i]->channels[j] : plain(j);

			copy.channel = (uint16_t)(copy.channel + channel);
			layout->channels[at++] = copy;
		}
		channel += channels;
	}
	return layout;
}

int channel_layout_open(const struct graph_node *node,
			const struct channel_layout *const *inputs, const struct graph *graph,
			struct channel_layout **ret_layout, struct engine_error *error)
{
	bool any = false;

	*ret_layout = NULL;
	if (node->operator == GRAPH_CONVOLUTION) {
		if (!node->copies)
			return 0;
		*ret_layout = lay_own(node);
		return *ret_layout ? 0 : engine_fail_memory(error);
	}
	if (node->operator != GRAPH_CONCAT && node->operator != GRAPH_MAX_POOL &&
	    node->operator != GRAPH_AVERAGE_POOL && node->operator != GRAPH_GLOBAL_AVERAGE_POOL)
		return 0;
	for (unsigned i = 0; i < node->input_count; i++)
		any = any || inputs[i];
	if (!any)
		return 0;
	*ret_layout = lay_joined(node, inputs, graph);
	return *ret_layout ? 0 : engine_fail_memory(error);
}

struct channel_layout *channel_layout_free(struct channel_layout *layout)
{
	free(layout);
	return NULL;
}

double stored_channel_offset(struct stored_channel channel)
{
	return channel.split ? (2.0 * channel.index + 1 - channel.count) / (2.0 * channel.count) :
			       -255.0 * channel.index;
}

/* Of the whole numbers 0 … weight, or weight … 0, the part that falls to `index`. */
int stored_channel_weight(struct stored_channel channel, int weight)
{
	if (!channel.split)
		return weight;
	return weight * (channel.index + 1) / channel.count - weight * channel.index / channel.count;
}
