/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What reaches eSpeak NG of a text from outside, the order of the queue, and the
 * short sounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tts/queue.h"
#include "tts/sounds.h"
#include "tts/text.h"

static void cleans(const char *text, const char *expected)
{
	char clean[256];

	assert_true(text_clean(text, clean));
	assert_string_equal(clean, expected);
}

static void drops_what_is_not_speech(void **state)
{
	(void)state;
	cleans("A man riding a wave.", "A man riding a wave.");
	cleans("  two\t\r\nlines \n", "two lines");
	cleans("speed \x01" "500S up", "speed 500S up");	/* an embedded command of eSpeak NG */
	cleans("\x1b[31mred\x7f", "[31mred");
	cleans("<speak>mark &amp; up</speak>", "<speak>mark &amp; up</speak>");
	cleans("caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x90\x95", "café 日本 🐕");
	cleans("a\xe2\x80\xae" "b\xef\xbb\xbf" "c\xc2\xa0" "d", "abc d");
	cleans("\xc2\x85next", "next");
}

static void drops_malformed_utf8(void **state)
{
	(void)state;
	cleans("a\xff" "b", "ab");
	cleans("a\xc0\xaf" "b", "ab");			/* overlong */
	cleans("a\xed\xa0\x80" "b", "ab");		/* surrogate */
	cleans("a\xf4\x90\x80\x80" "b", "ab");		/* beyond Unicode */
	cleans("a\xe6\x97", "a");			/* cut short */
}

static void says_when_nothing_is_left(void **state)
{
	char clean[16];

	(void)state;
	assert_false(text_clean("", clean));
	assert_false(text_clean(" \t\n", clean));
	assert_false(text_clean("\x01\xff", clean));
}

static struct utterance *utterance(uint64_t id)
{
	struct utterance *made = utterance_new(id, "text", NULL);

	assert_non_null(made);
	return made;
}

static void serves_sounds_then_next_then_idle(void **state)
{
	static const uint64_t expected[] = { 0, 2, 4, 1, 3 };
	struct queue queue = { 0 };

	(void)state;
	assert_true(queue_push(&queue, QUEUE_IDLE, utterance(1)));
	assert_true(queue_push(&queue, QUEUE_NEXT, utterance(2)));
	assert_true(queue_push(&queue, QUEUE_IDLE, utterance(3)));
	assert_true(queue_push(&queue, QUEUE_NEXT, utterance(4)));
	assert_true(queue_push(&queue, QUEUE_SOUND, utterance_sound(TTS_SOUND_TICK)));
	for (size_t i = 0; i < 5; i++) {
		struct utterance *popped;

		assert_int_equal(queue_peek(&queue)->id, expected[i]);
		popped = queue_pop(&queue);
		assert_int_equal(popped->id, expected[i]);
		utterance_free(popped);
	}
	assert_true(queue_empty(&queue));
	assert_null(queue_pop(&queue));
}

static void has_a_ceiling(void **state)
{
	struct queue queue = { 0 };
	struct utterance *list, *extra = utterance(99);
	size_t count = 0;

	(void)state;
	for (uint64_t id = 1; id <= QUEUE_UTTERANCES_LIMIT; id++)
		assert_true(queue_push(&queue, id % 2 ? QUEUE_NEXT : QUEUE_IDLE, utterance(id)));
	assert_false(queue_push(&queue, QUEUE_NEXT, extra));
	utterance_free(extra);
	assert_true(queue_push(&queue, QUEUE_SOUND, utterance_sound(TTS_SOUND_TICK)));
	for (list = queue_take(&queue, false); list; count++) {
		struct utterance *next = list->next;

		utterance_free(list);
		list = next;
	}
	assert_int_equal(count, QUEUE_UTTERANCES_LIMIT);
	assert_int_equal(queue.sounds, 1);
	utterance_free(queue_pop(&queue));
}

static void sounds_are_short_distinct_and_end_in_silence(void **state)
{
	int16_t sounds[TTS_SOUND_RESUME + 1][16000];
	long lengths[TTS_SOUND_RESUME + 1];

	(void)state;
	for (int s = 0; s <= TTS_SOUND_RESUME; s++) {
		int peak = 0;

		lengths[s] = sounds_render((enum tts_sound)s, 22050, sounds[s], 16000);
		assert_in_range(lengths[s], 22050 / 50, 22050 / 4);
		for (long i = 0; i < lengths[s]; i++)
			peak = abs(sounds[s][i]) > peak ? abs(sounds[s][i]) : peak;
		assert_in_range(peak, 1500, 20000);
		assert_in_range(abs(sounds[s][lengths[s] - 1]), 0, 100);
		for (int other = 0; other < s; other++)
			assert_true(lengths[s] != lengths[other] ||
				    memcmp(sounds[s], sounds[other],
					   (size_t)lengths[s] * sizeof(int16_t)));
	}
	assert_true(sounds_render((enum tts_sound)42, 22050, NULL, 0) < 0);
	assert_true(sounds_render(TTS_SOUND_ERROR, 22050, sounds[0], 10) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drops_what_is_not_speech),
		cmocka_unit_test(drops_malformed_utf8),
		cmocka_unit_test(says_when_nothing_is_left),
		cmocka_unit_test(serves_sounds_then_next_then_idle),
		cmocka_unit_test(has_a_ceiling),
		cmocka_unit_test(sounds_are_short_distinct_and_end_in_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
