/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * confidence.c: what confidence knows of the vocabulary: which words are forms of one,
 * which of them the detector knows, and which can be said more generally.
 */
#include "engine/confidence_parts.h"

#include "engine/error.h"
#include "engine/kernels/isa.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int check_parameters(const struct confidence_parameters *parameters,
			    struct engine_error *error)
{
	for (size_t i = 0; i < parameters->pool_size; i++) {
		if (!(parameters->deviation[i] > 0.0f))
			return engine_fail(error, ENGINE_BAD_MODEL,
				"The model's confidence.deviation holds a value that is not positive.");
	}
	if (!(parameters->distance_limit > 0.0f) || parameters->axis_count >= parameters->pool_size)
		return engine_fail(error, ENGINE_BAD_MODEL,
			"The model's descry.confidence.distance_limit is not positive, or it has more "
			"axes than features.");
	for (unsigned i = 0; i <= parameters->axis_count; i++) {
		if (!(parameters->variances[i] > 0.0f))
			return engine_fail(error, ENGINE_BAD_MODEL,
				"The model's confidence.variance holds a value that is not positive.");
	}
	return 0;
}

static const char *stem_of(const struct confidence *confidence, uint32_t word)
{
	return vocabulary_lexeme(confidence->vocabulary, word)->stem;
}

static int compare_stems(const void *a, const void *b, void *user)
{
	const struct confidence *confidence = user;

	return strcmp(stem_of(confidence, *(const uint32_t *)a),
		      stem_of(confidence, *(const uint32_t *)b));
}

/* Gives equal stems equal numbers, and finds the detector's. */
static int number_stems(struct confidence *confidence, struct engine_error *error)
{
	const struct confidence_parameters *parameters = &confidence->parameters;
	uint32_t *order = malloc(confidence->words * sizeof(*order));
	uint32_t number = 0, at = 0;

	if (!order)
		return engine_fail_memory(error);
	for (uint32_t i = 0; i < confidence->words; i++) {
		order[i] = i;
		confidence->detected[i] = CONFIDENCE_NOT_DETECTED;
	}
	qsort_r(order, confidence->words, sizeof(*order), compare_stems, confidence);
	for (uint32_t i = 0; i < confidence->words; i++) {
		const char *stem = stem_of(confidence, order[i]);

		if (i > 0 && strcmp(stem, stem_of(confidence, order[i - 1])) != 0)
			number++;
		confidence->stems[order[i]] = number;
		/* the detector's stems are sorted, too */
		while (at < parameters->stem_count && strcmp(parameters->stems[at], stem) < 0)
			at++;
		if (at < parameters->stem_count && strcmp(parameters->stems[at], stem) == 0)
			confidence->detected[order[i]] = at;
	}
	free(order);
	/* vocabularies stand in order of frequency */
	for (uint32_t i = confidence->words; i-- > VOCABULARY_FIRST_WORD;) {
		if (confidence->detected[i] != CONFIDENCE_NOT_DETECTED)
			confidence->commonest[confidence->detected[i]] = i;
	}
	return 0;
}

/* Only such as the detector knows: nothing else could tell how sure they are. */
static void find_generals(struct confidence *confidence)
{
	for (unsigned i = VOCABULARY_FIRST_WORD; i < confidence->words; i++) {
		part_generals found;
		size_t count = 0;

		part_generals_find(confidence->vocabulary, i, found);
		for (unsigned k = 0; k < LEXEME_GENERALS; k++) {
			if (found[k] != 0 && confidence->detected[found[k]] != CONFIDENCE_NOT_DETECTED)
				confidence->generals[i][count++] = found[k];
		}
	}
}

int confidence_open(const struct confidence_parameters *parameters,
		    const struct vocabulary *vocabulary, struct confidence **ret_confidence,
		    struct engine_error *error)
{
	struct confidence *confidence;
	int status = check_parameters(parameters, error);

	if (status != 0)
		return status;
	for (unsigned i = 1; i < parameters->stem_count; i++) {
		if (strcmp(parameters->stems[i - 1], parameters->stems[i]) >= 0)
			return engine_fail(error, ENGINE_BAD_MODEL,
				"The model's descry.confidence.stems are not in order.");
	}
	confidence = calloc(1, sizeof(*confidence));
	if (!confidence)
		return engine_fail_memory(error);
	confidence->parameters = *parameters;
	confidence->words = vocabulary_size(vocabulary);
	confidence->vocabulary = vocabulary;
	confidence->commonest = calloc(parameters->stem_count, sizeof(*confidence->commonest));
	confidence->stems = calloc(confidence->words, sizeof(*confidence->stems));
	confidence->general = calloc(confidence->words, sizeof(*confidence->general));
	confidence->detected = calloc(confidence->words, sizeof(*confidence->detected));
	confidence->sums = calloc(parameters->stem_count, sizeof(*confidence->sums));
	confidence->generals = calloc(confidence->words, sizeof(*confidence->generals));
	if (!confidence->commonest || !confidence->stems || !confidence->general ||
	    !confidence->detected || !confidence->sums || !confidence->generals) {
		status = engine_fail_memory(error);
		goto fail;
	}
	for (unsigned i = VOCABULARY_FIRST_WORD; i < confidence->words; i++)
		confidence->general[i] = lexeme_is_general(vocabulary_lexeme(vocabulary, i));
	status = number_stems(confidence, error);
	if (status != 0)
		goto fail;
	find_generals(confidence);
	if (parameters->weight.type == MATRIX_I8) {
		matvec_q8_sums(parameters->weight.data, parameters->stem_count,
			       parameters->pool_size, confidence->sums);
		confidence->parameters.weight.sums = confidence->sums;
	}
	*ret_confidence = confidence;
	return 0;
fail:
	confidence_free(confidence);
	return status;
}

struct confidence *confidence_free(struct confidence *confidence)
{
	if (!confidence)
		return NULL;
	free(confidence->commonest);
	free(confidence->stems);
	free(confidence->general);
	free(confidence->detected);
	free(confidence->sums);
	free(confidence->generals);
	free(confidence);
	return NULL;
}

const struct confidence_parameters *confidence_parameters(const struct confidence *confidence)
{
	return &confidence->parameters;
}

const char *confidence_stem_word(const struct confidence *confidence, unsigned stem)
{
	unsigned word = confidence->commonest[stem];

	return word ? vocabulary_word(confidence->vocabulary, word) : NULL;
}

const part_generals *confidence_generals(const struct confidence *confidence)
{
	return confidence->generals;
}
