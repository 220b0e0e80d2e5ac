/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ranges.h: how the values of an encoder that was trained in 8 bits are best
 * stored (MODEL.md, descry.encoder.node.reach and fineness, encoder.NAME.copies).
 * Training left the range of the largest value that a node ever met. Kept in a file
 * of its own, so that a model can be put together again without the photos.
 */
#ifndef LAB_RANGES_H
#define LAB_RANGES_H

#include "engine/gguf_writer.h"
#include "engine/graph.h"

struct node_range {
	float reach, fineness;		/* 1 and 1 where nothing is said */
	int8_t *copies;			/* one a channel, or NULL: once each */
};

/* One for each node of the graph, all as the file of the model says it by default. */
int ranges_new(const struct graph *graph, struct node_range **ret_ranges,
	       struct engine_error *error);
struct node_range *ranges_free(struct node_range *ranges, const struct graph *graph);

/* A file in JSON that names nodes and gives for each its reach, or an object of
 * reach, fineness and copies, the latter an object of numbers by channel. */
int ranges_read(const struct graph *graph, const char *path, struct node_range *ret_ranges,
		struct engine_error *error);
int ranges_save(const struct graph *graph, const struct node_range *ranges, const char *path,
		struct engine_error *error);

/* Puts the keys and tensors of the ranges, which the writer borrows, into a model that
 * is being written. */
int ranges_write(const struct graph *graph, const struct node_range *ranges,
		 struct gguf_writer *writer, struct engine_error *error);

#endif
