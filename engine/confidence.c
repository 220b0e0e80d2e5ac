/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * confidence.c: the signals, the two logistic models and the consensus.
 *
 * The choice among the search's captions takes the one with the greatest score and
 * sum, over its content words, of confidence less a bound: a word below the bound is
 * better left out, so sure words win over doubtful detail. Confidence knows what
 * the samples agree on, so this is the consensus, counted in words. Likeness to the
 * other candidates (CIDEr's cosine of n-grams, weighed by the rarity of their words)
 * is one of the signals of a caption.
 */
#include "engine/confidence.h"

#include "engine/error.h"
#include "engine/kernels/isa.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANDIDATES GENERATION_POOL
#define ORDERS 4u		/* longest n-gram */

/* Of consensus, in models that do not say. */
#define CONSENSUS_WEIGHT 0.6f
#define CONSENSUS_BOUND 0.4f
#define LIKENESS_SHARPNESS 6.0f		/* of the candidates' weights by their words' mean */
#define LIKENESS_LENGTH 72.0f		/* 2 sigma², sigma 6 words, as CIDEr-D has it */

#define NOT_DETECTED UINT32_MAX

struct confidence {
	struct confidence_parameters parameters;
	unsigned words;
	const struct vocabulary *vocabulary;
	uint32_t *stems;		/* by vocabulary word, a number for each different stem */
	bool *general;			/* whether other words support it */
	uint32_t *detected;		/* which stem of the detector, or NOT_DETECTED */
	uint32_t *commonest;		/* word of each stem of the detector, or 0 */
	int32_t *sums;
};

/* One n-gram of a candidate; equal ones are joined. */
struct gram {
	uint64_t key;
	float weight;
};

struct candidate {
	struct gram grams[ORDERS][LIMIT_WORDS];
	unsigned gram_counts[ORDERS];
	float norms[ORDERS];
	unsigned content[LIMIT_WORDS];	/* places of the content words */
	unsigned content_count;
	/* of the content words, once they are asked for */
	bool weighed;
	float signals[LIMIT_WORDS][CONFIDENCE_WORD_SIGNALS];
	float confidences[LIMIT_WORDS], logarithms[LIMIT_WORDS];
	float likeness;			/* to the others; −1: not known yet */
	bool spread_known;
	float spreads[LIMIT_WORDS];	/* entropies of their attention maps */
};

struct confidence_view {
	const struct confidence *confidence;
	unsigned cells;
	struct vectors features;
	float *logits;
	float *row;		/* of the detector, as large as the pool */
	float measures[CONFIDENCE_MEASURES], probes[CONFIDENCE_PROBES_MAX];
	float distance, head, quality;
	const struct hypothesis *hypotheses;
	size_t count;
	float votes;
	struct candidate candidates[CANDIDATES];
	float weights[CANDIDATES];	/* of the candidates where they are compared */
};

/* --- Opening -------------------------------------------------------------------- */

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
		confidence->detected[i] = NOT_DETECTED;
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
		if (confidence->detected[i] != NOT_DETECTED)
			confidence->commonest[confidence->detected[i]] = i;
	}
	return 0;
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
	if (!confidence->commonest || !confidence->stems || !confidence->general ||
	    !confidence->detected || !confidence->sums) {
		status = engine_fail_memory(error);
		goto fail;
	}
	for (unsigned i = VOCABULARY_FIRST_WORD; i < confidence->words; i++)
		confidence->general[i] = lexeme_is_general(vocabulary_lexeme(vocabulary, i));
	status = number_stems(confidence, error);
	if (status != 0)
		goto fail;
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
	free(confidence);
	return NULL;
}

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

static int read_consensus(const struct gguf *file, struct confidence_parameters *parameters,
			  struct engine_error *error)
{
	int status;

	parameters->consensus_weight = CONSENSUS_WEIGHT;
	parameters->consensus_bound = CONSENSUS_BOUND;
	if (!gguf_find(file, "descry.confidence.consensus_weight"))
		return 0;
	status = gguf_get_f32(file, "descry.confidence.consensus_weight",
			      &parameters->consensus_weight, error);
	if (status == 0)
		status = gguf_get_f32(file, "descry.confidence.consensus_bound",
				      &parameters->consensus_bound, error);
	if (status == 0 && (!isfinite(parameters->consensus_weight) ||
			    !isfinite(parameters->consensus_bound)))
		status = engine_fail(error, ENGINE_BAD_MODEL,
			"The consensus of the model file %s is not a number.", gguf_name(file));
	return status;
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
	const float *word = NULL, *caption = NULL, *scales;
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
	word = read_floats(file, "confidence.word", 1, (size_t[]){ CONFIDENCE_WORD_SIGNALS + 1 },
			   &status, error);
	caption = read_floats(file, "confidence.caption", 1, (size_t[]){ CONFIDENCE_SIGNALS + 1 },
			      &status, error);
	if (status == 0)
		status = read_consensus(file, &parameters, error);
	if (status == 0)
		status = read_probes(file, &parameters, error);
	if (status != 0)
		return status;
	memcpy(parameters.word, word, sizeof(parameters.word));
	memcpy(parameters.caption, caption, sizeof(parameters.caption));
	return confidence_open(&parameters, vocabulary, ret_confidence, error);
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

/* --- A photo ------------------------------------------------------------------ */

int confidence_view_open(const struct confidence *confidence, unsigned cells,
			 struct confidence_view **ret_view, struct engine_error *error)
{
	const struct confidence_parameters *parameters = &confidence->parameters;
	struct confidence_view *view = calloc(1, sizeof(*view));

	if (!view)
		return engine_fail_memory(error);
	view->confidence = confidence;
	view->cells = cells;
	view->features = (struct vectors){
		.values = calloc(parameters->pool_size, sizeof(float)),
		.codes = calloc(parameters->pool_size + VECTORS_OVERREAD, 1),
		.scales = calloc(1, sizeof(float)),
		.length = parameters->pool_size, .capacity = 1,
	};
	view->logits = calloc(parameters->stem_count, sizeof(float));
	view->row = calloc(parameters->pool_size, sizeof(float));
	if (!view->features.values || !view->features.codes || !view->features.scales ||
	    !view->logits || !view->row) {
		confidence_view_free(view);
		return engine_fail_memory(error);
	}
	*ret_view = view;
	return 0;
}

struct confidence_view *confidence_view_free(struct confidence_view *view)
{
	if (!view)
		return NULL;
	free(view->features.values);
	free(view->features.codes);
	free(view->features.scales);
	free(view->logits);
	free(view->row);
	free(view);
	return NULL;
}

static float sigmoid(float x)
{
	return 1.0f / (1.0f + expf(-x));
}

static float dot(const float *a, const float *b, size_t size)
{
	float along[8] = {0}, sum = 0.0f;
	size_t i = 0;

	for (; i + 8 <= size; i += 8) {
		for (size_t lane = 0; lane < 8; lane++)
			along[lane] += a[i + lane] * b[i + lane];
	}
	for (; i < size; i++)
		sum += a[i] * b[i];
	for (size_t lane = 0; lane < 8; lane++)
		sum += along[lane];
	return sum;
}

static void measure(struct confidence_view *view, const float *pool)
{
	const struct confidence_parameters *parameters = &view->confidence->parameters;
	const float *x = view->features.values;
	size_t size = parameters->pool_size, axes = parameters->axis_count;
	double along = 0.0, across = (double)dot(x, x, size), expected = 0.0;

	for (size_t k = 0; k < axes; k++) {
		double sum = (double)dot(parameters->axes + k * size, x, size);

		across -= sum * sum;
		along += sum * sum / (double)parameters->variances[k];
	}
	across = fmax(across, 0.0) / (double)parameters->variances[axes] / (double)(size - axes);
	for (unsigned k = 0; k < parameters->stem_count; k++)
		expected += (double)sigmoid(view->logits[k]);
	view->measures[0] = (float)log(fmax(along / fmax((double)axes, 1.0), 1e-6));
	view->measures[1] = (float)log(fmax(across, 1e-6));
	view->measures[2] = (float)log(fmax(expected, 1e-6));
	view->measures[3] = logf(fmaxf(dot(pool, pool, size), 1e-6f));
}

static float measure_distance(const struct confidence_view *view)
{
	const float *mean = view->confidence->parameters.usual;
	const float *inverse = mean + CONFIDENCE_MEASURES;
	float sum = 0.0f;

	for (size_t i = 0; i < CONFIDENCE_MEASURES; i++) {
		for (size_t k = 0; k < CONFIDENCE_MEASURES; k++)
			sum += (view->measures[i] - mean[i]) * (view->measures[k] - mean[k]) *
				inverse[i * CONFIDENCE_MEASURES + k];
	}
	return sqrtf(fmaxf(sum, 0.0f));
}

const float *confidence_view_measures(const struct confidence_view *view)
{
	return view->measures;
}

static float entropy(const float *probabilities, size_t count)
{
	double sum = 0.0;

	if (count < 2)
		return 0.0f;
	for (size_t i = 0; i < count; i++) {
		if (probabilities[i] > 0.0f)
			sum -= (double)probabilities[i] * log((double)probabilities[i]);
	}
	return (float)(sum / log((double)count));
}

void confidence_view_photo(struct confidence_view *view, const struct engine_features *features,
			   size_t class_count, const struct engine_quality *quality)
{
	const struct confidence_parameters *parameters = &view->confidence->parameters;

	for (size_t i = 0; i < parameters->pool_size; i++)
		view->features.values[i] = (features->pool[i] - parameters->mean[i]) /
			parameters->deviation[i];
	vectors_changed(&view->features);
	memcpy(view->logits, parameters->bias, parameters->stem_count * sizeof(float));
	matrix_multiply(&parameters->weight, &view->features, 1, 1.0f, true, view->logits,
			parameters->stem_count);
	measure(view, features->pool);
	view->distance = measure_distance(view);
	for (unsigned i = 0; i < parameters->probe_count; i++) {
		const float *probe = parameters->probes + i * (parameters->pool_size + 1);

		view->probes[i] = dot(probe, view->features.values, parameters->pool_size) +
			probe[parameters->pool_size];
	}
	view->head = features->classes ? entropy(features->classes, class_count) : 0.0f;
	view->quality = 0.0f;
	/* a camera held askew sees as well as another */
	for (size_t i = 0; quality && i < ENGINE_QUALITY_KINDS; i++) {
		if (i != ENGINE_QUALITY_TILTED)
			view->quality = fmaxf(view->quality, quality->score[i]);
	}
}

float confidence_view_distance(const struct confidence_view *view)
{
	return view->distance;
}

bool confidence_view_map(const struct confidence_view *view, const float *grid, unsigned word,
			 float *ret_map)
{
	const struct confidence_parameters *parameters = &view->confidence->parameters;
	uint32_t stem = view->confidence->detected[word];
	size_t size = parameters->pool_size;
	const int8_t *codes = parameters->weight.data;

	if (stem == NOT_DETECTED)
		return false;
	for (size_t i = 0; i < size; i++)
		view->row[i] = (float)codes[stem * size + i] * parameters->weight.scales[stem] /
			parameters->deviation[i];
	for (size_t cell = 0; cell < view->cells; cell++)
		ret_map[cell] = dot(view->row, grid + cell * size, size);
	return true;
}

float confidence_view_probe(const struct confidence_view *view, unsigned probe)
{
	return view->probes[probe];
}

float confidence_view_unfamiliarity(const struct confidence_view *view)
{
	const struct confidence_parameters *parameters = &view->confidence->parameters;
	float most = view->distance / parameters->distance_limit;

	for (unsigned i = 0; i < parameters->probe_count; i++)
		most = fmaxf(most, view->probes[i]);
	return most;
}

bool confidence_view_allows_part(const struct confidence_view *view, enum engine_band band)
{
	const struct confidence_parameters *parameters = &view->confidence->parameters;
	float limit = band == ENGINE_BAND_REFUSED ? fmaxf(parameters->strange, 1.0f) : 1.0f;

	return confidence_view_unfamiliarity(view) <= limit;
}

size_t confidence_view_detected(const struct confidence_view *view, unsigned *ret_stems,
				float *ret_probabilities, size_t count)
{
	size_t found = 0;

	for (unsigned k = 0; k < view->confidence->parameters.stem_count; k++) {
		float probability = sigmoid(view->logits[k]);
		size_t at;

		if (found == count && !(probability > ret_probabilities[count - 1]))
			continue;
		if (found < count)
			found++;
		for (at = found - 1; at > 0 && probability > ret_probabilities[at - 1]; at--) {
			ret_stems[at] = ret_stems[at - 1];
			ret_probabilities[at] = ret_probabilities[at - 1];
		}
		ret_stems[at] = k;
		ret_probabilities[at] = probability;
	}
	return found;
}

/* --- Candidates ----------------------------------------------------------------- */

static void count_gram(struct candidate *candidate, unsigned order, uint64_t key, float weight)
{
	struct gram *grams = candidate->grams[order];

	for (unsigned i = 0; i < candidate->gram_counts[order]; i++) {
		if (grams[i].key == key) {
			grams[i].weight += weight;
			return;
		}
	}
	grams[candidate->gram_counts[order]++] = (struct gram){ key, weight };
}

static void see_candidate(const struct confidence *confidence,
			  const struct hypothesis *hypothesis, struct candidate *candidate)
{
	memset(candidate->gram_counts, 0, sizeof(candidate->gram_counts));
	candidate->content_count = 0;
	candidate->weighed = candidate->spread_known = false;
	candidate->likeness = -1.0f;
	for (unsigned i = 0; i < hypothesis->count; i++) {
		uint64_t key = 0;
		float weight = 0.0f;

		if (lexeme_is_content(vocabulary_lexeme(confidence->vocabulary,
							hypothesis->words[i])))
			candidate->content[candidate->content_count++] = i;
		for (unsigned n = 0; n < ORDERS && i + n < hypothesis->count; n++) {
			unsigned word = hypothesis->words[i + n];

			/* LIMIT_VOCABULARY lets four words fit 64 bits */
			key = key << 16 | word;
			weight += confidence->parameters.rarity[word];
			count_gram(candidate, n, key, weight);
		}
	}
	for (unsigned n = 0; n < ORDERS; n++) {
		float sum = 0.0f;

		for (unsigned i = 0; i < candidate->gram_counts[n]; i++)
			sum += candidate->grams[n][i].weight * candidate->grams[n][i].weight;
		candidate->norms[n] = sqrtf(sum);
	}
}

/* CIDEr-D's likeness of two captions, 0 to 1. */
static float likeness(const struct confidence_view *view, size_t a, size_t b)
{
	const struct candidate *first = &view->candidates[a], *second = &view->candidates[b];
	float difference = (float)view->hypotheses[a].count - (float)view->hypotheses[b].count;
	float sum = 0.0f;

	for (unsigned n = 0; n < ORDERS; n++) {
		float common = 0.0f;

		if (!(first->norms[n] > 0.0f) || !(second->norms[n] > 0.0f))
			continue;
		for (unsigned i = 0; i < first->gram_counts[n]; i++) {
			for (unsigned k = 0; k < second->gram_counts[n]; k++) {
				const struct gram *x = &first->grams[n][i], *y = &second->grams[n][k];

				if (x->key == y->key)
					common += fminf(x->weight, y->weight) * y->weight;
			}
		}
		sum += common / (first->norms[n] * second->norms[n]);
	}
	return sum / ORDERS * expf(-difference * difference / LIKENESS_LENGTH);
}

static float word_mean(const struct hypothesis *hypothesis)
{
	return hypothesis->log_probability / (float)(hypothesis->count + 1);
}

void confidence_view_candidates(struct confidence_view *view, const struct hypothesis *candidates,
				size_t count)
{
	float *weights = view->weights, best = -INFINITY, total = 0.0f;

	view->hypotheses = candidates;
	view->count = count < CANDIDATES ? count : CANDIDATES;
	view->votes = 0.0f;
	for (size_t i = 0; i < view->count; i++) {
		see_candidate(view->confidence, &candidates[i], &view->candidates[i]);
		view->votes += (float)candidates[i].votes;
		best = fmaxf(best, word_mean(&candidates[i]));
	}
	/* half by the decoder's probabilities, half by the samples */
	for (size_t i = 0; i < view->count; i++) {
		weights[i] = expf(LIKENESS_SHARPNESS * (word_mean(&candidates[i]) - best));
		total += weights[i];
	}
	for (size_t i = 0; i < view->count; i++) {
		weights[i] /= total;
		if (view->votes > 0.0f)
			weights[i] = 0.5f * weights[i] +
				0.5f * (float)candidates[i].votes / view->votes;
	}
}

/* To all candidates. */
static float likeness_of(const struct confidence_view *view, size_t candidate)
{
	float sum = 0.0f;

	for (size_t k = 0; k < view->count; k++)
		sum += view->weights[k] * likeness(view, candidate, k);
	return sum;
}

/* Whether a caption says the word or a kind of it. */
static bool says(const struct confidence_view *view, size_t candidate, unsigned word)
{
	const struct confidence *confidence = view->confidence;
	const struct candidate *other = &view->candidates[candidate];

	for (unsigned i = 0; i < other->content_count; i++) {
		unsigned said = view->hypotheses[candidate].words[other->content[i]];

		if (confidence->stems[said] == confidence->stems[word] ||
		    (confidence->general[word] &&
		     lexeme_supports(vocabulary_lexeme(confidence->vocabulary, said),
				     vocabulary_lexeme(confidence->vocabulary, word))))
			return true;
	}
	return false;
}

static float agreement(const struct confidence_view *view, unsigned word)
{
	float votes = 0.0f;

	if (!(view->votes > 0.0f))
		return 0.0f;
	for (size_t i = 0; i < view->count; i++) {
		if (view->hypotheses[i].votes > 0 && says(view, i, word))
			votes += (float)view->hypotheses[i].votes;
	}
	return votes / view->votes;
}

static float logistic(const float *coefficients, const float *signals, size_t count)
{
	float odds = coefficients[count];

	for (size_t i = 0; i < count; i++)
		odds += coefficients[i] * signals[i];
	return sigmoid(odds);
}

/* The signals and confidences of a candidate's content words, computed once. */
static const struct candidate *weigh(struct confidence_view *view, size_t number)
{
	const struct hypothesis *hypothesis = &view->hypotheses[number];
	struct candidate *candidate = &view->candidates[number];

	for (unsigned i = 0; !candidate->weighed && i < candidate->content_count; i++) {
		unsigned place = candidate->content[i], word = hypothesis->words[place];
		uint32_t detected = view->confidence->detected[word];
		bool known = detected != NOT_DETECTED;
		float *signals = candidate->signals[i];

		signals[CONFIDENCE_WORD_LOG_PROBABILITY] = hypothesis->log_probabilities[place];
		signals[CONFIDENCE_WORD_AGREEMENT] = agreement(view, word);
		signals[CONFIDENCE_WORD_EVIDENCE] = known ? view->logits[detected] : 0.0f;
		signals[CONFIDENCE_WORD_UNKNOWN] = known ? 0.0f : 1.0f;
		signals[CONFIDENCE_WORD_SCORE] = hypothesis->score;
		candidate->confidences[i] = logistic(view->confidence->parameters.word, signals,
						     CONFIDENCE_WORD_SIGNALS);
		candidate->logarithms[i] = logf(fmaxf(candidate->confidences[i], 1e-6f));
	}
	candidate->weighed = true;
	return candidate;
}

static float candidate_likeness(struct confidence_view *view, size_t number)
{
	struct candidate *candidate = &view->candidates[number];

	if (candidate->likeness < 0.0f)
		candidate->likeness = likeness_of(view, number);
	return candidate->likeness;
}

static const float *spreads_of(struct confidence_view *view, size_t number)
{
	const struct hypothesis *hypothesis = &view->hypotheses[number];
	struct candidate *candidate = &view->candidates[number];

	for (unsigned i = 0; !candidate->spread_known && i < candidate->content_count; i++)
		candidate->spreads[i] = hypothesis->attention ? entropy(hypothesis->attention +
			(size_t)candidate->content[i] * view->cells, view->cells) : 0.0f;
	candidate->spread_known = true;
	return candidate->spreads;
}

size_t confidence_view_word_signals(struct confidence_view *view, size_t candidate,
				    float ret_signals[][CONFIDENCE_WORD_SIGNALS])
{
	const struct candidate *weighed = weigh(view, candidate);

	memcpy(ret_signals, weighed->signals, weighed->content_count * sizeof(*ret_signals));
	return weighed->content_count;
}

void confidence_view_words(struct confidence_view *view, size_t candidate, float *ret_confidences)
{
	const struct candidate *weighed = weigh(view, candidate);

	for (unsigned i = 0; i < view->hypotheses[candidate].count; i++)
		ret_confidences[i] = -1.0f;
	for (unsigned i = 0; i < weighed->content_count; i++)
		ret_confidences[weighed->content[i]] = weighed->confidences[i];
}

void confidence_view_rank(struct confidence_view *view, unsigned *ret_order)
{
	const struct confidence_parameters *parameters = &view->confidence->parameters;
	float utilities[CANDIDATES];

	for (unsigned i = 0; i < view->count; i++) {
		const struct hypothesis *hypothesis = &view->hypotheses[i];
		const struct candidate *weighed = weigh(view, i);
		float utility = hypothesis->score;
		unsigned at = i;

		for (unsigned k = 0; k < weighed->content_count; k++)
			utility += parameters->consensus_weight *
				(weighed->confidences[k] - parameters->consensus_bound);
		for (; at > 0; at--) {
			bool sampled = view->hypotheses[ret_order[at - 1]].sampled;

			if (sampled < hypothesis->sampled ||
			    (sampled == hypothesis->sampled && utility <= utilities[at - 1]))
				break;
			utilities[at] = utilities[at - 1];
			ret_order[at] = ret_order[at - 1];
		}
		utilities[at] = utility;
		ret_order[at] = i;
	}
}

void confidence_view_signals(struct confidence_view *view, size_t candidate, part_words part,
			     float ret_signals[CONFIDENCE_SIGNALS])
{
	const struct hypothesis *hypothesis = &view->hypotheses[candidate];
	const struct candidate *weighed = weigh(view, candidate);
	const float *spreads = spreads_of(view, candidate);
	size_t count = 0;
	float sum = 0.0f, least = 0.0f, agreed = 0.0f, attention = 0.0f;

	for (unsigned i = 0; i < weighed->content_count; i++) {
		if (!(part >> weighed->content[i] & 1))
			continue;
		count++;
		sum += weighed->logarithms[i];
		least = fminf(least, weighed->logarithms[i]);
		agreed += weighed->signals[i][CONFIDENCE_WORD_AGREEMENT];
		attention += spreads[i];
	}
	ret_signals[CONFIDENCE_SUM] = sum;
	ret_signals[CONFIDENCE_LEAST] = least;
	ret_signals[CONFIDENCE_SCORE] = hypothesis->score;
	ret_signals[CONFIDENCE_MARGIN] = view->count > 1 ?
		view->hypotheses[0].score - view->hypotheses[1].score : 0.0f;
	ret_signals[CONFIDENCE_AGREEMENT] = count > 0 ? agreed / (float)count : 0.0f;
	ret_signals[CONFIDENCE_ATTENTION] = count > 0 ? attention / (float)count : 0.0f;
	ret_signals[CONFIDENCE_HEAD] = view->head;
	ret_signals[CONFIDENCE_DISTANCE] = view->distance;
	ret_signals[CONFIDENCE_QUALITY] = view->quality;
	ret_signals[CONFIDENCE_WORDS] = (float)count;
	ret_signals[CONFIDENCE_LIKENESS] = candidate_likeness(view, candidate);
}

float confidence_view_caption(struct confidence_view *view, size_t candidate, part_words part)
{
	float signals[CONFIDENCE_SIGNALS];

	confidence_view_signals(view, candidate, part, signals);
	return logistic(view->confidence->parameters.caption, signals, CONFIDENCE_SIGNALS);
}

part_words confidence_view_sure_part(struct confidence_view *view, size_t candidate,
				     float least, float *ret_confidence)
{
	part_words parts[PARTS_MAX], best = 0;
	size_t count = part_find(view->confidence->vocabulary, &view->hypotheses[candidate], parts);
	float best_confidence = 0.0f;

	for (size_t i = 0; i < count; i++) {
		float confidence = confidence_view_caption(view, candidate, parts[i]);
		int longer = __builtin_popcount(parts[i]) - __builtin_popcount(best);

		if (confidence < least || longer < 0 ||
		    (longer == 0 && confidence <= best_confidence))
			continue;
		best = parts[i];
		best_confidence = confidence;
	}
	if (best)
		*ret_confidence = best_confidence;
	return best;
}
