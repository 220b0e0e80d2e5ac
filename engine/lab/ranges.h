/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ranges.h: how far the values of an encoder that was trained in 8 bits really
 * reach. Training left one range for all channels of a node, that of the largest
 * value it ever met. Two things make better use of 256 codes and cost nothing
 * when the network runs: a node's reach (MODEL.md), and, along the chain of
 * convolutions from the picture to the first branch, a reach for each channel,
 * which is made part of the weights on both sides (cross-layer equalisation:
 * Nagel et al., Data-Free Quantization Through Weight Equalization and Bias
 * Correction, 2019). There, every rounding is felt by all the layers behind.
 */
#ifndef LAB_RANGES_H
#define LAB_RANGES_H

#include "engine/graph.h"
#include "engine/gguf_writer.h"

struct ranges {
	const struct graph *graph;
	float *reach;		/* by node */
	float **channels;	/* by node: one reach a channel, or NULL */
	int *reader;		/* by node: the convolution that takes the channels' part, or -1 */
};

/* Every reach is 1. Borrows the graph. */
int ranges_open(const struct graph *graph, struct ranges **ret_ranges,
		struct engine_error *error);
struct ranges *ranges_free(struct ranges *ranges);

/* A file in JSON: for each node a number or a list of numbers, one a channel. */
int ranges_read(struct ranges *ranges, const char *path, struct engine_error *error);
int ranges_save(const struct ranges *ranges, const char *path, struct engine_error *error);

/* Writes the model's tensors and keys that the ranges change. */
int ranges_write(const struct ranges *ranges, struct gguf_writer *writer,
		 struct engine_error *error);

#endif
