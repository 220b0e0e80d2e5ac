/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The splitter against hand-made streams: every picture is found whatever the
 * size of the reads, thumbnails do not end a picture, damage costs only the
 * damaged picture, limits hold. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mjpeg.h"

struct seen {
	uint8_t data[8][512];
	size_t size[8];
	uint64_t started[8];
	size_t count;
};

static void note(const void *data, size_t size, uint64_t started_us, void *user)
{
	struct seen *seen = user;

	assert_true(seen->count < 8);
	assert_true(size <= sizeof(seen->data[0]));
	memcpy(seen->data[seen->count], data, size);
	seen->size[seen->count] = size;
	seen->started[seen->count++] = started_us;
}

/* A segment that holds a whole JPEG (as EXIF thumbnails do), a scan with a
 * stuffed FF and a restart marker, a second scan as progressive files have. */
static const uint8_t picture[] = {
	0xff, 0xd8,
	0xff, 0xe1, 0x00, 0x08, 0xff, 0xd8, 0xff, 0xd9, 0x11, 0x22,
	0xff, 0xff, 0xdb, 0x00, 0x04, 0x01, 0x02,
	0xff, 0xda, 0x00, 0x03, 0x07, 0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56,
	0xff, 0xc4, 0x00, 0x02,
	0xff, 0xda, 0x00, 0x03, 0x09, 0x99, 0xff, 0xff, 0xd9,
};

static size_t stream(uint8_t *out)
{
	static const char between[] = "\r\n--frame\r\nContent-Length: 9\r\n\r\n\xff";
	size_t n = 0;

	for (int i = 0; i < 3; i++) {
		memcpy(out + n, between, sizeof(between) - 1);
		n += sizeof(between) - 1;
		memcpy(out + n, picture, sizeof(picture));
		n += sizeof(picture);
	}
	return n;
}

static void finds_every_picture_at_every_read_size(void **state)
{
	uint8_t bytes[512];
	size_t size = stream(bytes);

	(void)state;
	for (size_t step = 1; step <= size; step++) {
		struct mjpeg *mjpeg;
		struct seen seen = { 0 };

		assert_int_equal(mjpeg_open(4096, &mjpeg), 0);
		for (size_t at = 0; at < size; at += step)
			assert_int_equal(mjpeg_feed(mjpeg, bytes + at,
						    size - at < step ? size - at : step, at,
						    note, &seen), 0);
		assert_int_equal(seen.count, 3);
		for (size_t i = 0; i < 3; i++) {
			assert_int_equal(seen.size[i], sizeof(picture));
			assert_memory_equal(seen.data[i], picture, sizeof(picture));
		}
		assert_int_equal(mjpeg_counts(mjpeg).damaged, 0);
		mjpeg = mjpeg_free(mjpeg);
	}
}

static void stamps_a_picture_with_its_beginning(void **state)
{
	struct mjpeg *mjpeg;
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(mjpeg_open(4096, &mjpeg), 0);
	mjpeg_feed(mjpeg, "rubbish", 7, 10, note, &seen);
	mjpeg_feed(mjpeg, picture, 20, 20, note, &seen);
	mjpeg_feed(mjpeg, picture + 20, sizeof(picture) - 20, 30, note, &seen);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.started[0], 20);
	mjpeg_free(mjpeg);
}

static void a_broken_picture_costs_only_itself(void **state)
{
	struct mjpeg *mjpeg;
	struct seen seen = { 0 };
	uint8_t bytes[256];
	size_t size = 0;

	(void)state;
	/* broken off in its scan, then a whole one */
	memcpy(bytes, picture, 24);
	size = 24;
	memcpy(bytes + size, picture, sizeof(picture));
	size += sizeof(picture);
	assert_int_equal(mjpeg_open(4096, &mjpeg), 0);
	mjpeg_feed(mjpeg, bytes, size, 0, note, &seen);
	assert_int_equal(seen.count, 1);
	assert_int_equal(mjpeg_counts(mjpeg).damaged, 1);

	/* no marker where one must stand; a segment length of 1 */
	mjpeg_feed(mjpeg, "\xff\xd8\x00\x00", 4, 0, note, &seen);
	mjpeg_feed(mjpeg, "\xff\xd8\xff\xe0\x00\x01", 6, 0, note, &seen);
	assert_int_equal(mjpeg_counts(mjpeg).damaged, 3);
	mjpeg_feed(mjpeg, picture, sizeof(picture), 0, note, &seen);
	assert_int_equal(seen.count, 2);
	mjpeg_free(mjpeg);
}

static void a_picture_over_the_limit_is_dropped(void **state)
{
	struct mjpeg *mjpeg;
	struct seen seen = { 0 };
	uint8_t scan[1000];

	(void)state;
	memset(scan, 0x55, sizeof(scan));
	assert_int_equal(mjpeg_open(256, &mjpeg), 0);
	mjpeg_feed(mjpeg, picture, 24, 0, note, &seen);
	for (int i = 0; i < 1000; i++)
		mjpeg_feed(mjpeg, scan, sizeof(scan), 0, note, &seen);
	assert_int_equal(mjpeg_counts(mjpeg).too_large, 1);
	mjpeg_feed(mjpeg, picture, sizeof(picture), 0, note, &seen);
	assert_int_equal(seen.count, 1);
	assert_memory_equal(seen.data[0], picture, sizeof(picture));
	mjpeg_free(mjpeg);
}

static void a_picture_of_exactly_the_limit_is_kept(void **state)
{
	struct mjpeg *mjpeg;
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(mjpeg_open(sizeof(picture), &mjpeg), 0);
	mjpeg_feed(mjpeg, picture, sizeof(picture), 0, note, &seen);
	assert_int_equal(seen.count, 1);
	mjpeg = mjpeg_free(mjpeg);
	assert_int_equal(mjpeg_open(sizeof(picture) - 1, &mjpeg), 0);
	mjpeg_feed(mjpeg, picture, sizeof(picture), 0, note, &seen);
	assert_int_equal(seen.count, 1);
	mjpeg_free(mjpeg);
}

static void random_bytes_do_no_harm(void **state)
{
	struct mjpeg *mjpeg;
	struct seen seen = { 0 };
	uint32_t x = 1;

	(void)state;
	assert_int_equal(mjpeg_open(500, &mjpeg), 0);
	for (int i = 0; i < 200000; i++) {
		static const uint8_t likely[] = { 0xff, 0xd8, 0xd9, 0xda, 0x00, 0x02, 0xe0, 0xd0 };
		uint8_t byte;

		x = x * 1664525u + 1013904223u;
		byte = likely[x >> 29];
		seen.count = 0;
		mjpeg_feed(mjpeg, &byte, 1, 0, note, &seen);
	}
	mjpeg_reset(mjpeg);
	seen.count = 0;
	mjpeg_feed(mjpeg, picture, sizeof(picture), 0, note, &seen);
	assert_int_equal(seen.count, 1);
	mjpeg_free(mjpeg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_picture_at_every_read_size),
		cmocka_unit_test(stamps_a_picture_with_its_beginning),
		cmocka_unit_test(a_broken_picture_costs_only_itself),
		cmocka_unit_test(a_picture_over_the_limit_is_dropped),
		cmocka_unit_test(a_picture_of_exactly_the_limit_is_kept),
		cmocka_unit_test(random_bytes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
