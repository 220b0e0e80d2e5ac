/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_golden_decoder.c: the attention decoder and the searches against values
 * that PyTorch computed from the same weights, the shared reference data.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "engine/decoder.h"
#include "engine/generation.h"
#include "engine/vocabulary.h"
#include "tests/unit/safetensors.h"

struct golden {
	struct safetensors *weights, *tensors;
	json_t *words, *captions;
	const char *list[8192];
	struct vocabulary *vocabulary;
	struct decoder *decoder;
	struct generation *generation;
};

static const char *const photos[] = { "astronaut", "chelsea", "coffee" };

static bool find(void *user, const char *name, struct decoder_tensor *ret_tensor)
{
	const struct golden *golden = user;
	bool half;

	if (!safetensors_find(golden->weights, name, &half, &ret_tensor->rows,
			      &ret_tensor->columns, &ret_tensor->data))
		return false;
	ret_tensor->type = half ? MATRIX_F16 : MATRIX_F32;
	ret_tensor->scales = NULL;
	return true;
}

static int set_up(void **state)
{
	struct golden *golden = calloc(1, sizeof(*golden));
	struct decoder_config config = {
		.kind = DECODER_LSTM_ATTENTION, .hidden = 512, .layers = 1, .pool_size = 2048,
		.grid_cells = 64, .grid_channels = 2048, .classes = 1001,
		.find = find, .user = golden,
	};
	struct engine_error error;
	char path[4096];

	*state = golden;
	golden->weights = safetensors_open("model/decoder.safetensors");
	golden->tensors = safetensors_open("model/golden/tensors.safetensors");
	if (!golden->weights || !golden->tensors)
		return 0;
	golden->words = json_load_file(shared_path("model/vocab.json", path, sizeof(path)), 0, NULL);
	golden->captions = json_load_file(
		shared_path("model/golden/captions.json", path, sizeof(path)), 0, NULL);
	config.words = (unsigned)json_array_size(golden->words);
	for (size_t i = 0; i < config.words; i++)
		golden->list[i] = json_string_value(json_array_get(golden->words, i));
	if (vocabulary_open(golden->list, config.words, &golden->vocabulary, &error) != 0 ||
	    decoder_open(&config, &golden->decoder, &error) != 0 ||
	    generation_open(golden->decoder, &golden->generation, &error) != 0) {
		fprintf(stderr, "%s\n", error.message);
		return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	struct golden *golden = *state;

	generation_free(golden->generation);
	decoder_free(golden->decoder);
	vocabulary_free(golden->vocabulary);
	json_decref(golden->words);
	json_decref(golden->captions);
	safetensors_free(golden->weights);
	safetensors_free(golden->tensors);
	free(golden);
	return 0;
}

static const float *tensor(const struct golden *golden, const char *photo, const char *what)
{
	char name[128];
	bool half;
	size_t rows, columns;
	const void *data;

	snprintf(name, sizeof(name), "%s.float.%s", photo, what);
	assert_true(safetensors_find(golden->tensors, name, &half, &rows, &columns, &data));
	return data;
}

static struct engine_features features_of(const struct golden *golden, const char *photo)
{
	return (struct engine_features){
		.pool = tensor(golden, photo, "pool"), .grid = tensor(golden, photo, "grid"),
	};
}

static void test_first_logits(void **state)
{
	struct golden *golden = *state;
	struct decoder_state *decoding;
	struct engine_error error;
	unsigned words[1] = { VOCABULARY_START }, parents[1] = { 0 };
	float *logits, attention[64];

	if (!golden->decoder)
		skip();
	assert_int_equal(decoder_state_open(golden->decoder, 1, &decoding, &error), 0);
	logits = calloc(decoder_words(golden->decoder), sizeof(*logits));
	for (size_t i = 0; i < sizeof(photos) / sizeof(*photos); i++) {
		struct engine_features features = features_of(golden, photos[i]);
		const float *expected = tensor(golden, photos[i], "logits0");
		float worst = 0.0f, sum = 0.0f;

		decoder_state_begin(decoding, &features);
		decoder_state_step(decoding, words, parents, 1, logits, attention);
		for (unsigned k = 0; k < decoder_words(golden->decoder); k++)
			worst = fmaxf(worst, fabsf(logits[k] - expected[k]));
		for (unsigned k = 0; k < 64; k++)
			sum += attention[k];
		fprintf(stderr, "%s: logits differ by at most %g\n", photos[i], (double)worst);
		assert_true(worst < 1e-3f);
		assert_true(fabsf(sum - 1.0f) < 1e-5f);
	}
	free(logits);
	decoder_state_free(decoding);
}

static void join(const struct golden *golden, const struct hypothesis *hypothesis, char *text)
{
	*text = '\0';
	for (unsigned i = 0; i < hypothesis->count; i++)
		sprintf(text + strlen(text), "%s%s", i > 0 ? " " : "",
			vocabulary_word(golden->vocabulary, hypothesis->words[i]));
}

static void check_captions(struct golden *golden, const char *key, unsigned beam)
{
	for (size_t i = 0; i < sizeof(photos) / sizeof(*photos); i++) {
		struct engine_features features = features_of(golden, photos[i]);
		struct engine_caption_options options = { .beam = beam };
		const struct hypothesis *hypotheses;
		struct engine_error error;
		const json_t *expected = json_array_get(golden->captions, i);
		size_t count;
		char text[2048];

		assert_int_equal(generation_run(golden->generation, &features, &options, 0,
						&hypotheses, &count, &error), 0);
		join(golden, &hypotheses[0], text);
		assert_string_equal(text, json_string_value(json_object_get(expected, key)));
	}
}

static void test_greedy_captions(void **state)
{
	struct golden *golden = *state;

	if (!golden->decoder)
		skip();
	check_captions(golden, "float_greedy", 1);
}

static void test_beam_captions(void **state)
{
	struct golden *golden = *state;

	if (!golden->decoder)
		skip();
	check_captions(golden, "float_beam3", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_logits),
		cmocka_unit_test(test_greedy_captions),
		cmocka_unit_test(test_beam_captions),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
