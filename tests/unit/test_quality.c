/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Verdicts on the repository's photos as they are and spoilt in plain ways. The
 * shares over thousands of photos are the business of tests/tools; here each kind
 * of trouble must be told from a good photo, and named.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "tests/unit/pictures.h"

static const char *const photos[] = {
	"astronaut.png", "chelsea.png", "coffee.png", "raccoon.jpg", "rocket.jpg", "camera.png",
};
#define PHOTOS (sizeof(photos) / sizeof(photos[0]))
/* The rocket stands before black sky: spoilt, there is little left of it, which
 * may be doubted, or called uniform. */
#define SPARSE "rocket.jpg"
#define SIDE 320u

static struct engine_image *load(const char *name)
{
	struct engine_image *image = NULL;
	struct engine_error error = { "" };
	struct bytes bytes;
	char path[64];

	snprintf(path, sizeof(path), "tests/photos/%s", name);
	bytes = bytes_read(path);
	if (engine_image_decode(bytes.data, bytes.size, NULL, &image, &error))
		fail_msg("%s: %s", path, error.message);
	bytes_free(&bytes);
	return image;
}

static struct engine_quality measure_image(const struct engine_image *image)
{
	struct engine_quality quality;

	assert_int_equal(engine_quality_measure(image, NULL, &quality, NULL), 0);
	for (int i = 0; i < ENGINE_QUALITY_KINDS; i++)
		assert_true(quality.score[i] >= 0 && quality.score[i] <= 1);
	return quality;
}

static struct engine_quality measure(const uint8_t *rgb, unsigned width, unsigned height)
{
	struct engine_image *image;
	struct engine_quality quality;

	assert_int_equal(engine_image_from_pixels(ENGINE_PIXELS_RGB, width, height,
						  (size_t)width * 3, rgb,
						  (size_t)width * height * 3, &image, NULL), 0);
	quality = measure_image(image);
	engine_image_free(image);
	return quality;
}

static void assert_refused(const struct engine_quality *quality, enum engine_quality_kind kind,
			   const char *what)
{
	if (quality->verdict != ENGINE_QUALITY_REFUSE || quality->kind != kind) {
		for (int i = 0; i < ENGINE_QUALITY_KINDS; i++)
			print_message("%s %.3f\n", engine_quality_name(i),
				      (double)quality->score[i]);
		fail_msg("%s: verdict %d as %s", what, quality->verdict,
			 engine_quality_name(quality->kind));
	}
}

/* Applies `spoil` to each photo and wants it refused as `kind`. */
static void assert_spoilt(void (*spoil)(uint8_t *rgb, const uint8_t *photo),
			  enum engine_quality_kind kind)
{
	uint8_t *photo = malloc(SIDE * SIDE * 3), *rgb = malloc(SIDE * SIDE * 3);

	assert_non_null(photo);
	assert_non_null(rgb);
	for (size_t i = 0; i < PHOTOS; i++) {
		struct engine_image *image = load(photos[i]);
		struct engine_quality quality;

		assert_int_equal(engine_image_resize(image, SIDE, SIDE, photo, NULL), 0);
		engine_image_free(image);
		spoil(rgb, photo);
		quality = measure(rgb, SIDE, SIDE);
		if (strcmp(photos[i], SPARSE) == 0)
			assert_int_not_equal(quality.verdict, ENGINE_QUALITY_FINE);
		else
			assert_refused(&quality, kind, photos[i]);
	}
	free(photo);
	free(rgb);
}

static void test_good_photos_are_fine(void **state)
{
	(void)state;
	for (size_t i = 0; i < PHOTOS; i++) {
		struct engine_image *image = load(photos[i]);
		struct engine_quality quality = measure_image(image);

		if (quality.verdict != ENGINE_QUALITY_FINE)
			fail_msg("%s is called %s, %.3f", photos[i],
				 engine_quality_name(quality.kind),
				 (double)quality.score[quality.kind]);
		engine_image_free(image);
	}
}

/* The photo of a clock that was taken with a moving camera. */
static void test_moved_camera_is_noticed(void **state)
{
	struct engine_image *image = load("clock_motion.png");
	struct engine_quality quality = measure_image(image);

	(void)state;
	assert_int_not_equal(quality.verdict, ENGINE_QUALITY_FINE);
	assert_int_equal(quality.kind, ENGINE_QUALITY_BLURRED);
	engine_image_free(image);
}

static void darken(uint8_t *rgb, const uint8_t *photo)
{
	/* a hundredth of the light, and the noise of a sensor */
	for (size_t i = 0; i < SIDE * SIDE * 3; i++)
		rgb[i] = (uint8_t)(255 * pow(photo[i] / 255.0, 1) * pow(0.01, 1 / 2.2) +
				   (double)(i * 2654435761u >> 30 & 3));
}

static void brighten(uint8_t *rgb, const uint8_t *photo)
{
	for (size_t i = 0; i < SIDE * SIDE * 3; i++) {
		double value = 255 * pow(64 * pow(photo[i] / 255.0, 2.2) + 0.4, 1 / 2.2);

		rgb[i] = (uint8_t)(value > 255 ? 255 : value);
	}
}

/* A finger: skin, out of focus, with a soft edge and the noise of a sensor. */
static void cover(uint8_t *rgb, const uint8_t *photo)
{
	for (unsigned y = 0; y < SIDE; y++) {
		for (unsigned x = 0; x < SIDE; x++) {
			size_t i = ((size_t)y * SIDE + x) * 3;
			unsigned skin[] = { 140 + y / 16, 60 + x / 32, 45 };
			unsigned share = x + y / 8 < 40 ? x + y / 8 : 40;

			for (size_t c = 0; c < 3; c++)
				rgb[i + c] = (uint8_t)((skin[c] * share + photo[i + c] * (40 - share)) / 40 +
						       ((i + c) * 2654435761u >> 30 & 3));
		}
	}
}

/* A box filter from side to side, `passes` times over rows and columns. */
static void smear(uint8_t *rgb, const uint8_t *photo, int reach, bool columns)
{
	for (int y = 0; y < (int)SIDE; y++) {
		for (int x = 0; x < (int)SIDE; x++) {
			for (int c = 0; c < 3; c++) {
				int sum = 0;

				for (int k = -reach; k <= reach; k++) {
					int at = (columns ? y : x) + k;

					at = at < 0 ? 0 : at >= (int)SIDE ? (int)SIDE - 1 : at;
					sum += photo[((columns ? at : y) * (int)SIDE +
						      (columns ? x : at)) * 3 + c];
				}
				rgb[(y * (int)SIDE + x) * 3 + c] = (uint8_t)(sum / (2 * reach + 1));
			}
		}
	}
}

static void defocus(uint8_t *rgb, const uint8_t *photo)
{
	uint8_t *other = malloc(SIDE * SIDE * 3);

	assert_non_null(other);
	smear(rgb, photo, 8, false);
	smear(other, rgb, 8, true);
	smear(rgb, other, 8, false);
	smear(other, rgb, 8, true);
	memcpy(rgb, other, SIDE * SIDE * 3);
	free(other);
}

static void shake(uint8_t *rgb, const uint8_t *photo)
{
	smear(rgb, photo, 16, false);
}

static void test_dark(void **state)
{
	(void)state;
	assert_spoilt(darken, ENGINE_QUALITY_DARK);
}

static void test_bright(void **state)
{
	(void)state;
	assert_spoilt(brighten, ENGINE_QUALITY_BRIGHT);
}

static void test_covered(void **state)
{
	(void)state;
	assert_spoilt(cover, ENGINE_QUALITY_COVERED);
}

static void test_out_of_focus(void **state)
{
	(void)state;
	assert_spoilt(defocus, ENGINE_QUALITY_BLURRED);
}

static void test_moved(void **state)
{
	(void)state;
	assert_spoilt(shake, ENGINE_QUALITY_BLURRED);
}

static void test_blank_page_and_noise(void **state)
{
	uint8_t *rgb = malloc(SIDE * SIDE * 3);
	struct engine_quality quality;
	uint32_t random = 1;

	(void)state;
	assert_non_null(rgb);
	for (size_t i = 0; i < SIDE * SIDE * 3; i++)
		rgb[i] = (uint8_t)(200 + i / 3 % SIDE / 16);
	quality = measure(rgb, SIDE, SIDE);
	assert_refused(&quality, ENGINE_QUALITY_UNIFORM, "a wall");
	for (size_t i = 0; i < SIDE * SIDE * 3; i++) {
		random = random * 1664525 + 1013904223;
		rgb[i] = (uint8_t)(random >> 24);
	}
	quality = measure(rgb, SIDE, SIDE);
	assert_refused(&quality, ENGINE_QUALITY_NOT_PHOTO, "noise");
	free(rgb);
}

/* A page of rows of strokes, as dense as type. */
static void test_text_page(void **state)
{
	uint8_t *rgb = malloc((size_t)600 * 800 * 3);
	struct engine_quality quality;
	uint32_t random = 7;

	(void)state;
	assert_non_null(rgb);
	memset(rgb, 250, (size_t)600 * 800 * 3);
	for (unsigned line = 50; line < 750; line += 18) {
		for (unsigned x = 50; x < 550; x += 5) {
			random = random * 1664525 + 1013904223;
			for (unsigned y = 0; y < 11; y++)
				if (random >> (8 + y) & 1 && random >> 28 > 2)
					memset(rgb + ((size_t)(line + y) * 600 + x) * 3, 20,
					       3 * (1 + (random >> (12 + y) & 3)));
		}
	}
	quality = measure(rgb, 600, 800);
	assert_refused(&quality, ENGINE_QUALITY_NOT_PHOTO, "a text page");
	free(rgb);
}

/* Nothing to divide by, no window to fill: still scores. */
static void test_tiny_pictures(void **state)
{
	static const unsigned sizes[][2] = { { 1, 1 }, { 1, 400 }, { 400, 1 }, { 7, 9 }, { 16, 16 },
					     { 30000, 2 }, { 17, 255 } };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t *rgb = picture_map(sizes[i][0], sizes[i][1]);

		measure(rgb, sizes[i][0], sizes[i][1]);
		free(rgb);
	}
}

static void test_limits_are_the_callers(void **state)
{
	struct engine_quality_limits limits = engine_quality_defaults;
	struct engine_image *image = load("chelsea.png");
	struct engine_quality quality;

	(void)state;
	limits.refuse[ENGINE_QUALITY_TILTED] = 0;
	assert_int_equal(engine_quality_measure(image, &limits, &quality, NULL), 0);
	assert_int_equal(quality.verdict, ENGINE_QUALITY_REFUSE);
	assert_int_equal(quality.kind, ENGINE_QUALITY_TILTED);
	/* a doubt of another kind does not hide a refusal, nor the reverse */
	limits.doubt[ENGINE_QUALITY_DARK] = 0;
	assert_int_equal(engine_quality_measure(image, &limits, &quality, NULL), 0);
	assert_int_equal(quality.kind, ENGINE_QUALITY_TILTED);
	limits.refuse[ENGINE_QUALITY_TILTED] = 2;
	limits.doubt[ENGINE_QUALITY_TILTED] = 2;
	assert_int_equal(engine_quality_measure(image, &limits, &quality, NULL), 0);
	assert_int_equal(quality.verdict, ENGINE_QUALITY_DOUBT);
	assert_int_equal(quality.kind, ENGINE_QUALITY_DARK);
	engine_image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_photos_are_fine),
		cmocka_unit_test(test_moved_camera_is_noticed),
		cmocka_unit_test(test_dark),
		cmocka_unit_test(test_bright),
		cmocka_unit_test(test_covered),
		cmocka_unit_test(test_out_of_focus),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_blank_page_and_noise),
		cmocka_unit_test(test_text_page),
		cmocka_unit_test(test_tiny_pictures),
		cmocka_unit_test(test_limits_are_the_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
