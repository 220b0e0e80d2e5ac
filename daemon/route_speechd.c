/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * route_speechd.c: Speech Dispatcher, which most screen readers speak through,
 * where one runs that takes no messages itself.
 *
 * libspeechd's calls wait for the server's answer without a limit, and a server
 * whose sound device hangs does not answer. So a thread of its own makes them,
 * and a thread that has hung is left behind: it silences what it may still have
 * said when it comes back, and ends. Whether anything was heard is not known
 * from the answer either (without a sound device it is the same), so a taken
 * message counts as spoken until its end is reported, or for as long as its
 * length lets one expect.
 *
 * What the user asked for has the priority "message", which waits its turn behind
 * the screen reader; what watching noticed has "notification", which gives way.
 */
#include "daemon/route.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <speech-dispatcher/libspeechd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/bus_call.h"

#define WORKERS_MAX 4u		/* hung ones included */

/* One thread and its connection. Shared with the loop under `lock`; whoever is
 * last to let go frees it. */
struct worker {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	int event_fd;		/* the loop's; -1 once the loop has let go */
	unsigned holders;
	bool quit;
	/* the request */
	char *text;		/* NULL: none */
	char *language;
	SPDPriority priority;
	bool interrupt, silence;
	/* the answer */
	bool answered, accepted;
	char why[128];
	/* the message that was accepted last, until its end is reported */
	bool speaking;
	int message;
	/* the thread's own */
	SPDConnection *connection;
};

struct speechd {
	struct loop *loop;
	struct routes *routes;
	struct bus_call *call;
	const struct route_text *text;	/* NULL: none is being handed over */
	struct worker *worker;
	struct loop_source *source;
	int event_fd;
	uint64_t expected_end;		/* of what was accepted last */
};

static _Atomic unsigned workers;	/* that have not ended */

/* --- The thread -------------------------------------------------------------------- */

static void worker_release(struct worker *worker)
{
	bool last;

	pthread_mutex_lock(&worker->lock);
	last = --worker->holders == 0;
	pthread_mutex_unlock(&worker->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&worker->lock);
	pthread_cond_destroy(&worker->wake);
	free(worker->text);
	free(worker->language);
	free(worker);
}

static void tell(struct worker *worker)
{
	if (worker->event_fd >= 0)
		eventfd_write(worker->event_fd, 1);
}

/* libspeechd's callbacks carry no pointer; there is one live worker. */
static pthread_mutex_t live_lock = PTHREAD_MUTEX_INITIALIZER;
static struct worker *live;

static void on_end(size_t message, size_t client, SPDNotificationType type)
{
	(void)client, (void)type;
	pthread_mutex_lock(&live_lock);
	if (live) {
		pthread_mutex_lock(&live->lock);
		if ((size_t)live->message == message)
			live->speaking = false;
		tell(live);
		pthread_mutex_unlock(&live->lock);
	}
	pthread_mutex_unlock(&live_lock);
}

static bool connect_server(struct worker *worker, char *why, size_t size)
{
	char *error = NULL;

	if (worker->connection)
		return true;
	worker->connection = spd_open2("descry", "main", NULL, SPD_MODE_THREADED, NULL, 0, &error);
	if (!worker->connection) {
		snprintf(why, size, "%s", error ? error : "it does not run");
		free(error);
		return false;
	}
	worker->connection->callback_end = worker->connection->callback_cancel = on_end;
	spd_set_notification_on(worker->connection, SPD_END);
	spd_set_notification_on(worker->connection, SPD_CANCEL);
	return true;
}

static void disconnect_server(struct worker *worker)
{
	if (worker->connection)
		spd_close(worker->connection);
	worker->connection = NULL;
}

/* A server that was restarted is noticed by the first call that fails. */
static bool deliver(struct worker *worker, const char *text, const char *language,
		    SPDPriority priority, bool interrupt, char *why, size_t size)
{
	for (int attempt = 0; attempt < 2; attempt++) {
		int message;

		if (!connect_server(worker, why, size))
			return false;
		if (interrupt)
			spd_cancel(worker->connection);
		if (language)
			spd_set_language(worker->connection, language);
		message = spd_say(worker->connection, priority, text);
		if (message >= 0) {
			pthread_mutex_lock(&worker->lock);
			worker->message = message;
			pthread_mutex_unlock(&worker->lock);
			return true;
		}
		snprintf(why, size, "it refused the text");
		disconnect_server(worker);
	}
	return false;
}

static void *worker_main(void *data)
{
	struct worker *worker = data;

	pthread_mutex_lock(&worker->lock);
	while (!worker->quit) {
		char *text = worker->text, *language = worker->language, why[128] = "";
		bool interrupt = worker->interrupt, silence = worker->silence, accepted;
		SPDPriority priority = worker->priority;

		if (!text && !silence) {
			pthread_cond_wait(&worker->wake, &worker->lock);
			continue;
		}
		worker->text = worker->language = NULL;
		worker->silence = false;
		if (text)
			worker->speaking = true;
		pthread_mutex_unlock(&worker->lock);
		if (silence && worker->connection)
			spd_cancel(worker->connection);
		accepted = text && deliver(worker, text, language, priority, interrupt, why,
					   sizeof(why));
		pthread_mutex_lock(&worker->lock);
		/* left behind meanwhile: it must not be heard after all */
		if (accepted && (worker->quit || worker->silence)) {
			pthread_mutex_unlock(&worker->lock);
			spd_cancel(worker->connection);
			pthread_mutex_lock(&worker->lock);
		}
		if (text) {
			worker->answered = true;
			worker->accepted = accepted;
			worker->speaking &= accepted;
			snprintf(worker->why, sizeof(worker->why), "%s", why);
			tell(worker);
		}
		free(text);
		free(language);
	}
	pthread_mutex_unlock(&worker->lock);
	disconnect_server(worker);
	worker_release(worker);
	atomic_fetch_sub(&workers, 1);
	return NULL;
}

static struct worker *worker_new(int event_fd)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	sigset_t all, before;
	pthread_t thread;
	int r;

	if (!worker)
		return NULL;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->wake, NULL);
	worker->event_fd = event_fd;
	worker->holders = 2;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, NULL, worker_main, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		worker->holders = 1;
		worker_release(worker);
		return NULL;
	}
	pthread_detach(thread);
	atomic_fetch_add(&workers, 1);
	pthread_mutex_lock(&live_lock);
	live = worker;
	pthread_mutex_unlock(&live_lock);
	return worker;
}

/* Lets go of the thread, at rest or hung: it ends when it can. */
static struct worker *worker_leave(struct worker *worker)
{
	if (!worker)
		return NULL;
	pthread_mutex_lock(&live_lock);
	if (live == worker)
		live = NULL;
	pthread_mutex_unlock(&live_lock);
	pthread_mutex_lock(&worker->lock);
	worker->quit = true;
	worker->event_fd = -1;
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
	worker_release(worker);
	return NULL;
}

/* --- The loop's side ------------------------------------------------------------------ */

static void hand_over(struct speechd *speechd)
{
	struct worker *worker = speechd->worker;
	const struct route_text *text = speechd->text;

	if (!worker && atomic_load(&workers) < WORKERS_MAX)
		worker = speechd->worker = worker_new(speechd->event_fd);
	if (!worker) {
		route_refused(speechd->routes, "it has hung too often");
		return;
	}
	pthread_mutex_lock(&worker->lock);
	free(worker->text);
	free(worker->language);
	worker->text = strdup(text->text);
	worker->language = text->language ? strdup(text->language) : NULL;
	worker->priority = text->priority == TTS_IDLE ? SPD_NOTIFICATION : SPD_MESSAGE;
	worker->interrupt = text->priority == TTS_NOW;
	worker->answered = false;
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

static void on_event(void *data, uint32_t events)
{
	struct speechd *speechd = data;
	const struct routes_options *options = route_options(speechd->routes);
	struct worker *worker = speechd->worker;
	bool answered, accepted;
	eventfd_t ignored;
	char why[128];

	(void)events;
	eventfd_read(speechd->event_fd, &ignored);
	if (!worker)
		return;
	pthread_mutex_lock(&worker->lock);
	answered = worker->answered;
	accepted = worker->accepted;
	worker->answered = false;
	snprintf(why, sizeof(why), "%s", worker->why);
	pthread_mutex_unlock(&worker->lock);
	if (answered && speechd->text) {
		size_t length = strlen(speechd->text->text);
		bool forced = speechd->text->forced;

		speechd->text = NULL;
		if (accepted) {
			speechd->expected_end = loop_now() + 10000 + length * 120;
			route_taken(speechd->routes, forced ? "it is configured"
							    : "a screen reader runs");
		} else {
			route_refused(speechd->routes, why);
		}
	}
	options->on_change(options->data);
}

/* org.a11y.Status tells desktops and programs whether a screen reader is on. */
static void on_status(void *data, DBusMessage *reply)
{
	struct speechd *speechd = data;
	DBusMessageIter iter, value;
	dbus_bool_t enabled = FALSE;

	speechd->call = NULL;
	if (reply && dbus_message_get_type(reply) == DBUS_MESSAGE_TYPE_METHOD_RETURN &&
	    dbus_message_iter_init(reply, &iter) &&
	    dbus_message_iter_get_arg_type(&iter) == DBUS_TYPE_VARIANT) {
		dbus_message_iter_recurse(&iter, &value);
		if (dbus_message_iter_get_arg_type(&value) == DBUS_TYPE_BOOLEAN)
			dbus_message_iter_get_basic(&value, &enabled);
	}
	if (enabled) {
		hand_over(speechd);
		return;
	}
	speechd->text = NULL;
	route_refused(speechd->routes, "no screen reader runs");
}

static void speechd_say(void *driver, const struct route_text *text)
{
	const char *interface = "org.a11y.Status", *property = "ScreenReaderEnabled";
	struct speechd *speechd = driver;

	speechd->text = text;
	if (text->forced) {
		hand_over(speechd);
		return;
	}
	speechd->call = bus_call_start(route_connection(speechd->routes),
				       bus_call_message("org.a11y.Bus", "/org/a11y/bus",
							DBUS_INTERFACE_PROPERTIES, "Get",
							DBUS_TYPE_STRING, &interface,
							DBUS_TYPE_STRING, &property,
							DBUS_TYPE_INVALID),
				       route_call_limit(speechd->routes), on_status,
				       speechd);
	if (!speechd->call) {
		speechd->text = NULL;
		route_refused(speechd->routes, "the bus cannot be reached");
	}
}

static void speechd_cancel(void *driver)
{
	struct speechd *speechd = driver;

	speechd->call = bus_call_cancel(speechd->call);
	if (!speechd->text)
		return;
	speechd->text = NULL;
	/* the thread may be in the middle of it */
	speechd->worker = worker_leave(speechd->worker);
}

static void speechd_stop(void *driver)
{
	struct speechd *speechd = driver;

	speechd->expected_end = 0;
	if (!speechd->worker)
		return;
	pthread_mutex_lock(&speechd->worker->lock);
	speechd->worker->silence = true;
	speechd->worker->speaking = false;
	pthread_cond_signal(&speechd->worker->wake);
	pthread_mutex_unlock(&speechd->worker->lock);
}

static bool speechd_speaking(void *driver)
{
	struct speechd *speechd = driver;
	bool speaking;

	if (!speechd->worker || loop_now() >= speechd->expected_end)
		return false;
	pthread_mutex_lock(&speechd->worker->lock);
	speaking = speechd->worker->speaking;
	pthread_mutex_unlock(&speechd->worker->lock);
	return speaking;
}

static void speechd_free(void *driver)
{
	struct speechd *speechd = driver;

	bus_call_cancel(speechd->call);
	worker_leave(speechd->worker);
	loop_source_free(speechd->source);
	if (speechd->event_fd >= 0)
		close(speechd->event_fd);
	free(speechd);
}

static int speechd_open(struct loop *loop, struct routes *routes, void **ret_driver)
{
	struct speechd *speechd = calloc(1, sizeof(*speechd));
	int r;

	if (!speechd)
		return -ENOMEM;
	speechd->loop = loop;
	speechd->routes = routes;
	speechd->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = speechd->event_fd < 0 ? -errno : 0;
	if (r == 0)
		r = loop_add_fd(loop, speechd->event_fd, EPOLLIN, on_event, speechd,
				&speechd->source);
	if (r < 0) {
		speechd_free(speechd);
		return r;
	}
	*ret_driver = speechd;
	return 0;
}

const struct route_driver route_speechd = {
	.name = "speech-dispatcher", .open = speechd_open, .free = speechd_free,
	.say = speechd_say, .cancel = speechd_cancel, .stop = speechd_stop,
	.speaking = speechd_speaking,
};
