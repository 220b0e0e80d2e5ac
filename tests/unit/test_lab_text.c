/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_lab_text.c: tokenisation, vocabularies and caption files.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "engine/lab/captions.h"
#include "engine/lab/lexicon.h"
#include "engine/lab/tokenizer.h"

static void assert_words(const char *caption, const char *expected)
{
	char *words;

	assert_int_equal(tokenizer_split(caption, &words), 0);
	assert_string_equal(words, expected);
	free(words);
}

static void captions_become_words(void **state)
{
	(void)state;
	assert_words("A man's dog isn't here.", "a man 's dog is not here");
	assert_words("Black-and-white 'quoted' O'Neill's cats'", "black and white quoted o'neill 's cats");
	assert_words("  two\tlines\nhere, 2 of them!  ", "two lines here 2 of them");
	assert_words("'''  ...", "");
	assert_words("", "");
	assert_words("CAN'T", "ca not");
	assert_words("A caf\xc3\x89 \xe2\x80\x93 na\xc3\xafve \xe2\x80\x9cstyle\xe2\x80\x9d", "a caf\xc3\xa9 na\xc3\xafve style");
	assert_words("isn\xe2\x80\x99t", "is not");
	assert_words("broken \xc3( and \xff end\xc3", "broken and end");
	assert_words("\xd0\x9a\xd0\xbe\xd1\x82 \xf0\x9f\x98\x80", "\xd0\xba\xd0\xbe\xd1\x82");
}

static void a_vocabulary_keeps_frequent_words(void **state)
{
	struct lexicon *counted, *vocabulary;
	uint32_t *words;
	size_t count;

	(void)state;
	assert_int_equal(lexicon_open(&counted), 0);
	assert_int_equal(lexicon_add_all(counted, "the cat the dog a cat a the emu"), 0);
	assert_int_equal(lexicon_to_vocabulary(counted, 2, &vocabulary), 0);
	assert_int_equal(lexicon_size(vocabulary), 4 + 3);
	assert_string_equal(lexicon_word(vocabulary, WORD_PADDING), "<pad>");
	assert_string_equal(lexicon_word(vocabulary, WORD_UNKNOWN), "<unk>");
	assert_string_equal(lexicon_word(vocabulary, 4), "the");
	assert_string_equal(lexicon_word(vocabulary, 5), "a");
	assert_string_equal(lexicon_word(vocabulary, 6), "cat");
	assert_int_equal(lexicon_count(vocabulary, 4), 3);
	assert_int_equal(lexicon_encode(vocabulary, "a dog the", LEXICON_AS_VOCABULARY, &words, &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(words[0], 5);
	assert_int_equal(words[1], WORD_UNKNOWN);
	assert_int_equal(words[2], 4);
	free(words);
	assert_int_equal(lexicon_encode(counted, "a yak", LEXICON_EXACT, &words, &count), -ENOENT);
	lexicon_free(vocabulary);
	lexicon_free(counted);
}

static void a_lexicon_grows_and_has_a_ceiling(void **state)
{
	struct lexicon *lexicon;
	char word[16];
	uint32_t index;

	(void)state;
	assert_int_equal(lexicon_open(&lexicon), 0);
	for (unsigned i = 0; i < LEXICON_WORDS_MAX; i++) {
		snprintf(word, sizeof(word), "w%u", i);
		assert_int_equal(lexicon_add(lexicon, word, strlen(word), &index), 0);
		assert_int_equal(index, i);
	}
	assert_int_equal(lexicon_add(lexicon, "w5", 2, &index), 0);
	assert_int_equal(index, 5);
	assert_int_equal(lexicon_add(lexicon, "new", 3, &index), -E2BIG);
	assert_int_equal(lexicon_find(lexicon, "w64999", 6), 64999);
	assert_int_equal(lexicon_find(lexicon, "new", 3), LEXICON_ABSENT);
	lexicon_free(lexicon);
}

static char *write_file(const char *text)
{
	char *path = strdup("/tmp/descry-captions-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

static void caption_files_are_read_with_their_problems_listed(void **state)
{
	static const char text[] =
		"{\"images\": [{\"id\": 7, \"file_name\": \"a.jpg\", \"source\": \"coco\"},"
		" {\"id\": 8, \"file_name\": \"b.jpg\"}, {\"id\": 9}, {\"id\": 10, \"file_name\": \"../c.jpg\"}],"
		" \"annotations\": [{\"image_id\": 7, \"caption\": \"A Dog.\"}, {\"image_id\": 7, \"caption\": \"!!\"},"
		" {\"image_id\": 99, \"caption\": \"x\"}, {\"image_id\": 7, \"caption\": \"It's a dog\"}, {\"caption\": \"x\"}]}";
	struct caption_set *set;
	struct engine_error error;
	char *path = write_file(text);

	(void)state;
	assert_int_equal(captions_read(path, &set, &error), 0);
	assert_int_equal(set->photo_count, 1);
	assert_int_equal(set->caption_count, 2);
	assert_string_equal(set->photos[0].source, "coco");
	assert_string_equal(set->photos[0].words[0], "a dog");
	assert_string_equal(set->photos[0].words[1], "it 's a dog");
	assert_int_equal(set->problem_count, 6);
	assert_non_null(strstr(set->problems[0], "images[2]"));
	assert_non_null(strstr(set->problems[1], "../c.jpg"));
	assert_non_null(strstr(set->problems[2], "no words"));
	assert_non_null(strstr(set->problems[3], "image 99"));
	assert_non_null(strstr(set->problems[5], "b.jpg"));
	assert_int_equal(captions_check_files(set, "/nonexistent", &error), -ENOENT);
	assert_non_null(strstr(error.message, "/nonexistent"));
	captions_free(set);
	unlink(path);
	free(path);
}

static void other_files_are_refused_with_the_reason(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "{\"images\": [", "line 1" },
		{ "[]", "descry train convert" },
		{ "{\"images\": [], \"annotations\": []}", "no photo" },
		{ "{\"images\": [{\"id\":1,\"file_name\":\"a\"},{\"id\":1,\"file_name\":\"b\"}], \"annotations\": []}", "id 1" },
	};
	struct caption_set *set = NULL;
	struct engine_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *path = write_file(cases[i].text);

		assert_true(captions_read(path, &set, &error) < 0);
		assert_non_null(strstr(error.message, cases[i].words));
		unlink(path);
		free(path);
	}
	assert_int_equal(captions_read("/nonexistent.json", &set, &error), -ENOENT);
	assert_int_equal(captions_read("/tmp", &set, &error), -EINVAL);
	assert_null(set);
}

static void text_without_photos_is_read(void **state)
{
	struct caption_text text;
	struct engine_error error;
	char path[] = "/tmp/descry-text-XXXXXX";
	int fd = mkstemp(path);
	gzFile file = gzdopen(fd, "w");

	(void)state;
	gzputs(file, "{\"captions\": [\"A dog runs.\", \"...\"]}\n{\"captions\": [\"Two cats\"]}\n");
	gzclose(file);
	assert_int_equal(captions_text_read(path, &text, &error), 0);
	assert_int_equal(text.count, 2);
	assert_string_equal(text.words[0], "a dog runs");
	assert_string_equal(text.words[1], "two cats");
	captions_text_free(&text);
	assert_int_equal(truncate(path, 30), 0);
	assert_true(captions_text_read(path, &text, &error) < 0);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captions_become_words),
		cmocka_unit_test(a_vocabulary_keeps_frequent_words),
		cmocka_unit_test(a_lexicon_grows_and_has_a_ceiling),
		cmocka_unit_test(caption_files_are_read_with_their_problems_listed),
		cmocka_unit_test(other_files_are_refused_with_the_reason),
		cmocka_unit_test(text_without_photos_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
