/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_lexeme.c: forms that must meet, words that must not, kinds of words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/lexeme.h"

static bool meet(const char *a, const char *b)
{
	struct lexeme first = lexeme_of(a), second = lexeme_of(b);

	return strcmp(first.stem, second.stem) == 0;
}

static void test_forms_meet(void **state)
{
	static const char *const pairs[][2] = {
		{ "man", "men" }, { "woman", "women" }, { "policeman", "policemen" },
		{ "child", "children" }, { "person", "people" }, { "dress", "dresses" },
		{ "bus", "buses" }, { "house", "houses" }, { "pony", "ponies" },
		{ "knife", "knives" }, { "wave", "waves" }, { "waving", "waves" },
		{ "ride", "riding" }, { "rode", "rides" }, { "run", "running" },
		{ "sit", "sitting" }, { "sat", "sits" }, { "fly", "flies" }, { "flying", "flew" },
		{ "ski", "skiing" }, { "skis", "ski" }, { "play", "played" }, { "jump", "jumping" },
		{ "bike", "bicycles" }, { "gray", "grey" }, { "kid", "child" }, { "sofa", "couch" },
		{ "watch", "watches" }, { "box", "boxes" }, { "tomato", "tomatoes" },
		{ "carry", "carrying" }, { "hugging", "hug" }, { "tie", "ties" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		if (!meet(pairs[i][0], pairs[i][1]))
			fail_msg("%s and %s do not meet", pairs[i][0], pairs[i][1]);
	}
}

static void test_words_stay_apart(void **state)
{
	static const char *const pairs[][2] = {
		{ "sky", "ski" }, { "man", "woman" }, { "bus", "but" }, { "string", "strong" },
		{ "king", "kit" }, { "ring", "red" }, { "skier", "ski" }, { "glass", "glue" },
		{ "board", "boat" }, { "bed", "bend" }, { "red", "ride" }, { "sled", "sling" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		if (meet(pairs[i][0], pairs[i][1]))
			fail_msg("%s and %s meet", pairs[i][0], pairs[i][1]);
	}
}

static void test_kinds(void **state)
{
	static const struct {
		const char *word;
		enum lexeme_kind kind;
	} cases[] = {
		{ "the", LEXEME_FUNCTION }, { "'s", LEXEME_FUNCTION }, { "is", LEXEME_FUNCTION },
		{ "front", LEXEME_FUNCTION }, { "large", LEXEME_DESCRIPTION },
		{ "wooden", LEXEME_DESCRIPTION }, { "red", LEXEME_COLOUR }, { "blonde", LEXEME_COLOUR },
		{ "two", LEXEME_NUMBER }, { "4", LEXEME_NUMBER }, { "riding", LEXEME_VERB },
		{ "sits", LEXEME_VERB }, { "parked", LEXEME_VERB }, { "dog", LEXEME_NOUN },
		{ "men", LEXEME_NOUN }, { "building", LEXEME_NOUN }, { "surfboard", LEXEME_NOUN },
		{ "wedding", LEXEME_NOUN }, { "king", LEXEME_NOUN },
	};

	(void)state;
	assert_true(lexeme_tables_are_sorted());
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct lexeme lexeme = lexeme_of(cases[i].word);

		if (lexeme.kind != cases[i].kind)
			fail_msg("%s is of kind %d", cases[i].word, (int)lexeme.kind);
		assert_int_equal(lexeme_is_content(&lexeme), cases[i].kind >= LEXEME_COLOUR);
	}
}

static bool supports(const char *said, const char *general)
{
	struct lexeme first = lexeme_of(said), second = lexeme_of(general);

	return lexeme_supports(&first, &second);
}

static void test_support(void **state)
{
	(void)state;
	assert_true(supports("girl", "person"));
	assert_true(supports("women", "people"));
	assert_true(supports("girls", "child"));
	assert_true(supports("puppy", "dog"));
	assert_true(supports("horses", "animal"));
	assert_true(supports("baseball", "ball"));
	assert_true(supports("dogs", "dog"));
	assert_false(supports("person", "girl"));
	assert_false(supports("dog", "cat"));
	assert_false(supports("man", "woman"));
	assert_false(supports("animal", "dog"));
}

/* Longer than any table or buffer. */
static void test_long_words(void **state)
{
	char word[65];
	struct lexeme lexeme;

	(void)state;
	memset(word, 'x', 64);
	word[64] = '\0';
	lexeme = lexeme_of(word);
	assert_true(strlen(lexeme.stem) < LEXEME_BYTES);
	assert_true(lexeme_supports(&lexeme, &lexeme));
	lexeme = lexeme_of("");
	assert_int_equal(strlen(lexeme.stem), 0);
}

static void assert_generals(const char *word, const char *first, const char *second)
{
	const char *found[LEXEME_GENERALS];
	size_t count = lexeme_generals(word, found);

	assert_int_equal(count, (first != NULL) + (second != NULL));
	if (first)
		assert_string_equal(found[0], first);
	if (second)
		assert_string_equal(found[1], second);
}

static void test_generals(void **state)
{
	(void)state;
	assert_generals("girl", "child", "person");
	assert_generals("men", "people", NULL);
	assert_generals("snowboarders", "people", NULL);
	assert_generals("puppy", "dog", "animal");
	assert_generals("ducks", "birds", "animals");
	assert_generals("bus", "vehicle", NULL);
	assert_generals("buses", "vehicles", NULL);
	assert_generals("geese", "birds", "animals");
	assert_generals("children", "people", NULL);
	assert_generals("person", NULL, NULL);
	/* how many is not told, or many are one */
	assert_generals("sheep", NULL, NULL);
	assert_generals("couple", NULL, NULL);
	assert_generals("pizza", NULL, NULL);
	assert_generals("running", NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generals),
		cmocka_unit_test(test_forms_meet),
		cmocka_unit_test(test_words_stay_apart),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_support),
		cmocka_unit_test(test_long_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
