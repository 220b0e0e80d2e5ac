/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_golden_captions.c: the whole way from pixels to words against the shared
 * golden captions: every word of every photo, greedy and with a beam of three.
 * The decoder of the golden values is put beside the default model's encoder in a
 * file of the test's own, so that the model that ships may learn more.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "engine/engine.h"
#include "engine/gguf_writer.h"
#include "engine/lab/safetensors.h"
#include "tests/unit/emulated.h"
#include "tests/unit/safetensors.h"

#define DEFAULT_MODEL "engine/models/descry-en.gguf"

struct golden {
	char folder[32], model_path[64];
	json_t *captions;
	struct engine_model *model;
	struct engine_context *contexts[2];	/* OpenBLAS, and our own kernels */
};

static json_t *load(const char *name)
{
	char path[4096];

	return json_load_file(shared_path(name, path, sizeof(path)), 0, NULL);
}

static void write_vocabulary(struct gguf_writer *writer, json_t *words)
{
	size_t count = json_array_size(words);
	const char **list = calloc(count, sizeof(*list));

	assert_non_null(list);
	for (size_t i = 0; i < count; i++)
		list[i] = json_string_value(json_array_get(words, i));
	gguf_writer_set_strings(writer, "tokenizer.ggml.tokens", list, count);
	free(list);
}

static void write_model(const char *path)
{
	static const char *const kept[] = {
		"general.", "descry.format", "descry.encoder.", "encoder.",
	};
	char decoder[4096];
	json_t *words = load("model/vocab.json");
	struct engine_error error = { "" };
	struct gguf_writer *writer;
	struct file_map map;
	struct gguf *file;

	assert_int_equal(gguf_open(DEFAULT_MODEL, &file, &error), 0);
	assert_int_equal(gguf_writer_open(&writer, &error), 0);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		gguf_writer_copy(writer, file, kept[i]);
	shared_path("model/decoder.safetensors", decoder, sizeof(decoder));
	assert_int_equal(file_map(decoder, 1u << 30, &map, &error), 0);
	assert_int_equal(safetensors_copy(&map, decoder, "decoder.", NULL, NULL, writer, &error), 0);
	gguf_writer_set_string(writer, "descry.decoder.kind", "lstm-attention");
	gguf_writer_set_u32(writer, "descry.decoder.hidden", 512);
	gguf_writer_set_u32(writer, "descry.decoder.layers", 1);
	gguf_writer_set_u32(writer, "descry.decoder.beam", 3);
	write_vocabulary(writer, words);
	assert_int_equal(gguf_writer_write(writer, path, &error), 0);
	gguf_writer_free(writer);
	gguf_free(file);
	file_unmap(&map);
	json_decref(words);
}

static int set_up(void **state)
{
	static const enum engine_path paths[] = { ENGINE_PATH_BLAS, ENGINE_PATH_FLOAT };
	struct golden *golden = calloc(1, sizeof(*golden));
	struct engine_error error;

	*state = golden;
	golden->captions = load("model/golden/captions.json");
	if (!golden->captions)
		return 0;
	strcpy(golden->folder, "/tmp/descry-golden-XXXXXX");
	if (!mkdtemp(golden->folder))
		return -1;
	snprintf(golden->model_path, sizeof(golden->model_path), "%s/model.gguf", golden->folder);
	write_model(golden->model_path);
	if (engine_model_open(golden->model_path, &golden->model, &error)) {
		print_error("%s\n", error.message);
		return -1;
	}
	for (unsigned i = 0; i < 2; i++)
		if (engine_context_open(golden->model,
					&(struct engine_context_options){ .path = paths[i] },
					&golden->contexts[i], &error)) {
			print_error("%s\n", error.message);
			return -1;
		}
	return 0;
}

static int tear_down(void **state)
{
	struct golden *golden = *state;

	for (unsigned i = 0; i < 2; i++)
		engine_context_free(golden->contexts[i]);
	engine_model_free(golden->model);
	if (golden->model_path[0])
		unlink(golden->model_path);
	if (golden->folder[0])
		rmdir(golden->folder);
	json_decref(golden->captions);
	free(golden);
	return 0;
}

static void join_words(const struct engine_caption *caption, char *ret_text, size_t size)
{
	size_t used = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < caption->word_count && used < size; i++)
		used += (size_t)snprintf(ret_text + used, size - used, "%s%s", i ? " " : "",
					 caption->words[i].text);
}

static void compare_captions(struct golden *golden, unsigned beam, const char *key)
{
	json_t *entry;
	size_t i;

	assert_int_equal(json_array_size(golden->captions), 15);
	json_array_foreach(golden->captions, i, entry) {
		const char *photo = json_string_value(json_object_get(entry, "photo"));
		const char *expected = json_string_value(json_object_get(entry, key));
		struct engine_caption_options options = { .beam = beam };
		const struct engine_result *result;
		struct engine_image *image;
		struct engine_error error;
		char name[256], path[4096], text[1024];
		int fd;

		snprintf(name, sizeof(name), "model/golden/%.*s.299.png",
			 (int)strcspn(photo, "."), photo);
		fd = open(shared_path(name, path, sizeof(path)), O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(engine_image_read(fd, NULL, &image, &error), 0);
		close(fd);
		for (size_t c = emulated_cases(0, 1); c < 2; c++) {
			assert_int_equal(engine_describe(golden->contexts[c], image, &options,
							 &result, &error),
					 0);
			join_words(&result->captions[0], text, sizeof(text));
			if (strcmp(text, expected) != 0)
				fail_msg("%s, %s: \"%s\" where \"%s\" belongs", photo, key, text,
					 expected);
		}
		engine_image_free(image);
		if (i + 1 == emulated_cases(15, 1))
			break;
	}
}

static void test_greedy(void **state)
{
	struct golden *golden = *state;

	if (!golden->captions)
		skip();
	compare_captions(golden, 1, "float_greedy");
}

static void test_beam_of_three(void **state)
{
	struct golden *golden = *state;

	if (!golden->captions)
		skip();
	compare_captions(golden, 3, "float_beam3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greedy),
		cmocka_unit_test(test_beam_of_three),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
