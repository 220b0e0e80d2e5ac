/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_golden_photos.c: the model that ships, on the photos of the repository,
 * against tests/golden/captions.json, which an independent implementation in
 * another language computed from the same files. Word for word, greedy and with a
 * beam of three; of a greedy caption only the words before the first that two
 * words are likeliest for within rounding. The golden file names the checksum of
 * the networks it was computed from.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "engine/engine.h"
#include "engine/gguf.h"
#include "tests/unit/emulated.h"

#define MODEL "engine/models/descry-en.gguf"
#define GOLDEN "tests/golden/captions.json"

struct golden {
	json_t *captions;
	struct engine_model *model;
	struct engine_context *context;
};

/* Of what decides the words: the two networks and the vocabulary. */
static void checksum(char ret_text[9])
{
	struct engine_error error = { "" };
	const char *const *words;
	struct gguf *file;
	size_t count;
	uLong sum = crc32(0, NULL, 0);

	assert_int_equal(gguf_open(MODEL, &file, &error), 0);
	assert_int_equal(gguf_get_strings(file, "tokenizer.ggml.tokens", &words, &count, &error), 0);
	for (size_t i = 0; i < count; i++)
		sum = crc32_z(sum, (const Bytef *)words[i], strlen(words[i]) + 1);
	for (size_t i = 0; i < gguf_tensor_count(file); i++) {
		const struct gguf_tensor *tensor = gguf_tensor_at(file, i);

		if (strncmp(tensor->name, "encoder.", 8) && strncmp(tensor->name, "decoder.", 8))
			continue;
		sum = crc32_z(sum, (const Bytef *)tensor->name, strlen(tensor->name));
		sum = crc32_z(sum, tensor->data, tensor->size);
	}
	gguf_free(file);
	snprintf(ret_text, 9, "%08lx", sum);
}

static int set_up(void **state)
{
	const struct engine_context_options options = { .path = ENGINE_PATH_BLAS };
	struct golden *golden = calloc(1, sizeof(*golden));
	struct engine_error error = { "" };

	*state = golden;
	if (!golden || access(MODEL, R_OK) != 0)
		return 0;
	golden->captions = json_load_file(GOLDEN, 0, NULL);
	if (!golden->captions)
		return -1;
	if (engine_model_open(MODEL, &golden->model, &error) ||
	    engine_context_open(golden->model, &options, &golden->context, &error)) {
		print_error("%s\n", error.message);
		return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	struct golden *golden = *state;

	engine_context_free(golden->context);
	engine_model_free(golden->model);
	json_decref(golden->captions);
	free(golden);
	return 0;
}

static void test_model(void **state)
{
	struct golden *golden = *state;
	char sum[9];
	const char *expected;

	if (!golden->captions)
		skip();
	checksum(sum);
	expected = json_string_value(json_object_get(golden->captions, "model"));
	assert_non_null(expected);
	if (strcmp(sum, expected) != 0)
		fail_msg("The model has changed (%s, golden captions are of %s). Compute them "
			 "anew: make model && tests/golden/make_captions.py build/model/graph.lite "
			 MODEL " " GOLDEN " tests/photos/*.jpg tests/photos/*.png", sum, expected);
}

/* Of the first `words` words, or of all with the end. */
static size_t sure_length(const char *text, size_t words)
{
	size_t length = 0;

	for (; words > 0 && text[length]; words--) {
		length += strcspn(text + length, " ");
		length += strspn(text + length, " ");
	}
	return text[length] ? length : length + 1;
}

static void compare(struct golden *golden, unsigned beam, const char *key)
{
	const struct engine_caption_options options = { .beam = beam, .plain = true };
	json_t *photos = json_object_get(golden->captions, "photos"), *entry;
	size_t left = emulated_cases(7, 1);
	const char *photo;

	assert_int_equal(json_object_size(photos), 7);
	json_object_foreach(photos, photo, entry) {
		const char *expected = json_string_value(json_object_get(entry, key));
		size_t sure = beam > 1 ? SIZE_MAX : (size_t)json_integer_value(
			json_object_get(entry, "greedy_sure")), length;
		const struct engine_result *result;
		struct engine_error error = { "" };
		struct engine_image *image;
		char path[256], text[1024];
		size_t used = 0;
		int fd;

		snprintf(path, sizeof(path), "tests/photos/%s", photo);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(engine_image_read(fd, NULL, &image, &error), 0);
		close(fd);
		assert_int_equal(engine_describe(golden->context, image, &options, &result, &error),
				 0);
		text[0] = '\0';
		for (size_t i = 0; i < result->captions[0].word_count && used < sizeof(text); i++)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
						 i ? " " : "", result->captions[0].words[i].text);
		length = sure_length(expected, sure);
		if (strncmp(text, expected, length) != 0)
			fail_msg("%s, %s: \"%s\" where \"%s\" belongs", photo, key, text, expected);
		engine_image_free(image);
		if (--left == 0)
			return;
	}
}

static void test_greedy(void **state)
{
	struct golden *golden = *state;

	if (!golden->captions)
		skip();
	compare(golden, 1, "greedy");
}

static void test_beam_of_three(void **state)
{
	struct golden *golden = *state;

	if (!golden->captions)
		skip();
	compare(golden, 3, "beam3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_greedy),
		cmocka_unit_test(test_beam_of_three),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
