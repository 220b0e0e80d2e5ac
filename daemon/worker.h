/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * worker.h: the process that describes pictures, seen from the daemon.
 *
 * Decoding a hostile picture is the one thing here that may crash, hang or be
 * taken over, and the voice must survive it. So the engine runs in a process of
 * its own: descryd starts descry-worker, which stands beside it or, installed, in
 * ../lib/descry, with one end of a SOCK_SEQPACKET pair. Each packet is one JSON object of at most
 * LIMIT_DOCUMENT_BYTES.
 *
 *   to the worker   {"open": {"path", "threads"}}          once, first
 *                   {"job": number, …options} + picture    one at a time
 *                   {"cancel": number}
 *                   {"ping": number}
 *   to the daemon   {"model": {…}} or {"error", "message"} the answer to open
 *                   {"job": number, "caption", "details"}
 *                   {"job": number, "error", "message"}
 *                   {"pong": number}
 *
 * The worker answers pings and takes cancellations on a thread that does
 * nothing else. When a cancelled job does not end within a second, the process
 * is killed. When the process dies, it is started again: at once the first
 * time, then with a delay that doubles up to ten seconds and is forgotten after
 * the next answer. A model that cannot be opened is tried again at each job.
 */
#ifndef DAEMON_WORKER_H
#define DAEMON_WORKER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/failure.h"
#include "daemon/loop.h"

/* The descriptor that the process finds its end of the pair in. */
#define WORKER_SOCKET 3

struct worker;

struct worker_options {
	const char *program;	/* NULL: the descry-worker of this program */
	const char *model_path;	/* copied */
	unsigned threads;
	/* A model was opened (borrowed) or could not be (NULL and why). */
	void (*on_model)(void *data, json_t *model, const struct failure *failure);
	/* The answer to a job: a borrowed document, or a failure. Exactly one for
	 * each worker_start() that succeeded, whatever happens to the process. */
	void (*on_answer)(void *data, uint64_t job, json_t *document,
			  const struct failure *failure);
	/* A job may be started again. */
	void (*on_idle)(void *data);
	void *data;
};

int worker_open(struct loop *loop, const struct worker_options *options,
		struct worker **ret_worker, struct failure *failure);
struct worker *worker_free(struct worker *worker);

/* Another model or number of threads: the process is replaced when idle. */
int worker_set_model(struct worker *worker, const char *path, unsigned threads);

/* Whether worker_start() would take a job now. */
bool worker_idle(const struct worker *worker);

/* Hands over a picture; takes neither `fd` nor `options`. The keys of `options`
 * are those of worker_process.c. */
int worker_start(struct worker *worker, uint64_t job, int fd, json_t *options,
		 struct failure *failure);
/* The answer then is a failure of kind FAILURE_CANCELLED, unless it was under way. */
void worker_cancel(struct worker *worker, uint64_t job);
/* Ends a job that takes too long, by killing the process. */
void worker_abort(struct worker *worker, const struct failure *why);

/* Whether the process answered the ping sent by the last call, or none was
 * sent; sends the next. */
bool worker_ping(struct worker *worker);

pid_t worker_pid(const struct worker *worker);	/* 0 when there is no process */
unsigned worker_restarts(const struct worker *worker);

#endif
