/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_trust.c: how captions are worded by their band, and what the details say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/trust.h"

static struct engine_caption caption_of(enum engine_band band, float confidence, const char *part)
{
	return (struct engine_caption){
		.sentence = "A man in a red shirt.", .confidence = confidence, .band = band,
		.sure_part = part, .sure_part_confidence = 0.7f,
	};
}

static const char *worded(const struct engine_caption *caption, size_t things)
{
	static const struct engine_thing list[] = { { "man", 0.9f }, { "shirt", 0.6f } };
	static char text[TRUST_BYTES];
	struct engine_result result = {
		.captions = caption, .caption_count = 1, .things = list, .thing_count = things,
	};

	trust_write(&result, text);
	return text;
}

static void test_wording(void **state)
{
	struct engine_caption caption = caption_of(ENGINE_BAND_SURE, 0.8f, NULL);

	(void)state;
	assert_string_equal(worded(&caption, 2), "A man in a red shirt.");
	caption = caption_of(ENGINE_BAND_UNSURE, 0.3f, NULL);
	assert_string_equal(worded(&caption, 2), "This may be wrong: A man in a red shirt.");
	caption = caption_of(ENGINE_BAND_UNSURE, 0.3f, "A man.");
	assert_string_equal(worded(&caption, 2),
			    "A man. This may be wrong: A man in a red shirt.");
	caption = caption_of(ENGINE_BAND_REFUSED, 0.05f, "A man.");
	assert_string_equal(worded(&caption, 2), "I can't tell what this is. It looks like: a man.");
	caption = caption_of(ENGINE_BAND_REFUSED, 0.05f, "TV on a table.");
	assert_string_equal(worded(&caption, 2),
			    "I can't tell what this is. It looks like: TV on a table.");
	caption = caption_of(ENGINE_BAND_REFUSED, 0.05f, NULL);
	assert_string_equal(worded(&caption, 2),
			    "I can't tell what this is. It may show: man, shirt.");
	assert_string_equal(worded(&caption, 0), "I can't tell what this is.");
}

/* A model that was never calibrated says its captions as they are. */
static void test_no_confidence(void **state)
{
	struct engine_caption caption = caption_of(ENGINE_BAND_UNSURE, -1.0f, NULL);
	struct engine_result result = { .captions = &caption, .caption_count = 1 };
	json_t *details = json_object();
	char text[TRUST_BYTES] = "before";

	(void)state;
	assert_string_equal(worded(&caption, 2), "A man in a red shirt.");
	trust_add_details(details, &result);
	assert_int_equal(json_object_size(details), 0);
	json_decref(details);
	result.caption_count = 0;
	trust_write(&result, text);
	assert_string_equal(text, "");
}

static void test_details(void **state)
{
	static const enum engine_reason reasons[] = { ENGINE_REASON_QUALITY, ENGINE_REASON_WORDS };
	static const struct engine_thing things[] = { { "man", 0.91f } };
	struct engine_caption caption = caption_of(ENGINE_BAND_UNSURE, 0.25f, "A man.");
	struct engine_result result = {
		.captions = &caption, .caption_count = 1, .things = things, .thing_count = 1,
		.reasons = reasons, .reason_count = 2, .unfamiliarity = 1.5f,
	};
	json_t *details = json_object(), *expected = json_loads(
		"{\"confidence\": 0.25, \"band\": \"unsure\", \"sentence\": \"A man in a red shirt.\", "
		"\"unfamiliarity\": 1.5, \"sure_part\": {\"caption\": \"A man.\", \"confidence\": 0.7}, "
		"\"reasons\": [\"quality\", \"words\"], "
		"\"things\": [{\"text\": \"man\", \"probability\": 0.91}]}", 0, NULL);

	(void)state;
	trust_add_details(details, &result);
	assert_true(json_equal(details, expected));
	json_decref(details);
	json_decref(expected);
}

static void test_options(void **state)
{
	json_t *option = trust_option((struct trust_bounds){ 0.75f, 0.25f }), *wrong;
	struct trust_bounds bounds = trust_read_option(option);

	(void)state;
	assert_true(bounds.sure == 0.75f && bounds.refused == 0.25f);
	json_decref(option);
	bounds = trust_read_option(NULL);
	assert_true(bounds.sure == 0.0f && bounds.refused == 0.0f);
	wrong = json_pack("[f, s]", 7.0, "x");
	bounds = trust_read_option(wrong);
	assert_true(bounds.sure == 0.0f && bounds.refused == 0.0f);
	json_decref(wrong);
	for (int i = 0; i < TRUST_PHRASES; i++)
		assert_true(strlen(trust_phrase((enum trust_phrase)i)) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wording),
		cmocka_unit_test(test_no_confidence),
		cmocka_unit_test(test_details),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
