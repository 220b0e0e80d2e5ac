/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every kind of JPEG and PNG that a user may hand over: what can be read must come
 * out in the right colours, what cannot must be refused with a sentence that names
 * the reason.
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

static void test_jpeg_kinds(void **state)
{
	static const struct jpeg_options kinds[] = {
		{ .kind = JPEG_COLOUR },
		{ .kind = JPEG_COLOUR, .subsampled = true },
		{ .kind = JPEG_COLOUR, .progressive = true },
		{ .kind = JPEG_COLOUR, .restart_rows = 1 },
		{ .kind = JPEG_COLOUR, .arithmetic = true },
		{ .kind = JPEG_COLOUR, .arithmetic = true, .progressive = true },
		{ .kind = JPEG_CMYK },
		{ .kind = JPEG_CMYK, .no_adobe = true },
		{ .kind = JPEG_YCCK },
		{ .kind = JPEG_YCCK, .progressive = true },
	};
	uint8_t *rgb = picture_map(WIDTH, HEIGHT);

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct bytes jpeg = picture_jpeg(rgb, WIDTH, HEIGHT, &kinds[i]);
		struct engine_image *image = decoded(&jpeg);

		assert_int_equal(engine_image_width(image), WIDTH);
		assert_int_equal(engine_image_height(image), HEIGHT);
		assert_null(engine_image_warning(image));
		if (difference(image, rgb) > 3)
			fail_msg("kind %zu differs by %.2f", i, difference(image, rgb));
		engine_image_free(image);
		bytes_free(&jpeg);
	}
	free(rgb);
}

static void test_grey_jpeg(void **state)
{
	struct jpeg_options options = { .kind = JPEG_GREY };
	uint8_t *rgb = picture_map(WIDTH, HEIGHT);
	struct bytes jpeg = picture_jpeg(rgb, WIDTH, HEIGHT, &options);
	struct engine_image *image = decoded(&jpeg);

	(void)state;
	for (unsigned x = 0; x < WIDTH; x += 5) {
		const uint8_t *p = rgb + ((size_t)40 * WIDTH + x) * 3;
		int grey = (299 * p[0] + 587 * p[1] + 114 * p[2]) / 1000;

		assert_pixel(image, x, 40, grey, grey, grey, 4);
	}
	engine_image_free(image);
	bytes_free(&jpeg);
	free(rgb);
}

static void test_rgb_png_of_both_depths(void **state)
{
	uint8_t *rgb = picture_map(WIDTH, HEIGHT), *wide = malloc((size_t)WIDTH * HEIGHT * 6);

	(void)state;
	assert_non_null(wide);
	for (size_t i = 0; i < (size_t)WIDTH * HEIGHT * 3; i++)
		wide[2 * i] = wide[2 * i + 1] = rgb[i];
	for (int interlaced = 0; interlaced < 2; interlaced++) {
		for (int depth = 8; depth <= 16; depth += 8) {
			struct png_options options = { .depth = depth, .interlaced = interlaced };
			struct bytes png = picture_png(depth == 16 ? wide : rgb, WIDTH, HEIGHT,
						       &options);
			struct engine_image *image = decoded(&png);

			assert_memory_equal(engine_image_pixels(image), rgb,
					    (size_t)WIDTH * HEIGHT * 3);
			engine_image_free(image);
			bytes_free(&png);
		}
	}
	free(wide);
	free(rgb);
}

static void test_alpha_is_laid_over_white(void **state)
{
	/* opaque red, transparent red, half-transparent black, white */
	static const uint8_t rgba[] = { 255, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 128,
					255, 255, 255, 7 };
	static const uint8_t grey[] = { 10, 255, 10, 0, 0, 128, 255, 7 };
	static const uint8_t wide[] = { 10, 10, 255, 255, 10, 10, 0, 0, 0, 0, 128, 128,
					255, 255, 7, 7 };
	struct png_options options = { .kind = PNG_KIND_RGBA, .depth = 8 };
	struct bytes png = picture_png(rgba, 4, 1, &options);
	struct engine_image *image = decoded(&png);

	(void)state;
	assert_pixel(image, 0, 0, 255, 0, 0, 0);
	assert_pixel(image, 1, 0, 255, 255, 255, 0);
	assert_pixel(image, 2, 0, 127, 127, 127, 0);
	assert_pixel(image, 3, 0, 255, 255, 255, 0);
	engine_image_free(image);
	bytes_free(&png);
	for (int depth = 8; depth <= 16; depth += 8) {
		options = (struct png_options){ .kind = PNG_KIND_GREY_ALPHA, .depth = depth };
		png = picture_png(depth == 8 ? grey : wide, 4, 1, &options);
		image = decoded(&png);
		assert_pixel(image, 0, 0, 10, 10, 10, 0);
		assert_pixel(image, 1, 0, 255, 255, 255, 0);
		assert_pixel(image, 2, 0, 127, 127, 127, 0);
		engine_image_free(image);
		bytes_free(&png);
	}
}

static void test_palettes_and_small_depths(void **state)
{
	/* indices 1 0 1 1 0 0 1 0 at every depth */
	static const uint8_t bits[] = { 0xb2 }, pairs[] = { 0x45, 0x04 };
	static const uint8_t nibbles[] = { 0x10, 0x11, 0x00, 0x10 };
	static const uint8_t whole[] = { 1, 0, 1, 1, 0, 0, 1, 0 };
	const uint8_t *const samples[] = { bits, pairs, nibbles, whole };

	(void)state;
	for (int i = 0; i < 4; i++) {
		int depth = 1 << i, last = (1 << depth) - 1, step = 255 / last;
		struct png_options options = { .kind = PNG_KIND_PALETTE, .depth = depth };
		struct bytes png = picture_png(samples[i], 8, 1, &options);
		struct engine_image *image = decoded(&png);

		for (unsigned x = 0; x < 8; x++)
			assert_pixel(image, x, 0, whole[x] * step, 255 - whole[x] * step, 128, 0);
		engine_image_free(image);
		bytes_free(&png);

		options.transparent = true;	/* entry 0 is invisible */
		png = picture_png(samples[i], 8, 1, &options);
		image = decoded(&png);
		assert_pixel(image, 1, 0, 255, 255, 255, 0);
		if (depth == 1)
			assert_pixel(image, 0, 0, 255, 0, 128, 0);
		engine_image_free(image);
		bytes_free(&png);

		options = (struct png_options){ .kind = PNG_KIND_GREY, .depth = depth };
		png = picture_png(samples[i], 8, 1, &options);
		image = decoded(&png);
		for (unsigned x = 0; x < 8; x++)
			assert_pixel(image, x, 0, whole[x] * step, whole[x] * step,
				     whole[x] * step, 0);
		engine_image_free(image);
		bytes_free(&png);
	}
}

/* Interlaced pictures narrower than the interlacing pattern. */
static void test_tiny_interlaced_png(void **state)
{
	(void)state;
	for (unsigned width = 1; width <= 9; width++) {
		for (unsigned height = 1; height <= 9; height++) {
			struct png_options options = { .depth = 8, .interlaced = true };
			uint8_t *rgb = picture_map(width, height);
			struct bytes png = picture_png(rgb, width, height, &options);
			struct engine_image *image = decoded(&png);

			assert_memory_equal(engine_image_pixels(image), rgb,
					    (size_t)width * height * 3);
			engine_image_free(image);
			bytes_free(&png);
			free(rgb);
		}
	}
}

static void test_other_content_is_named(void **state)
{
	static const uint8_t zeros[64];
	static const uint8_t only_start[] = { 0xff, 0xd8, 0xff };

	(void)state;
	refused("", 0, ENGINE_BAD_IMAGE, "empty");
	refused("Dear reader, this is a letter.\n", 31, ENGINE_BAD_IMAGE, "text");
	refused(zeros, sizeof(zeros), ENGINE_BAD_IMAGE, "unknown");
	refused("GIF89a..........", 16, ENGINE_BAD_IMAGE, "GIF");
	refused("RIFF\0\0\0\0WEBPVP8 ", 16, ENGINE_BAD_IMAGE, "WebP");
	refused("\0\0\0\x18" "ftypheic....", 16, ENGINE_BAD_IMAGE, "HEIC");
	refused("%PDF-1.7........", 16, ENGINE_BAD_IMAGE, "PDF");
	refused(only_start, sizeof(only_start), ENGINE_BAD_IMAGE, "cut short");
	refused("\x89PNG\r\n\x1a\n", 8, ENGINE_BAD_IMAGE, "PNG");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jpeg_kinds),
		cmocka_unit_test(test_grey_jpeg),
		cmocka_unit_test(test_rgb_png_of_both_depths),
		cmocka_unit_test(test_alpha_is_laid_over_white),
		cmocka_unit_test(test_palettes_and_small_depths),
		cmocka_unit_test(test_tiny_interlaced_png),
		cmocka_unit_test(test_other_content_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
