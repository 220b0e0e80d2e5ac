/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Pixels as cameras and programs hand them over, without a file around them: the
 * layouts, the colours of YUV, and sizes that do not fit together.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "engine/engine.h"
#include "tests/unit/decoding.h"

static void test_raw_formats(void **state)
{
	/* 3 × 2; rows padded to 16 bytes; red, green, blue over white, grey, black */
	static const uint8_t rgb[32] = {
		255, 0, 0, 0, 255, 0, 0, 0, 255, [16] = 255, 255, 255, 128, 128, 128, 0, 0, 0,
	};
	static const uint8_t bgrx[32] = {
		0, 0, 255, 9, 0, 255, 0, 9, 255, 0, 0, 9,
		[16] = 255, 255, 255, 9, 128, 128, 128, 9, 0, 0, 0, 9,
	};
	static const uint8_t grey[32] = { 255, 128, 0, [16] = 10, 20, 30 };
	struct engine_image *image;

	(void)state;
	assert_int_equal(engine_image_from_pixels(ENGINE_PIXELS_RGB, 3, 2, 16, rgb, 25, &image,
						  NULL), 0);
	assert_pixel(image, 2, 0, 0, 0, 255, 0);
	assert_pixel(image, 1, 1, 128, 128, 128, 0);
	engine_image_free(image);
	assert_int_equal(engine_image_from_pixels(ENGINE_PIXELS_BGRX, 3, 2, 16, bgrx, 28, &image,
						  NULL), 0);
	assert_pixel(image, 0, 0, 255, 0, 0, 0);
	assert_pixel(image, 2, 0, 0, 0, 255, 0);
	assert_pixel(image, 0, 1, 255, 255, 255, 0);
	engine_image_free(image);
	assert_int_equal(engine_image_from_pixels(ENGINE_PIXELS_GREY, 3, 2, 16, grey, 19, &image,
						  NULL), 0);
	assert_pixel(image, 1, 0, 128, 128, 128, 0);
	assert_pixel(image, 2, 1, 30, 30, 30, 0);
	engine_image_free(image);
}

/* BT.601 with video range, from its definition. */
static void yuv_of(int red, int green, int blue, uint8_t yuv[3])
{
	double y = 0.299 * red + 0.587 * green + 0.114 * blue;

	yuv[0] = (uint8_t)(16.5 + y * 219 / 255);
	yuv[1] = (uint8_t)(128.5 + (blue - y) / 1.772 * 224 / 255);
	yuv[2] = (uint8_t)(128.5 + (red - y) / 1.402 * 224 / 255);
}

static void test_yuv_formats(void **state)
{
	static const int colours[][3] = {
		{ 255, 0, 0 }, { 0, 255, 0 }, { 0, 0, 255 }, { 255, 255, 255 }, { 0, 0, 0 },
		{ 200, 120, 40 }, { 17, 99, 230 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++) {
		const int *c = colours[i];
		struct engine_image *image;
		uint8_t yuv[3], yuyv[4], nv12[12];

		yuv_of(c[0], c[1], c[2], yuv);
		memcpy(yuyv, (uint8_t[]){ yuv[0], yuv[1], yuv[0], yuv[2] }, 4);
		assert_int_equal(engine_image_from_pixels(ENGINE_PIXELS_YUYV, 2, 1, 4, yuyv, 4,
							  &image, NULL), 0);
		assert_pixel(image, 0, 0, c[0], c[1], c[2], 3);
		assert_pixel(image, 1, 0, c[0], c[1], c[2], 3);
		engine_image_free(image);
		/* 3 × 2: two pairs of chroma, the second for the last column alone */
		memset(nv12, yuv[0], 8);
		memcpy(nv12 + 8, (uint8_t[]){ yuv[1], yuv[2], yuv[1], yuv[2] }, 4);
		assert_int_equal(engine_image_from_pixels(ENGINE_PIXELS_NV12, 3, 2, 4, nv12, 12,
							  &image, NULL), 0);
		assert_pixel(image, 2, 1, c[0], c[1], c[2], 3);
		engine_image_free(image);
	}
}

static void test_raw_sizes_are_checked(void **state)
{
	static const uint8_t data[64];
	struct engine_error error = { "" };
	struct engine_image *image = NULL;

	(void)state;
#define RAW(format, width, height, stride, size) \
	engine_image_from_pixels(format, width, height, stride, data, size, &image, &error)
	assert_int_equal(RAW(ENGINE_PIXELS_RGB, 4, 4, 12, 47), ENGINE_BAD_IMAGE);
	assert_non_null(strstr(error.message, "47"));
	assert_int_equal(RAW(ENGINE_PIXELS_RGB, 4, 4, 11, 64), ENGINE_BAD_IMAGE);
	assert_int_equal(RAW(ENGINE_PIXELS_BGRX, 4, 4, 16, 63), ENGINE_BAD_IMAGE);
	assert_int_equal(RAW(ENGINE_PIXELS_YUYV, 3, 1, 6, 64), ENGINE_BAD_IMAGE);
	assert_int_equal(RAW(ENGINE_PIXELS_NV12, 4, 4, 4, 23), ENGINE_BAD_IMAGE);
	assert_int_equal(RAW(ENGINE_PIXELS_GREY, 0, 4, 4, 64), ENGINE_BAD_IMAGE);
	assert_int_equal(RAW(ENGINE_PIXELS_GREY, 4, 4, SIZE_MAX / 2, 64), ENGINE_BAD_IMAGE);
	assert_int_equal(RAW(ENGINE_PIXELS_GREY, 30001, 1, 30001, 64), ENGINE_TOO_LARGE);
	assert_int_equal(RAW((enum engine_pixel_format)99, 1, 1, 64, 64), ENGINE_BAD_OPTION);
#undef RAW
	assert_null(image);
}

static void test_free_takes_null(void **state)
{
	(void)state;
	assert_null(engine_image_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_raw_formats),
		cmocka_unit_test(test_yuv_formats),
		cmocka_unit_test(test_raw_sizes_are_checked),
		cmocka_unit_test(test_free_takes_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
