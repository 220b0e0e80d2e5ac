/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * loop.c: see loop.h for the design. Sources stand in one list; a freed one is
 * only marked, and swept when no event of the current batch can refer to it.
 */
#include "daemon/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define BATCH 32

enum kind { KIND_FD, KIND_TIMER, KIND_SIGNAL, KIND_PREPARE };

struct loop_source {
	struct loop *loop;
	struct loop_source *next;
	enum kind kind;
	bool dead;
	int fd;		/* -1 for KIND_PREPARE */
	union {
		loop_fd_function *fd;
		loop_timer_function *timer;
		loop_signal_function *signal;
		loop_prepare_function *prepare;
	} function;
	void *data;
};

struct loop {
	int epoll;
	struct loop_source *sources;
	bool has_dead, quit;
	int status;
};

int loop_open(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		int r = -errno;

		free(loop);
		return r;
	}
	*ret_loop = loop;
	return 0;
}

static void source_destroy(struct loop_source *source)
{
	if (source->kind == KIND_TIMER || source->kind == KIND_SIGNAL)
		close(source->fd);
	free(source);
}

struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	while (loop->sources) {
		struct loop_source *source = loop->sources;

		loop->sources = source->next;
		source_destroy(source);
	}
	close(loop->epoll);
	free(loop);
	return NULL;
}

static void sweep(struct loop *loop)
{
	struct loop_source **link = &loop->sources;

	while (*link) {
		struct loop_source *source = *link;

		if (source->dead) {
			*link = source->next;
			source_destroy(source);
		} else {
			link = &source->next;
		}
	}
	loop->has_dead = false;
}

static void handle(struct loop_source *source, uint32_t events)
{
	struct signalfd_siginfo info;
	uint64_t expirations;

	switch (source->kind) {
	case KIND_FD:
		source->function.fd(source->data, events);
		break;
	case KIND_TIMER:
		/* a timer stopped earlier in the batch has nothing to read */
		if (read(source->fd, &expirations, sizeof(expirations)) == sizeof(expirations))
			source->function.timer(source->data);
		break;
	case KIND_SIGNAL:
		if (read(source->fd, &info, sizeof(info)) == sizeof(info))
			source->function.signal(source->data, (int)info.ssi_signo);
		break;
	case KIND_PREPARE:
		break;
	}
}

static bool prepare(struct loop *loop)
{
	bool more = false;

	for (struct loop_source *source = loop->sources; source; source = source->next)
		if (source->kind == KIND_PREPARE && !source->dead)
			more |= source->function.prepare(source->data);
	return more;
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[BATCH];

	loop->quit = false;
	for (;;) {
		bool more = prepare(loop);
		int n;

		if (loop->has_dead)
			sweep(loop);
		if (loop->quit)
			return loop->status;
		n = epoll_wait(loop->epoll, events, BATCH, more ? 0 : -1);
		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++) {
			struct loop_source *source = events[i].data.ptr;

			if (!source->dead)
				handle(source, events[i].events);
		}
	}
}

void loop_quit(struct loop *loop, int status)
{
	loop->quit = true;
	loop->status = status;
}

static int source_new(struct loop *loop, enum kind kind, int fd, uint32_t events, void *data,
		      struct loop_source **ret_source)
{
	struct loop_source *source = calloc(1, sizeof(*source));
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (!source)
		return -ENOMEM;
	*source = (struct loop_source){ .loop = loop, .kind = kind, .fd = fd, .data = data };
	if (fd >= 0 && epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		int r = -errno;

		free(source);
		return r;
	}
	source->next = loop->sources;
	loop->sources = source;
	*ret_source = source;
	return 0;
}

int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_function *function,
		void *data, struct loop_source **ret_source)
{
	int r = source_new(loop, KIND_FD, fd, events, data, ret_source);

	if (r == 0)
		(*ret_source)->function.fd = function;
	return r;
}

int loop_set_events(struct loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(source->loop->epoll, EPOLL_CTL_MOD, source->fd, &event) < 0 ? -errno : 0;
}

int loop_add_timer(struct loop *loop, loop_timer_function *function, void *data,
		   struct loop_source **ret_source)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int r;

	if (fd < 0)
		return -errno;
	r = source_new(loop, KIND_TIMER, fd, EPOLLIN, data, ret_source);
	if (r < 0)
		close(fd);
	else
		(*ret_source)->function.timer = function;
	return r;
}

static struct timespec timespec_of(uint64_t milliseconds)
{
	return (struct timespec){ .tv_sec = (time_t)(milliseconds / 1000),
				  .tv_nsec = (long)(milliseconds % 1000) * 1000000 };
}

int loop_start_timer(struct loop_source *source, uint64_t delay, uint64_t interval)
{
	struct itimerspec when = { .it_value = timespec_of(delay),
				   .it_interval = timespec_of(interval) };

	if (delay == 0)
		when.it_value.tv_nsec = 1; /* zero would stop the timer */
	return timerfd_settime(source->fd, 0, &when, NULL) < 0 ? -errno : 0;
}

void loop_stop_timer(struct loop_source *source)
{
	struct itimerspec never = { 0 };

	timerfd_settime(source->fd, 0, &never, NULL);
}

int loop_add_signals(struct loop *loop, const int *numbers, loop_signal_function *function,
		     void *data, struct loop_source **ret_source)
{
	sigset_t set;
	int fd, r;

	sigemptyset(&set);
	for (; *numbers; numbers++)
		sigaddset(&set, *numbers);
	r = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (r != 0)
		return -r;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = source_new(loop, KIND_SIGNAL, fd, EPOLLIN, data, ret_source);
	if (r < 0)
		close(fd);
	else
		(*ret_source)->function.signal = function;
	return r;
}

int loop_add_prepare(struct loop *loop, loop_prepare_function *function, void *data,
		     struct loop_source **ret_source)
{
	int r = source_new(loop, KIND_PREPARE, -1, 0, data, ret_source);

	if (r == 0)
		(*ret_source)->function.prepare = function;
	return r;
}

struct loop_source *loop_source_free(struct loop_source *source)
{
	if (!source)
		return NULL;
	source->dead = true;
	source->loop->has_dead = true;
	if (source->fd >= 0)
		epoll_ctl(source->loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	return NULL;
}

uint64_t loop_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
