/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * job.h: the queue of pictures to describe.
 *
 * A job is one picture; a ticket is one caller's interest in it. A request for
 * the same source with the same options as a job that has not ended joins that
 * job, so that repeated key presses do not stack up; a job whose last ticket is
 * withdrawn is cancelled. At most LIMIT_JOBS jobs exist; they run one at a time
 * in the order in which their pictures came to be there.
 *
 * Numbers of tickets only grow and serve as generations too: after
 * jobs_silence() the results of all tickets issued so far are no longer to be
 * spoken, although they are still delivered.
 */
#ifndef DAEMON_JOB_H
#define DAEMON_JOB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/failure.h"
#include "daemon/loop.h"
#include "daemon/worker.h"

struct jobs;

/* What a job came to. `failure` is NULL when it was described. Borrowed. */
struct job_outcome {
	const char *source;
	const char *caption;	/* "" on failure */
	json_t *details;	/* an empty object on failure */
	const struct failure *failure;
	bool speak;		/* some ticket wants it spoken, and none silenced it */
	unsigned verbosity;	/* of the ticket that came last */
};

struct job_request {
	/* What the picture is of; a second request for it joins. Copied. */
	const char *source;
	int picture;		/* taken on success; -1: jobs_provide() will follow */
	json_t *options;	/* for the worker; borrowed */
	bool speak;
	unsigned verbosity;
	const char *owner;	/* the caller's bus name, or NULL; copied */
	/* Called exactly once for each ticket, never from within jobs_submit(). */
	void (*done)(void *data, uint64_t ticket, const struct job_outcome *outcome);
	void *data;
};

struct jobs_options {
	unsigned timeout_ms;
	/* Called once for each job, after its tickets: the place to speak. */
	void (*on_outcome)(void *data, const struct job_outcome *outcome);
	/* The first job came or the last went. */
	void (*on_busy)(void *data, bool busy);
	void (*on_model)(void *data, json_t *model, const struct failure *failure);
	void *data;
};

/* `worker` is copied; its callbacks and data are set here. */
int jobs_open(struct loop *loop, const struct worker_options *worker,
	      const struct jobs_options *options, struct jobs **ret_jobs,
	      struct failure *failure);
/* Ends all jobs without calling anyone. */
struct jobs *jobs_free(struct jobs *jobs);

struct worker *jobs_worker(struct jobs *jobs);
void jobs_set_timeout(struct jobs *jobs, unsigned timeout_ms);

int jobs_submit(struct jobs *jobs, const struct job_request *request, uint64_t *ret_ticket,
		struct failure *failure);
/* The picture of a ticket that was submitted without one: takes `picture`, adds
 * the keys of `options` (may be NULL). Nothing happens when the job is gone. */
void jobs_provide(struct jobs *jobs, uint64_t ticket, int picture, json_t *options);
/* There will be no picture. */
void jobs_fail(struct jobs *jobs, uint64_t ticket, const struct failure *failure);
/* Whether the ticket's job is waiting for its picture. */
bool jobs_wants_picture(const struct jobs *jobs, uint64_t ticket);

/* Withdraws a ticket of `owner`; its done() is called with FAILURE_CANCELLED.
 * False when there is none. */
bool jobs_cancel(struct jobs *jobs, uint64_t ticket, const char *owner);
/* Withdraws all tickets of a caller that has gone. */
void jobs_cancel_owner(struct jobs *jobs, const char *owner);
/* The same for all callers, when the bus itself has gone. */
void jobs_cancel_callers(struct jobs *jobs);
void jobs_silence(struct jobs *jobs);

/* Whether somebody waits to hear a result: only then does work make a sound. */
bool jobs_audible(const struct jobs *jobs);
bool jobs_busy(const struct jobs *jobs);
unsigned jobs_count(const struct jobs *jobs);

#endif
