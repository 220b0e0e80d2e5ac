/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * quantise_decoder.c: brings a decoder's matrices to 8 bits, one scale a row.
 * Nothing needs calibrating: the scale is the row's largest magnitude / 127.
 */
#include "engine/lab/lab.h"
#include "engine/lab/nouns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/gguf_writer.h"
#include "engine/kernels/isa.h"
#include "engine/limits.h"

/* Replaces a matrix by its codes and scales; returns its relative error. */
static double quantise(struct gguf_writer *writer, const struct gguf_tensor *tensor,
		       const char *scale_name, int *status, struct engine_error *error)
{
	size_t rows = tensor->shape[0], columns = tensor->shape[1];
	float *values = malloc(tensor->count * sizeof(*values));
	int8_t *codes = malloc(tensor->count);
	float *scales = malloc(rows * sizeof(*scales));
	double squares = 0.0, errors = 0.0;

	if (!values || !codes || !scales) {
		free(values);
		free(codes);
		free(scales);
		*status = engine_fail_memory(error);
		return 0.0;
	}
	gguf_tensor_to_f32(tensor, values);
	for (size_t r = 0; r < rows; r++) {
		const float *row = values + r * columns;

		quantise_q8(row, columns, codes + r * columns, &scales[r]);
		for (size_t k = 0; k < columns; k++) {
			double difference = (double)row[k] -
				(double)scales[r] * codes[r * columns + k];

			squares += (double)row[k] * (double)row[k];
			errors += difference * difference;
		}
	}
	free(values);
	gguf_writer_give_tensor(writer, tensor->name, GGUF_TENSOR_I8, 2, tensor->shape, codes);
	gguf_writer_give_tensor(writer, scale_name, GGUF_TENSOR_F32, 1, &rows, scales);
	return squares > 0.0 ? sqrt(errors / squares) : 0.0;
}

/* Numbers for the forms of each noun of the model's vocabulary. */
static int forbid_nouns(const struct gguf *file, struct gguf_writer *writer,
			struct engine_error *error)
{
	struct lexicon *vocabulary = NULL;
	const char *const *words;
	int32_t *nouns;
	size_t count;
	int r = gguf_get_strings(file, "tokenizer.ggml.tokens", &words, &count, error);

	if (r)
		return r;
	r = lexicon_open(&vocabulary);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = lexicon_add(vocabulary, words[i], strlen(words[i]), NULL);
	if (r == 0 && lexicon_size(vocabulary) != count)
		r = engine_fail(error, ENGINE_BAD_MODEL, "The model %s has a word twice in its vocabulary.",
				gguf_name(file));
	else if (r == 0)
		r = nouns_number(vocabulary, &nouns);
	lexicon_free(vocabulary);
	if (r)
		return r < 0 ? engine_fail_memory(error) : r;
	gguf_writer_give_tensor(writer, "decoder.word.group", GGUF_TENSOR_I32, 1, &count, nouns);
	return 0;
}

int lab_quantise_decoder(const char *input, const char *output,
			 const struct lab_search *search, double *ret_error,
			 size_t *ret_matrices, struct engine_error *error)
{
	static const char prefix[] = "decoder.", suffix[] = ".weight";
	const struct {
		const char *key;
		double value;
	} numbers[] = {
		{ "descry.decoder.sharpness", search->sharpness },
		{ "descry.decoder.length_power", search->length_power },
	};
	struct gguf *file;
	struct gguf_writer *writer = NULL;
	double worst = 0.0;
	size_t matrices = 0;
	int r = gguf_open(input, &file, error);

	if (r)
		return r;
	r = gguf_writer_open(&writer, error);
	if (r == 0)
		gguf_writer_copy(writer, file, "");
	for (size_t i = 0; r == 0 && i < sizeof(numbers) / sizeof(*numbers); i++)
		if (!isnan(numbers[i].value))
			gguf_writer_set_f32(writer, numbers[i].key, (float)numbers[i].value);
	if (r == 0 && search->nouns_once)
		r = forbid_nouns(file, writer, error);
	for (size_t i = 0; r == 0 && i < gguf_tensor_count(file); i++) {
		const struct gguf_tensor *tensor = gguf_tensor_at(file, i);
		size_t length = strlen(tensor->name);
		char name[LIMIT_MODEL_NAME + sizeof(".scale")];

		if (strncmp(tensor->name, prefix, sizeof(prefix) - 1) != 0 || tensor->rank != 2 ||
		    length < sizeof(suffix) || strcmp(tensor->name + length - sizeof(suffix) + 1,
						      suffix) != 0 ||
		    (tensor->type != GGUF_TENSOR_F16 && tensor->type != GGUF_TENSOR_F32))
			continue;
		snprintf(name, sizeof(name), "%s.scale", tensor->name);
		worst = fmax(worst, quantise(writer, tensor, name, &r, error));
		matrices++;
	}
	if (r == 0 && matrices == 0)
		r = engine_fail(error, ENGINE_UNSUPPORTED,
			"The model %s has no decoder in 16 or 32 bits.", input);
	if (r == 0)
		r = gguf_writer_write(writer, output, error);
	gguf_writer_free(writer);
	gguf_free(file);
	if (r)
		return r;
	*ret_error = worst;
	*ret_matrices = matrices;
	return 0;
}
