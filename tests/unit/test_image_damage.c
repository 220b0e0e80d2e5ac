/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files that were cut short or damaged: what could be read of them is used and the
 * loss told, as long as it is half of the picture or more.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "tests/unit/decoding.h"
#include "tests/unit/pictures.h"

#define WIDTH 96u
#define HEIGHT 64u

/* Cut at every 64th byte: never a crash; with half of the rows or more the
 * picture is cropped to what could be read, in every orientation. */
static void test_truncated_jpeg(void **state)
{
	static const unsigned orientations[] = { 1, 3, 6, 8 };
	uint8_t *rgb = picture_map(WIDTH, HEIGHT * 4);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct jpeg_options options = { .orientation = orientations[i] };
		struct bytes jpeg = picture_jpeg(rgb, WIDTH, HEIGHT * 4, &options);
		unsigned last = 0, used = 0;

		for (size_t size = 1; size < jpeg.size; size += 64) {
			struct engine_error error = { "" };
			struct engine_image *image = NULL;
			uint8_t *exact = malloc(size);
			unsigned rows;
			int r;

			assert_non_null(exact);
			memcpy(exact, jpeg.data, size);
			r = engine_image_decode(exact, size, NULL, &image, &error);
			free(exact);
			if (r) {
				assert_int_equal(r, ENGINE_BAD_IMAGE);
				assert_true(error.message[0] != '\0');
				assert_int_equal(used, 0);
				continue;
			}
			rows = orientations[i] >= 5 ? engine_image_width(image)
						    : engine_image_height(image);
			assert_true(rows * 2 >= HEIGHT * 4);
			assert_true(rows >= last);
			if (rows < HEIGHT * 4)
				assert_non_null(strstr(engine_image_warning(image), "%"));
			/* the file's first pixel is where it belongs, and nothing is grey fill */
			if (orientations[i] == 1)
				assert_pixel(image, 0, 0, 0, 0, 200, 12);
			if (orientations[i] == 3)
				assert_pixel(image, WIDTH - 1, rows - 1, 0, 0, 200, 12);
			if (orientations[i] == 6)
				assert_pixel(image, rows - 1, 0, 0, 0, 200, 12);
			if (orientations[i] == 8)
				assert_pixel(image, 0, WIDTH - 1, 0, 0, 200, 12);
			last = rows;
			used++;
			engine_image_free(image);
		}
		assert_true(used > 0);
		bytes_free(&jpeg);
	}
	free(rgb);
}

static void test_truncated_progressive_jpeg(void **state)
{
	struct jpeg_options options = { .progressive = true };
	uint8_t *rgb = picture_map(WIDTH, HEIGHT);
	struct bytes jpeg = picture_jpeg(rgb, WIDTH, HEIGHT, &options);
	unsigned used = 0, refusals = 0;

	(void)state;
	for (size_t size = 1; size < jpeg.size; size += 16) {
		struct engine_error error = { "" };
		struct engine_image *image = NULL;
		int r = engine_image_decode(jpeg.data, size, NULL, &image, &error);

		if (r) {
			assert_int_equal(r, ENGINE_BAD_IMAGE);
			refusals++;
			continue;
		}
		/* coarse, but all of it or cropped; the colours are about right */
		assert_int_equal(engine_image_width(image), WIDTH);
		if (engine_image_height(image) == HEIGHT)
			assert_true(difference(image, rgb) < 40);
		used++;
		engine_image_free(image);
	}
	assert_true(used > 0 && refusals > 0);
	bytes_free(&jpeg);
	free(rgb);
}

/* Some cameras leave the end mark out; nothing is missing then. */
static void test_jpeg_without_end_mark(void **state)
{
	static const struct jpeg_options kinds[] = { { 0 }, { .progressive = true } };
	uint8_t *rgb = picture_map(WIDTH, HEIGHT);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct bytes jpeg = picture_jpeg(rgb, WIDTH, HEIGHT, &kinds[i]);
		struct engine_image *image;

		jpeg.size -= 2;
		image = decoded(&jpeg);
		assert_int_equal(engine_image_height(image), HEIGHT);
		engine_image_free(image);
		bytes_free(&jpeg);
	}
	free(rgb);
}

static void test_damaged_jpeg_says_so(void **state)
{
	struct jpeg_options options = { .restart_rows = 1 };
	uint8_t *rgb = picture_map(WIDTH, HEIGHT);
	struct bytes jpeg = picture_jpeg(rgb, WIDTH, HEIGHT, &options);
	struct engine_image *image;

	(void)state;
	/* a restart mark of the wrong number */
	for (size_t i = jpeg.size / 2; i < jpeg.size - 2; i++) {
		if (jpeg.data[i] == 0xff && (jpeg.data[i + 1] & 0xf8) == 0xd0) {
			jpeg.data[i + 1] ^= 4;
			break;
		}
	}
	image = decoded(&jpeg);
	assert_non_null(engine_image_warning(image));
	engine_image_free(image);
	bytes_free(&jpeg);
	free(rgb);
}

static void test_truncated_png(void **state)
{
	uint8_t *rgb = picture_map(WIDTH, HEIGHT);
	unsigned used = 0;

	(void)state;
	/* noise, so that the rows are spread over the file */
	for (size_t i = 0; i < (size_t)WIDTH * HEIGHT * 3; i++)
		rgb[i] = (uint8_t)(rgb[i] ^ (i * 2654435761u >> 13));
	for (int interlaced = 0; interlaced < 2; interlaced++) {
		struct png_options options = { .depth = 8, .interlaced = interlaced };
		struct bytes png = picture_png(rgb, WIDTH, HEIGHT, &options);

		for (size_t size = 8; size < png.size - 16; size += 61) {
			struct engine_error error = { "" };
			struct engine_image *image = NULL;
			uint8_t *exact = malloc(size);
			int r;

			assert_non_null(exact);
			memcpy(exact, png.data, size);
			r = engine_image_decode(exact, size, NULL, &image, &error);
			free(exact);
			if (r) {
				assert_int_equal(r, ENGINE_BAD_IMAGE);
				assert_true(error.message[0] != '\0');
				continue;
			}
			assert_int_equal(interlaced, 0);
			assert_true(engine_image_height(image) * 2 >= HEIGHT);
			assert_memory_equal(engine_image_pixels(image), rgb,
					    (size_t)WIDTH * engine_image_height(image) * 3);
			used++;
			engine_image_free(image);
		}
		bytes_free(&png);
	}
	assert_true(used > 10);
	free(rgb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truncated_jpeg),
		cmocka_unit_test(test_truncated_progressive_jpeg),
		cmocka_unit_test(test_jpeg_without_end_mark),
		cmocka_unit_test(test_damaged_jpeg_says_so),
		cmocka_unit_test(test_truncated_png),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
