/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_golden_captions.c: captions of the photos in the repository, picture to
 * words, against those that NumPy computed from the same weights
 * (tests/golden/make_captions.py).
 */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "engine/context.h"

struct golden {
	struct engine_model *model;
	struct engine_context *context;
	json_t *captions;
};

static int set_up(void **state)
{
	struct golden *golden = calloc(1, sizeof(*golden));
	struct engine_context_options options = { .path = ENGINE_PATH_BLAS };
	struct engine_error error;

	*state = golden;
	golden->captions = json_load_file("tests/golden/captions.json", 0, NULL);
	if (!golden->captions ||
	    engine_model_open("engine/models/descry-en.gguf", &golden->model, &error) != 0 ||
	    engine_context_open(golden->model, &options, &golden->context, &error) != 0)
		return -1;
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

static struct engine_image *read_photo(const char *name)
{
	struct engine_image_options options = { .wanted_width = 299, .wanted_height = 299 };
	struct engine_image *image = NULL;
	struct engine_error error;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "tests/photos/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(engine_image_read(fd, &options, &image, &error), 0);
	close(fd);
	return image;
}

static void check_caption(struct golden *golden, const struct engine_features *features,
			  unsigned beam, const char *photo, const char *expected)
{
	struct engine_caption_options options = { .beam = beam, .plain = true };
	const struct engine_result *result;
	struct engine_error error;
	char text[2048] = "";

	assert_int_equal(engine_generate(golden->context, features, &options, &result, &error), 0);
	for (size_t i = 0; i < result->captions[0].word_count; i++)
		sprintf(text + strlen(text), "%s%s", i > 0 ? " " : "",
			result->captions[0].words[i].text);
	if (strcmp(text, expected) != 0)
		fail_msg("%s, beam %u: \"%s\" instead of \"%s\"", photo, beam, text, expected);
}

static void check_first_words(const struct golden *golden, const struct engine_features *features,
			      json_t *first)
{
	const struct decoder *decoder = golden->model->decoder;
	float *logits = calloc(decoder_words(decoder), sizeof(*logits));
	float *attention = calloc(decoder_cells(decoder) + 1, sizeof(*attention));
	struct decoder_state *state;
	struct engine_error error;
	const char *word;
	json_t *logit;

	assert_int_equal(decoder_state_open(decoder, 1, &state, &error), 0);
	decoder_state_begin(state, features);
	decoder_state_step(state, &(unsigned){ VOCABULARY_START }, &(unsigned){ 0 }, 1, logits,
			   attention);
	json_object_foreach(first, word, logit) {
		unsigned index = vocabulary_find(golden->model->vocabulary, word);

		assert_true(fabs((double)logits[index] - json_number_value(logit)) < 0.05);
	}
	decoder_state_free(state);
	free(attention);
	free(logits);
}

static void test_photos(void **state)
{
	struct golden *golden = *state;
	const char *photo;
	json_t *expected;

	assert_true(json_object_size(golden->captions) >= 4);
	json_object_foreach(golden->captions, photo, expected) {
		struct engine_image *image = read_photo(photo);
		const struct engine_features *features;
		struct engine_error error;

		assert_int_equal(engine_encode(golden->context, image, &features, &error), 0);
		check_first_words(golden, features, json_object_get(expected, "first"));
		check_caption(golden, features, 1, photo,
			      json_string_value(json_object_get(expected, "greedy")));
		check_caption(golden, features, 3, photo,
			      json_string_value(json_object_get(expected, "beam3")));
		engine_image_free(image);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_photos),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
