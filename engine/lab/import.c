/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * import.c: puts a model file together from what other programs wrote: the
 * network from TFLite, ONNX or TensorFlow.js, the decoder from a model file or from
 * safetensors, names and provenance from a JSON file. The order of keys and
 * tensors depends on the inputs alone, so the same inputs give the same bytes.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/error.h"
#include "engine/lab/file.h"
#include "engine/lab/import_onnx.h"
#include "engine/lab/import_tfjs.h"
#include "engine/lab/import_tflite.h"
#include "engine/lab/lab.h"
#include "engine/lab/safetensors.h"
#include "engine/limits.h"
#include "engine/model.h"

#define TEXT_BYTES_MAX (16u << 20)
#define DEFAULT_BEAM 3u

struct import {
	const struct lab_import_options *options;
	struct engine_error *error;
	struct gguf_writer *writer;
	struct blueprint *blueprint;
	struct gguf *decoder_file;	/* borrowed from until the file is written */
	struct file_map decoder_map;	/* likewise */
};

static int load_json(const char *path, json_t **ret_root, struct engine_error *error)
{
	struct file_map map;
	json_error_t problem;
	json_t *root;
	int r = file_map(path, TEXT_BYTES_MAX, &map, error);

	if (r)
		return r;
	root = json_loadb((const char *)map.data, map.size, JSON_REJECT_DUPLICATES, &problem);
	file_unmap(&map);
	if (!root)
		return engine_fail(error, ENGINE_BAD_OPTION, "The file %s is not JSON, at line %d: %s.",
				   path, problem.line, problem.text);
	*ret_root = root;
	return 0;
}

/* Fractions in a list. */
static bool write_list(struct gguf_writer *writer, const char *key, const json_t *list)
{
	size_t count = json_array_size(list);
	float *values = calloc(count ? count : 1, sizeof(*values));
	bool numbers = values && count > 0;

	for (size_t i = 0; numbers && i < count; i++) {
		numbers = json_is_number(json_array_get(list, i));
		values[i] = (float)json_number_value(json_array_get(list, i));
	}
	if (numbers)
		gguf_writer_set_f32s(writer, key, values, count);
	free(values);
	return numbers;
}

/* Strings, whole numbers, fractions, lists of these, truth values: one key each. */
static int write_metadata(struct import *import)
{
	const char *path = import->options->metadata, *key;
	struct gguf_writer *writer = import->writer;
	json_t *root, *value;
	int r;

	gguf_writer_set_string(writer, "general.architecture", MODEL_ARCHITECTURE);
	gguf_writer_set_u32(writer, "descry.format", MODEL_FORMAT);
	if (!path)
		return 0;
	r = load_json(path, &root, import->error);
	if (r)
		return r;
	if (!json_is_object(root))
		r = engine_fail(import->error, ENGINE_BAD_OPTION,
				"The file %s is not a JSON object of keys and values.", path);
	json_object_foreach(root, key, value) {
		if (json_is_string(value))
			gguf_writer_set_string(writer, key, json_string_value(value));
		else if (json_is_integer(value) && json_integer_value(value) >= 0 &&
			 json_integer_value(value) <= UINT32_MAX)
			gguf_writer_set_u32(writer, key, (uint32_t)json_integer_value(value));
		else if (json_is_real(value))
			gguf_writer_set_f32(writer, key, (float)json_real_value(value));
		else if (json_is_boolean(value))
			gguf_writer_set_bool(writer, key, json_is_true(value));
		else if (!json_is_array(value) || !write_list(writer, key, value))
			r = engine_fail(import->error, ENGINE_BAD_OPTION,
					"The file %s has the key %s with a value that is neither a string "
					"nor a number that fits.", path, key);
	}
	json_decref(root);
	return r;
}

/* One label a line. */
static int write_labels(struct import *import)
{
	const struct blueprint *blueprint = import->blueprint;
	const char *path = import->options->labels;
	struct file_map map = { 0 };
	size_t count = 0, capacity = 0;
	char *text = NULL, *next, *line;
	const char **labels = NULL;
	int r;

	if (!path || blueprint->classes < 0)
		return 0;
	r = file_map(path, TEXT_BYTES_MAX, &map, import->error);
	if (r)
		return r;
	text = strndup((const char *)map.data, map.size);
	capacity = blueprint->nodes[blueprint->classes].shape.channels;
	labels = calloc(capacity + 1, sizeof(*labels));
	if (!text || !labels) {
		r = engine_fail_memory(import->error);
		goto out;
	}
	next = text;
	while ((line = strsep(&next, "\n"))) {
		if (!*line && !next)
			break;
		if (count < capacity)
			labels[count] = line;
		count++;
	}
	if (count != capacity) {
		r = engine_fail(import->error, ENGINE_BAD_OPTION,
				"The file %s names %zu classes, but the network has %zu.", path, count,
				capacity);
		goto out;
	}
	gguf_writer_set_strings(import->writer, "descry.encoder.classes", labels, count);
out:
	file_unmap(&map);
	free(labels);
	free(text);
	return r;
}

static int read_network(struct import *import)
{
	const struct lab_import_options *options = import->options;
	struct blueprint *blueprint = import->blueprint;
	struct file_map map;
	int r = file_map(options->network, LIMIT_MODEL_BYTES, &map, import->error);

	if (r)
		return r;
	for (unsigned c = 0; c < 3; c++) {
		blueprint->mean[c] = options->mean[c];
		blueprint->std[c] = options->std[c] > 0 ? options->std[c] : 1;
	}
	if (tflite_recognise(map.data, map.size))
		r = tflite_read(map.data, map.size, options->network, blueprint, import->error);
	else if (tfjs_recognise(map.data, map.size))
		r = tfjs_read(options->network, blueprint, import->error);
	else
		r = onnx_read(map.data, map.size, options->network, blueprint, import->error);
	file_unmap(&map);
	if (r == 0)
		r = blueprint_simplify(blueprint, import->error);
	if (r == 0 && options->bgr)
		r = blueprint_exchange_colours(blueprint, import->error);
	if (r == 0)
		r = blueprint_find_features(blueprint, options->pool, options->grid, options->classes,
					  import->error);
	if (r == 0)
		r = blueprint_sweep(blueprint, import->error);
	if (r == 0)
		r = blueprint_finish_names(blueprint, import->error);
	return r;
}

static int write_vocabulary(struct import *import)
{
	const char *path = import->options->vocabulary;
	const char **words = NULL;
	json_t *root, *word;
	size_t index, count;
	int r;

	if (!path)
		return engine_fail(import->error, ENGINE_BAD_OPTION,
				   "A decoder in safetensors needs its vocabulary too.");
	r = load_json(path, &root, import->error);
	if (r)
		return r;
	count = json_array_size(root);
	words = calloc(count + 1, sizeof(*words));
	if (!words) {
		r = engine_fail_memory(import->error);
		goto out;
	}
	json_array_foreach(root, index, word) {
		words[index] = json_string_value(word);
		if (!words[index]) {
			r = engine_fail(import->error, ENGINE_BAD_OPTION,
					"The file %s has an entry %zu that is no word.", path, index);
			goto out;
		}
	}
	gguf_writer_set_string(import->writer, "tokenizer.ggml.model", "descry-words");
	gguf_writer_set_strings(import->writer, "tokenizer.ggml.tokens", words, count);
	gguf_writer_set_u32(import->writer, "tokenizer.ggml.padding_token_id", VOCABULARY_PADDING);
	gguf_writer_set_u32(import->writer, "tokenizer.ggml.bos_token_id", VOCABULARY_START);
	gguf_writer_set_u32(import->writer, "tokenizer.ggml.eos_token_id", VOCABULARY_END);
	gguf_writer_set_u32(import->writer, "tokenizer.ggml.unknown_token_id", VOCABULARY_UNKNOWN);
out:
	json_decref(root);
	free(words);
	return r;
}

struct decoder_metadata {
	char kind[32];
	uint32_t hidden, layers;
};

static void note_metadata(void *user, const char *key, const char *value)
{
	struct decoder_metadata *metadata = user;

	if (strcmp(key, "kind") == 0)
		snprintf(metadata->kind, sizeof(metadata->kind), "%s", value);
	else if (strcmp(key, "hidden") == 0)
		metadata->hidden = (uint32_t)strtoul(value, NULL, 10);
	else if (strcmp(key, "layers") == 0)
		metadata->layers = (uint32_t)strtoul(value, NULL, 10);
}

static int write_decoder(struct import *import)
{
	/* what a decoder needs of another model: itself and how sure it may be */
	static const char *const taken[] = {
		"descry.decoder.", "tokenizer.", "decoder.", "descry.confidence.", "confidence.",
	};
	const char *path = import->options->decoder;
	struct decoder_metadata metadata = { .layers = 1 };
	struct gguf_writer *writer = import->writer;
	int r;

	if (!path)
		return 0;
	r = file_map(path, LIMIT_MODEL_BYTES, &import->decoder_map, import->error);
	if (r)
		return r;
	if (import->decoder_map.size >= 4 && memcmp(import->decoder_map.data, "GGUF", 4) == 0) {
		r = gguf_open(path, &import->decoder_file, import->error);
		if (r)
			return r;
		for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
			gguf_writer_copy(writer, import->decoder_file, taken[i]);
		return 0;
	}
	r = safetensors_copy(&import->decoder_map, path, "decoder.", note_metadata, &metadata,
			     writer, import->error);
	if (r)
		return r;
	gguf_writer_set_string(writer, "descry.decoder.kind", metadata.kind);
	gguf_writer_set_u32(writer, "descry.decoder.hidden", metadata.hidden);
	gguf_writer_set_u32(writer, "descry.decoder.layers", metadata.layers);
	gguf_writer_set_u32(writer, "descry.decoder.beam", DEFAULT_BEAM);
	return write_vocabulary(import);
}

/* Writes beside the output, opens what was written as any user will, and only
 * then gives it its name. */
static int finish(struct import *import, const char *output)
{
	struct engine_model *model;
	char *unproven;
	int r;

	if (asprintf(&unproven, "%s.new", output) < 0)
		return engine_fail_memory(import->error);
	r = gguf_writer_write(import->writer, unproven, import->error);
	if (r == 0) {
		r = engine_model_open(unproven, &model, import->error);
		if (r == 0) {
			engine_model_free(model);
			if (rename(unproven, output) < 0) {
				r = -errno;
				engine_error_set(import->error, "The file %s cannot be written: %s.",
						 output, strerror(-r));
			}
		}
		if (r)
			unlink(unproven);
	}
	free(unproven);
	return r;
}

int lab_import(const struct lab_import_options *options, const char *output,
	       struct engine_error *error)
{
	struct import import = { .options = options, .error = error };
	int r = gguf_writer_open(&import.writer, error);

	if (r == 0)
		r = blueprint_open(&import.blueprint, error);
	if (r == 0)
		r = write_metadata(&import);
	if (r == 0)
		r = read_network(&import);
	if (r == 0) {
		blueprint_write(import.blueprint, import.writer);
		r = write_labels(&import);
	}
	if (r == 0)
		r = write_decoder(&import);
	if (r == 0)
		r = finish(&import, output);
	gguf_writer_free(import.writer);
	blueprint_free(import.blueprint);
	gguf_free(import.decoder_file);
	file_unmap(&import.decoder_map);
	return r;
}
