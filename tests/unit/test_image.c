/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Pictures of every kind that a user may hand over: what can be read must come
 * out upright and in the right colours, what cannot must be refused with a
 * sentence that names the reason.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine/limits.h"
#include "tests/unit/pictures.h"

#define WIDTH 96u
#define HEIGHT 64u

static struct engine_image *decode(const struct bytes *bytes)
{
	struct engine_error error = { "" };
	struct engine_image *image = NULL;
	int r = engine_image_decode(bytes->data, bytes->size, NULL, &image, &error);

	if (r)
		fail_msg("%d, %s", r, error.message);
	return image;
}

/* Refused with this status and a message in which this word occurs. */
static void refused(const void *data, size_t size, int status, const char *word)
{
	struct engine_error error = { "" };
	struct engine_image *image = NULL;
	int r = engine_image_decode(data, size, NULL, &image, &error);

	if (r != status)
		fail_msg("%d instead of %d, %s", r, status, error.message);
	assert_null(image);
	if (!strstr(error.message, word))
		fail_msg("\"%s\" does not say \"%s\"", error.message, word);
}

/* The mean difference of the image from RGB samples of the same size. */
static double difference(const struct engine_image *image, const uint8_t *rgb)
{
	size_t count = (size_t)engine_image_width(image) * engine_image_height(image) * 3, sum = 0;
	const uint8_t *pixels = engine_image_pixels(image);

	for (size_t i = 0; i < count; i++)
		sum += (size_t)abs(pixels[i] - rgb[i]);
	return (double)sum / (double)count;
}

static void assert_pixel(const struct engine_image *image, unsigned x, unsigned y, int red,
			 int green, int blue, int tolerance)
{
	const uint8_t *p = engine_image_pixels(image) +
			   ((size_t)y * engine_image_width(image) + x) * 3;

	if (abs(p[0] - red) > tolerance || abs(p[1] - green) > tolerance ||
	    abs(p[2] - blue) > tolerance)
		fail_msg("(%u, %u) is %u %u %u instead of %d %d %d", x, y, p[0], p[1], p[2], red,
			 green, blue);
}

/* --- JPEG ------------------------------------------------------------------- */

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
		struct engine_image *image = decode(&jpeg);

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
	struct engine_image *image = decode(&jpeg);

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
		struct engine_image *image = decode(&bytes);

		assert_oriented(image, rgb, expected, 12);
		engine_image_free(image);
		bytes_free(&bytes);
		for (int interlaced = 0; interlaced < 2; interlaced++) {
			png.interlaced = interlaced;
			bytes = picture_png(rgb, WIDTH, HEIGHT, &png);
			image = decode(&bytes);
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
		image = decode(&jpeg);
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
	image = decode(&jpeg);
	assert_non_null(engine_image_warning(image));
	engine_image_free(image);
	bytes_free(&jpeg);
	free(rgb);
}

/* A small file whose header claims this size. */
static struct bytes jpeg_claiming(unsigned width, unsigned height, bool progressive)
{
	struct jpeg_options options = { .progressive = progressive };
	uint8_t *rgb = picture_map(16, 16);
	struct bytes jpeg = picture_jpeg(rgb, 16, 16, &options);

	free(rgb);
	for (size_t i = 0; i + 9 < jpeg.size; i++) {
		if (jpeg.data[i] == 0xff && jpeg.data[i + 1] == (progressive ? 0xc2 : 0xc0)) {
			jpeg.data[i + 5] = (uint8_t)(height >> 8);
			jpeg.data[i + 6] = (uint8_t)height;
			jpeg.data[i + 7] = (uint8_t)(width >> 8);
			jpeg.data[i + 8] = (uint8_t)width;
			return jpeg;
		}
	}
	fail_msg("no frame header");
	return jpeg;
}

static void test_jpeg_header_that_claims_too_much(void **state)
{
	(void)state;
	for (int progressive = 0; progressive < 2; progressive++) {
		struct bytes jpeg = jpeg_claiming(30001, 10, progressive);

		refused(jpeg.data, jpeg.size, ENGINE_TOO_LARGE, "30000");
		bytes_free(&jpeg);
		jpeg = jpeg_claiming(65500, 65500, progressive);
		refused(jpeg.data, jpeg.size, ENGINE_TOO_LARGE, "65500");
		bytes_free(&jpeg);
		jpeg = jpeg_claiming(10001, 10000, progressive);
		refused(jpeg.data, jpeg.size, ENGINE_TOO_LARGE, "100 megapixels");
		bytes_free(&jpeg);
		/* within the limits, but the file is far too short for it */
		jpeg = jpeg_claiming(10000, 10000, progressive);
		refused(jpeg.data, jpeg.size, ENGINE_BAD_IMAGE, "0%");
		bytes_free(&jpeg);
		jpeg = jpeg_claiming(0, 10, progressive);
		refused(jpeg.data, jpeg.size, ENGINE_BAD_IMAGE, "");
		bytes_free(&jpeg);
	}
}

static void test_jpeg_with_too_many_scans(void **state)
{
	struct jpeg_options options = { .progressive = true };
	uint8_t *rgb = picture_map(16, 16);
	struct bytes jpeg = picture_jpeg(rgb, 16, 16, &options), many = { 0 };
	size_t scan = 0, length;

	(void)state;
	/* the last scan, repeated */
	for (size_t i = 0; i + 1 < jpeg.size; i++)
		if (jpeg.data[i] == 0xff && jpeg.data[i + 1] == 0xda)
			scan = i;
	length = jpeg.size - 2 - scan;
	many.size = scan + (LIMIT_IMAGE_SCANS + 2) * length;
	many.data = malloc(many.size);
	assert_non_null(many.data);
	memcpy(many.data, jpeg.data, scan);
	for (size_t i = 0; i < LIMIT_IMAGE_SCANS + 2; i++)
		memcpy(many.data + scan + i * length, jpeg.data + scan, length);
	refused(many.data, many.size, ENGINE_TOO_LARGE, "100 scans");
	bytes_free(&many);
	bytes_free(&jpeg);
	free(rgb);
}

/* --- PNG -------------------------------------------------------------------- */

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
			struct engine_image *image = decode(&png);

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
	struct engine_image *image = decode(&png);

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
		image = decode(&png);
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
		struct engine_image *image = decode(&png);

		for (unsigned x = 0; x < 8; x++)
			assert_pixel(image, x, 0, whole[x] * step, 255 - whole[x] * step, 128, 0);
		engine_image_free(image);
		bytes_free(&png);

		options.transparent = true;	/* entry 0 is invisible */
		png = picture_png(samples[i], 8, 1, &options);
		image = decode(&png);
		assert_pixel(image, 1, 0, 255, 255, 255, 0);
		if (depth == 1)
			assert_pixel(image, 0, 0, 255, 0, 128, 0);
		engine_image_free(image);
		bytes_free(&png);

		options = (struct png_options){ .kind = PNG_KIND_GREY, .depth = depth };
		png = picture_png(samples[i], 8, 1, &options);
		image = decode(&png);
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
			struct engine_image *image = decode(&png);

			assert_memory_equal(engine_image_pixels(image), rgb,
					    (size_t)width * height * 3);
			engine_image_free(image);
			bytes_free(&png);
			free(rgb);
		}
	}
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

static struct bytes png_claiming(uint32_t width, uint32_t height)
{
	struct png_options options = { .depth = 8 };
	uint8_t *rgb = picture_map(16, 16);
	struct bytes png = picture_png(rgb, 16, 16, &options);
	uint32_t crc;

	free(rgb);
	for (int i = 0; i < 4; i++) {
		png.data[16 + i] = (uint8_t)(width >> (24 - 8 * i));
		png.data[20 + i] = (uint8_t)(height >> (24 - 8 * i));
	}
	crc = crc_32(png.data + 12, 17);
	for (int i = 0; i < 4; i++)
		png.data[29 + i] = (uint8_t)(crc >> (24 - 8 * i));
	return png;
}

static void test_png_header_that_claims_too_much(void **state)
{
	struct bytes png = png_claiming(30001, 1);

	(void)state;
	refused(png.data, png.size, ENGINE_TOO_LARGE, "30000");
	bytes_free(&png);
	png = png_claiming(0x7fffffff, 0x7fffffff);
	refused(png.data, png.size, ENGINE_TOO_LARGE, "2147483647");
	bytes_free(&png);
	png = png_claiming(10001, 10000);
	refused(png.data, png.size, ENGINE_TOO_LARGE, "100 megapixels");
	bytes_free(&png);
	png = png_claiming(10000, 10000);
	refused(png.data, png.size, ENGINE_BAD_IMAGE, "0%");
	bytes_free(&png);
	png = png_claiming(0, 1);
	refused(png.data, png.size, ENGINE_BAD_IMAGE, "");
	bytes_free(&png);
}

/* Sanitizers reserve more than any limit. */
static void limit_memory(rlim_t bytes)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	(void)bytes;
#else
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_DATA, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_DATA, &limit), 0);
#endif
}

/* A chunk that claims a gigabyte, in a picture that is fine otherwise, must not
 * have it allocated. */
static void test_png_chunk_that_claims_too_much(void **state)
{
	struct png_options options = { .depth = 8, .orientation = 6 };
	uint8_t *rgb = picture_map(16, 8);
	struct bytes png = picture_png(rgb, 16, 8, &options);
	struct engine_image *image = NULL;
	struct engine_error error = { "" };
	size_t at = 0;

	(void)state;
	for (size_t i = 0; at == 0 && i + 4 < png.size; i++)
		if (memcmp(png.data + i, "eXIf", 4) == 0)
			at = i;
	assert_true(at > 4);
	png.data[at - 4] = 0x40;
	limit_memory((rlim_t)256 << 20);
	assert_int_equal(engine_image_decode(png.data, png.size, NULL, &image, &error),
			 ENGINE_BAD_IMAGE);
	limit_memory(RLIM_INFINITY);
	if (!strstr(error.message, "damaged"))
		fail_msg("%s", error.message);
	bytes_free(&png);
	free(rgb);
}

/* --- What is no picture ------------------------------------------------------- */

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

static void test_file_over_the_limit(void **state)
{
	struct engine_error error = { "" };
	struct engine_image *image = NULL;
	int fd = memfd_create("large", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)LIMIT_IMAGE_BYTES + 1), 0);
	assert_int_equal(engine_image_read(fd, NULL, &image, &error), ENGINE_TOO_LARGE);
	assert_non_null(strstr(error.message, "64 MiB"));
	assert_int_equal(ftruncate(fd, LIMIT_IMAGE_BYTES), 0);
	assert_int_equal(engine_image_read(fd, NULL, &image, &error), ENGINE_BAD_IMAGE);
	close(fd);
	assert_null(image);
}

/* --- Descriptors ---------------------------------------------------------------- */

static int read_path(const char *path, int flags, struct engine_error *error)
{
	struct engine_image_options options = { .timeout_ms = 100 };
	struct engine_image *image = NULL;
	int fd = open(path, flags | O_CLOEXEC), r;

	assert_true(fd >= 0);
	r = engine_image_read(fd, &options, &image, error);
	close(fd);
	engine_image_free(image);
	return r;
}

static void test_directories_and_devices(void **state)
{
	struct engine_error error = { "" };

	(void)state;
	assert_int_equal(read_path("/", O_RDONLY, &error), ENGINE_BAD_IMAGE);
	assert_non_null(strstr(error.message, "directory"));
	assert_int_equal(read_path("/dev/zero", O_RDONLY, &error), ENGINE_BAD_IMAGE);
	assert_non_null(strstr(error.message, "device"));
	assert_int_equal(read_path("/dev/null", O_WRONLY, &error), ENGINE_BAD_IMAGE);
	assert_int_equal(engine_image_read(-1, NULL, NULL, &error), -EBADF);
}

static void test_descriptor_that_cannot_be_read(void **state)
{
	struct engine_error error = { "" };
	struct engine_image *image = NULL;
	char path[] = "/tmp/descry-test-image-XXXXXX";
	int fd = mkstemp(path), write_only;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	write_only = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(engine_image_read(write_only, NULL, &image, &error), -EBADF);
	assert_non_null(strstr(error.message, "cannot be read"));
	close(write_only);
	close(fd);
	unlink(path);
}

/* Written just now: the position is at the end. The name says otherwise, too. */
static void test_memfd_at_its_end(void **state)
{
	struct bytes png = bytes_read("tests/photos/chelsea.png");
	struct engine_image *image = NULL;
	int fd = memfd_create("chelsea.txt", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(write(fd, png.data, png.size), (ssize_t)png.size);
	assert_int_equal(engine_image_read(fd, NULL, &image, NULL), 0);
	assert_int_equal(engine_image_width(image), 451);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), (off_t)png.size);
	engine_image_free(image);
	close(fd);
	bytes_free(&png);
}

static void test_pipe(void **state)
{
	struct engine_image_options options = { .timeout_ms = 30000 };
	struct bytes jpeg = bytes_read("tests/photos/raccoon.jpg");
	struct engine_image *image = NULL;
	int ends[2], status;
	pid_t writer;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	writer = fork();
	if (writer == 0) {
		size_t done = 0;

		close(ends[0]);
		while (done < jpeg.size) {
			size_t part = jpeg.size - done < 50000 ? jpeg.size - done : 50000;
			ssize_t n = write(ends[1], jpeg.data + done, part);

			if (n < 0)
				_exit(1);
			done += (size_t)n;
		}
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(engine_image_read(ends[0], &options, &image, NULL), 0);
	assert_int_equal(engine_image_width(image), 1024);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(status, 0);
	engine_image_free(image);
	close(ends[0]);
	bytes_free(&jpeg);
}

static void test_pipe_that_never_ends(void **state)
{
	struct engine_image_options options = { .timeout_ms = 50 };
	struct engine_error error = { "" };
	struct engine_image *image = NULL;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "\xff\xd8\xff", 3), 3);
	assert_int_equal(engine_image_read(ends[0], &options, &image, &error), -ETIMEDOUT);
	assert_non_null(strstr(error.message, "0.1 s"));
	close(ends[1]);
	/* now it ends */
	assert_int_equal(engine_image_read(ends[0], &options, &image, &error), ENGINE_BAD_IMAGE);
	close(ends[0]);
}

static void test_pipe_over_the_limit(void **state)
{
	struct engine_error error = { "" };
	struct engine_image *image = NULL;
	int ends[2], status;
	pid_t writer;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	writer = fork();
	if (writer == 0) {
		static const uint8_t block[1 << 16];

		close(ends[0]);
		while (write(ends[1], block, sizeof(block)) > 0)
			;
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(engine_image_read(ends[0], NULL, &image, &error), ENGINE_TOO_LARGE);
	assert_non_null(strstr(error.message, "64 MiB"));
	close(ends[0]);
	assert_int_equal(waitpid(writer, &status, 0), writer);
}

/* --- Raw pixels ------------------------------------------------------------------ */

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
		cmocka_unit_test(test_jpeg_kinds),
		cmocka_unit_test(test_grey_jpeg),
		cmocka_unit_test(test_orientations),
		cmocka_unit_test(test_scale_follows_orientation),
		cmocka_unit_test(test_truncated_jpeg),
		cmocka_unit_test(test_truncated_progressive_jpeg),
		cmocka_unit_test(test_jpeg_without_end_mark),
		cmocka_unit_test(test_damaged_jpeg_says_so),
		cmocka_unit_test(test_jpeg_header_that_claims_too_much),
		cmocka_unit_test(test_jpeg_with_too_many_scans),
		cmocka_unit_test(test_rgb_png_of_both_depths),
		cmocka_unit_test(test_alpha_is_laid_over_white),
		cmocka_unit_test(test_palettes_and_small_depths),
		cmocka_unit_test(test_tiny_interlaced_png),
		cmocka_unit_test(test_truncated_png),
		cmocka_unit_test(test_png_header_that_claims_too_much),
		cmocka_unit_test(test_png_chunk_that_claims_too_much),
		cmocka_unit_test(test_other_content_is_named),
		cmocka_unit_test(test_file_over_the_limit),
		cmocka_unit_test(test_directories_and_devices),
		cmocka_unit_test(test_descriptor_that_cannot_be_read),
		cmocka_unit_test(test_memfd_at_its_end),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_pipe_that_never_ends),
		cmocka_unit_test(test_pipe_over_the_limit),
		cmocka_unit_test(test_raw_formats),
		cmocka_unit_test(test_yuv_formats),
		cmocka_unit_test(test_raw_sizes_are_checked),
		cmocka_unit_test(test_free_takes_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
