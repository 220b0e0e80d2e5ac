/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * worker_process.c: see worker_process.h. Two threads beside the engine's own:
 * the first listens to the socket, so that cancellations and pings are heard
 * while a picture is described on the second. The process knows no bus, no
 * configuration and no path but the model's, and after opening the model it
 * locks itself in (sandbox.h). Its standard error is the daemon's.
 */
#include "daemon/worker_process.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon/about.h"
#include "daemon/describe.h"
#include "daemon/details.h"
#include "daemon/log.h"
#include "daemon/packet.h"
#include "daemon/quality.h"
#include "daemon/trust.h"
#include "daemon/sandbox.h"

struct process {
	int socket;
	struct engine_model *model;
	struct engine_context *context;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	json_t *request;	/* the one waiting for the describing thread, or NULL */
	int picture;
	json_int_t running;	/* 0 when idle */
	atomic_bool cancel;
};

static void reply(struct process *process, json_t *object)
{
	int r = packet_send(process->socket, object, -1);

	if (r < 0 && r != -EPIPE)
		log_error("The worker cannot answer: %s.", strerror(-r));
	json_decref(object);
}

static json_t *failure_document(const struct failure *failure)
{
	json_t *message = json_string(failure->message);

	return json_pack("{s:s, s:o}", "error", failure_info(failure->kind)->name, "message",
			 message ? message : json_string("It failed without a reason."));
}

static unsigned number(json_t *object, const char *key, unsigned most)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value < 0 ? 0 : value > most ? most : (unsigned)value;
}

static void describe(struct process *process, json_t *request, int picture)
{
	json_t *pixels = json_object_get(request, "raw"), *document = NULL;
	struct describe_options options = {
		.beam = number(request, "beam", 100),
		.alternatives = number(request, "alternatives", 100),
	};
	struct describe_raw raw = {
		.format = number(pixels, "format", 100),
		.width = number(pixels, "width", 1u << 20),
		.height = number(pixels, "height", 1u << 20),
		.stride = number(pixels, "stride", 1u << 28),
	};
	struct failure failure = { FAILURE_NONE, "" };

	options.anything = !quality_read_option(json_object_get(request, "quality"),
						&options.limits);
	options.trust = trust_read_option(json_object_get(request, "trust"));
	if (describe_picture(process->model, process->context, picture, &raw, &options,
			     &process->cancel, &document, &failure))
		document = failure_document(&failure);
	else
		about_apply(document, json_object_get(request, "about"));
	json_object_set(document, "job", json_object_get(request, "job"));
	pthread_mutex_lock(&process->lock);
	process->running = 0;
	pthread_mutex_unlock(&process->lock);
	reply(process, document);
}

static void *describe_forever(void *data)
{
	struct process *process = data;

	for (;;) {
		json_t *request;
		int picture;

		pthread_mutex_lock(&process->lock);
		while (!process->request)
			pthread_cond_wait(&process->wake, &process->lock);
		request = process->request;
		picture = process->picture;
		process->request = NULL;
		pthread_mutex_unlock(&process->lock);
		describe(process, request, picture);
		json_decref(request);
		if (picture >= 0)
			close(picture);
	}
	return NULL;
}

static int open_model(struct process *process, json_t *request)
{
	const char *path = json_string_value(json_object_get(request, "path"));
	struct engine_context_options options = {
		.threads = number(request, "threads", 16),
	};
	struct engine_error error = { "" };
	struct failure failure;
	int r;

	r = engine_model_open(path ? path : "", &process->model, &error);
	if (r == 0)
		r = engine_context_open(process->model, &options, &process->context, &error);
	if (r) {
		failure_from_engine(&failure, r, error.message);
		failure.kind = FAILURE_BAD_MODEL;
		reply(process, failure_document(&failure));
	}
	return r;
}

/* Takes the request and the picture, which are then the other thread's alone, and
 * returns true. Not so when the job came while another runs, or without a picture:
 * a fault of the daemon, answered all the same. */
static bool accept_job(struct process *process, json_t *request, int picture)
{
	bool accepted = false;

	pthread_mutex_lock(&process->lock);
	if (!process->request && process->running == 0 && picture >= 0) {
		process->request = request;
		process->picture = picture;
		process->running = json_integer_value(json_object_get(request, "job"));
		atomic_store(&process->cancel, false);
		pthread_cond_signal(&process->wake);
		accepted = true;
	}
	pthread_mutex_unlock(&process->lock);
	return accepted;
}

static void cancel_job(struct process *process, json_int_t job)
{
	pthread_mutex_lock(&process->lock);
	if (process->running == job)
		atomic_store(&process->cancel, true);
	pthread_mutex_unlock(&process->lock);
}

static void listen_forever(struct process *process)
{
	for (;;) {
		json_t *request, *value;
		int picture, r;

		r = packet_receive(process->socket, 0, &request, &picture);
		if (r == -EBADMSG)
			continue;
		if (r <= 0)
			return;
		if ((value = json_object_get(request, "job"))) {
			if (accept_job(process, request, picture))
				continue;
			reply(process, json_pack("{s:O, s:s, s:s}", "job", value, "error", "Busy",
						 "message", "Another picture is being described."));
		} else if ((value = json_object_get(request, "cancel"))) {
			cancel_job(process, json_integer_value(value));
		} else if ((value = json_object_get(request, "ping"))) {
			reply(process, json_pack("{s:O}", "pong", value));
		}
		if (picture >= 0)
			close(picture);
		json_decref(request);
	}
}

int worker_process_run(int fd)
{
	/* the other thread waits in it until the process has ended, after this function has */
	static struct process process = { .lock = PTHREAD_MUTEX_INITIALIZER,
					  .wake = PTHREAD_COND_INITIALIZER };
	json_t *request = NULL;
	pthread_t thread;
	sigset_t none;
	int picture = -1, r;

	process.socket = fd;
	prctl(PR_SET_NAME, "descry-worker");
	sandbox_forbid_core_dumps();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* what the terminal sends to the daemon is the daemon's to handle */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	r = packet_receive(fd, 0, &request, &picture);
	if (r <= 0)
		return 1;
	r = open_model(&process, json_object_get(request, "open"));
	json_decref(request);
	if (r)
		return 1;
	if (pthread_create(&thread, NULL, describe_forever, &process) != 0)
		return 1;
	r = sandbox_enter(SANDBOX_PICTURES);
	if (r < 0)
		log_warning("Pictures are described without a seccomp filter: %s.", strerror(-r));
	reply(&process, json_pack("{s:o}", "model",
				  details_model(engine_model_info(process.model))));
	listen_forever(&process);
	pthread_mutex_lock(&process.lock);
	/* no tidying up in the middle of a picture */
	if (process.running)
		_exit(0);
	/* the other thread waits for a request that cannot come, behind the lock */
	engine_context_free(process.context);
	engine_model_free(process.model);
	return 0;
}
