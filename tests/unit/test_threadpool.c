/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The thread pool: every share is run exactly once, at any thread count, after
 * short and long pauses, and shares cover the whole without overlap. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/limits.h"
#include "engine/threadpool.h"

struct tally {
	unsigned calls[LIMIT_THREADS];
	unsigned count;
};

static void count_call(void *argument, unsigned index, unsigned count)
{
	struct tally *tally = argument;

	tally->calls[index]++;
	if (index == 0)
		tally->count = count;
}

static void every_share_runs_once(void **state)
{
	(void)state;
	for (unsigned threads = 1; threads <= LIMIT_THREADS; threads++) {
		struct threadpool *pool;
		struct tally tally = {0};
		unsigned runs = threads <= 4 ? 2000 : 50;

		assert_int_equal(threadpool_open(threads, &pool, NULL), 0);
		assert_int_equal(threadpool_threads(pool), threads);
		for (unsigned i = 0; i < runs; i++)
			threadpool_run(pool, count_call, &tally);
		assert_int_equal(tally.count, threads);
		for (unsigned i = 0; i < LIMIT_THREADS; i++)
			assert_int_equal(tally.calls[i], i < threads ? runs : 0);
		assert_null(threadpool_free(pool));
	}
}

static void limits_hold(void **state)
{
	static const unsigned limits[] = {4, 1, 3, 2, 4, 4, 2};
	struct threadpool *pool;

	(void)state;
	assert_int_equal(threadpool_open(4, &pool, NULL), 0);
	for (unsigned round = 0; round < 300; round++) {
		unsigned limit = limits[round % (sizeof(limits) / sizeof(limits[0]))];
		unsigned runs = round % 9 + 1;
		struct tally tally = {0};

		threadpool_limit(pool, limit);
		assert_int_equal(threadpool_threads(pool), limit);
		/* long enough, now and then, for all to fall asleep */
		if (round % 50 == 0)
			usleep(5000);
		for (unsigned i = 0; i < runs; i++)
			threadpool_run(pool, count_call, &tally);
		assert_int_equal(tally.count, limit);
		for (unsigned i = 0; i < LIMIT_THREADS; i++)
			assert_int_equal(tally.calls[i], i < limit ? runs : 0);
	}
	threadpool_limit(pool, 1);
	assert_null(threadpool_free(pool));
}

static void sleeping_workers_wake(void **state)
{
	struct threadpool *pool;
	struct tally tally = {0};

	(void)state;
	assert_int_equal(threadpool_open(3, &pool, NULL), 0);
	for (unsigned i = 0; i < 20; i++) {
		usleep(5000);
		threadpool_run(pool, count_call, &tally);
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(tally.calls[i], 20);
	threadpool_free(pool);
}

static void linger(void *argument, unsigned index, unsigned count)
{
	(void)count;
	if (index > 0)
		usleep(3000);
	count_call(argument, index, count);
}

static void the_caller_waits_for_slow_workers(void **state)
{
	struct threadpool *pool;
	struct tally tally = {0};

	(void)state;
	assert_int_equal(threadpool_open(4, &pool, NULL), 0);
	for (unsigned i = 1; i <= 5; i++) {
		threadpool_run(pool, linger, &tally);
		for (unsigned k = 0; k < 4; k++)
			assert_int_equal(tally.calls[k], i);
	}
	threadpool_free(pool);
}

static void no_pool_is_one_thread(void **state)
{
	struct tally tally = {0};

	(void)state;
	threadpool_run(NULL, count_call, &tally);
	assert_int_equal(tally.calls[0], 1);
	assert_int_equal(tally.count, 1);
	assert_int_equal(threadpool_threads(NULL), 1);
	assert_null(threadpool_free(NULL));
}

static void shares_cover_the_whole(void **state)
{
	static const size_t totals[] = {0, 1, 5, 6, 7, 64, 289, 1225, 21609};
	static const size_t grains[] = {1, 5, 6, 8, 64};

	(void)state;
	for (size_t t = 0; t < sizeof(totals) / sizeof(*totals); t++)
		for (size_t g = 0; g < sizeof(grains) / sizeof(*grains); g++)
			for (unsigned count = 1; count <= LIMIT_THREADS; count++) {
				size_t expected = 0, begin, end;

				for (unsigned i = 0; i < count; i++) {
					threadpool_share(totals[t], grains[g], i, count, &begin,
							 &end);
					assert_int_equal(begin, expected);
					assert_true(end >= begin);
					assert_true(end == totals[t] || end % grains[g] == 0);
					expected = end;
				}
				assert_int_equal(expected, totals[t]);
			}
}

static void a_cpu_set_limits_the_choice(void **state)
{
	cpu_set_t before, one;
	size_t cpu = 0;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	while (!CPU_ISSET(cpu, &before))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(threadpool_choose(0), 1);
	assert_int_equal(threadpool_choose(4), 1);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	assert_in_range(threadpool_choose(0), 1, 4);
	assert_true(threadpool_choose(16) <= (unsigned)CPU_COUNT(&before));
}

static void impossible_counts_are_refused(void **state)
{
	struct threadpool *pool = NULL;
	struct engine_error error;

	(void)state;
	assert_int_equal(threadpool_open(0, &pool, &error), ENGINE_BAD_OPTION);
	assert_int_equal(threadpool_open(17, &pool, &error), ENGINE_BAD_OPTION);
	assert_non_null(strstr(error.message, "17"));
	assert_null(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_share_runs_once),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(sleeping_workers_wake),
		cmocka_unit_test(the_caller_waits_for_slow_workers),
		cmocka_unit_test(no_pool_is_one_thread),
		cmocka_unit_test(shares_cover_the_whole),
		cmocka_unit_test(a_cpu_set_limits_the_choice),
		cmocka_unit_test(impossible_counts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
