/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * worker.c: see worker.h. The socket is the only thing watched: its end is the
 * process's end. A job may be sent before the model is open, since packets
 * arrive in order; if opening fails, the failure answers the job too.
 */
#include "daemon/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/packet.h"
#include "daemon/program.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MOST_MS 10000
#define CANCEL_GRACE_MS 1000
/* one that counts lines writes the counts when it ends, a sanitizer's looks for lost memory */
#if defined(DESCRY_COVERAGE) || defined(__SANITIZE_ADDRESS__)
#define END_STEPS 5000
#else
#define END_STEPS 100
#endif

struct worker {
	struct loop *loop;
	struct worker_options options;
	char *program, *model_path;
	int program_file;	/* open, so that it is there after an upgrade */
	pid_t pid;
	int socket;
	struct loop_source *socket_source, *restart_timer, *kill_timer;
	uint64_t job;		/* 0: idle */
	bool cancelled;		/* the running job was */
	struct failure why;	/* set: the answer to the job when the process ends */
	bool waiting;		/* for restart_timer */
	bool model_failed;	/* the process said so before it ended */
	bool replace;		/* by one with the new model, when idle */
	unsigned backoff, restarts;
	json_int_t pinged, ponged;
};

static void on_socket(void *data, uint32_t events);

/* The program by its name, or, when an upgrade has put another there, the one that
 * was opened, which this daemon understands. */
static void name_program(const struct worker *worker, size_t size, char *ret_name)
{
	struct stat opened, named;

	if (worker->program_file < 0 || (stat(worker->program, &named) == 0 &&
	    fstat(worker->program_file, &opened) == 0 && named.st_ino == opened.st_ino &&
	    named.st_dev == opened.st_dev))
		snprintf(ret_name, size, "%s", worker->program);
	else
		snprintf(ret_name, size, "/proc/self/fd/%d", worker->program_file);
}

/* Only calls that are safe between fork and exec in a threaded program. */
static void become_worker(const char *program, int socket)
{
	char *const arguments[] = { (char *)"descry-worker", NULL };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (socket == WORKER_SOCKET)
		fcntl(socket, F_SETFD, 0);
	else
		dup2(socket, WORKER_SOCKET);
	execv(program, arguments);
	_exit(127);
}

static int start_process(struct worker *worker, struct failure *failure)
{
	char program[4200];
	int pair[2], r;
	json_t *request;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return failure_set(failure, FAILURE_FAILED,
				   "The describing process cannot be started: %s.",
				   strerror(errno));
	name_program(worker, sizeof(program), program);
	pid = fork();
	if (pid == 0)
		become_worker(program, pair[1]);
	r = pid < 0 ? -errno : 0;
	close(pair[1]);
	if (r == 0)
		r = loop_add_fd(worker->loop, pair[0], EPOLLIN, on_socket, worker,
				&worker->socket_source);
	if (r < 0) {
		close(pair[0]);
		if (pid > 0) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
		return failure_set(failure, FAILURE_FAILED,
				   "The describing process cannot be started: %s.", strerror(-r));
	}
	worker->pid = pid;
	worker->socket = pair[0];
	worker->model_failed = worker->replace = false;
	worker->pinged = worker->ponged = 0;
	request = json_pack("{s:{s:s, s:i}}", "open", "path", worker->model_path, "threads",
			    (int)worker->options.threads);
	packet_send(worker->socket, request, -1);
	json_decref(request);
	return 0;
}

/* Ends the process if it still runs; returns how it ended, for the log. */
static int end_process(struct worker *worker)
{
	int status = 0;

	if (!worker->pid)
		return 0;
	worker->socket_source = loop_source_free(worker->socket_source);
	close(worker->socket);
	worker->socket = -1;
	kill(worker->pid, SIGKILL);
	while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR)
		;
	worker->pid = 0;
	return status;
}

static void answer(struct worker *worker, json_t *document, const struct failure *failure)
{
	uint64_t job = worker->job;

	if (!job)
		return;
	worker->job = 0;
	worker->cancelled = false;
	worker->why.kind = FAILURE_NONE;
	loop_stop_timer(worker->kill_timer);
	worker->options.on_answer(worker->options.data, job, document, failure);
}

static void restart_later(struct worker *worker)
{
	worker->waiting = true;
	loop_start_timer(worker->restart_timer, worker->backoff, 0);
	worker->backoff = worker->backoff == 0 ? BACKOFF_FIRST_MS : worker->backoff * 2;
	if (worker->backoff > BACKOFF_MOST_MS)
		worker->backoff = BACKOFF_MOST_MS;
}

/* The socket has ended, so the process has or is about to. */
static void on_end(struct worker *worker)
{
	bool expected = worker->cancelled || worker->why.kind != FAILURE_NONE;
	struct failure failure = worker->why;
	int status = end_process(worker);

	if (worker->model_failed) {
		worker->options.on_idle(worker->options.data);
		return;
	}
	worker->restarts++;
	if (!expected && WIFSIGNALED(status))
		log_warning("The describing process ended by signal %d (%s); starting it again.",
			    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (!expected)
		log_warning("The describing process ended with status %d; starting it again.",
			    WEXITSTATUS(status));
	if (expected)
		worker->backoff = 0;
	restart_later(worker);
	if (worker->cancelled)
		failure_set(&failure, FAILURE_CANCELLED, "The description was cancelled.");
	else if (failure.kind == FAILURE_NONE)
		failure_set(&failure, FAILURE_CRASHED,
			    "This picture made the describing program stop. It was started "
			    "again; other pictures can be described.");
	answer(worker, NULL, &failure);
}

static void on_restart(void *data)
{
	struct worker *worker = data;
	struct failure failure;

	worker->waiting = false;
	if (!worker->pid && start_process(worker, &failure)) {
		log_error("%s", failure.message);
		restart_later(worker);
		return;
	}
	worker->options.on_idle(worker->options.data);
}

static void on_kill(void *data)
{
	struct worker *worker = data;

	if (worker->pid)
		kill(worker->pid, SIGKILL);
}

static void failure_from_document(json_t *document, struct failure *ret_failure)
{
	const char *name = json_string_value(json_object_get(document, "error"));
	const char *message = json_string_value(json_object_get(document, "message"));

	failure_set(ret_failure, failure_from_name(name ? name : ""), "%s",
		    message ? message : "The picture could not be described.");
}

static void on_document(struct worker *worker, json_t *document)
{
	json_t *job = json_object_get(document, "job"), *model = json_object_get(document, "model");
	bool failed = json_object_get(document, "error") != NULL;
	struct failure failure = { FAILURE_NONE, "" };

	if (json_object_get(document, "pong")) {
		worker->ponged = json_integer_value(json_object_get(document, "pong"));
		return;
	}
	if (failed)
		failure_from_document(document, &failure);
	if (job) {
		/* the process may be compromised: it may answer what was asked only */
		if ((uint64_t)json_integer_value(job) != worker->job)
			return;
		worker->backoff = 0;
		answer(worker, failed ? NULL : document, failed ? &failure : NULL);
		if (worker->replace && !worker->job)
			worker_set_model(worker, NULL, worker->options.threads);
		else if (!worker->job)
			worker->options.on_idle(worker->options.data);
	} else if (model) {
		worker->options.on_model(worker->options.data, model, NULL);
	} else if (failed) {
		worker->model_failed = true;
		worker->options.on_model(worker->options.data, NULL, &failure);
		answer(worker, NULL, &failure);
	}
}

static void on_socket(void *data, uint32_t events)
{
	struct worker *worker = data;
	json_t *document;
	int fd, r;

	(void)events;
	r = packet_receive(worker->socket, MSG_DONTWAIT, &document, &fd);
	if (r == -EAGAIN)
		return;
	if (r == -EBADMSG) {
		log_error("The describing process sent what is not a message; it is stopped.");
		on_end(worker);
		return;
	}
	if (r <= 0) {
		on_end(worker);
		return;
	}
	if (fd >= 0)
		close(fd);
	on_document(worker, document);
	json_decref(document);
}

int worker_open(struct loop *loop, const struct worker_options *options,
		struct worker **ret_worker, struct failure *failure)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int r = -ENOMEM;

	if (!worker)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	worker->loop = loop;
	worker->options = *options;
	worker->socket = -1;
	worker->program_file = -1;
	worker->program = options->program ? strdup(options->program) : program_find("descry-worker");
	worker->model_path = strdup(options->model_path);
	if (worker->program)
		worker->program_file = open(worker->program, O_PATH | O_CLOEXEC);
	if (worker->program && worker->model_path)
		r = loop_add_timer(loop, on_restart, worker, &worker->restart_timer);
	if (r == 0)
		r = loop_add_timer(loop, on_kill, worker, &worker->kill_timer);
	if (r < 0)
		failure_set(failure, FAILURE_FAILED, "%s.", strerror(-r));
	else
		r = start_process(worker, failure);
	if (r) {
		worker_free(worker);
		return 1;
	}
	*ret_worker = worker;
	return 0;
}

/* Lets an idle process end by itself, which takes it no time. */
static void await_end(struct worker *worker)
{
	const struct timespec step = { .tv_nsec = 2000000 };

	if (!worker->pid || worker->job)
		return;
	worker->socket_source = loop_source_free(worker->socket_source);
	shutdown(worker->socket, SHUT_RDWR);
	for (unsigned i = 0; i < END_STEPS; i++) {
		siginfo_t info = { 0 };

		if (waitid(P_PID, (id_t)worker->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    info.si_pid != 0)
			return;
		nanosleep(&step, NULL);
	}
}

struct worker *worker_free(struct worker *worker)
{
	if (!worker)
		return NULL;
	await_end(worker);
	end_process(worker);
	loop_source_free(worker->restart_timer);
	loop_source_free(worker->kill_timer);
	if (worker->program_file >= 0)
		close(worker->program_file);
	free(worker->program);
	free(worker->model_path);
	free(worker);
	return NULL;
}

int worker_set_model(struct worker *worker, const char *path, unsigned threads)
{
	if (path) {
		char *copy = strdup(path);

		if (!copy)
			return -ENOMEM;
		free(worker->model_path);
		worker->model_path = copy;
	}
	worker->options.threads = threads;
	if (worker->job) {
		worker->replace = true;
		return 0;
	}
	end_process(worker);
	worker->backoff = 0;
	restart_later(worker);
	return 0;
}

bool worker_idle(const struct worker *worker)
{
	return worker->job == 0 && !worker->waiting;
}

int worker_start(struct worker *worker, uint64_t job, int fd, json_t *options,
		 struct failure *failure)
{
	json_t *request;
	int r;

	if (worker->pid && worker->model_failed)
		end_process(worker);
	if (!worker->pid && start_process(worker, failure))
		return 1;
	request = json_copy(options);
	json_object_set_new(request, "job", json_integer((json_int_t)job));
	r = packet_send(worker->socket, request, fd);
	json_decref(request);
	if (r < 0)
		return failure_set(failure, FAILURE_FAILED,
				   "The picture cannot be handed to the describing process: %s.",
				   strerror(-r));
	worker->job = job;
	return 0;
}

void worker_cancel(struct worker *worker, uint64_t job)
{
	json_t *request;

	if (!job || worker->job != job || worker->cancelled)
		return;
	worker->cancelled = true;
	request = json_pack("{s:I}", "cancel", (json_int_t)job);
	packet_send(worker->socket, request, -1);
	json_decref(request);
	loop_start_timer(worker->kill_timer, CANCEL_GRACE_MS, 0);
}

void worker_abort(struct worker *worker, const struct failure *why)
{
	if (!worker->job)
		return;
	worker->why = *why;
	if (worker->pid)
		kill(worker->pid, SIGKILL);
}

bool worker_ping(struct worker *worker)
{
	bool alive = worker->ponged == worker->pinged;
	json_t *request;

	if (!worker->pid || worker->model_failed)
		return true;
	if (!alive)
		return false;
	worker->pinged++;
	request = json_pack("{s:I}", "ping", worker->pinged);
	packet_send(worker->socket, request, -1);
	json_decref(request);
	return true;
}

pid_t worker_pid(const struct worker *worker)
{
	return worker->pid;
}

unsigned worker_restarts(const struct worker *worker)
{
	return worker->restarts;
}
