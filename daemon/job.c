/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * job.c: see job.h. The queue is an array of at most LIMIT_JOBS pointers in
 * order of arrival; nothing here needs to be faster than that.
 */
#include "daemon/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/limits.h"
#include "daemon/log.h"

struct ticket {
	uint64_t number;
	char *owner;
	bool speak;
	void (*done)(void *data, uint64_t ticket, const struct job_outcome *outcome);
	void *data;
};

struct job {
	uint64_t number;	/* of its first ticket */
	char *source;
	json_t *asked;		/* the options as requested: equal ones join */
	json_t *options;	/* with what jobs_provide() added */
	int picture;
	bool wants_picture;
	unsigned verbosity;
	struct ticket tickets[LIMIT_TICKETS_PER_JOB];
	unsigned ticket_count;
};

struct jobs {
	struct worker *worker;
	struct jobs_options options;
	struct loop_source *timeout, *ended_timer;
	struct job *queue[LIMIT_JOBS];
	unsigned count;
	struct job *running;	/* in the queue too, until it is answered; may have lost all tickets */
	uint64_t last_ticket, silenced;
};

static struct job *job_free(struct job *job)
{
	if (!job)
		return NULL;
	for (unsigned i = 0; i < job->ticket_count; i++)
		free(job->tickets[i].owner);
	if (job->picture >= 0)
		close(job->picture);
	json_decref(job->asked);
	json_decref(job->options);
	free(job->source);
	free(job);
	return NULL;
}

static void remove_job(struct jobs *jobs, struct job *job)
{
	for (unsigned i = 0; i < jobs->count; i++) {
		if (jobs->queue[i] != job)
			continue;
		memmove(&jobs->queue[i], &jobs->queue[i + 1],
			(jobs->count - i - 1) * sizeof(*jobs->queue));
		jobs->count--;
		break;
	}
	if (jobs->running == job) {
		jobs->running = NULL;
		loop_stop_timer(jobs->timeout);
	}
}

/* Takes the job out of the queue, tells everyone and frees it. */
static void finish(struct jobs *jobs, struct job *job, json_t *document,
		   const struct failure *failure)
{
	const char *caption = json_string_value(json_object_get(document, "caption"));
	json_t *details = json_object_get(document, "details"), *empty = json_object();
	struct job_outcome outcome = {
		.source = job->source,
		.caption = caption ? caption : "",
		.details = json_is_object(details) ? details : empty,
		.failure = failure,
		.verbosity = job->verbosity,
	};

	for (unsigned i = 0; i < job->ticket_count; i++)
		outcome.speak |= job->tickets[i].speak && job->tickets[i].number > jobs->silenced;
	remove_job(jobs, job);
	for (unsigned i = 0; i < job->ticket_count; i++) {
		struct ticket *ticket = &job->tickets[i];

		ticket->done(ticket->data, ticket->number, &outcome);
	}
	if (job->ticket_count > 0)
		jobs->options.on_outcome(jobs->options.data, &outcome);
	json_decref(empty);
	job_free(job);
	if (jobs->count == 0)
		jobs->options.on_busy(jobs->options.data, false);
}

static void start_next(struct jobs *jobs)
{
	struct failure failure;
	struct job *job = NULL;

	if (jobs->running || !worker_idle(jobs->worker))
		return;
	for (unsigned i = 0; i < jobs->count && !job; i++)
		if (!jobs->queue[i]->wants_picture)
			job = jobs->queue[i];
	if (!job)
		return;
	if (worker_start(jobs->worker, job->number, job->picture, job->options, &failure)) {
		finish(jobs, job, NULL, &failure);
		/* the next is tried from the loop: no recursion over a broken worker */
		loop_start_timer(jobs->ended_timer, 0, 0);
		return;
	}
	close(job->picture);
	job->picture = -1;
	jobs->running = job;
	loop_start_timer(jobs->timeout, jobs->options.timeout_ms, 0);
}

static void on_ended(void *data)
{
	start_next(data);
}

static void on_timeout(void *data)
{
	struct jobs *jobs = data;
	unsigned seconds = jobs->options.timeout_ms / 1000;
	struct failure failure;

	failure_set(&failure, FAILURE_TIMEOUT,
		    "The description took more than %u second%s and was given up.", seconds,
		    seconds == 1 ? "" : "s");
	worker_abort(jobs->worker, &failure);
}

static void on_worker_answer(void *data, uint64_t number, json_t *document,
			     const struct failure *failure)
{
	struct jobs *jobs = data;

	if (jobs->running && jobs->running->number == number)
		finish(jobs, jobs->running, document, failure);
}

static void on_worker_idle(void *data)
{
	start_next(data);
}

static void on_worker_model(void *data, json_t *model, const struct failure *failure)
{
	struct jobs *jobs = data;

	/* a job sent ahead of the model starts now */
	if (jobs->running)
		loop_start_timer(jobs->timeout, jobs->options.timeout_ms, 0);
	jobs->options.on_model(jobs->options.data, model, failure);
}

int jobs_open(struct loop *loop, const struct worker_options *worker,
	      const struct jobs_options *options, struct jobs **ret_jobs,
	      struct failure *failure)
{
	struct worker_options with = *worker;
	struct jobs *jobs = calloc(1, sizeof(*jobs));
	int r;

	if (!jobs)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	jobs->options = *options;
	with.on_model = on_worker_model;
	with.on_answer = on_worker_answer;
	with.on_idle = on_worker_idle;
	with.data = jobs;
	r = loop_add_timer(loop, on_timeout, jobs, &jobs->timeout);
	if (r == 0)
		r = loop_add_timer(loop, on_ended, jobs, &jobs->ended_timer);
	if (r < 0)
		failure_set(failure, FAILURE_FAILED, "%s.", strerror(-r));
	else
		r = worker_open(loop, &with, &jobs->worker, failure);
	if (r) {
		jobs_free(jobs);
		return 1;
	}
	*ret_jobs = jobs;
	return 0;
}

struct jobs *jobs_free(struct jobs *jobs)
{
	if (!jobs)
		return NULL;
	worker_free(jobs->worker);
	loop_source_free(jobs->timeout);
	loop_source_free(jobs->ended_timer);
	for (unsigned i = 0; i < jobs->count; i++)
		job_free(jobs->queue[i]);
	free(jobs);
	return NULL;
}

struct worker *jobs_worker(struct jobs *jobs)
{
	return jobs->worker;
}

void jobs_set_timeout(struct jobs *jobs, unsigned timeout_ms)
{
	jobs->options.timeout_ms = timeout_ms;
}

static struct job *find_same(struct jobs *jobs, const struct job_request *request)
{
	for (unsigned i = 0; i < jobs->count; i++) {
		struct job *job = jobs->queue[i];

		/* one without tickets is being cancelled */
		if (job->ticket_count > 0 && strcmp(job->source, request->source) == 0 &&
		    json_equal(job->asked, request->options))
			return job;
	}
	return NULL;
}

static struct job *new_job(struct jobs *jobs, const struct job_request *request)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->picture = -1;
	job->source = strdup(request->source);
	job->asked = json_deep_copy(request->options);
	job->options = json_copy(job->asked);
	if (!job->source || !job->options)
		return job_free(job);
	job->number = jobs->last_ticket + 1;
	job->wants_picture = request->picture < 0;
	return job;
}

int jobs_submit(struct jobs *jobs, const struct job_request *request, uint64_t *ret_ticket,
		struct failure *failure)
{
	struct job *job = find_same(jobs, request);
	char *owner = request->owner ? strdup(request->owner) : NULL;
	bool joined = job != NULL;

	if (request->owner && !owner)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	if ((!job && jobs->count == LIMIT_JOBS) ||
	    (job && job->ticket_count == LIMIT_TICKETS_PER_JOB)) {
		free(owner);
		return failure_set(failure, FAILURE_BUSY,
				   "%u pictures are waiting already. Try again in a moment.",
				   LIMIT_JOBS);
	}
	if (!job)
		job = new_job(jobs, request);
	if (!job) {
		free(owner);
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	}
	job->tickets[job->ticket_count++] = (struct ticket){
		.number = ++jobs->last_ticket, .owner = owner, .speak = request->speak,
		.done = request->done, .data = request->data,
	};
	job->verbosity = request->verbosity;
	*ret_ticket = jobs->last_ticket;
	if (joined) {
		if (request->picture >= 0)
			close(request->picture);
		return 0;
	}
	job->picture = request->picture;
	jobs->queue[jobs->count++] = job;
	if (jobs->count == 1)
		jobs->options.on_busy(jobs->options.data, true);
	loop_start_timer(jobs->ended_timer, 0, 0);
	return 0;
}

static struct job *find_ticket(const struct jobs *jobs, uint64_t number, unsigned *ret_index)
{
	for (unsigned i = 0; i < jobs->count; i++) {
		for (unsigned j = 0; j < jobs->queue[i]->ticket_count; j++) {
			if (jobs->queue[i]->tickets[j].number == number) {
				*ret_index = j;
				return jobs->queue[i];
			}
		}
	}
	return NULL;
}

void jobs_provide(struct jobs *jobs, uint64_t ticket, int picture, json_t *options)
{
	unsigned index;
	struct job *job = find_ticket(jobs, ticket, &index);

	if (!job || !job->wants_picture) {
		close(picture);
		return;
	}
	job->picture = picture;
	job->wants_picture = false;
	json_object_update(job->options, options);
	start_next(jobs);
}

void jobs_fail(struct jobs *jobs, uint64_t ticket, const struct failure *failure)
{
	unsigned index;
	struct job *job = find_ticket(jobs, ticket, &index);

	if (job && job->wants_picture)
		finish(jobs, job, NULL, failure);
}

bool jobs_wants_picture(const struct jobs *jobs, uint64_t ticket)
{
	unsigned index;
	const struct job *job = find_ticket(jobs, ticket, &index);

	return job && job->wants_picture;
}

static void withdraw(struct jobs *jobs, struct job *job, unsigned index)
{
	struct ticket ticket = job->tickets[index];
	struct failure failure;
	struct job_outcome outcome = { .source = job->source, .caption = "",
				       .details = json_object(), .failure = &failure,
				       .verbosity = job->verbosity };

	failure_set(&failure, FAILURE_CANCELLED, "The description was cancelled.");
	memmove(&job->tickets[index], &job->tickets[index + 1],
		(job->ticket_count - index - 1) * sizeof(*job->tickets));
	job->ticket_count--;
	ticket.done(ticket.data, ticket.number, &outcome);
	json_decref(outcome.details);
	free(ticket.owner);
	if (job->ticket_count > 0)
		return;
	if (job == jobs->running)
		worker_cancel(jobs->worker, job->number);
	else
		finish(jobs, job, NULL, &failure);
}

bool jobs_cancel(struct jobs *jobs, uint64_t ticket, const char *owner)
{
	unsigned index;
	struct job *job = find_ticket(jobs, ticket, &index);
	const char *holder = job ? job->tickets[index].owner : NULL;

	if (!job || (owner && (!holder || strcmp(owner, holder) != 0)))
		return false;
	withdraw(jobs, job, index);
	return true;
}

/* Withdraws the first ticket of `owner`, of any owner when that is NULL. */
static bool withdraw_one(struct jobs *jobs, const char *owner)
{
	for (unsigned i = 0; i < jobs->count; i++) {
		for (unsigned j = 0; j < jobs->queue[i]->ticket_count; j++) {
			const char *holder = jobs->queue[i]->tickets[j].owner;

			if (holder && (!owner || strcmp(holder, owner) == 0)) {
				withdraw(jobs, jobs->queue[i], j);
				return true;
			}
		}
	}
	return false;
}

void jobs_cancel_owner(struct jobs *jobs, const char *owner)
{
	while (withdraw_one(jobs, owner))
		;
}

void jobs_cancel_callers(struct jobs *jobs)
{
	while (withdraw_one(jobs, NULL))
		;
}

void jobs_silence(struct jobs *jobs)
{
	jobs->silenced = jobs->last_ticket;
}

bool jobs_audible(const struct jobs *jobs)
{
	for (unsigned i = 0; i < jobs->count; i++) {
		const struct job *job = jobs->queue[i];

		for (unsigned j = 0; j < job->ticket_count; j++)
			if (job->tickets[j].speak && job->tickets[j].number > jobs->silenced)
				return true;
	}
	return false;
}

bool jobs_busy(const struct jobs *jobs)
{
	return jobs->count > 0;
}

unsigned jobs_count(const struct jobs *jobs)
{
	return jobs->count;
}
