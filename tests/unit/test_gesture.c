/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gestures on a virtual clock: a script of key events goes in, a transcript of
 * what was reported when comes out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/gesture.h"

struct transcript {
	char text[512];
	bool use;	/* what "pressed" answers */
};

static bool pressed(void *data, uint64_t now_ms)
{
	struct transcript *transcript = data;
	size_t n = strlen(transcript->text);

	snprintf(transcript->text + n, sizeof(transcript->text) - n, "press@%u ", (unsigned)now_ms);
	return transcript->use;
}

static void action(void *data, int number, uint64_t now_ms)
{
	struct transcript *transcript = data;
	size_t n = strlen(transcript->text);

	snprintf(transcript->text + n, sizeof(transcript->text) - n, "%c@%u ", number,
		 (unsigned)now_ms);
}

enum { A = 30, B = 48, C = 46, CTRL = 29 };

static const struct gesture_times times = { .double_ms = 300, .long_ms = 600 };

static const struct gesture_binding button[] = {
	{ GESTURE_SHORT, { A }, 1, 's' },
	{ GESTURE_DOUBLE, { A }, 1, 'd' },
	{ GESTURE_LONG, { A }, 1, 'l' },
};

/* Script: "+k@t" key k (A, B, C or ^ for CTRL) down at t, "-k@t" up, ".@t" time
 * passes, "!@t" the device went away. */
static void expect(const struct gesture_binding *bindings, size_t count, bool use,
		   const char *script, const char *wanted)
{
	struct transcript transcript = { .use = use };
	struct gesture *gesture;

	assert_int_equal(gesture_open(bindings, count, &times, pressed, action, &transcript,
				      &gesture), 0);
	for (const char *p = script; *p; ) {
		char kind = *p++;
		unsigned key = 0;
		uint64_t at;
		char *end;

		if (kind == '+' || kind == '-') {
			key = *p == 'A' ? A : *p == 'B' ? B : *p == 'C' ? C : CTRL;
			p++;
		}
		assert_int_equal(*p, '@');
		at = strtoull(p + 1, &end, 10);
		p = *end ? end + 1 : end;
		if (kind == '.')
			gesture_advance(gesture, at);
		else if (kind == '!')
			gesture_reset(gesture);
		else
			gesture_key(gesture, key, kind == '+', at);
	}
	assert_string_equal(transcript.text, wanted);
	assert_int_equal(gesture_deadline(gesture), UINT64_MAX);
	gesture_free(gesture);
}

static void single_button(void **state)
{
	(void)state;
	expect(button, 3, false, "+A@100 -A@180 .@479 .@480", "press@100 s@480 ");
	expect(button, 3, false, "+A@100 -A@180 +A@300 -A@350 .@2000", "press@100 press@300 d@300 ");
	expect(button, 3, false, "+A@100 .@699 .@700 -A@1500 .@3000", "press@100 l@700 ");
	/* one ms late for a double press: two short ones */
	expect(button, 3, false, "+A@100 -A@180 +A@481 -A@500 .@800",
	       "press@100 s@480 press@481 s@800 ");
	/* three presses: a double one and a short one */
	expect(button, 3, false, "+A@0 -A@50 +A@100 -A@150 +A@200 -A@250 .@550",
	       "press@0 press@100 d@100 press@200 s@550 ");
	/* the second press of a double one is not long as well */
	expect(button, 3, false, "+A@0 -A@50 +A@100 .@2000 -A@2100 .@3000", "press@0 press@100 d@100 ");
}

static void outcome_does_not_depend_on_when_the_loop_wakes(void **state)
{
	(void)state;
	/* events read in a batch, long after they happened */
	expect(button, 3, false, "+A@100 -A@900 .@901", "press@100 l@700 ");
	expect(button, 3, false, "+A@100 -A@180 +A@600 -A@650 .@950",
	       "press@100 s@480 press@600 s@950 ");
}

static void nothing_is_waited_for_that_is_not_bound(void **state)
{
	(void)state;
	expect(button, 1, false, "+A@100 -A@180", "press@100 s@180 ");
	expect(button, 1, false, "+A@100 -A@5000", "press@100 s@5000 ");
	expect(&button[1], 1, false, "+A@100 -A@180 .@600", "press@100 ");
	expect(&button[2], 1, false, "+A@100 -A@180", "press@100 ");
}

static void a_used_press_is_not_short_but_may_be_double_or_long(void **state)
{
	(void)state;
	expect(button, 3, true, "+A@100 -A@180 .@480", "press@100 ");
	expect(button, 3, true, "+A@100 -A@180 +A@300 -A@350 .@900", "press@100 press@300 d@300 ");
	expect(button, 3, true, "+A@100 .@700 -A@800", "press@100 l@700 ");
	expect(button, 1, true, "+A@100 -A@180", "press@100 ");
}

static void chords(void **state)
{
	static const struct gesture_binding bindings[] = {
		{ GESTURE_CHORD, { CTRL, B }, 2, 'c' },
		{ GESTURE_CHORD, { CTRL, B, C }, 3, 'C' },
		{ GESTURE_SHORT, { B }, 1, 'b' },
		{ GESTURE_LONG, { B }, 1, 'B' },
	};

	(void)state;
	/* either order, at once, and its keys mean nothing more */
	expect(bindings, 4, false, "+^@0 +B@100 .@5000 -B@5100 -^@5200", "press@100 c@100 ");
	expect(bindings, 4, false, "+B@0 +^@100 -B@200 -^@250 .@900", "press@0 press@100 c@100 ");
	/* not with a third key held, nor after one chord without letting go */
	expect(bindings, 4, false, "+A@0 +^@50 +B@100 -B@150 -^@160 -A@170", "");
	expect(bindings, 4, false, "+^@0 +B@10 +C@20 -C@30 -B@40 -^@50", "press@10 c@10 ");
	expect(bindings, 4, false, "+^@0 +B@10 -B@20 -^@30 +B@40 -B@50", "press@10 c@10 press@40 b@50 ");
	/* a modifier alone is not acknowledged */
	expect(bindings, 4, false, "+^@0 -^@100", "");
}

static void other_keys_make_a_press_void(void **state)
{
	(void)state;
	expect(button, 3, false, "+^@0 +A@100 -A@150 -^@200 .@900", "");
	expect(button, 3, false, "+A@100 +B@120 -B@130 -A@150 .@900", "press@100 ");
	/* but not the press that follows */
	expect(button, 3, false, "+^@0 +A@100 -A@150 -^@200 +A@300 -A@350 .@650",
	       "press@300 s@650 ");
}

static void a_lost_device_leaves_nothing_behind(void **state)
{
	(void)state;
	expect(button, 3, false, "+A@100 !@200 .@900 +A@1000 -A@1050 .@1350",
	       "press@100 press@1000 s@1350 ");
	expect(button, 3, false, "+A@100 -A@150 !@200 .@900", "press@100 ");
}

static void repeats_and_stray_releases_are_ignored(void **state)
{
	(void)state;
	expect(button, 3, false, "-A@50 +A@100 +A@130 +A@160 -A@180 .@480", "press@100 s@480 ");
}

static void bad_bindings_are_refused(void **state)
{
	static const struct gesture_binding bad[] = {
		{ GESTURE_SHORT, { 0 }, 0, 's' },
		{ GESTURE_SHORT, { A, B }, 2, 's' },
		{ GESTURE_CHORD, { A }, 1, 'c' },
		{ GESTURE_CHORD, { A }, GESTURE_CHORD_KEYS + 1, 'c' },
	};
	struct gesture *gesture;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(gesture_open(&bad[i], 1, &times, pressed, action, NULL, &gesture),
				 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_button),
		cmocka_unit_test(outcome_does_not_depend_on_when_the_loop_wakes),
		cmocka_unit_test(nothing_is_waited_for_that_is_not_bound),
		cmocka_unit_test(a_used_press_is_not_short_but_may_be_double_or_long),
		cmocka_unit_test(chords),
		cmocka_unit_test(other_keys_make_a_press_void),
		cmocka_unit_test(a_lost_device_leaves_nothing_behind),
		cmocka_unit_test(repeats_and_stray_releases_are_ignored),
		cmocka_unit_test(bad_bindings_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
