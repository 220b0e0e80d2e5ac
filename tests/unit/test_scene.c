/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Made-up views in front of the change measure, on a virtual clock. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/scene.h"

static const struct scene_settings settings = {
	.motion = 0.03, .change = 0.12, .settle_ms = 700, .cover_ms = 400,
	.cover_brightness = 28, .cover_contrast = 9,
};

/* A room: smooth shapes, a window, shifted by `dx` cells; light and noise. */
static void room(uint8_t *grey, double dx, double gain, double offset, unsigned noise)
{
	static uint32_t seed = 7;

	for (int y = 0; y < SCENE_HEIGHT; y++) {
		for (int x = 0; x < SCENE_WIDTH; x++) {
			double u = x + dx;
			double level = 100 + 60 * sin(u * 0.5) * cos(y * 0.4) + 30 * sin(u * 0.13 + y);

			seed = seed * 1664525u + 1013904223u;
			level = level * gain + offset;
			if (noise)
				level += (double)(seed >> 16) / 65536 * noise - noise / 2.0;
			grey[y * SCENE_WIDTH + x] = (uint8_t)fmin(255, fmax(0, level));
		}
	}
}

static void person(uint8_t *grey, int left, uint8_t level)
{
	for (int y = 4; y < SCENE_HEIGHT; y++)
		for (int x = left; x < left + 7; x++)
			grey[y * SCENE_WIDTH + x] = level;
}

static void noise_light_and_exposure_are_no_change(void **state)
{
	struct scene scene;
	struct scene_view view;
	uint8_t grey[SCENE_CELLS];

	(void)state;
	scene_init(&scene, &settings);
	for (uint64_t t = 0; t <= 2000; t += 250) {
		room(grey, 0, 1, 0, 10);
		view = scene_see(&scene, grey, t);
	}
	assert_false(view.moving);
	assert_true(view.changed);
	scene_described(&scene);
	for (uint64_t t = 2250; t < 20000; t += 250) {
		/* from half the light to all of it, and an exposure that drifts */
		double gain = 0.75 + 0.25 * sin((double)t / 900);

		room(grey, 0, gain, 15 * sin((double)t / 2100), 8);
		view = scene_see(&scene, grey, t);
		assert_false(view.moving);
		assert_false(view.changed);
		assert_false(view.covered);
	}
}

static void a_person_who_comes_in_is_a_change(void **state)
{
	struct scene scene;
	struct scene_view view;
	uint8_t grey[SCENE_CELLS];
	uint64_t t = 0;

	(void)state;
	scene_init(&scene, &settings);
	for (; t <= 1000; t += 250) {
		room(grey, 0, 1, 0, 6);
		view = scene_see(&scene, grey, t);
	}
	assert_true(view.changed && !view.moving);
	scene_described(&scene);
	for (int left = 0; left <= 12; left += 3, t += 250) {
		room(grey, 0, 1, 0, 6);
		person(grey, left, 230);
		view = scene_see(&scene, grey, t);
		assert_true(view.moving);
	}
	/* stands still: at rest after settle_ms, not before */
	for (int i = 0; i < 2; i++, t += 250) {
		view = scene_see(&scene, grey, t);
		assert_true(view.moving);
	}
	for (int i = 0; i < 3; i++, t += 250)
		view = scene_see(&scene, grey, t);
	assert_false(view.moving);
	assert_true(view.changed);
	scene_described(&scene);
	view = scene_see(&scene, grey, t);
	assert_false(view.changed);
	scene_forget(&scene);
	view = scene_see(&scene, grey, t + 250);
	assert_true(view.changed);
}

static void panning_moves_and_ends_in_another_view(void **state)
{
	struct scene scene;
	struct scene_view view;
	uint8_t grey[SCENE_CELLS];
	uint64_t t = 0;

	(void)state;
	scene_init(&scene, &settings);
	room(grey, 0, 1, 0, 6);
	for (; t <= 1000; t += 250)
		scene_see(&scene, grey, t);
	scene_described(&scene);
	for (double dx = 0; dx < 40; dx += 2, t += 250) {
		room(grey, dx, 1, 0, 6);
		view = scene_see(&scene, grey, t);
	}
	assert_true(view.moving);
	assert_true(view.moving_ms > 4000);
	assert_true(view.changed);
}

static void a_slow_drift_adds_up(void **state)
{
	struct scene scene;
	struct scene_view view;
	uint8_t grey[SCENE_CELLS];
	uint64_t t = 0;

	(void)state;
	scene_init(&scene, &settings);
	room(grey, 0, 1, 0, 0);
	for (; t <= 1000; t += 250)
		scene_see(&scene, grey, t);
	scene_described(&scene);
	for (double dx = 0; dx < 4; dx += 0.05, t += 250) {
		room(grey, dx, 1, 0, 0);
		view = scene_see(&scene, grey, t);
		assert_false(view.moving);
	}
	assert_true(view.changed);
}

static void covering_and_uncovering(void **state)
{
	struct scene scene;
	struct scene_view view;
	uint8_t grey[SCENE_CELLS], dark[SCENE_CELLS];
	uint64_t t = 0;

	(void)state;
	scene_init(&scene, &settings);
	room(grey, 0, 1, 0, 6);
	for (int i = 0; i < SCENE_CELLS; i++)
		dark[i] = (uint8_t)(8 + i % 5);
	for (; t <= 1000; t += 250)
		view = scene_see(&scene, grey, t);
	assert_false(view.covered);
	/* a blink is not covering */
	view = scene_see(&scene, dark, t);
	view = scene_see(&scene, grey, t + 250);
	view = scene_see(&scene, dark, t + 500);
	assert_false(view.covered);
	view = scene_see(&scene, dark, t + 899);
	assert_false(view.covered);
	view = scene_see(&scene, dark, t + 900);
	assert_true(view.covered);
	/* a little lighter is still covered, in both directions of the threshold */
	for (int i = 0; i < SCENE_CELLS; i++)
		dark[i] = (uint8_t)(30 + i % 5);
	view = scene_see(&scene, dark, t + 2000);
	view = scene_see(&scene, dark, t + 3000);
	assert_true(view.covered);
	view = scene_see(&scene, grey, t + 3250);
	assert_true(view.covered);
	view = scene_see(&scene, grey, t + 3700);
	assert_false(view.covered);
	/* a bright wall is not a covered lens, and a dark room with a lamp neither */
	memset(dark, 120, sizeof(dark));
	for (int i = 0; i < 5; i++)
		view = scene_see(&scene, dark, t + 4000 + 250 * (uint64_t)i);
	assert_false(view.covered);
	memset(dark, 10, sizeof(dark));
	memset(dark, 250, 40);
	for (int i = 0; i < 5; i++)
		view = scene_see(&scene, dark, t + 6000 + 250 * (uint64_t)i);
	assert_false(view.covered);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(noise_light_and_exposure_are_no_change),
		cmocka_unit_test(a_person_who_comes_in_is_a_change),
		cmocka_unit_test(panning_moves_and_ends_in_another_view),
		cmocka_unit_test(a_slow_drift_adds_up),
		cmocka_unit_test(covering_and_uncovering),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
