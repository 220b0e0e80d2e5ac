/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files that claim or hold more than engine/limits.h allows: refused with the limit,
 * and nothing of that size is allocated.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine/limits.h"
#include "tests/unit/decoding.h"
#include "tests/unit/pictures.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jpeg_header_that_claims_too_much),
		cmocka_unit_test(test_jpeg_with_too_many_scans),
		cmocka_unit_test(test_png_header_that_claims_too_much),
		cmocka_unit_test(test_png_chunk_that_claims_too_much),
		cmocka_unit_test(test_file_over_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
