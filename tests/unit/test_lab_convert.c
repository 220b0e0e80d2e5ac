/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_lab_convert.c: other layouts of captions into COCO's, read back by the
 * trainer's own reader.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/lab/captions.h"
#include "engine/lab/lab.h"

static char input[] = "/tmp/descry-convert-XXXXXX";
static char output[sizeof(input) + 8];

static int make_input(void **state)
{
	int fd = mkstemp(input);

	(void)state;
	snprintf(output, sizeof(output), "%s.json", input);
	return fd < 0 ? -1 : close(fd);
}

static int remove_files(void **state)
{
	(void)state;
	unlink(output);
	return unlink(input);
}

static int convert(const char *text, size_t size, size_t *ret_photos, size_t *ret_captions,
		   struct engine_error *error)
{
	FILE *file = fopen(input, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, size, file), size);
	fclose(file);
	return lab_convert(input, "mine", output, ret_photos, ret_captions, error);
}

static struct caption_set *converted(const char *text, size_t photos, size_t captions)
{
	struct caption_set *set;
	struct engine_error error;
	size_t photo_count, caption_count;

	if (convert(text, strlen(text), &photo_count, &caption_count, &error) != 0 ||
	    captions_read(output, &set, &error) != 0)
		fail_msg("%s", error.message);
	assert_int_equal(photo_count, photos);
	assert_int_equal(caption_count, captions);
	assert_int_equal(set->photo_count, photos);
	assert_int_equal(set->caption_count, captions);
	assert_int_equal(set->problem_count, 0);
	assert_string_equal(set->photos[0].source, "mine");
	return set;
}

static void token_files_of_flickr8k_are_read(void **state)
{
	struct caption_set *set = converted("1_a.jpg#0\tA dog runs .\r\n1_a.jpg#1\tThe \"dog\" , here\r\n\r\n2_b.jpg#0\tTwo cats\r\n", 2, 3);

	(void)state;
	assert_string_equal(set->photos[0].file_name, "1_a.jpg");
	assert_string_equal(set->photos[0].captions[1], "The \"dog\" , here");
	assert_string_equal(set->photos[1].words[0], "two cats");
	captions_free(set);
}

static void tables_are_read(void **state)
{
	struct caption_set *set;

	(void)state;
	set = converted("id,Caption,image\n1,\"A dog, a \"\"big\"\" one\nin two lines\",a.jpg\n2,plain,b.jpg\n3,again,a.jpg\n", 2, 3);
	assert_string_equal(set->photos[0].captions[0], "A dog, a \"big\" one\nin two lines");
	assert_string_equal(set->photos[0].captions[1], "again");
	assert_string_equal(set->photos[1].captions[0], "plain");
	captions_free(set);
	set = converted("file_name\ttext\na.jpg\tA dog, running\n", 1, 1);
	assert_string_equal(set->photos[0].captions[0], "A dog, running");
	captions_free(set);
}

static void other_texts_are_refused_with_the_reason(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		const char *words;
	} cases[] = {
#define CASE(text, words) { text, sizeof(text) - 1, words }
		CASE("just text\n", "first line names"),
		CASE("a.jpg#0\tA dog\nbroken line\n", "line 2"),
		CASE("image,caption\na.jpg\n", "record 2"),
		CASE("image,caption\na.jpg,\"open\n", "not closed"),
		CASE("image,caption\n", "no caption"),
		CASE("image,caption\na.jpg,\xff\xfe\n", "UTF-8"),
		CASE("image,caption\na.jpg,a\0b\n", "not a text"),
#undef CASE
	};
	struct engine_error error;
	size_t photos, captions;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(convert(cases[i].text, cases[i].size, &photos, &captions, &error) < 0);
		if (strstr(error.message, cases[i].words) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", error.message, cases[i].words);
	}
	assert_true(lab_convert("/nonexistent", NULL, output, &photos, &captions, &error) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(token_files_of_flickr8k_are_read),
		cmocka_unit_test(tables_are_read),
		cmocka_unit_test(other_texts_are_refused_with_the_reason),
	};

	return cmocka_run_group_tests(tests, make_input, remove_files);
}
