/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The resized pixels, which the model's scores depend on: the same bytes as
 * Pillow's from a full decode, and close to them from a scaled one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/image_resize.h"
#include "tests/unit/pictures.h"

#define SIDE 299
#define COUNT ((size_t)SIDE * SIDE * 3)

/* Between the full decode and the DCT-scaled one, over photos: the mean
 * difference of a sample, and the share of samples that differ by over 16.
 * Measured: at most 0.29, and none. */
#define SCALED_MEAN 0.5
#define SCALED_FAR 0.0001

static struct engine_image *load(const char *path, unsigned wanted)
{
	struct engine_image_options options = { .wanted_width = wanted, .wanted_height = wanted };
	struct engine_error error = { "" };
	struct engine_image *image = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		fail_msg("%s cannot be opened", path);
	r = engine_image_read(fd, &options, &image, &error);
	close(fd);
	if (r)
		fail_msg("%s: %d, %s", path, r, error.message);
	return image;
}

static uint8_t *resize_file(const char *path, unsigned wanted)
{
	struct engine_image *image = load(path, wanted);
	uint8_t *rgb = malloc(COUNT);

	assert_non_null(rgb);
	assert_int_equal(engine_image_resize(image, SIDE, SIDE, rgb, NULL), 0);
	engine_image_free(image);
	return rgb;
}

static void test_free_photos_equal_pillow(void **state)
{
	char line[160], name[64], path[96];
	unsigned width, height, crc, count = 0;
	FILE *list = fopen("tests/golden/pixels.txt", "re");

	(void)state;
	assert_non_null(list);
	while (fgets(line, sizeof(line), list)) {
		struct engine_image *image;
		uint8_t *rgb;

		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(line, "%63s %u %u %x", name, &width, &height, &crc), 4);
		snprintf(path, sizeof(path), "tests/photos/%s", name);
		image = load(path, 0);
		assert_int_equal(engine_image_width(image), width);
		assert_int_equal(engine_image_height(image), height);
		assert_null(engine_image_warning(image));
		engine_image_free(image);
		rgb = resize_file(path, 0);
		if (crc_32(rgb, COUNT) != crc)
			fail_msg("%s: CRC %08x instead of %08x", name, crc_32(rgb, COUNT), crc);
		free(rgb);
		count++;
	}
	fclose(list);
	assert_true(count >= 7);
}

/* The photo that a golden file was made of, "" when it is not at hand. */
static void find_source(const char *shared, const char *golden, char *ret_path, size_t size)
{
	static const char *const patterns[] = {
		"%s/data/images/%s.jpg", "tests/photos/%s.png", "tests/photos/%s.jpg",
	};
	char name[128];

	snprintf(name, sizeof(name), "%.*s", (int)(strlen(golden) - strlen(".299.png")), golden);
	snprintf(ret_path, size, "%s/data/images/%s.jpg", shared, name);
	for (size_t i = 0; i < 3 && access(ret_path, R_OK); i++) {
		if (i == 0)
			snprintf(ret_path, size, "%s/data/images/%s.jpg", shared, name);
		else
			snprintf(ret_path, size, patterns[i], name);
	}
	if (access(ret_path, R_OK))
		ret_path[0] = '\0';
}

static void test_shared_golden_pixels(void **state)
{
	const char *shared = getenv("DESCRY_SHARED") ? getenv("DESCRY_SHARED") : "../shared";
	char directory[512], path[1024], source[1024];
	struct dirent *entry;
	unsigned count = 0;
	DIR *golden;

	(void)state;
	snprintf(directory, sizeof(directory), "%s/model/golden", shared);
	golden = opendir(directory);
	if (!golden) {
		print_message("the golden pixels are not at hand: no %s\n", directory);
		skip();
	}
	while ((entry = readdir(golden))) {
		const uint8_t *expected;
		struct engine_image *image;
		uint8_t *rgb;

		if (!strstr(entry->d_name, ".299.png"))
			continue;
		find_source(shared, entry->d_name, source, sizeof(source));
		if (!source[0])
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		image = load(path, 0);
		assert_int_equal(engine_image_width(image), SIDE);
		expected = engine_image_pixels(image);
		rgb = resize_file(source, 0);
		for (size_t i = 0; i < COUNT; i++)
			if (rgb[i] != expected[i])
				fail_msg("%s: sample %zu is %u instead of %u", source, i, rgb[i],
					 expected[i]);
		free(rgb);
		engine_image_free(image);
		count++;
	}
	closedir(golden);
	assert_true(count >= 4);
}

static void compare_scaled(const char *path)
{
	uint8_t *full = resize_file(path, 0), *scaled = resize_file(path, SIDE);
	size_t sum = 0, far = 0;

	for (size_t i = 0; i < COUNT; i++) {
		int difference = abs(full[i] - scaled[i]);

		sum += (size_t)difference;
		far += difference > 16;
	}
	print_message("%s: mean difference %.3f, %.4f%% over 16\n", path,
		      (double)sum / (double)COUNT, 100.0 * (double)far / (double)COUNT);
	assert_true((double)sum / (double)COUNT <= SCALED_MEAN);
	assert_true((double)far / (double)COUNT <= SCALED_FAR);
	free(full);
	free(scaled);
}

/* The repository's photos as JPEG at several sizes, so that each scale is used. */
static void test_scaled_decode_is_close_to_full(void **state)
{
	static const char *const photos[] = { "astronaut.png", "chelsea.png", "coffee.png" };
	static const unsigned sides[] = { 640, 1300, 2500 };
	char path[] = "/tmp/descry-test-scaled-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	compare_scaled("tests/photos/rocket.jpg");
	compare_scaled("tests/photos/raccoon.jpg");
	for (size_t i = 0; i < 3; i++) {
		char name[64];
		struct engine_image *image;
		struct engine_image *scaled;

		snprintf(name, sizeof(name), "tests/photos/%s", photos[i]);
		image = load(name, 0);
		for (size_t k = 0; k < 3; k++) {
			unsigned side = sides[k];
			uint8_t *rgb = malloc((size_t)side * side * 3);
			struct jpeg_options options = { .subsampled = true };
			struct bytes jpeg;

			assert_non_null(rgb);
			assert_int_equal(engine_image_resize(image, side, side, rgb, NULL), 0);
			jpeg = picture_jpeg(rgb, side, side, &options);
			free(rgb);
			assert_int_equal(pwrite(fd, jpeg.data, jpeg.size, 0), (ssize_t)jpeg.size);
			assert_int_equal(ftruncate(fd, (off_t)jpeg.size), 0);
			bytes_free(&jpeg);
			scaled = load(path, SIDE);
			assert_true(engine_image_width(scaled) >= SIDE);
			assert_true(engine_image_width(scaled) < 3 * SIDE);
			engine_image_free(scaled);
			compare_scaled(path);
		}
		engine_image_free(image);
	}
	close(fd);
	unlink(path);
}

static void test_extreme_sizes(void **state)
{
	static const unsigned sizes[][4] = {
		{ 1, 1, 299, 299 }, { 30000, 1, 299, 299 }, { 1, 30000, 299, 299 },
		{ 299, 299, 299, 299 }, { 300, 298, 1, 1 }, { 2, 2, 64, 3 }, { 5000, 3, 7, 300 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const unsigned *s = sizes[i];
		size_t in = (size_t)s[0] * s[1] * 3, out = (size_t)s[2] * s[3] * 3;
		uint8_t *rgb = malloc(in), *small = malloc(out);
		struct engine_image *image;

		assert_non_null(rgb);
		assert_non_null(small);
		for (size_t k = 0; k < in; k++)
			rgb[k] = (uint8_t)(k % 3 == 0 ? 255 : k % 3 == 1 ? 0 : 77);
		assert_int_equal(engine_image_from_pixels(ENGINE_PIXELS_RGB, s[0], s[1],
							  (size_t)s[0] * 3, rgb, in, &image, NULL), 0);
		assert_int_equal(engine_image_resize(image, s[2], s[3], small, NULL), 0);
		/* a uniform picture stays what it is, whatever the weights */
		for (size_t k = 0; k < out; k++)
			assert_int_equal(small[k], k % 3 == 0 ? 255 : k % 3 == 1 ? 0 : 77);
		engine_image_free(image);
		free(rgb);
		free(small);
	}
}

static void test_resizer_can_be_used_again(void **state)
{
	struct engine_image *large = load("tests/photos/raccoon.jpg", 0);
	struct engine_image *small = load("tests/photos/chelsea.png", 0);
	uint8_t *first = malloc(COUNT), *again = malloc(COUNT);
	struct image_resizer *resizer;

	(void)state;
	assert_non_null(first);
	assert_non_null(again);
	assert_int_equal(image_resizer_open(SIDE, SIDE, 1, &resizer, NULL), 0);
	image_resizer_run(resizer, NULL, small, first);
	image_resizer_run(resizer, NULL, large, again);
	image_resizer_run(resizer, NULL, small, again);
	assert_memory_equal(first, again, COUNT);
	image_resizer_free(resizer);
	assert_null(image_resizer_free(NULL));
	engine_image_free(large);
	engine_image_free(small);
	free(first);
	free(again);
}

static void test_threads_give_the_same_bytes(void **state)
{
	struct engine_image *image = load("tests/photos/raccoon.jpg", 0);
	uint8_t *alone = malloc(COUNT), *shared = malloc(COUNT);

	(void)state;
	assert_non_null(alone);
	assert_non_null(shared);
	assert_int_equal(engine_image_resize(image, SIDE, SIDE, alone, NULL), 0);
	for (unsigned threads = 2; threads <= 5; threads++) {
		struct image_resizer *resizer;
		struct threadpool *pool;

		assert_int_equal(threadpool_open(threads, &pool, NULL), 0);
		assert_int_equal(image_resizer_open(SIDE, SIDE, threads, &resizer, NULL), 0);
		memset(shared, 0, COUNT);
		image_resizer_run(resizer, pool, image, shared);
		assert_memory_equal(alone, shared, COUNT);
		image_resizer_free(resizer);
		threadpool_free(pool);
	}
	engine_image_free(image);
	free(alone);
	free(shared);
}

static void test_size_is_checked(void **state)
{
	struct engine_image *image = load("tests/photos/chelsea.png", 0);
	struct engine_error error;
	uint8_t pixel[3];

	(void)state;
	assert_int_equal(engine_image_resize(image, 0, 5, pixel, &error), ENGINE_BAD_IMAGE);
	assert_int_equal(engine_image_resize(image, 30001, 1, pixel, &error), ENGINE_TOO_LARGE);
	engine_image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_free_photos_equal_pillow),
		cmocka_unit_test(test_shared_golden_pixels),
		cmocka_unit_test(test_scaled_decode_is_close_to_full),
		cmocka_unit_test(test_extreme_sizes),
		cmocka_unit_test(test_resizer_can_be_used_again),
		cmocka_unit_test(test_threads_give_the_same_bytes),
		cmocka_unit_test(test_size_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
