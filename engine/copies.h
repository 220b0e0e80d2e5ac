/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * copies.h: channels that are stored more than once, so that a value in 8 bits is
 * finer where it counts (MODEL.md, encoder.NAME.copies). A layout says what each
 * byte of a pixel stands for. Copies follow the channels they are of through pools
 * and concats; a convolution gives each its share of the weights, so no kernel
 * knows of them.
 */
#ifndef ENGINE_COPIES_H
#define ENGINE_COPIES_H

#include "engine/graph.h"

/* One byte of a pixel: the copy `index` of `count` of a channel. A channel that is
 * stacked reaches `count` times as far: its value is the sum of its copies, of
 * which each begins where the one before ends. One that is split is `count` times
 * as fine: its value is the mean of its copies, which were rounded at different
 * places. */
struct stored_channel {
	uint16_t channel;
	uint8_t index, count;
	bool split;
};

struct channel_layout {
	unsigned count;			/* bytes of a pixel */
	struct stored_channel channels[];
};

/* The layout of a node's value, from those of its inputs; NULL in either stands
 * for every channel once and in order. */
int channel_layout_open(const struct graph_node *node,
			const struct channel_layout *const *inputs, const struct graph *graph,
			struct channel_layout **ret_layout, struct engine_error *error);
struct channel_layout *channel_layout_free(struct channel_layout *layout);

/* What is added to a channel's value, in steps of what it is stored in, before the
 * copy is rounded and clamped to 0 … 255. */
double stored_channel_offset(struct stored_channel channel);

/* The copy's share of a weight (less its zero point) that the channel is read with.
 * The shares of a split channel add up to the weight. */
int stored_channel_weight(struct stored_channel channel, int weight);

#endif
