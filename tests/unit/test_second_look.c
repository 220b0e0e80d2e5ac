/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_second_look.c: a caption that was chosen by a hair's breadth is made again from
 * features in floats; others are not, and what a second look needs goes back to the
 * system. With the default model and the photos of the repository.
 */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/context.h"
#include "tests/unit/emulated.h"

#define DEFAULT_MODEL "engine/models/descry-en.gguf"

static const char *const photos[] = {
	"coffee.png", "astronaut.png", "camera.png", "chelsea.png", "clock_motion.png",
	"raccoon.jpg", "rocket.jpg",
};

#define PHOTOS (sizeof(photos) / sizeof(photos[0]))

struct bench {
	struct engine_model *model;
	/* In floats; in 8 bits with second looks, whatever the processor; without. */
	struct engine_context *floats, *twice, *once;
};

static struct engine_image *read_photo(const char *name)
{
	const struct engine_image_options options = { .wanted_width = 299, .wanted_height = 299 };
	struct engine_image *image;
	struct engine_error error;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "tests/photos/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(engine_image_read(fd, &options, &image, &error), 0);
	close(fd);
	return image;
}

static struct engine_context *open_context(struct bench *bench,
					   const struct engine_context_options *options)
{
	struct engine_context *context;
	struct engine_error error;

	assert_int_equal(engine_context_open(bench->model, options, &context, &error), 0);
	return context;
}

static int set_up(void **state)
{
	static struct bench bench;
	struct engine_error error;

	assert_int_equal(engine_model_open(DEFAULT_MODEL, &bench.model, &error), 0);
	bench.floats = open_context(&bench, &(struct engine_context_options){
		.threads = 2, .path = ENGINE_PATH_FLOAT });
	bench.twice = open_context(&bench, &(struct engine_context_options){ .threads = 2 });
	bench.twice->second_look = true;
	bench.once = open_context(&bench, &(struct engine_context_options){
		.threads = 2, .single_look = true });
	*state = &bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	engine_context_free(bench->floats);
	engine_context_free(bench->twice);
	engine_context_free(bench->once);
	engine_model_free(bench->model);
	return 0;
}

static const struct engine_result *describe(struct engine_context *context,
					    const struct engine_image *image)
{
	const struct engine_caption_options options = { .beam = 3 };
	const struct engine_result *result;
	struct engine_error error;

	assert_int_equal(engine_describe(context, image, &options, &result, &error), 0);
	return result;
}

/* The rest is the same on every processor, and a picture in floats takes minutes on one
 * that is emulated. */
static void leave_out_emulated(void)
{
	if (!getenv("DESCRY_EMULATED"))
		return;
	print_message("the same on every processor, and slow on an emulated one\n");
	skip();
}

/* Root mean square of the difference over that of `b`. */
static double distance(const float *a, const float *b, size_t count)
{
	double errors = 0, squares = 0;

	for (size_t i = 0; i < count; i++) {
		errors += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
		squares += (double)b[i] * (double)b[i];
	}
	return sqrt(errors / squares);
}

static void test_it_sees_what_floats_see(void **state)
{
	struct bench *bench = *state;
	const struct engine_model_info *info = engine_model_info(bench->model);
	size_t grid = (size_t)info->grid_width * info->grid_height * info->grid_channels;

	for (size_t i = 0; i < emulated_cases(PHOTOS, 1); i++) {
		struct engine_image *image = read_photo(photos[i]);
		const struct engine_features *eight, *floats, *again;
		struct engine_timings timings = { .encode_ms = 1 };
		struct engine_error error;

		assert_int_equal(engine_encode(bench->floats, image, &floats, &error), 0);
		assert_int_equal(engine_encode(bench->once, image, &eight, &error), 0);
		assert_true(distance(eight->pool, floats->pool, info->pool_size) > 0.01);
		assert_int_equal(encoder_look_again(bench->once->encoder, NULL, &again, &timings,
						    &error), 0);
		assert_true(distance(again->pool, floats->pool, info->pool_size) < 1e-4);
		assert_true(distance(again->grid, floats->grid, grid) < 1e-4);
		assert_true(distance(again->classes, floats->classes, info->class_count) < 1e-3);
		assert_true(timings.encode_ms > 1);
		engine_image_free(image);
	}
}

static void test_only_close_captions_are_made_again(void **state)
{
	struct bench *bench = *state;
	const struct engine_model_info *info = engine_model_info(bench->model);
	size_t close = 0;

	leave_out_emulated();
	assert_false(bench->once->second_look);
	for (size_t i = 0; i < PHOTOS; i++) {
		struct engine_image *image = read_photo(photos[i]);
		const struct engine_features *floats, *last = encoder_features(bench->twice->encoder);
		struct engine_error error;

		describe(bench->once, image);
		describe(bench->twice, image);
		if (caption_was_close(bench->once->writer)) {
			assert_int_equal(engine_encode(bench->floats, image, &floats, &error), 0);
			assert_true(distance(last->pool, floats->pool, info->pool_size) < 1e-4);
			close++;
		} else {
			assert_memory_equal(last->pool, encoder_features(bench->once->encoder)->pool,
					    info->pool_size * sizeof(float));
		}
		engine_image_free(image);
	}
	/* of both kinds there are some */
	assert_true(close > 0 && close < PHOTOS);
}

static void test_it_can_be_cancelled(void **state)
{
	struct bench *bench = *state;
	const atomic_bool cancel = true;
	const struct engine_features *again;
	struct engine_timings timings = {0};
	struct engine_error error;

	leave_out_emulated();
	assert_int_equal(encoder_look_again(bench->twice->encoder, &cancel, &again, &timings, &error),
			 ENGINE_CANCELLED);
}

/* Bytes, or 0 where the system does not tell of this program. */
static size_t memory_in_use(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	size_t total, resident = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%zu %zu", &total, &resident) != 2)
		resident = 0;
	fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* A context for a child, in which the threads of others do not live on; it has described
 * the first photo, which is close, without a second look. */
static struct engine_context *open_in_child(struct bench *bench, const struct engine_image *image,
					    char *ret_sentence, size_t size)
{
	struct engine_context *context = open_context(bench, &(struct engine_context_options){
		.threads = 1, .single_look = true });

	snprintf(ret_sentence, size, "%s", describe(context, image)->captions[0].sentence);
	context->second_look = caption_was_close(context->writer);
	return context;
}

static void expect_child(pid_t child)
{
	int status;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_its_memory_goes_back(void **state)
{
	struct bench *bench = *state;
	struct engine_image *image;
	pid_t child;

	leave_out_emulated();
	image = read_photo(photos[0]);
	child = fork();
	if (child == 0) {
		char sentence[256];
		struct engine_context *context = open_in_child(bench, image, sentence, sizeof(sentence));
		size_t before = memory_in_use();

		describe(context, image);
		/* the values and weights of a run in floats take four times as much and more */
		_exit(!context->second_look || memory_in_use() > before + (4u << 20));
	}
	expect_child(child);
	engine_image_free(image);
}

#ifndef __SANITIZE_ADDRESS__	/* which maps as much as it likes */
static void test_without_memory_the_first_stands(void **state)
{
	const struct rlimit none = { 1u << 20, 1u << 20 };
	struct bench *bench = *state;
	struct engine_image *image;
	pid_t child;

	leave_out_emulated();
	image = read_photo(photos[0]);
	child = fork();
	if (child == 0) {
		char single[256];
		struct engine_context *context = open_in_child(bench, image, single, sizeof(single));

		_exit(!context->second_look || setrlimit(RLIMIT_AS, &none) ||
		      strcmp(describe(context, image)->captions[0].sentence, single) != 0);
	}
	expect_child(child);
	engine_image_free(image);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_sees_what_floats_see),
		cmocka_unit_test(test_only_close_captions_are_made_again),
		cmocka_unit_test(test_it_can_be_cancelled),
		cmocka_unit_test(test_its_memory_goes_back),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(test_without_memory_the_first_stands),
#endif
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
