/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * average.c: the mean of several decoders that were trained on from the same
 * parameters. Such means often score higher than each of their parts (Wortsman
 * and others, "Model soups", 2022): here cross-entropy's variety is mixed into
 * the precision of self-critical training.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/gguf.h"
#include "engine/gguf_writer.h"
#include "engine/half.h"
#include "engine/lab/lab.h"

static bool same_words(const struct gguf *a, const struct gguf *b)
{
	const char *const *first, *const *second;
	struct engine_error error;
	size_t first_count, second_count;

	if (gguf_get_strings(a, "tokenizer.ggml.tokens", &first, &first_count, &error) ||
	    gguf_get_strings(b, "tokenizer.ggml.tokens", &second, &second_count, &error) ||
	    first_count != second_count)
		return false;
	for (size_t i = 0; i < first_count; i++)
		if (strcmp(first[i], second[i]) != 0)
			return false;
	return true;
}

/* Whether a tensor is one of a decoder's parameters in 16 or 32 bits. */
static bool is_parameter(const struct gguf_tensor *tensor)
{
	return strncmp(tensor->name, "decoder.", 8) == 0 &&
		(tensor->type == GGUF_TENSOR_F16 || tensor->type == GGUF_TENSOR_F32);
}

static const struct gguf_tensor *find_equal(const struct gguf *file,
					    const struct gguf_tensor *tensor)
{
	const struct gguf_tensor *found = gguf_find_tensor(file, tensor->name);

	if (!found || !is_parameter(found) || found->rank != tensor->rank ||
	    memcmp(found->shape, tensor->shape, tensor->rank * sizeof(*tensor->shape)) != 0)
		return NULL;
	return found;
}

static int add_mean(struct gguf_writer *writer, struct gguf *const *files, const double *shares,
		    size_t count, const struct gguf_tensor *tensor, struct engine_error *error)
{
	double *sum = calloc(tensor->count, sizeof(*sum)), total = 0;
	float *values = malloc(tensor->count * sizeof(*values));
	uint16_t *halves = NULL;
	int r = 0;

	if (!sum || !values) {
		r = engine_fail_memory(error);
		goto out;
	}
	for (size_t i = 0; i < count; i++) {
		const struct gguf_tensor *part = find_equal(files[i], tensor);

		if (!part) {
			r = engine_fail(error, ENGINE_UNSUPPORTED,
				"The tensor %s of %s is missing or of another size in %s. Only decoders "
				"of one origin can be averaged.", tensor->name, gguf_name(files[0]),
				gguf_name(files[i]));
			goto out;
		}
		gguf_tensor_to_f32(part, values);
		total += shares[i];
		for (size_t k = 0; k < tensor->count; k++)
			sum[k] += shares[i] * (double)values[k];
	}
	for (size_t k = 0; k < tensor->count; k++)
		values[k] = (float)(sum[k] / total);
	if (tensor->type == GGUF_TENSOR_F32) {
		gguf_writer_give_tensor(writer, tensor->name, tensor->type, tensor->rank, tensor->shape,
					values);
		values = NULL;
		goto out;
	}
	halves = malloc(tensor->count * sizeof(*halves));
	if (!halves) {
		r = engine_fail_memory(error);
		goto out;
	}
	for (size_t k = 0; k < tensor->count; k++)
		halves[k] = half_from_float(values[k]);
	gguf_writer_give_tensor(writer, tensor->name, tensor->type, tensor->rank, tensor->shape, halves);
out:
	free(sum);
	free(values);
	return r;
}

int lab_average(const char *const *models, const double *shares, size_t count, const char *output,
		struct engine_error *error)
{
	struct gguf *files[LAB_AVERAGE_MAX] = { NULL };
	struct gguf_writer *writer = NULL;
	size_t parameters = 0;
	int r = 0;

	if (count < 2 || count > LAB_AVERAGE_MAX)
		return engine_fail(error, ENGINE_BAD_OPTION, "2 to %u models can be averaged.",
				   LAB_AVERAGE_MAX);
	for (size_t i = 0; i < count && r == 0; i++) {
		if (!(shares[i] > 0 && shares[i] <= 1e6))
			r = engine_fail(error, ENGINE_BAD_OPTION,
					"The share of %s must be above 0 and at most a million.", models[i]);
		else
			r = gguf_open(models[i], &files[i], error);
		if (r == 0 && !same_words(files[0], files[i]))
			r = engine_fail(error, ENGINE_UNSUPPORTED,
				"%s and %s have different vocabularies. Only decoders of one origin can be "
				"averaged.", models[0], models[i]);
	}
	if (r == 0)
		r = gguf_writer_open(&writer, error);
	if (r)
		goto out;
	gguf_writer_copy(writer, files[0], "");
	for (size_t i = 0; i < gguf_tensor_count(files[0]) && r == 0; i++) {
		const struct gguf_tensor *tensor = gguf_tensor_at(files[0], i);

		if (!is_parameter(tensor))
			continue;
		r = add_mean(writer, files, shares, count, tensor, error);
		parameters++;
	}
	if (r == 0 && parameters == 0)
		r = engine_fail(error, ENGINE_UNSUPPORTED,
			"The model %s has no decoder in 16 or 32 bits.", models[0]);
	if (r == 0)
		r = gguf_writer_write(writer, output, error);
out:
	gguf_writer_free(writer);
	for (size_t i = 0; i < count; i++)
		gguf_free(files[i]);
	return r;
}
