/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ranges.h: how far the values of an encoder that was trained in 8 bits really
 * reach (MODEL.md, descry.encoder.node.reach). Training left the range of the
 * largest value that a node ever met. Kept in a file of its own, so that a model
 * can be put together again without the photos.
 */
#ifndef LAB_RANGES_H
#define LAB_RANGES_H

#include "engine/graph.h"

/* A file in JSON that names nodes and gives the reach of each; `reaches` has one
 * for each node of the graph, 1 where the file names none. */
int ranges_read(const struct graph *graph, const char *path, float *ret_reaches,
		struct engine_error *error);
int ranges_save(const struct graph *graph, const float *reaches, const char *path,
		struct engine_error *error);

#endif
