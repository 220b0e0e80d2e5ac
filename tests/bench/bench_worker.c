/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bench_worker.c: what it costs that pictures are described in a process of
 * their own: the time from handing a picture over to having the answer, less the
 * time that the describing itself took.
 *
 * Usage: bench_worker DESCRY-WORKER MODEL PICTURE [ROUNDS]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/loop.h"
#include "daemon/worker.h"

#define ROUNDS_MAX 1000

struct bench {
	struct loop *loop;
	struct worker *worker;
	const char *picture;
	double started, total[ROUNDS_MAX], extra[ROUNDS_MAX];
	unsigned rounds, done;
};

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1000.0 + (double)now.tv_nsec / 1e6;
}

static void start(struct bench *bench)
{
	json_t *options = json_pack("{s:i, s:i}", "beam", 0, "alternatives", 1);
	int fd = open(bench->picture, O_RDONLY | O_CLOEXEC);
	struct failure failure;

	bench->started = now_ms();
	if (fd < 0 || worker_start(bench->worker, bench->done + 1, fd, options, &failure))
		loop_quit(bench->loop, 1);
	if (fd >= 0)
		close(fd);
	json_decref(options);
}

static void on_model(void *data, json_t *model, const struct failure *failure)
{
	struct bench *bench = data;

	if (model) {
		start(bench);
		return;
	}
	fprintf(stderr, "bench_worker: %s\n", failure->message);
	loop_quit(bench->loop, 1);
}

static void on_answer(void *data, uint64_t job, json_t *document, const struct failure *failure)
{
	struct bench *bench = data;
	double elapsed = now_ms() - bench->started;
	json_t *timings = json_object_get(json_object_get(document, "details"), "timings");
	double inside = json_number_value(json_object_get(timings, "total"));

	(void)job;
	if (failure) {
		fprintf(stderr, "bench_worker: %s\n", failure->message);
		loop_quit(bench->loop, 1);
		return;
	}
	bench->total[bench->done] = inside;
	bench->extra[bench->done] = elapsed - inside;
	if (++bench->done == bench->rounds)
		loop_quit(bench->loop, 0);
}

static void on_idle(void *data)
{
	struct bench *bench = data;

	if (bench->done > 0 && bench->done < bench->rounds)
		start(bench);
}

static int ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void report(const char *name, double *values, unsigned count)
{
	qsort(values, count, sizeof(*values), ascending);
	printf("%s: median %.3f ms, minimum %.3f ms, 95th percentile %.3f ms\n", name,
	       values[count / 2], values[0], values[count * 95 / 100]);
}

static double resident_mib(pid_t pid)
{
	char path[64], line[256];
	double kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "VmRSS:", 6) == 0)
			kib = strtod(line + 6, NULL);
	if (file)
		fclose(file);
	return kib / 1024.0;
}

int main(int argc, char **argv)
{
	struct bench bench = { .picture = argc > 3 ? argv[3] : "" };
	struct worker_options options = { .on_model = on_model, .on_answer = on_answer,
					  .on_idle = on_idle, .data = &bench };
	struct failure failure;
	int status;

	if (argc < 4) {
		fputs("Usage: bench_worker DESCRY-WORKER MODEL PICTURE [ROUNDS]\n", stderr);
		return 2;
	}
	options.program = argv[1];
	options.model_path = argv[2];
	bench.rounds = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 50;
	if (bench.rounds == 0 || bench.rounds > ROUNDS_MAX || loop_open(&bench.loop) ||
	    worker_open(bench.loop, &options, &bench.worker, &failure))
		return 1;
	status = loop_run(bench.loop);
	if (status == 0) {
		printf("rounds: %u\n", bench.rounds);
		report("describing", bench.total, bench.rounds);
		report("hand-over and answer", bench.extra, bench.rounds);
		printf("resident memory of the worker: %.1f MiB; of this process: %.1f MiB\n",
		       resident_mib(worker_pid(bench.worker)), resident_mib(getpid()));
	}
	worker_free(bench.worker);
	loop_free(bench.loop);
	return status;
}
