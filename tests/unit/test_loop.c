/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_loop.c: the event loop: descriptors, timers, signals, prepare functions,
 * and freeing sources from inside their own and each other's callbacks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/loop.h"

struct fixture {
	struct loop *loop;
	struct loop_source *first, *second;
	unsigned calls, prepared;
	int pipe[2], signal;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){ 0 };
	if (loop_open(&fixture.loop) || pipe(fixture.pipe))
		return -1;
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	loop_free(fixture->loop);
	close(fixture->pipe[0]);
	close(fixture->pipe[1]);
	return 0;
}

static void quit_with_seven(void *data, uint32_t events)
{
	struct fixture *fixture = data;

	assert_true(events & EPOLLIN);
	fixture->calls++;
	loop_quit(fixture->loop, 7);
}

static void descriptor(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(loop_add_fd(fixture->loop, fixture->pipe[0], EPOLLIN, quit_with_seven,
				     fixture, &fixture->first), 0);
	assert_int_equal(write(fixture->pipe[1], "x", 1), 1);
	assert_int_equal(loop_run(fixture->loop), 7);
	assert_int_equal(fixture->calls, 1);
	/* a descriptor cannot be watched twice, and the failure leaks nothing */
	assert_true(loop_add_fd(fixture->loop, fixture->pipe[0], EPOLLIN, quit_with_seven,
				fixture, &fixture->second) < 0);
}

static void free_both(void *data, uint32_t events)
{
	struct fixture *fixture = data;

	(void)events;
	fixture->calls++;
	fixture->first = loop_source_free(fixture->first);
	fixture->second = loop_source_free(fixture->second);
	loop_quit(fixture->loop, 0);
}

/* Both are ready in one batch; whichever comes first frees the other. */
static void freed_in_callback(void **state)
{
	struct fixture *fixture = *state;
	int other = dup(fixture->pipe[0]);

	loop_add_fd(fixture->loop, fixture->pipe[0], EPOLLIN, free_both, fixture, &fixture->first);
	loop_add_fd(fixture->loop, other, EPOLLIN, free_both, fixture, &fixture->second);
	assert_int_equal(write(fixture->pipe[1], "x", 1), 1);
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_int_equal(fixture->calls, 1);
	close(other);
}

static void count_to_three(void *data)
{
	struct fixture *fixture = data;

	if (++fixture->calls == 3)
		loop_quit(fixture->loop, 0);
}

static void timers(void **state)
{
	struct fixture *fixture = *state;
	uint64_t started = loop_now();

	loop_add_timer(fixture->loop, count_to_three, fixture, &fixture->first);
	loop_start_timer(fixture->first, 20, 10);
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_true(loop_now() - started >= 40);
	assert_int_equal(fixture->calls, 3);
	/* at once; and a stopped one never */
	fixture->calls = 2;
	loop_add_timer(fixture->loop, count_to_three, fixture, &fixture->second);
	loop_start_timer(fixture->second, 1, 0);
	loop_stop_timer(fixture->second);
	loop_start_timer(fixture->first, 0, 0);
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_int_equal(fixture->calls, 3);
}

static void on_signal(void *data, int number)
{
	struct fixture *fixture = data;

	fixture->signal = number;
	loop_quit(fixture->loop, 0);
}

static void signals(void **state)
{
	static const int numbers[] = { SIGUSR1, SIGUSR2, 0 };
	struct fixture *fixture = *state;

	assert_int_equal(loop_add_signals(fixture->loop, numbers, on_signal, fixture,
					  &fixture->first), 0);
	raise(SIGUSR2);
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_int_equal(fixture->signal, SIGUSR2);
}

static bool prepare_five_times(void *data)
{
	struct fixture *fixture = data;

	if (++fixture->prepared < 5)
		return true;
	loop_quit(fixture->loop, 0);
	return false;
}

/* Work that remains is worked off without any event. */
static void prepare(void **state)
{
	struct fixture *fixture = *state;

	loop_add_prepare(fixture->loop, prepare_five_times, fixture, &fixture->first);
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_int_equal(fixture->prepared, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(descriptor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(freed_in_callback, set_up, tear_down),
		cmocka_unit_test_setup_teardown(timers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(signals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(prepare, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
