/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_phrase.c: what "more detail" says, and in which order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/phrase.h"

static json_t *details_of(const char *text)
{
	json_t *details = json_loads(text, 0, NULL);

	assert_non_null(details);
	return details;
}

static void assert_more(json_t *details, unsigned turn, const char *expected)
{
	char *text = phrase_more(details, turn);

	assert_string_equal(text, expected);
	free(text);
}

/* The next different description, then the places, then how sure each thing is. */
static void test_order(void **state)
{
	json_t *details = details_of(
		"{\"confidence\": 0.42, \"alternatives\": [{\"caption\": \"A cat.\"}, "
		"{\"caption\": \"A pet.\"}], \"where\": [{\"text\": \"dog\", \"across\": \"left\", "
		"\"down\": \"bottom\"}, {\"text\": \"ball\", \"across\": \"centre\"}], \"words\": ["
		"{\"text\": \"a\"}, {\"text\": \"dog\", \"confidence\": 0.906}, {\"text\": \"ball\", "
		"\"confidence\": 0.5}]}");

	(void)state;
	assert_more(details, 0, "Or: A cat. Where things are: dog on the left at the bottom; ball in "
		    "the centre. How sure: dog 91, ball 50 per cent; all of it together 42.");
	assert_more(details, 1, "Or: A pet. Where things are: dog on the left at the bottom; ball in "
		    "the centre. How sure: dog 91, ball 50 per cent; all of it together 42.");
	assert_more(details, 2, "I have no other description. Where things are: dog on the left at "
		    "the bottom; ball in the centre. How sure: dog 91, ball 50 per cent; all of it "
		    "together 42.");
	json_decref(details);
}

/* Things in the middle of the height are at no height worth telling. */
static void test_middle(void **state)
{
	json_t *details = details_of(
		"{\"where\": [{\"text\": \"sky\", \"down\": \"top\"}, {\"text\": \"man\", "
		"\"down\": \"middle\"}, {\"text\": \"sea\", \"across\": \"right\", \"down\": "
		"\"middle\"}]}");

	(void)state;
	assert_more(details, 0, "I have no other description. Where things are: sky at the top; sea "
		    "on the right.");
	json_decref(details);
}

/* Models that were never calibrated have no confidence of words, and places may be
 * unknown. */
static void test_little_known(void **state)
{
	json_t *details = details_of("{\"confidence\": 0.31, \"words\": [{\"text\": \"a\"}]}");

	(void)state;
	assert_more(details, 0, "I have no other description. Confidence 31 per cent.");
	assert_more(NULL, 0, "I have no other description.");
	json_decref(details);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_middle),
		cmocka_unit_test(test_little_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
