/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * loop.h: the event loop that everything in descryd except the worker's
 * arithmetic and the sound runs on.
 *
 * A thin layer over epoll. Four kinds of source exist: a file descriptor, a
 * timer (a timerfd on CLOCK_MONOTONIC: it does not jump with the wall clock, and
 * stands still during suspend, so that nothing has expired on waking), a set of
 * signals (a signalfd) and a "prepare" function, which runs before each wait.
 * Prepare functions are there for libraries that keep a queue of their own:
 * libdbus may have read several messages at once, and epoll will never report
 * those that are already in memory. One that has work left returns true, and the
 * loop then looks at its descriptors without sleeping.
 *
 * A callback may free any source, its own included: the memory goes only when
 * the batch of events that may still point to it has been handled. The loop
 * belongs to one thread. Nothing called from it may block for over 5 ms.
 */
#ifndef DAEMON_LOOP_H
#define DAEMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;
struct loop_source;

typedef void loop_fd_function(void *data, uint32_t events);
typedef void loop_timer_function(void *data);
typedef void loop_signal_function(void *data, int number);
typedef bool loop_prepare_function(void *data);

int loop_open(struct loop **ret_loop);
/* Sources that were not freed before are freed with it. */
struct loop *loop_free(struct loop *loop);

/* Handles events until loop_quit(); returns its status, or a negative errno. */
int loop_run(struct loop *loop);
void loop_quit(struct loop *loop, int status);

/* Borrows `fd`: remove the source before closing it. `events` are epoll's. */
int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_function *function,
		void *data, struct loop_source **ret_source);
int loop_set_events(struct loop_source *source, uint32_t events);

/* A new timer does not run. */
int loop_add_timer(struct loop *loop, loop_timer_function *function, void *data,
		   struct loop_source **ret_source);
/* First after `delay` milliseconds (0: at once), then every `interval` (0: no more). */
int loop_start_timer(struct loop_source *source, uint64_t delay, uint64_t interval);
void loop_stop_timer(struct loop_source *source);

/* Blocks the signals of the list, which 0 ends, and delivers them here. Threads
 * started later inherit the mask, so call this first. */
int loop_add_signals(struct loop *loop, const int *numbers, loop_signal_function *function,
		     void *data, struct loop_source **ret_source);

int loop_add_prepare(struct loop *loop, loop_prepare_function *function, void *data,
		     struct loop_source **ret_source);

struct loop_source *loop_source_free(struct loop_source *source);

/* Milliseconds of the clock the timers use. */
uint64_t loop_now(void);

#endif
