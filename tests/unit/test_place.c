/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_place.c: where a thing is, from maps made by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/place.h"

#define WIDTH 8u
#define HEIGHT 6u

static void test_peaks(void **state)
{
	static const struct {
		unsigned x, y;
		enum engine_side across, down;
	} cases[] = {
		{ 0, 0, ENGINE_SIDE_FIRST, ENGINE_SIDE_FIRST },
		{ 7, 0, ENGINE_SIDE_LAST, ENGINE_SIDE_FIRST },
		{ 1, 5, ENGINE_SIDE_FIRST, ENGINE_SIDE_LAST },
		{ 4, 3, ENGINE_SIDE_MIDDLE, ENGINE_SIDE_MIDDLE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		float map[WIDTH * HEIGHT] = {0};
		struct engine_place place;

		map[cases[i].y * WIDTH + cases[i].x] = 1.0f;
		place = place_of(map, WIDTH, HEIGHT);
		assert_int_equal(place.across, cases[i].across);
		assert_int_equal(place.down, cases[i].down);
		assert_true(place.spread < 0.01f);
	}
}

/* What looks everywhere, or at two ends, is nowhere. */
static void test_no_peak(void **state)
{
	float even[WIDTH * HEIGHT], ends[WIDTH * HEIGHT] = {0}, none[WIDTH * HEIGHT] = {0};
	struct engine_place place;

	(void)state;
	for (size_t i = 0; i < WIDTH * HEIGHT; i++)
		even[i] = 1.0f / (WIDTH * HEIGHT);
	place = place_of(even, WIDTH, HEIGHT);
	assert_int_equal(place.across, ENGINE_SIDE_UNKNOWN);
	assert_int_equal(place.down, ENGINE_SIDE_UNKNOWN);
	ends[0] = ends[WIDTH * HEIGHT - 1] = 0.5f;
	place = place_of(ends, WIDTH, HEIGHT);
	assert_int_equal(place.across, ENGINE_SIDE_UNKNOWN);
	assert_int_equal(place.down, ENGINE_SIDE_UNKNOWN);
	place = place_of(none, WIDTH, HEIGHT);
	assert_int_equal(place.across, ENGINE_SIDE_UNKNOWN);
}

/* A horizon is at one height and at no side. */
static void test_apart(void **state)
{
	float map[WIDTH * HEIGHT] = {0};
	struct engine_place place;

	(void)state;
	for (size_t x = 0; x < WIDTH; x++)
		map[x] = 1.0f / WIDTH;
	place = place_of(map, WIDTH, HEIGHT);
	assert_int_equal(place.across, ENGINE_SIDE_UNKNOWN);
	assert_int_equal(place.down, ENGINE_SIDE_FIRST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peaks),
		cmocka_unit_test(test_no_peak),
		cmocka_unit_test(test_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
