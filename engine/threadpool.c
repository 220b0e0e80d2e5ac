/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * threadpool.c: a fork-join pool for operators that last from microseconds to
 * milliseconds. A network has a hundred of them in a row, so a worker that
 * finds no work spins for some tens of microseconds, which covers the step from
 * one operator to the next, and only then sleeps on a futex. The split is
 * static: each thread knows its share from its index alone, nothing is shared
 * but two words, each on a cache line of its own.
 *
 * After a pause the scheduler likes to wake a worker on the CPU of the caller,
 * which does not give it up: both then take turns on one CPU for a whole picture.
 * So workers that sleep are kept off the caller's CPU before they are woken.
 *
 * Workers inherit the CPU set of the thread that opens the pool. On processors
 * whose cores differ (big.LITTLE) they keep to the fastest kind as long as it
 * has enough cores, because the slowest share decides when an operator ends.
 */
#include "engine/threadpool.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/error.h"
#include "engine/limits.h"

#define CACHE_LINE 64
#define DEFAULT_THREADS 4u
#define CPU_COUNT_MAX 1024

#if defined(__x86_64__)
#define SPIN_ROUNDS 1000 /* about 40 cycles each */
#define spin_pause() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define SPIN_ROUNDS 10000
#define spin_pause() __asm__ volatile("yield" ::: "memory")
#else
#define SPIN_ROUNDS 1000
#define spin_pause() __asm__ volatile("" ::: "memory")
#endif

#define RUN_STEP 32u /* more than LIMIT_THREADS */

struct worker {
	struct threadpool *pool;
	pthread_t thread;
	unsigned index;
};

struct threadpool {
	/* Counts the runs above RUN_STEP; below it stands how many threads take part.
	 * Workers wait for it to change. */
	_Alignas(CACHE_LINE) atomic_uint run;
	atomic_uint sleepers;
	/* Workers that have not finished the present run. */
	_Alignas(CACHE_LINE) atomic_uint pending;
	atomic_uint caller_sleeps;
	/* Workers that take no part sleep here until `threads` changes. */
	_Alignas(CACHE_LINE) atomic_uint limit_changes;
	_Alignas(CACHE_LINE) threadpool_task *task;
	void *argument;
	atomic_uint threads;	/* that take part */
	bool stop;
	cpu_set_t cpus;		/* where workers may run; empty: unknown */
	int avoided_cpu;	/* the caller's, at the last time it woke them; or -1 */
	unsigned worker_count;
	struct worker workers[LIMIT_THREADS - 1];
};

static void futex_wait(atomic_uint *word, unsigned value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word, int count)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

/* --- The processors we may use ---------------------------------------------- */

static bool read_number(unsigned cpu, const char *leaf, unsigned long *ret_number)
{
	char path[128], text[32];
	FILE *file;
	char *end;
	bool ok;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/%s", cpu, leaf);
	file = fopen(path, "re");
	if (!file)
		return false;
	ok = fgets(text, sizeof(text), file);
	fclose(file);
	if (!ok)
		return false;
	errno = 0;
	*ret_number = strtoul(text, &end, 10);
	return end != text && errno == 0;
}

/* The speed of a core relative to its fellows; 0 where all are equal. */
static unsigned long capacity(unsigned cpu)
{
	unsigned long number;

	if (read_number(cpu, "cpu_capacity", &number))
		return number;
	return 0;
}

/* Whether `cpu` is the first of its core's hardware threads. */
static bool leads_core(unsigned cpu)
{
	unsigned long first;

	if (read_number(cpu, "topology/thread_siblings_list", &first))
		return first == cpu;
	return true;
}

static bool allowed_cpus(cpu_set_t *ret_set)
{
	return sched_getaffinity(0, sizeof(*ret_set), ret_set) == 0;
}

/* Leaves only the fastest kind of the CPUs in `set`. */
static void keep_fastest(cpu_set_t *set)
{
	unsigned long best = 0;

	for (unsigned cpu = 0; cpu < CPU_COUNT_MAX && cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, set) && capacity(cpu) > best)
			best = capacity(cpu);
	if (best == 0)
		return;
	/* Kinds of one core differ by some per cent only (favoured cores). */
	for (unsigned cpu = 0; cpu < CPU_COUNT_MAX && cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, set) && capacity(cpu) < best * 3 / 4)
			CPU_CLR(cpu, set);
}

unsigned threadpool_choose(unsigned wanted)
{
	cpu_set_t set;
	unsigned allowed, cores = 0;

	if (!allowed_cpus(&set))
		return 1;
	allowed = (unsigned)CPU_COUNT(&set);
	if (wanted == 0) {
		keep_fastest(&set);
		for (unsigned cpu = 0; cpu < CPU_COUNT_MAX && cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &set) && leads_core(cpu))
				cores++;
		wanted = cores < DEFAULT_THREADS ? cores : DEFAULT_THREADS;
	}
	if (wanted > allowed)
		wanted = allowed;
	if (wanted > LIMIT_THREADS)
		wanted = LIMIT_THREADS;
	return wanted > 0 ? wanted : 1;
}

/* --- The pool ---------------------------------------------------------------- */

static unsigned await_run(struct threadpool *pool, unsigned seen)
{
	for (unsigned round = 0; round < SPIN_ROUNDS; round++) {
		unsigned run = atomic_load_explicit(&pool->run, memory_order_acquire);

		if (run != seen)
			return run;
		spin_pause();
	}
	atomic_fetch_add(&pool->sleepers, 1);
	for (;;) {
		unsigned run = atomic_load(&pool->run);

		if (run != seen) {
			atomic_fetch_sub(&pool->sleepers, 1);
			return run;
		}
		futex_wait(&pool->run, seen);
	}
}

static void await_limit(struct threadpool *pool, unsigned index)
{
	unsigned changes = atomic_load(&pool->limit_changes);

	if (index >= atomic_load(&pool->threads))
		futex_wait(&pool->limit_changes, changes);
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct threadpool *pool = worker->pool;
	unsigned seen = 0;

	for (;;) {
		seen = await_run(pool, seen);
		if (pool->stop)
			return NULL;
		if (worker->index >= seen % RUN_STEP) {
			await_limit(pool, worker->index);
			continue;
		}
		pool->task(pool->argument, worker->index, seen % RUN_STEP);
		if (atomic_fetch_sub(&pool->pending, 1) == 1 &&
		    atomic_load(&pool->caller_sleeps))
			futex_wake(&pool->pending, 1);
	}
}

/* Failure leaves the choice to the scheduler. */
static void avoid_own_cpu(struct threadpool *pool)
{
	int cpu = sched_getcpu();
	cpu_set_t others = pool->cpus;

	if (cpu < 0 || cpu >= CPU_SETSIZE || cpu == pool->avoided_cpu)
		return;
	CPU_CLR((unsigned)cpu, &others);
	if (CPU_COUNT(&others) == 0)
		return;
	for (unsigned i = 0; i < pool->worker_count; i++)
		pthread_setaffinity_np(pool->workers[i].thread, sizeof(others), &others);
	pool->avoided_cpu = cpu;
}

static void start_run(struct threadpool *pool)
{
	unsigned threads = atomic_load(&pool->threads), run = atomic_load(&pool->run);

	if (atomic_load(&pool->sleepers) > 0)
		avoid_own_cpu(pool);
	atomic_store(&pool->pending, threads - 1);
	atomic_store(&pool->run, run - run % RUN_STEP + RUN_STEP + threads);
	if (atomic_load(&pool->sleepers) > 0)
		futex_wake(&pool->run, (int)pool->worker_count);
}

static void await_workers(struct threadpool *pool)
{
	unsigned left;

	for (unsigned round = 0; round < SPIN_ROUNDS; round++) {
		if (atomic_load_explicit(&pool->pending, memory_order_acquire) == 0)
			return;
		spin_pause();
	}
	atomic_store(&pool->caller_sleeps, 1);
	while ((left = atomic_load(&pool->pending)) > 0)
		futex_wait(&pool->pending, left);
	atomic_store(&pool->caller_sleeps, 0);
}

static int start_worker(struct worker *worker, const cpu_set_t *cpus)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int r;

	r = pthread_attr_init(&attributes);
	if (r != 0)
		return -r;
	if (cpus)
		pthread_attr_setaffinity_np(&attributes, sizeof(*cpus), cpus);
	/* Signals are for the threads of the program, not for ours. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&worker->thread, &attributes, work, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -r;
}

int threadpool_open(unsigned threads, struct threadpool **ret_pool, struct engine_error *error)
{
	struct threadpool *pool;
	cpu_set_t fastest;
	bool pinned = false;

	if (threads < 1 || threads > LIMIT_THREADS)
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "%u threads were asked for; between 1 and %u are possible.",
				   threads, LIMIT_THREADS);
	pool = aligned_alloc(CACHE_LINE, (sizeof(*pool) + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1));
	if (!pool)
		return engine_fail_memory(error);
	memset(pool, 0, sizeof(*pool));
	pool->threads = threads;
	pool->avoided_cpu = -1;
	if (allowed_cpus(&fastest)) {
		pool->cpus = fastest;
		keep_fastest(&fastest);
		pinned = CPU_COUNT(&fastest) < CPU_COUNT(&pool->cpus) &&
			 CPU_COUNT(&fastest) >= (int)threads;
		if (pinned)
			pool->cpus = fastest;
	}
	for (unsigned i = 0; i + 1 < threads; i++) {
		int r;

		pool->workers[i] = (struct worker){.pool = pool, .index = i + 1};
		r = start_worker(&pool->workers[i], pinned ? &fastest : NULL);
		if (r != 0) {
			threadpool_free(pool);
			return engine_fail(error, r,
					   "Thread %u of %u could not be started: %s. Configure fewer threads.",
					   i + 2, threads, strerror(-r));
		}
		pool->worker_count++;
	}
	*ret_pool = pool;
	return 0;
}

struct threadpool *threadpool_free(struct threadpool *pool)
{
	if (!pool)
		return NULL;
	threadpool_limit(pool, pool->worker_count + 1);
	pool->stop = true;
	start_run(pool);
	for (unsigned i = 0; i < pool->worker_count; i++)
		pthread_join(pool->workers[i].thread, NULL);
	free(pool);
	return NULL;
}

void threadpool_limit(struct threadpool *pool, unsigned threads)
{
	if (!pool || threads == atomic_load(&pool->threads))
		return;
	atomic_store(&pool->threads, threads);
	atomic_fetch_add(&pool->limit_changes, 1);
	futex_wake(&pool->limit_changes, (int)pool->worker_count);
}

unsigned threadpool_threads(const struct threadpool *pool)
{
	return pool ? atomic_load(&pool->threads) : 1;
}

void threadpool_run(struct threadpool *pool, threadpool_task *task, void *argument)
{
	unsigned threads = threadpool_threads(pool);

	if (threads == 1) {
		task(argument, 0, 1);
		return;
	}
	pool->task = task;
	pool->argument = argument;
	start_run(pool);
	task(argument, 0, threads);
	await_workers(pool);
}

void threadpool_share(size_t total, size_t grain, unsigned index, unsigned count,
		      size_t *ret_begin, size_t *ret_end)
{
	size_t grains = (total + grain - 1) / grain;
	size_t begin = grains * index / count * grain;
	size_t end = grains * (index + 1) / count * grain;

	*ret_begin = begin < total ? begin : total;
	*ret_end = end < total ? end : total;
}
