/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * executor.h: runs a program over an arena of its own. One executor serves one
 * thread at a time; after executor_open nothing is allocated.
 */
#ifndef ENGINE_EXECUTOR_H
#define ENGINE_EXECUTOR_H

#include <stdatomic.h>

#include "engine/program.h"
#include "engine/threadpool.h"

struct executor;

/* Borrows program and pool, which may be NULL. */
int executor_open(const struct program *program, struct threadpool *pool,
		  struct executor **ret_executor, struct engine_error *error);
struct executor *executor_free(struct executor *executor);

/* Takes the picture (height rows of width × 3 bytes) in. Each run consumes it. */
void executor_load(struct executor *executor, const uint8_t *rgb);

/* Runs all nodes. Returns ENGINE_CANCELLED as soon as `cancel`, which may be
 * NULL, is set. */
int executor_run(struct executor *executor, const atomic_bool *cancel,
		 struct engine_error *error);

/* Copies a node's value as floats, row by row, channels innermost. After a run,
 * valid for the nodes that yield the features; for others only until the next
 * node that shares their place. */
void executor_read(const struct executor *executor, unsigned node, float *ret_values);

/* Calls `observe` after each node, while its value is in place; for the
 * measurements of the laboratory. NULL: no calls. */
typedef void executor_observer(void *argument, const struct executor *executor, unsigned node);
void executor_observe(struct executor *executor, executor_observer *observe, void *argument);

#endif
