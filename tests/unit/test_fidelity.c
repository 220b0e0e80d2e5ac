/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_fidelity.c: how near the default model's 8-bit path keeps to the same network
 * in floats, for the photos of the repository: noise of the features, and captions.
 * The bounds are a little above what was measured; tests/bench/fidelity.py measures on
 * the validation photos.
 */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "tests/unit/emulated.h"

#define DEFAULT_MODEL "engine/models/descry-en.gguf"

/* Root mean square of the difference over that of the floats. */
#define POOL_NOISE_MOST 0.06
#define GRID_NOISE_MOST 0.12
/* Captions of so many that stay word for word: one less than was measured, because
 * other processors add the floats up in another order. */
#define SAME_LEAST 4u
#define SAME_OF 7u

static const char *const photos[] = {
	"coffee.png", "astronaut.png", "camera.png", "chelsea.png", "clock_motion.png",
	"raccoon.jpg", "rocket.jpg",
};

#define PHOTOS (sizeof(photos) / sizeof(photos[0]))

struct noise {
	double errors, squares;
};

static void add(struct noise *noise, const float *values, const float *floats, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		double difference = (double)values[i] - (double)floats[i];

		noise->errors += difference * difference;
		noise->squares += (double)floats[i] * (double)floats[i];
	}
}

static double relative(const struct noise *noise)
{
	return sqrt(noise->errors / noise->squares);
}

static struct engine_image *read_photo(const char *name)
{
	struct engine_error error;
	struct engine_image *image;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "tests/photos/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(engine_image_read(fd, NULL, &image, &error), 0);
	close(fd);
	return image;
}

/* The search's own best, without what confidence changes in the order. */
static void describe(struct engine_context *context, const struct engine_image *image,
		     char *ret_text, size_t size)
{
	const struct engine_caption_options options = { .beam = 3, .plain = true };
	const struct engine_result *result;
	struct engine_error error;

	assert_int_equal(engine_describe(context, image, &options, &result, &error), 0);
	snprintf(ret_text, size, "%s", result->captions[0].sentence);
}

static void test_eight_bits_against_floats(void **unused)
{
	const struct engine_context_options ways[] = {
		{ .path = ENGINE_PATH_AUTO }, { .path = ENGINE_PATH_FLOAT },
	};
	const struct engine_model_info *info;
	struct noise pool = { 0 }, grid = { 0 };
	struct engine_context *contexts[2];
	struct engine_model *model;
	struct engine_error error;
	size_t grid_size, count = emulated_cases(PHOTOS, 1), same = 0;

	(void)unused;
	assert_int_equal(engine_model_open(DEFAULT_MODEL, &model, &error), 0);
	info = engine_model_info(model);
	grid_size = (size_t)info->grid_width * info->grid_height * info->grid_channels;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(engine_context_open(model, &ways[i], &contexts[i], &error), 0);
	for (size_t i = 0; i < count; i++) {
		struct engine_image *image = read_photo(photos[i]);
		const struct engine_features *features[2];
		char texts[2][512];

		for (size_t way = 0; way < 2; way++) {
			describe(contexts[way], image, texts[way], sizeof(texts[way]));
			assert_int_equal(engine_encode(contexts[way], image, &features[way],
						       &error), 0);
		}
		add(&pool, features[0]->pool, features[1]->pool, info->pool_size);
		add(&grid, features[0]->grid, features[1]->grid, grid_size);
		same += strcmp(texts[0], texts[1]) == 0;
		if (strcmp(texts[0], texts[1]) != 0)
			print_message("%s: \"%s\" in 8 bits, \"%s\" in floats\n", photos[i], texts[0],
				      texts[1]);
		engine_image_free(image);
	}
	print_message("noise of the pooled features %.4f, of the grid %.4f; %zu of %zu captions "
		      "are the same\n", relative(&pool), relative(&grid), same, count);
	/* rounding does show: both really ran */
	assert_true(relative(&pool) > 0.001);
	assert_true(relative(&pool) < POOL_NOISE_MOST);
	assert_true(relative(&grid) < GRID_NOISE_MOST);
	assert_true(same * SAME_OF >= count * SAME_LEAST);
	for (size_t i = 0; i < 2; i++)
		engine_context_free(contexts[i]);
	engine_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eight_bits_against_floats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
