/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_encoder.c: the default model's features against golden values: those in
 * tests/golden (computed in NumPy from the TensorFlow Lite file) for the photos of
 * the repository, and the shared ones (PyTorch) where they are at hand.
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

#include "engine/context.h"
#include "tests/unit/emulated.h"
#include "tests/unit/safetensors.h"

#define DEFAULT_MODEL "engine/models/descry-en.gguf"

static struct engine_model *model;

static int open_model(void **unused)
{
	struct engine_error error;

	(void)unused;
	return engine_model_open(DEFAULT_MODEL, &model, &error);
}

static int free_model(void **unused)
{
	(void)unused;
	model = engine_model_free(model);
	return 0;
}

static struct engine_context *open_context(enum engine_path path)
{
	struct engine_context_options options = { .path = path };
	struct engine_context *context;
	struct engine_error error;

	assert_int_equal(engine_context_open(model, &options, &context, &error), 0);
	return context;
}

/* NULL where there is no such file. */
static struct engine_image *read_photo(const char *path)
{
	struct engine_image *image;
	struct engine_error error;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	assert_int_equal(engine_image_read(fd, NULL, &image, &error), 0);
	close(fd);
	return image;
}

static double cosine(const float *a, const float *b, size_t count)
{
	double ab = 0, aa = 0, bb = 0;

	for (size_t i = 0; i < count; i++) {
		ab += (double)a[i] * (double)b[i];
		aa += (double)a[i] * (double)a[i];
		bb += (double)b[i] * (double)b[i];
	}
	return ab / sqrt(aa * bb);
}

static const float *find(const struct safetensors *file, const char *photo, const char *part,
			 size_t count)
{
	size_t rows, columns;
	const void *data;
	char name[128];
	bool half;

	snprintf(name, sizeof(name), "%s.%s", photo, part);
	if (!safetensors_find(file, name, &half, &rows, &columns, &data))
		return NULL;
	assert_false(half);
	assert_int_equal(rows * columns, count);
	return data;
}

static size_t likeliest(const float *values, size_t count)
{
	size_t best = 0;

	for (size_t i = 1; i < count; i++)
		if (values[i] > values[best])
			best = i;
	return best;
}

static const char *const photos[] = {
	"astronaut.png", "camera.png", "chelsea.png", "clock_motion.png", "coffee.png",
	"raccoon.jpg", "rocket.jpg",
};

#define PHOTO_COUNT (sizeof(photos) / sizeof(photos[0]))

static void compare_photos(enum engine_path path, double similarity, size_t photo_count)
{
	struct safetensors *golden = safetensors_read("tests/golden/features.safetensors");
	struct engine_context *context = open_context(path);
	size_t pool_size = model->info.pool_size, class_count = model->info.class_count;

	assert_non_null(golden);
	for (size_t i = 0; i < photo_count; i++) {
		const struct engine_features *features;
		struct engine_image *image;
		struct engine_error error;
		const float *pool, *logits;
		char name[64];

		snprintf(name, sizeof(name), "tests/photos/%s", photos[i]);
		image = read_photo(name);
		assert_non_null(image);
		assert_int_equal(engine_encode(context, image, &features, &error), 0);
		pool = find(golden, photos[i], "pool", pool_size);
		logits = find(golden, photos[i], "logits", class_count);
		assert_non_null(pool);
		assert_non_null(logits);
		if (cosine(features->pool, pool, pool_size) < similarity)
			fail_msg("%s: cosine %.6f", photos[i],
				 cosine(features->pool, pool, pool_size));
		assert_int_equal(likeliest(features->classes, class_count),
				 likeliest(logits, class_count));
		engine_image_free(image);
	}
	engine_context_free(context);
	safetensors_free(golden);
}

static void test_photos_in_32_bits(void **unused)
{
	(void)unused;
	compare_photos(ENGINE_PATH_BLAS, 0.9999, emulated_cases(PHOTO_COUNT, 1));
	compare_photos(ENGINE_PATH_FLOAT, 0.9999, emulated_cases(PHOTO_COUNT, 1));
}

/* The network's own rounding costs this much: the same network in NumPy, rounded
 * to 8 bits after each layer, has a cosine of 0.969 for the blurred clock and of
 * 0.993 to 0.997 for the others. */
static void test_photos_in_8_bits(void **unused)
{
	(void)unused;
	assert_true(model->program->plan->type == KERNEL_Q8);
	compare_photos(ENGINE_PATH_AUTO, 0.97, emulated_cases(PHOTO_COUNT, 2));
}

/* The reference path is slow, so one photo has to do; a sanitizer would make it
 * take minutes, and has its own small model for that in test_model.c. */
static void test_plain_c(void **unused)
{
	(void)unused;
#ifdef __SANITIZE_ADDRESS__
	skip();
#endif
	compare_photos(ENGINE_PATH_REFERENCE, 0.9999, 1);
}

static void compare_shared(const struct safetensors *golden, enum engine_path path)
{
	static const char *const names[] = {
		"astronaut", "chelsea", "coffee", "rocket", "motorcycle_left", "china", "flower",
		"coco_000000000139", "flickr8k_3149804151_1cc8d10783",
	};
	struct engine_context *context = open_context(path);
	size_t pool_size = model->info.pool_size;
	size_t grid_size = (size_t)model->info.grid_width * model->info.grid_height *
			   model->info.grid_channels;

	for (size_t i = 0; i < emulated_cases(sizeof(names) / sizeof(names[0]), 1); i++) {
		const float *pool = find(golden, names[i], "float.pool", pool_size);
		const float *grid = find(golden, names[i], "float.grid", grid_size);
		const struct engine_features *features;
		struct engine_image *image;
		struct engine_error error;
		char name[128], file[4096];

		snprintf(name, sizeof(name), "model/golden/%s.299.png", names[i]);
		image = read_photo(shared_path(name, file, sizeof(file)));
		assert_non_null(image);
		assert_non_null(pool);
		assert_int_equal(engine_encode(context, image, &features, &error), 0);
		assert_true(cosine(features->pool, pool, pool_size) > 0.99999);
		if (i < 3)
			assert_non_null(grid);
		if (grid)
			assert_true(cosine(features->grid, grid, grid_size) > 0.99999);
		engine_image_free(image);
	}
	engine_context_free(context);
}

static void test_shared_golden_values(void **unused)
{
	struct safetensors *golden = safetensors_open("model/golden/tensors.safetensors");

	(void)unused;
	if (!golden)
		skip();
	compare_shared(golden, ENGINE_PATH_BLAS);
	compare_shared(golden, ENGINE_PATH_FLOAT);
	safetensors_free(golden);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_photos_in_32_bits),
		cmocka_unit_test(test_photos_in_8_bits),
		cmocka_unit_test(test_plain_c),
		cmocka_unit_test(test_shared_golden_values),
	};

	return cmocka_run_group_tests(tests, open_model, free_model);
}
