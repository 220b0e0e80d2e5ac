/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * decoder_weights.c: tensors are named as in the model file without their
 * prefix, so reading and writing are one loop over the network's parameters.
 */
#include "engine/lab/decoder_weights.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/gguf_writer.h"
#include "engine/half.h"
#include "engine/lab/random.h"

#define TOKENS_KEY "tokenizer.ggml.tokens"

struct decoder_weights *decoder_weights_free(struct decoder_weights *weights)
{
	if (weights == NULL)
		return NULL;
	free(weights->parameters);
	free(weights->feature_mean);
	lexicon_free(weights->vocabulary);
	free(weights);
	return NULL;
}

static int copy_words(const struct lexicon *from, struct lexicon *to)
{
	for (uint32_t i = 0; i < lexicon_size(from); i++) {
		const char *word = lexicon_word(from, i);
		int r;

		if (lexicon_find(to, word, strlen(word)) != LEXICON_ABSENT)
			continue;
		r = lexicon_add(to, word, strlen(word), NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A vocabulary is given; parameters are zeros. */
static int allocate(const struct network_shape *shape, const struct lexicon *vocabulary,
		    struct decoder_weights **ret_weights, struct engine_error *error)
{
	struct decoder_weights *weights = calloc(1, sizeof(*weights));

	if (weights == NULL)
		return engine_fail_memory(error);
	if (network_init(&weights->network, shape) < 0) {
		free(weights);
		return engine_fail(error, ENGINE_UNSUPPORTED,
				   "A decoder of %zu layers of %zu cells with %zu words is beyond what the trainer can do.",
				   shape->layers, shape->hidden, shape->words);
	}
	weights->parameters = aligned_alloc(64, weights->network.value_count * sizeof(float));
	weights->feature_mean = calloc(shape->pool, sizeof(float));
	weights->feature_std = 1;
	weights->region_scale = 1;
	if (weights->parameters == NULL || weights->feature_mean == NULL ||
	    lexicon_open(&weights->vocabulary) < 0 ||
	    copy_words(vocabulary, weights->vocabulary) < 0) {
		decoder_weights_free(weights);
		return engine_fail_memory(error);
	}
	memset(weights->parameters, 0, weights->network.value_count * sizeof(float));
	*ret_weights = weights;
	return 0;
}

int decoder_weights_create(const struct network_shape *shape, const struct lexicon *vocabulary,
			   uint64_t seed, struct decoder_weights **ret_weights,
			   struct engine_error *error)
{
	struct decoder_weights *weights;
	struct random random;
	int r = allocate(shape, vocabulary, &weights, error);

	if (r != 0)
		return r;
	random_seed(&random, seed);
	for (size_t i = 0; i < weights->network.parameter_count; i++) {
		const struct network_parameter *p = &weights->network.parameters[i];
		float *values = weights->parameters + p->offset;
		const char *suffix = strrchr(p->name, '.');

		for (size_t k = 0; k < p->rows * p->columns && p->fan_in > 0; k++)
			values[k] = (float)((2 * random_unit(&random) - 1) / sqrt((double)p->fan_in));
		/* an LSTM remembers at first: its forget gates start open */
		if (strncmp(p->name, "lstm.", 5) == 0 && strcmp(suffix, ".bias") == 0)
			for (size_t k = shape->hidden; k < 2 * shape->hidden; k++)
				values[k] = 1;
	}
	*ret_weights = weights;
	return 0;
}

/* Dimensions of decoder.NAME: rows and columns, 0 when it is absent. */
static void dimensions(const struct gguf *file, const char *name, size_t *ret_rows,
		       size_t *ret_columns)
{
	char full[80];
	const struct gguf_tensor *tensor;

	snprintf(full, sizeof(full), "decoder.%s", name);
	tensor = gguf_find_tensor(file, full);
	*ret_rows = tensor == NULL ? 0 : tensor->shape[0];
	*ret_columns = tensor == NULL ? 0 : tensor->rank == 1 ? 1 : tensor->shape[1];
}

static int read_tensor(const struct gguf *file, const char *name, size_t rows, size_t columns,
		       float *ret_values, struct engine_error *error)
{
	const size_t shape[2] = { rows, columns };
	const struct gguf_tensor *tensor, *scale;
	char full[80];
	size_t stem;
	int r;

	snprintf(full, sizeof(full), "decoder.%s", name);
	r = gguf_get_tensor(file, full, columns == 1 ? 1 : 2, shape, &tensor, error);
	if (r != 0)
		return r;
	gguf_tensor_to_f32(tensor, ret_values);
	if (tensor->type != GGUF_TENSOR_I8)
		return 0;
	stem = strlen(full);
	snprintf(full + stem, sizeof(full) - stem, ".scale");
	r = gguf_get_tensor(file, full, 1, shape, &scale, error);
	if (r != 0)
		return r;
	if (scale->type != GGUF_TENSOR_F32)
		return engine_fail(error, ENGINE_BAD_MODEL, "%s: the tensor %s is not F32.",
				   gguf_name(file), full);
	for (size_t i = 0; i < rows; i++)
		for (size_t k = 0; k < columns; k++)
			ret_values[i * columns + k] *= ((const float *)scale->data)[i];
	return 0;
}

int decoder_weights_read(const struct gguf *file, size_t cells,
			 struct decoder_weights **ret_weights, struct engine_error *error)
{
	struct network_shape shape = { .layers = 1 };
	struct decoder_weights *weights = NULL;
	struct lexicon *vocabulary = NULL;
	const char *kind;
	const char *const *words;
	size_t word_count, columns;
	int r = gguf_get_string(file, "descry.decoder.kind", &kind, error);

	if (r == 0)
		r = gguf_get_strings(file, TOKENS_KEY, &words, &word_count, error);
	if (r != 0)
		return r;
	for (shape.kind = NETWORK_ATTENTION; strcmp(kind, network_kind_name(shape.kind)) != 0;
	     shape.kind++)
		if (shape.kind == NETWORK_GRU)
			return engine_fail(error, ENGINE_UNSUPPORTED,
					   "%s: the trainer does not know the decoder kind \"%s\".",
					   gguf_name(file), kind);
	dimensions(file, "image.weight", &shape.hidden, &shape.pool);
	dimensions(file, "embedding.weight", &shape.words, &columns);
	dimensions(file, "class.weight", &columns, &shape.classes);
	if (shape.kind == NETWORK_ATTENTION) {
		dimensions(file, "region.weight", &columns, &shape.channels);
		shape.cells = cells;
	} else {
		uint32_t layers;

		r = gguf_get_u32(file, "descry.decoder.layers", &layers, error);
		if (r != 0)
			return r;
		shape.layers = layers;
	}
	if (shape.words != word_count)
		return engine_fail(error, ENGINE_BAD_MODEL,
				   "%s has %zu words but word vectors for %zu.", gguf_name(file), word_count,
				   shape.words);
	if (lexicon_open(&vocabulary) < 0)
		return engine_fail_memory(error);
	for (size_t i = 0; i < word_count && r == 0; i++)
		r = lexicon_add(vocabulary, words[i], strlen(words[i]), NULL);
	if (r < 0)
		r = engine_fail_memory(error);
	else if (lexicon_size(vocabulary) != word_count)
		r = engine_fail(error, ENGINE_BAD_MODEL, "%s has a word twice in its vocabulary.",
				gguf_name(file));
	if (r == 0)
		r = allocate(&shape, vocabulary, &weights, error);
	for (size_t i = 0; r == 0 && i < weights->network.parameter_count; i++) {
		const struct network_parameter *p = &weights->network.parameters[i];

		r = read_tensor(file, p->name, p->rows, p->columns, weights->parameters + p->offset, error);
	}
	if (r == 0)
		r = read_tensor(file, "feature.mean", shape.pool, 1, weights->feature_mean, error);
	if (r == 0)
		r = read_tensor(file, "feature.std", 1, 1, &weights->feature_std, error);
	if (r == 0 && shape.kind == NETWORK_ATTENTION)
		r = read_tensor(file, "region.scale", 1, 1, &weights->region_scale, error);
	if (r == 0 && !(weights->feature_std > 0))
		r = engine_fail(error, ENGINE_BAD_MODEL, "%s: feature.std is not positive.",
				gguf_name(file));
	if (r == 0) {
		*ret_weights = weights;
		weights = NULL;
	}
	lexicon_free(vocabulary);
	decoder_weights_free(weights);
	return r;
}

int decoder_weights_extend(const struct decoder_weights *weights, const struct lexicon *vocabulary,
			   size_t classes, uint64_t seed, struct decoder_weights **ret_weights,
			   struct engine_error *error)
{
	const struct network_parameter *embedding = network_find(&weights->network, "embedding.weight");
	const struct network_parameter *bias = network_find(&weights->network, "output.bias");
	struct network_shape shape = weights->network.shape;
	struct decoder_weights *extended = NULL;
	struct lexicon *words = NULL;
	struct random random;
	size_t old_words = shape.words, hidden = shape.hidden;
	float *rows, *biases, least = 0;
	int r;

	if (lexicon_open(&words) < 0 || copy_words(weights->vocabulary, words) < 0 ||
	    copy_words(vocabulary, words) < 0) {
		lexicon_free(words);
		return engine_fail_memory(error);
	}
	shape.words = lexicon_size(words);
	if (classes > 0)
		shape.classes = classes;
	r = allocate(&shape, words, &extended, error);
	lexicon_free(words);
	if (r != 0)
		return r;
	for (size_t i = 0; i < weights->network.parameter_count; i++) {
		const struct network_parameter *from = &weights->network.parameters[i];
		const struct network_parameter *to = network_find(&extended->network, from->name);

		memcpy(extended->parameters + to->offset, weights->parameters + from->offset,
		       from->rows * from->columns * sizeof(float));
	}
	memcpy(extended->feature_mean, weights->feature_mean, shape.pool * sizeof(float));
	extended->feature_std = weights->feature_std;
	extended->region_scale = weights->region_scale;

	random_seed(&random, seed);
	rows = extended->parameters + network_find(&extended->network, embedding->name)->offset;
	biases = extended->parameters + network_find(&extended->network, bias->name)->offset;
	for (size_t i = WORD_FIRST; i < old_words; i++)
		least = biases[i] < least ? biases[i] : least;
	for (size_t k = 0; k < hidden && shape.words > old_words; k++) {
		double mean = 0;

		for (size_t i = WORD_FIRST; i < old_words; i++)
			mean += rows[i * hidden + k];
		mean /= (double)(old_words - WORD_FIRST);
		for (size_t i = old_words; i < shape.words; i++)
			rows[i * hidden + k] = (float)(mean + 0.01 * random_normal(&random));
	}
	for (size_t i = old_words; i < shape.words; i++)
		biases[i] = least;
	*ret_weights = extended;
	return 0;
}

static void write_vector(struct gguf_writer *writer, const char *name, const float *values,
			 size_t count)
{
	char full[80];

	snprintf(full, sizeof(full), "decoder.%s", name);
	gguf_writer_add_tensor(writer, full, GGUF_TENSOR_F32, 1, &count, values);
}

int decoder_weights_write(const struct decoder_weights *weights, const struct gguf *encoder,
			  const struct decoder_weights_notes *notes, const char *path,
			  struct engine_error *error)
{
	const struct network_shape *shape = &weights->network.shape;
	size_t word_count = lexicon_size(weights->vocabulary);
	const char **words = calloc(word_count, sizeof(*words));
	struct gguf_writer *writer = NULL;
	int r;

	if (words == NULL)
		return engine_fail_memory(error);
	r = gguf_writer_open(&writer, error);
	if (r != 0)
		goto out;
	gguf_writer_copy(writer, encoder, "");
	for (size_t i = 0; i < gguf_tensor_count(encoder); i++) {
		const char *name = gguf_tensor_at(encoder, i)->name;

		if (strncmp(name, "decoder.", 8) == 0 || strncmp(name, "confidence.", 11) == 0)
			gguf_writer_remove_tensor(writer, name);
	}
	for (size_t i = 0; i < gguf_entry_count(encoder); i++) {
		const char *key = gguf_entry_at(encoder, i)->key;

		if (strncmp(key, "descry.confidence.", 18) == 0)
			gguf_writer_remove(writer, key);
	}
	gguf_writer_set_string(writer, "descry.decoder.kind", network_kind_name(shape->kind));
	gguf_writer_set_u32(writer, "descry.decoder.hidden", (uint32_t)shape->hidden);
	gguf_writer_set_u32(writer, "descry.decoder.layers", (uint32_t)shape->layers);
	if (gguf_find(encoder, "descry.decoder.beam") == NULL)
		gguf_writer_set_u32(writer, "descry.decoder.beam", 3);
	if (notes != NULL && notes->name != NULL)
		gguf_writer_set_string(writer, "general.name", notes->name);
	if (notes != NULL && notes->training_data != NULL)
		gguf_writer_set_string(writer, "descry.training_data", notes->training_data);
	if (notes != NULL && notes->provenance != NULL)
		gguf_writer_set_string(writer, "descry.provenance", notes->provenance);
	for (uint32_t i = 0; i < word_count; i++)
		words[i] = lexicon_word(weights->vocabulary, i);
	gguf_writer_set_strings(writer, TOKENS_KEY, words, word_count);
	gguf_writer_set_u32(writer, "tokenizer.ggml.padding_token_id", WORD_PADDING);
	gguf_writer_set_u32(writer, "tokenizer.ggml.bos_token_id", WORD_START);
	gguf_writer_set_u32(writer, "tokenizer.ggml.eos_token_id", WORD_END);
	gguf_writer_set_u32(writer, "tokenizer.ggml.unknown_token_id", WORD_UNKNOWN);
	for (size_t i = 0; i < weights->network.parameter_count; i++) {
		const struct network_parameter *p = &weights->network.parameters[i];
		const float *values = weights->parameters + p->offset;
		size_t count = p->rows * p->columns;
		const size_t dimensions_of[2] = { p->rows, p->columns };
		uint16_t *halves;
		char full[80];

		if (p->columns == 1) {
			write_vector(writer, p->name, values, count);
			continue;
		}
		halves = malloc(count * sizeof(*halves));
		if (halves == NULL) {
			r = engine_fail_memory(error);
			goto out;
		}
		for (size_t k = 0; k < count; k++)
			halves[k] = half_from_float(values[k]);
		snprintf(full, sizeof(full), "decoder.%s", p->name);
		gguf_writer_give_tensor(writer, full, GGUF_TENSOR_F16, 2, dimensions_of, halves);
	}
	write_vector(writer, "feature.mean", weights->feature_mean, shape->pool);
	write_vector(writer, "feature.std", &weights->feature_std, 1);
	if (shape->kind == NETWORK_ATTENTION)
		write_vector(writer, "region.scale", &weights->region_scale, 1);
	r = gguf_writer_write(writer, path, error);
out:
	gguf_writer_free(writer);
	free(words);
	return r;
}
