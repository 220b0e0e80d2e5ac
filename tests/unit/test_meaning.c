/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Captions that say the same, captions that do not, and short forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/meaning.h"
#include "engine/lexeme.h"

static const double same_from = 0.6;

/* As the engine splits a caption. */
static void meaning_add_sentence(struct meaning *meaning, const char *sentence)
{
	char copy[128], *rest = copy, *word;

	snprintf(copy, sizeof(copy), "%s", sentence);
	for (char *p = copy; *p; p++)
		*p = *p == '.' ? 0 : (char)tolower((unsigned char)*p);
	while ((word = strsep(&rest, " "))) {
		struct lexeme lexeme = lexeme_of(word);

		if (*word && lexeme_is_content(&lexeme))
			meaning_add(meaning, lexeme.stem, 1);
	}
}

static double compare(const char *a, const char *b)
{
	struct meaning left = { .count = 0 }, right = { .count = 0 };
	double there, back;

	meaning_add_sentence(&left, a);
	meaning_add_sentence(&right, b);
	there = meaning_similarity(&left, &right);
	back = meaning_similarity(&right, &left);
	assert_float_equal(there, back, 1e-9);
	return there;
}

static void the_same_in_other_words(void **state)
{
	static const char *const pairs[][2] = {
		{ "A man riding a wave on a surfboard.", "A man on a surfboard riding the waves." },
		{ "A dog sitting on a couch.", "A dog on top of a sofa." },
		{ "Two dogs running in the grass.", "Two dogs run through the grass." },
		{ "A woman holding a phone.", "A woman with a cellphone." },
		{ "A cat.", "A cat." },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_true(compare(pairs[i][0], pairs[i][1]) >= same_from);
}

static void something_else(void **state)
{
	static const char *const pairs[][2] = {
		{ "A man riding a wave on a surfboard.", "A man sitting at a table with food." },
		{ "A dog sitting on a couch.", "A cat sitting on a couch." },
		{ "A street with cars.", "A kitchen with a stove." },
		{ "A man standing in a room.", "" },
		{ "A red bus on a street.", "A dog on a street." },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_true(compare(pairs[i][0], pairs[i][1]) < same_from);
}

static void unsure_words_count_little(void **state)
{
	struct meaning sure = { .count = 0 }, doubtful = { .count = 0 }, other = { .count = 0 };

	(void)state;
	meaning_add(&other, "man", 0.9);
	meaning_add(&other, "surfboard", 0.9);
	meaning_add(&sure, "man", 0.9);
	meaning_add(&sure, "surfboard", 0.9);
	meaning_add(&sure, "dog", 0.9);
	meaning_add(&doubtful, "man", 0.9);
	meaning_add(&doubtful, "surfboard", 0.9);
	meaning_add(&doubtful, "dog", 0.1);
	assert_true(meaning_similarity(&other, &doubtful) > 0.9);
	assert_true(meaning_similarity(&other, &sure) < 0.7);
}

static void too_many_and_too_long_words_are_held_off(void **state)
{
	struct meaning meaning = { .count = 0 };
	char word[200];

	(void)state;
	for (int i = 0; i < 100; i++) {
		memset(word, 'a' + i % 26, sizeof(word) - 1);
		word[sizeof(word) - 1] = 0;
		word[1 + i / 26] = 0;
		meaning_add(&meaning, word, 2.0);
	}
	assert_int_equal(meaning.count, MEANING_WORDS);
	memset(word, 'x', sizeof(word) - 1);
	meaning.count = 0;
	meaning_add(&meaning, word, -1);
	assert_int_equal(strlen(meaning.words[0].stem), MEANING_WORD_BYTES - 1);
	assert_true(meaning.words[0].weight >= 0);
}

static void short_forms(void **state)
{
	static const char *const pairs[][2] = {
		{ "A man riding a wave on a surfboard.", "A man riding a wave." },
		{ "A man in a suit.", "A man in a suit." },
		{ "A group of people sitting at a table.", "A group of people sitting." },
		{ "A dog.", "A dog." },
		{ "", "" },
		{ "Two men play football in a park, near trees.", "Two men play football." },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		meaning_shorten(pairs[i][0], text, sizeof(text));
		assert_string_equal(text, pairs[i][1]);
	}
	meaning_shorten("A man riding a wave on a surfboard.", text, 6);
	assert_string_equal(text, "A man");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_in_other_words),
		cmocka_unit_test(something_else),
		cmocka_unit_test(unsure_words_count_little),
		cmocka_unit_test(too_many_and_too_long_words_are_held_off),
		cmocka_unit_test(short_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
