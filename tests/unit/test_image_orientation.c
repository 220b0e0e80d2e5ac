/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Pictures that state how they were held come out upright, and a scaled one of the
 * size that was wanted once it stands.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "engine/engine.h"
#include "tests/unit/decoding.h"
#include "tests/unit/pictures.h"

#define WIDTH 96u
#define HEIGHT 64u

/* Where the file's pixel (x, y) must be seen, straight from the EXIF standard. */
static void seen_at(unsigned orientation, unsigned x, unsigned y, unsigned *ret_x, unsigned *ret_y)
{
	unsigned right = WIDTH - 1 - x, below = HEIGHT - 1 - y;
	const unsigned places[9][2] = {
		{ x, y }, { x, y }, { right, y }, { right, below }, { x, below },
		{ y, x }, { below, x }, { below, right }, { y, right },
	};

	*ret_x = places[orientation][0];
	*ret_y = places[orientation][1];
}

static void assert_oriented(const struct engine_image *image, const uint8_t *rgb,
			    unsigned orientation, int tolerance)
{
	bool swapped = orientation >= 5;

	assert_int_equal(engine_image_width(image), swapped ? HEIGHT : WIDTH);
	assert_int_equal(engine_image_height(image), swapped ? WIDTH : HEIGHT);
	for (unsigned y = 3; y < HEIGHT; y += 11) {
		for (unsigned x = 3; x < WIDTH; x += 11) {
			const uint8_t *p = rgb + ((size_t)y * WIDTH + x) * 3;
			unsigned seen_x, seen_y;

			seen_at(orientation, x, y, &seen_x, &seen_y);
			assert_pixel(image, seen_x, seen_y, p[0], p[1], p[2], tolerance);
		}
	}
}

static void test_orientations(void **state)
{
	uint8_t *rgb = picture_map(WIDTH, HEIGHT);

	(void)state;
	/* 0 and 9 are no orientations: the picture stays as it is */
	for (unsigned orientation = 0; orientation <= 9; orientation++) {
		unsigned expected = orientation == 9 ? 1 : orientation;
		struct jpeg_options jpeg = { .orientation = orientation };
		struct png_options png = { .depth = 8, .orientation = orientation };
		struct bytes bytes = picture_jpeg(rgb, WIDTH, HEIGHT, &jpeg);
		struct engine_image *image = decoded(&bytes);

		assert_oriented(image, rgb, expected, 12);
		engine_image_free(image);
		bytes_free(&bytes);
		for (int interlaced = 0; interlaced < 2; interlaced++) {
			png.interlaced = interlaced;
			bytes = picture_png(rgb, WIDTH, HEIGHT, &png);
			image = decoded(&bytes);
			assert_oriented(image, rgb, expected, 0);
			engine_image_free(image);
			bytes_free(&bytes);
		}
	}
	free(rgb);
}

static void test_scale_follows_orientation(void **state)
{
	struct jpeg_options jpeg = { .orientation = 6 };
	struct engine_image_options options = { .wanted_width = 80, .wanted_height = 213 };
	uint8_t *rgb = picture_map(1280, 480);
	struct bytes bytes = picture_jpeg(rgb, 1280, 480, &jpeg);
	struct engine_image *image;

	(void)state;
	/* upright it is 480 × 1280: a quarter is 120 × 320, one and a half times this */
	assert_int_equal(engine_image_decode(bytes.data, bytes.size, &options, &image, NULL), 0);
	assert_int_equal(engine_image_width(image), 120);
	assert_int_equal(engine_image_height(image), 320);
	engine_image_free(image);
	options.wanted_height = 214;
	assert_int_equal(engine_image_decode(bytes.data, bytes.size, &options, &image, NULL), 0);
	assert_int_equal(engine_image_width(image), 240);
	engine_image_free(image);
	bytes_free(&bytes);
	free(rgb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orientations),
		cmocka_unit_test(test_scale_follows_orientation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
