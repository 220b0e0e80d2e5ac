/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_thread_choice.c: the search for the fastest number of threads against
 * processors made up for it, with the clock in the test's hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/thread_choice.h"

/* Describes pictures, each of times[threads − 1] long, until the choice is made;
 * the first takes ten times as long. Returns the threads; counts pictures that
 * took more than half as long again as they had to. */
static unsigned describe(unsigned threads, const double *times, double noise, unsigned *ret_slow)
{
	struct thread_choice choice = thread_choice(threads);
	double best = times[0];
	unsigned pictures = 0;

	*ret_slow = 0;
	for (unsigned i = 1; i < threads; i++)
		best = times[i] < best ? times[i] : best;
	while (!choice.settled) {
		double time = times[choice.threads - 1];

		assert_true(choice.threads >= 1 && choice.threads <= threads);
		assert_true(pictures < 4 * threads);
		if (pictures == 0)
			time *= 10;
		else
			*ret_slow += time > 1.5 * best;
		/* another program takes the processor in every third picture */
		thread_choice_note(&choice, pictures % 3 == 2 ? time * (1 + noise) : time);
		pictures++;
	}
	/* what is settled stays */
	pictures = choice.threads;
	thread_choice_note(&choice, 0.001);
	assert_int_equal(choice.threads, pictures);
	return pictures;
}

static void all_cores_where_they_help(void **state)
{
	unsigned slow;

	(void)state;
	assert_int_equal(describe(4, (double[]){100, 52, 36, 28}, 0, &slow), 4);
	assert_int_equal(slow, 0);
	assert_int_equal(describe(2, (double[]){31, 16}, 0, &slow), 2);
	assert_int_equal(slow, 1);
	assert_int_equal(describe(4, (double[]){100, 52, 36, 28}, 0.5, &slow), 4);
}

static void fewer_where_memory_is_narrow(void **state)
{
	unsigned slow;

	(void)state;
	assert_int_equal(describe(4, (double[]){80, 90, 110, 140}, 0, &slow), 1);
	assert_int_equal(describe(4, (double[]){100, 60, 70, 80}, 0, &slow), 2);
	assert_int_equal(describe(3, (double[]){100, 60, 70}, 0, &slow), 2);
}

static void no_change_for_a_trifle(void **state)
{
	unsigned slow;

	(void)state;
	assert_int_equal(describe(2, (double[]){99, 100}, 0, &slow), 2);
	assert_int_equal(slow, 0);
}

static void one_core_has_no_choice(void **state)
{
	(void)state;
	assert_true(thread_choice(1).settled);
	assert_int_equal(thread_choice(1).threads, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_cores_where_they_help),
		cmocka_unit_test(fewer_where_memory_is_narrow),
		cmocka_unit_test(no_change_for_a_trifle),
		cmocka_unit_test(one_core_has_no_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
