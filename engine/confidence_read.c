/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * confidence_read.c: reads from a model file what confidence rests on, and checks every
 * size and value. Files of earlier fits know fewer signals and bounds: what they lack
 * counts nothing.
 */
#include "engine/confidence.h"

#include "engine/error.h"

#include <math.h>
#include <string.h>

/* Of consensus and single words, in models that do not say. */
#define CONSENSUS_WEIGHT 0.6f
#define CONSENSUS_BOUND 0.4f
#define THING_BOUND 0.7f

/* A tensor of 32-bit floats whose every value is a number. */
static const float *read_floats(const struct gguf *file, const char *name, unsigned rank,
				const size_t *shape, int *status, struct engine_error *error)
{
	const struct gguf_tensor *tensor;
	const float *values;

	if (*status != 0)
		return NULL;
	*status = gguf_get_tensor(file, name, rank, shape, &tensor, error);
	if (*status != 0)
		return NULL;
	values = tensor->data;
	if (tensor->type != GGUF_TENSOR_F32)
		*status = engine_fail(error, ENGINE_BAD_MODEL,
			"The tensor %s of the model file %s must hold 32-bit floats.", name,
			gguf_name(file));
	for (size_t i = 0; *status == 0 && i < tensor->count; i++) {
		if (!isfinite(values[i]))
			*status = engine_fail(error, ENGINE_BAD_MODEL,
				"The tensor %s of the model file %s holds a value that is not a number.",
				name, gguf_name(file));
	}
	return values;
}

static int read_numbers(const struct gguf *file, struct confidence_parameters *parameters,
			  struct engine_error *error)
{
	const struct {
		const char *key;
		float usual, *value;
	} numbers[] = {
		{ "descry.confidence.consensus_weight", CONSENSUS_WEIGHT,
		  &parameters->consensus_weight },
		{ "descry.confidence.consensus_bound", CONSENSUS_BOUND,
		  &parameters->consensus_bound },
		{ "descry.confidence.consensus_likeness", 0.0f, &parameters->consensus_likeness },
		{ "descry.confidence.thing", THING_BOUND, &parameters->thing },
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		int status;

		*numbers[i].value = numbers[i].usual;
		if (!gguf_find(file, numbers[i].key))
			continue;
		status = gguf_get_f32(file, numbers[i].key, numbers[i].value, error);
		if (status != 0)
			return status;
		if (!isfinite(*numbers[i].value))
			return engine_fail(error, ENGINE_BAD_MODEL,
				"The value %s of the model file %s is not a number.",
				numbers[i].key, gguf_name(file));
	}
	return 0;
}

/* Coefficients of as many signals as the fit knew, then the constant. */
static void read_coefficients(const struct gguf *file, const char *name, size_t signals,
			      float *ret_coefficients, int *status, struct engine_error *error)
{
	const struct gguf_tensor *tensor;
	const float *values;

	if (*status == 0)
		*status = gguf_get_tensor(file, name, 1, (size_t[]){ 0 }, &tensor, error);
	if (*status == 0 && (tensor->count < 1 || tensor->count > signals + 1))
		*status = engine_fail(error, ENGINE_BAD_MODEL,
			"The tensor %s of the model file %s holds %zu values; at most %zu can be used.",
			name, gguf_name(file), (size_t)tensor->count, signals + 1);
	if (*status != 0)
		return;
	values = read_floats(file, name, 1, &tensor->count, status, error);
	if (*status != 0)
		return;
	memset(ret_coefficients, 0, (signals + 1) * sizeof(float));
	memcpy(ret_coefficients, values, (tensor->count - 1) * sizeof(float));
	ret_coefficients[signals] = values[tensor->count - 1];
}

/* Models may have none. */
static int read_probes(const struct gguf *file, struct confidence_parameters *parameters,
		       struct engine_error *error)
{
	const struct gguf_tensor *probes;
	int status;

	if (!gguf_find(file, "descry.confidence.strange"))
		return 0;
	status = gguf_get_f32(file, "descry.confidence.strange", &parameters->strange, error);
	if (status == 0)
		status = gguf_get_tensor(file, "confidence.probes", 2,
					 (size_t[]){ 0, parameters->pool_size + 1 }, &probes, error);
	if (status != 0)
		return status;
	if (probes->shape[0] > CONFIDENCE_PROBES_MAX || !isfinite(parameters->strange))
		return engine_fail(error, ENGINE_BAD_MODEL,
			"The model file %s has %zu probes; at most %u can be used, and "
			"descry.confidence.strange must be a number.", gguf_name(file),
			(size_t)probes->shape[0], CONFIDENCE_PROBES_MAX);
	parameters->probe_count = (unsigned)probes->shape[0];
	parameters->probes = read_floats(file, "confidence.probes", 2,
		(size_t[]){ parameters->probe_count, parameters->pool_size + 1 }, &status, error);
	return status;
}

int confidence_read(const struct gguf *file, const struct vocabulary *vocabulary,
		    size_t pool_size, struct confidence **ret_confidence,
		    struct engine_error *error)
{
	struct confidence_parameters parameters = { .pool_size = pool_size };
	const struct gguf_tensor *weight, *variances;
	const float *scales;
	size_t stem_count;
	int status;

	if (!gguf_find(file, "descry.confidence.stems")) {
		*ret_confidence = NULL;
		return 0;
	}
	status = gguf_get_strings(file, "descry.confidence.stems", &parameters.stems, &stem_count,
				  error);
	if (status == 0)
		status = gguf_get_f32(file, "descry.confidence.distance_limit",
				      &parameters.distance_limit, error);
	if (status == 0)
		status = gguf_get_f32(file, "descry.confidence.sure", &parameters.sure, error);
	if (status == 0)
		status = gguf_get_f32(file, "descry.confidence.refused", &parameters.refused, error);
	if (status == 0)
		status = gguf_get_tensor(file, "confidence.weight", 2,
					 (size_t[]){ stem_count, pool_size }, &weight, error);
	if (status == 0)
		status = gguf_get_tensor(file, "confidence.variance", 1, (size_t[]){ 0 },
					 &variances, error);
	if (status != 0)
		return status;
	if (stem_count < 1 || stem_count > CONFIDENCE_DETECTED_MAX ||
	    variances->count > CONFIDENCE_AXES_MAX + 1)
		return engine_fail(error, ENGINE_BAD_MODEL,
			"The model file %s has %zu detected words and %zu variances; at most %u and "
			"%u can be used.", gguf_name(file), stem_count, variances->count,
			CONFIDENCE_DETECTED_MAX, CONFIDENCE_AXES_MAX + 1);
	if (weight->type != GGUF_TENSOR_I8)
		return engine_fail(error, ENGINE_BAD_MODEL,
			"The tensor confidence.weight of the model file %s must be of type I8.",
			gguf_name(file));
	parameters.stem_count = (unsigned)stem_count;
	parameters.axis_count = (unsigned)variances->count - 1;
	scales = read_floats(file, "confidence.scale", 1, &stem_count, &status, error);
	parameters.weight = (struct matrix){
		.type = MATRIX_I8, .rows = stem_count, .columns = pool_size,
		.data = weight->data, .scales = scales,
	};
	parameters.mean = read_floats(file, "confidence.mean", 1, &pool_size, &status, error);
	parameters.deviation = read_floats(file, "confidence.deviation", 1, &pool_size, &status,
					   error);
	parameters.bias = read_floats(file, "confidence.bias", 1, &stem_count, &status, error);
	parameters.variances = read_floats(file, "confidence.variance", 1, &variances->count,
					   &status, error);
	if (parameters.axis_count > 0)
		parameters.axes = read_floats(file, "confidence.axes", 2,
			(size_t[]){ parameters.axis_count, pool_size }, &status, error);
	parameters.rarity = read_floats(file, "confidence.rarity", 1,
		(size_t[]){ vocabulary_size(vocabulary) }, &status, error);
	parameters.usual = read_floats(file, "confidence.usual", 1,
		(size_t[]){ CONFIDENCE_USUAL }, &status, error);
	read_coefficients(file, "confidence.word", CONFIDENCE_WORD_SIGNALS, parameters.word,
			  &status, error);
	read_coefficients(file, "confidence.caption", CONFIDENCE_SIGNALS, parameters.caption,
			  &status, error);
	if (status == 0)
		status = read_numbers(file, &parameters, error);
	if (status == 0)
		status = read_probes(file, &parameters, error);
	if (status != 0)
		return status;
	return confidence_open(&parameters, vocabulary, ret_confidence, error);
}

