/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_sentence.c: words as the vocabulary has them, sentences as they are
 * spoken; and the vocabulary itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/sentence.h"
#include "engine/vocabulary.h"

/* Splits at blanks. */
static const char *spoken(const char *caption, bool complete)
{
	static char sentence[SENTENCE_BYTES];
	static char text[2048];
	const char *words[LIMIT_WORDS];
	char *rest = text, *word;
	size_t count = 0;

	snprintf(text, sizeof(text), "%s", caption);
	while ((word = strtok_r(rest, " ", &rest)) != NULL)
		words[count++] = word;
	sentence_write(words, count, complete, sentence);
	return sentence;
}

static void test_sentences(void **state)
{
	static const struct {
		const char *caption, *sentence;
	} cases[] = {
		{ "a man riding a wave on a surfboard", "A man riding a wave on a surfboard." },
		{ "a man 's hat", "A man's hat." },
		{ "a boy in a red t shirt", "A boy in a red t-shirt." },
		{ "t shirts on a rope", "T-shirts on a rope." },
		{ "two men watch tv", "Two men watch TV." },
		{ "tv on a table", "TV on a table." },
		{ "an asian girl and i", "An Asian girl and I." },
		{ "iphone on a desk", "iPhone on a desk." },
		{ "a street in new york", "A street in New York." },
		{ "a new car", "A new car." },
		{ "a bmx rider in mid air", "A BMX rider in mid-air." },
		{ "a double decker bus", "A double-decker bus." },
		{ "dog", "Dog." },
		{ "t", "T." },
		{ "\303\244pfel und birnen", "\303\204pfel und birnen." },
		{ "2 dogs", "2 dogs." },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(spoken(cases[i].caption, true), cases[i].sentence);
}

static void test_cut_off_sentences(void **state)
{
	(void)state;
	assert_string_equal(spoken("a man standing next to a", false), "A man standing.");
	assert_string_equal(spoken("a man with a dog", false), "A man with a dog.");
	assert_string_equal(spoken("a the", false), "A.");
	assert_string_equal(spoken("a man looking at", true), "A man looking at.");
}

/* The longest words that a model may have fit. */
static void test_continued_sentences(void **state)
{
	static const char *const cases[][2] = {
		{ "A cat.", "a cat." }, { "Two TVs.", "two TVs." }, { "TV.", "TV." },
		{ "TV's on.", "TV's on." }, { "Indians.", "indians." }, { "Santa Claus.", "Santa Claus." },
		{ "New York.", "New York." }, { "New shoes.", "new shoes." }, { "X-ray.", "X-ray." },
		{ "T-shirts.", "t-shirts." }, { "IPads.", "iPads." }, { "iPad.", "iPad." },
		{ "\303\204pfel.", "\303\244pfel." }, { "5 cats.", "5 cats." }, { "", "" },
	};
	char sentence[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(sentence, sizeof(sentence), "%s", cases[i][0]);
		engine_continue_sentence(sentence);
		assert_string_equal(sentence, cases[i][1]);
	}
}

static void test_longest_sentence(void **state)
{
	char word[LIMIT_WORD_BYTES + 1], sentence[SENTENCE_BYTES];
	const char *words[LIMIT_WORDS];

	(void)state;
	memset(word, 'w', LIMIT_WORD_BYTES);
	word[LIMIT_WORD_BYTES] = '\0';
	for (size_t i = 0; i < LIMIT_WORDS; i++)
		words[i] = word;
	sentence_write(words, LIMIT_WORDS, true, sentence);
	assert_int_equal(strlen(sentence), LIMIT_WORDS * (LIMIT_WORD_BYTES + 1));
}

static void test_vocabulary(void **state)
{
	static const char *const words[] = {
		"<pad>", "<s>", "</s>", "<unk>", "a", "man", "'s", "dog", "a-b", "\303\244pfel",
	};
	struct vocabulary *vocabulary;
	struct engine_error error;

	(void)state;
	assert_int_equal(vocabulary_open(words, 10, &vocabulary, &error), 0);
	assert_int_equal(vocabulary_size(vocabulary), 10);
	for (unsigned i = VOCABULARY_FIRST_WORD; i < 10; i++) {
		assert_int_equal(vocabulary_find(vocabulary, words[i]), i);
		assert_string_equal(vocabulary_word(vocabulary, i), words[i]);
	}
	assert_int_equal(vocabulary_find(vocabulary, "cat"), VOCABULARY_UNKNOWN);
	assert_int_equal(vocabulary_find(vocabulary, ""), VOCABULARY_UNKNOWN);
	assert_int_equal(vocabulary_find(vocabulary, "<s>"), VOCABULARY_UNKNOWN);
	vocabulary_free(vocabulary);
}

static void test_bad_vocabularies(void **state)
{
	static char long_word[LIMIT_WORD_BYTES + 2];
	const char *words[] = { "<pad>", "<s>", "</s>", "<unk>", "a", "man" };
	static const char *const bad[] = { "", "two words", "line\n", "a", "\177" };
	struct vocabulary *vocabulary;
	struct engine_error error;

	(void)state;
	assert_int_equal(vocabulary_open(words, 4, &vocabulary, &error), ENGINE_BAD_MODEL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		words[5] = bad[i];
		assert_int_equal(vocabulary_open(words, 6, &vocabulary, &error), ENGINE_BAD_MODEL);
	}
	memset(long_word, 'x', LIMIT_WORD_BYTES + 1);
	words[5] = long_word;
	assert_int_equal(vocabulary_open(words, 6, &vocabulary, &error), ENGINE_BAD_MODEL);
	long_word[LIMIT_WORD_BYTES] = '\0';
	assert_int_equal(vocabulary_open(words, 6, &vocabulary, &error), 0);
	vocabulary_free(vocabulary);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_cut_off_sentences),
		cmocka_unit_test(test_continued_sentences),
		cmocka_unit_test(test_longest_sentence),
		cmocka_unit_test(test_vocabulary),
		cmocka_unit_test(test_bad_vocabularies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
