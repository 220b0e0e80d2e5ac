/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * threadpool.h: the workers that share one operator's work. One pool belongs to
 * one context; one thread at a time calls it and works along as index 0.
 *
 * OpenBLAS keeps threads of its own: call it from the calling thread, between
 * two runs, while the workers here sleep; inside a task only with one BLAS
 * thread. Then never more threads run than were asked for.
 */
#ifndef ENGINE_THREADPOOL_H
#define ENGINE_THREADPOOL_H

#include <stddef.h>

#include "engine/engine.h"

struct threadpool;

/* One share of the work: `index` of `count`, every index exactly once. */
typedef void threadpool_task(void *argument, unsigned index, unsigned count);

/* How many threads to use when `wanted` are asked for: no more than the CPUs
 * this process may run on. 0 asks for the default: the physical cores among
 * them, of the fastest kind where kinds differ, at most 4. */
unsigned threadpool_choose(unsigned wanted);

/* Starts threads − 1 workers; 1 ≤ threads ≤ LIMIT_THREADS. */
int threadpool_open(unsigned threads, struct threadpool **ret_pool, struct engine_error *error);
struct threadpool *threadpool_free(struct threadpool *pool);

/* How many take part from the next run on, 1 to those the pool was opened with; the
 * others sleep. For whoever calls threadpool_run, between two runs. */
void threadpool_limit(struct threadpool *pool, unsigned threads);

/* That take part. A pool of NULL counts as one thread. */
unsigned threadpool_threads(const struct threadpool *pool);

/* Runs the task on every thread and returns when all shares are done. */
void threadpool_run(struct threadpool *pool, threadpool_task *task, void *argument);

/* The part of 0..total that falls to `index` of `count`, cut at multiples of
 * `grain`. */
void threadpool_share(size_t total, size_t grain, unsigned index, unsigned count,
		      size_t *ret_begin, size_t *ret_end);

#endif
