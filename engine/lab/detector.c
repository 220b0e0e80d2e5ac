/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * detector.c: one logistic regression a stem, all at once as products of
 * matrices, by Adam with a cosine schedule. Half of the features are dropped at
 * random in each step, which keeps a linear model of thousands of features from
 * leaning on any few. The axes of the features' spread are found by
 * subspace iteration.
 */
#include "engine/lab/detector.h"

#include <cblas.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/kernels/isa.h"
#include "engine/lab/lexicon.h"
#include "engine/random.h"

#define PASSES 12u
#define BATCH 256u
#define RATE 0.02f
#define DROPPED 0.5
#define SHARE 200u		/* a stem is learnt if one photo in SHARE has it … */
#define LEAST 10u		/* … and at least so many */
#define AXES 64u
#define ITERATIONS 6u
#define LEAST_SPREAD 0.05f

/* What one training needs. */
struct training {
	struct detector *detector;
	size_t photos, pool, stems;
	const struct captioned_photo **captioned;
	float *x;		/* photos × pool */
	uint8_t *labels;	/* photos × stems */
	float *weight, *mean, *square, *gradient;	/* stems × pool */
	float *batch, *logits;
	uint32_t *order;
};

bool detector_supports(const struct captioned_photo *photo, const struct lexeme *lexeme)
{
	for (size_t c = 0; c < photo->caption_count; c++) {
		const char *at = photo->words[c];

		while (*at) {
			char word[LIMIT_WORD_BYTES + 1];
			size_t length = strcspn(at, " ");

			if (length <= LIMIT_WORD_BYTES) {
				struct lexeme said;

				memcpy(word, at, length);
				word[length] = '\0';
				said = lexeme_of(word);
				if (lexeme_supports(&said, lexeme))
					return true;
			}
			at += length + (at[length] == ' ');
		}
	}
	return false;
}

/* The photo's content lexemes, each once; returns how many. */
static size_t photo_lexemes(const struct captioned_photo *photo, struct lexeme *ret_lexemes,
			    size_t most)
{
	size_t count = 0;

	for (size_t c = 0; c < photo->caption_count; c++) {
		const char *at = photo->words[c];

		while (*at && count < most) {
			size_t length = strcspn(at, " "), i = 0;
			char word[LIMIT_WORD_BYTES + 1];

			if (length <= LIMIT_WORD_BYTES) {
				struct lexeme lexeme;

				memcpy(word, at, length);
				word[length] = '\0';
				lexeme = lexeme_of(word);
				while (i < count && strcmp(ret_lexemes[i].stem, lexeme.stem) != 0)
					i++;
				if (i == count && lexeme_is_content(&lexeme))
					ret_lexemes[count++] = lexeme;
			}
			at += length + (at[length] == ' ');
		}
	}
	return count;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int choose_stems(struct training *training, struct engine_error *error)
{
	struct detector *detector = training->detector;
	struct lexicon *counted = NULL;
	struct lexeme lexemes[256];
	size_t needed = training->photos / SHARE > LEAST ? training->photos / SHARE : LEAST;
	int r = lexicon_open(&counted);

	for (size_t p = 0; r == 0 && p < training->photos; p++) {
		size_t count = photo_lexemes(training->captioned[p], lexemes, 256);

		for (size_t i = 0; r == 0 && i < count; i++) {
			uint32_t index;

			r = lexicon_add(counted, lexemes[i].stem, strlen(lexemes[i].stem), &index);
		}
	}
	if (r == 0) {
		detector->stems = calloc(lexicon_size(counted) + 1, sizeof(*detector->stems));
		r = detector->stems ? 0 : -ENOMEM;
	}
	for (uint32_t i = 0; r == 0 && i < lexicon_size(counted); i++) {
		if (lexicon_count(counted, i) < needed ||
		    detector->stem_count == CONFIDENCE_DETECTED_MAX)
			continue;
		detector->stems[detector->stem_count] = strdup(lexicon_word(counted, i));
		if (!detector->stems[detector->stem_count])
			r = -ENOMEM;
		else
			detector->stem_count++;
	}
	lexicon_free(counted);
	if (r != 0)
		return engine_fail_memory(error);
	if (detector->stem_count == 0)
		return engine_fail(error, ENGINE_BAD_OPTION,
			"No word stands in the captions of %zu photos; more photos are needed.",
			needed);
	qsort(detector->stems, detector->stem_count, sizeof(*detector->stems), compare_strings);
	training->stems = detector->stem_count;
	return 0;
}

static void label_photos(struct training *training)
{
	const struct detector *detector = training->detector;
	struct lexeme lexemes[256];

	for (size_t p = 0; p < training->photos; p++) {
		size_t count = photo_lexemes(training->captioned[p], lexemes, 256);
		uint8_t *labels = training->labels + p * training->stems;

		for (size_t k = 0; k < training->stems; k++) {
			struct lexeme stem = { .kind = LEXEME_NOUN };

			memcpy(stem.stem, detector->stems[k], strlen(detector->stems[k]) + 1);
			for (size_t i = 0; !labels[k] && i < count; i++)
				labels[k] = lexeme_supports(&lexemes[i], &stem);
		}
	}
}

static void normalise(struct training *training)
{
	struct detector *detector = training->detector;
	size_t pool = training->pool;

	for (size_t i = 0; i < pool; i++) {
		double sum = 0.0, squares = 0.0, mean;

		for (size_t p = 0; p < training->photos; p++)
			sum += (double)training->x[p * pool + i];
		mean = sum / (double)training->photos;
		for (size_t p = 0; p < training->photos; p++)
			squares += pow((double)training->x[p * pool + i] - mean, 2.0);
		detector->mean[i] = (float)mean;
		detector->deviation[i] = ((float)sqrt(squares / (double)training->photos) +
					  LEAST_SPREAD) * sqrtf((float)pool);
	}
	for (size_t p = 0; p < training->photos; p++) {
		for (size_t i = 0; i < pool; i++)
			training->x[p * pool + i] = (training->x[p * pool + i] - detector->mean[i]) /
				detector->deviation[i];
	}
}

/* One step on the photos order[first …]; returns their summed loss. */
static double train_batch(struct training *training, const uint32_t *photos, size_t count,
			  unsigned step, float rate, struct random *random)
{
	size_t pool = training->pool, stems = training->stems;
	float correct_mean = 1.0f - powf(0.9f, (float)step);
	float correct_square = 1.0f - powf(0.999f, (float)step);
	double loss = 0.0;

	for (size_t j = 0; j < count; j++) {
		const float *from = training->x + photos[j] * pool;
		float *to = training->batch + j * pool;

		for (size_t i = 0; i < pool; i += 64) {
			uint64_t kept = random_next(random);

			for (size_t k = i; k < pool && k < i + 64; k++, kept >>= 1)
				to[k] = kept & 1 ? from[k] / (float)(1.0 - DROPPED) : 0.0f;
		}
		memcpy(training->logits + j * stems, training->detector->bias,
		       stems * sizeof(float));
	}
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)count, (blasint)stems,
		    (blasint)pool, 1.0f, training->batch, (blasint)pool, training->weight,
		    (blasint)pool, 1.0f, training->logits, (blasint)stems);
	for (size_t j = 0; j < count; j++) {
		const uint8_t *labels = training->labels + photos[j] * stems;

		for (size_t k = 0; k < stems; k++) {
			float *logit = &training->logits[j * stems + k];
			float probability = 1.0f / (1.0f + expf(-*logit));

			loss -= log(fmax(labels[k] ? (double)probability :
					 1.0 - (double)probability, 1e-9));
			*logit = (probability - (float)labels[k]) / (float)count;
		}
	}
	cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)stems, (blasint)pool,
		    (blasint)count, 1.0f, training->logits, (blasint)stems, training->batch,
		    (blasint)pool, 0.0f, training->gradient, (blasint)pool);
	for (size_t i = 0; i < stems * pool; i++) {
		float gradient = training->gradient[i];

		training->mean[i] = 0.9f * training->mean[i] + 0.1f * gradient;
		training->square[i] = 0.999f * training->square[i] + 0.001f * gradient * gradient;
		training->weight[i] -= rate * (training->mean[i] / correct_mean /
			(sqrtf(training->square[i] / correct_square) + 1e-8f));
	}
	for (size_t k = 0; k < stems; k++) {
		float sum = 0.0f;

		for (size_t j = 0; j < count; j++)
			sum += training->logits[j * stems + k];
		training->detector->bias[k] -= 0.2f * sum;
	}
	return loss;
}

static void train(struct training *training, const struct detector_options *options)
{
	struct random random = random_stream(options->seed, 0);
	size_t photos = training->photos, batches = (photos + BATCH - 1) / BATCH;
	unsigned step = 0;

	for (size_t k = 0; k < training->stems; k++) {
		double sum = 0.5;

		for (size_t p = 0; p < photos; p++)
			sum += training->labels[p * training->stems + k];
		training->detector->bias[k] = (float)log(sum / ((double)photos + 1.0 - sum));
	}
	for (unsigned pass = 0; pass < PASSES; pass++) {
		double loss = 0.0;

		for (size_t p = photos; p-- > 1;) {
			size_t other = (size_t)(random_unit(&random) * (double)(p + 1));
			uint32_t swap = training->order[p];

			training->order[p] = training->order[other];
			training->order[other] = swap;
		}
		for (size_t p = 0; p < photos; p += BATCH) {
			double done = (double)step / (double)(batches * PASSES);

			loss += train_batch(training, training->order + p,
					    photos - p < BATCH ? photos - p : BATCH, ++step,
					    (float)(0.5 * (double)RATE * (1.0 + cos(M_PI * done))),
					    &random);
		}
		if (options->progress)
			options->progress(options->user, pass + 1, PASSES,
					  loss / (double)(photos * training->stems));
	}
	for (size_t k = 0; k < training->stems; k++)
		quantise_q8(training->weight + k * training->pool, training->pool,
			    training->detector->codes + k * training->pool,
			    &training->detector->scales[k]);
}

/* Makes the rows of `axes` orthonormal. */
static void orthonormalise(float *axes, size_t count, size_t size)
{
	for (size_t k = 0; k < count; k++) {
		float *axis = axes + k * size, length;

		for (size_t other = 0; other < k; other++)
			cblas_saxpy((blasint)size, -cblas_sdot((blasint)size, axis, 1,
				    axes + other * size, 1), axes + other * size, 1, axis, 1);
		length = cblas_snrm2((blasint)size, axis, 1);
		cblas_sscal((blasint)size, 1.0f / fmaxf(length, 1e-12f), axis, 1);
	}
}

static void find_axes(struct training *training, uint64_t seed)
{
	struct detector *detector = training->detector;
	size_t pool = training->pool, photos = training->photos, axes = detector->axis_count;
	struct random random = random_stream(seed, 1);
	float *along = training->gradient;	/* photos × axes fits: see detector_train */
	double total = 0.0, found = 0.0;

	for (size_t i = 0; i < axes * pool; i++)
		detector->axes[i] = (float)(random_unit(&random) - 0.5);
	orthonormalise(detector->axes, axes, pool);
	for (unsigned turn = 0; turn <= ITERATIONS; turn++) {
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)photos, (blasint)axes,
			    (blasint)pool, 1.0f, training->x, (blasint)pool, detector->axes,
			    (blasint)pool, 0.0f, along, (blasint)axes);
		if (turn == ITERATIONS)
			break;
		cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)axes, (blasint)pool,
			    (blasint)photos, 1.0f, along, (blasint)axes, training->x,
			    (blasint)pool, 0.0f, detector->axes, (blasint)pool);
		orthonormalise(detector->axes, axes, pool);
	}
	for (size_t i = 0; i < photos * pool; i++)
		total += (double)training->x[i] * (double)training->x[i];
	for (size_t k = 0; k < axes; k++) {
		double sum = 0.0;

		for (size_t p = 0; p < photos; p++)
			sum += pow((double)along[p * axes + k], 2.0);
		detector->variances[k] = (float)fmax(sum / (double)photos, 1e-12);
		found += sum;
	}
	detector->variances[axes] = (float)fmax((total - found) /
		(double)photos / (double)(pool - axes), 1e-12);
}

static int measure_rarity(struct training *training, const struct vocabulary *vocabulary,
			  struct engine_error *error)
{
	unsigned words = vocabulary_size(vocabulary);
	uint32_t *photos = calloc(words, sizeof(*photos)), *last = calloc(words, sizeof(*last));

	if (!photos || !last) {
		free(photos);
		free(last);
		return engine_fail_memory(error);
	}
	for (size_t p = 0; p < training->photos; p++) {
		for (size_t c = 0; c < training->captioned[p]->caption_count; c++) {
			const char *at = training->captioned[p]->words[c];

			while (*at) {
				char word[LIMIT_WORD_BYTES + 1];
				size_t length = strcspn(at, " ");
				unsigned index = VOCABULARY_UNKNOWN;

				if (length <= LIMIT_WORD_BYTES) {
					memcpy(word, at, length);
					word[length] = '\0';
					index = vocabulary_find(vocabulary, word);
				}
				if (last[index] != p + 1)
					photos[index]++;
				last[index] = (uint32_t)p + 1;
				at += length + (at[length] == ' ');
			}
		}
	}
	for (unsigned i = 0; i < words; i++)
		training->detector->rarity[i] = logf((float)training->photos /
						     (float)(photos[i] > 0 ? photos[i] : 1));
	free(photos);
	free(last);
	return 0;
}

static void training_clear(struct training *training)
{
	free(training->captioned);
	free(training->x);
	free(training->labels);
	free(training->weight);
	free(training->mean);
	free(training->square);
	free(training->gradient);
	free(training->batch);
	free(training->logits);
	free(training->order);
}

/* The photos that have features, and their features. */
static int gather(struct training *training, const struct caption_set *set,
		  const struct features *features, const uint32_t *records,
		  struct engine_error *error)
{
	training->captioned = calloc(set->photo_count + 1, sizeof(*training->captioned));
	training->x = calloc((set->photo_count + 1) * training->pool, sizeof(float));
	training->order = calloc(set->photo_count + 1, sizeof(*training->order));
	if (!training->captioned || !training->x || !training->order)
		return engine_fail_memory(error);
	for (size_t p = 0; p < set->photo_count; p++) {
		if (records[p] == FEATURES_ABSENT)
			continue;
		training->order[training->photos] = (uint32_t)training->photos;
		training->captioned[training->photos] = &set->photos[p];
		features_get(features, records[p],
			     training->x + training->photos++ * training->pool, NULL, NULL);
	}
	if (training->photos < 2 * LEAST)
		return engine_fail(error, ENGINE_BAD_OPTION,
			"Only %zu photos can be used; at least %u are needed.", training->photos,
			2 * LEAST);
	return 0;
}

static int allocate(struct training *training, const struct vocabulary *vocabulary,
		    struct engine_error *error)
{
	struct detector *detector = training->detector;
	size_t pool = training->pool, stems = training->stems, values = stems * pool;
	size_t along;

	detector->axis_count = AXES < pool / 2 ? AXES : (unsigned)(pool / 2);
	along = training->photos * detector->axis_count;
	detector->mean = calloc(pool, sizeof(float));
	detector->deviation = calloc(pool, sizeof(float));
	detector->codes = calloc(values, 1);
	detector->scales = calloc(stems, sizeof(float));
	detector->bias = calloc(stems, sizeof(float));
	detector->axes = calloc((detector->axis_count + 1) * pool, sizeof(float));
	detector->variances = calloc(detector->axis_count + 1, sizeof(float));
	detector->rarity = calloc(vocabulary_size(vocabulary), sizeof(float));
	training->labels = calloc(training->photos, stems);
	training->weight = calloc(values, sizeof(float));
	training->mean = calloc(values, sizeof(float));
	training->square = calloc(values, sizeof(float));
	/* also holds the photos' coordinates along the axes */
	training->gradient = calloc(values > along ? values : along, sizeof(float));
	training->batch = calloc(BATCH * pool, sizeof(float));
	training->logits = calloc(BATCH * stems, sizeof(float));
	if (!detector->mean || !detector->deviation || !detector->codes || !detector->scales ||
	    !detector->bias || !detector->axes || !detector->variances || !detector->rarity ||
	    !training->labels || !training->weight || !training->mean || !training->square ||
	    !training->gradient || !training->batch || !training->logits)
		return engine_fail_memory(error);
	return 0;
}

int detector_train(const struct caption_set *photos, const struct features *features,
		   const uint32_t *records, size_t pool_size,
		   const struct vocabulary *vocabulary, const struct detector_options *options,
		   struct detector **ret_detector, struct engine_error *error)
{
	struct training training = { .pool = pool_size };
	int r;

	training.detector = calloc(1, sizeof(*training.detector));
	if (!training.detector)
		return engine_fail_memory(error);
	training.detector->pool_size = pool_size;
	r = gather(&training, photos, features, records, error);
	if (r == 0)
		r = choose_stems(&training, error);
	if (r == 0)
		r = allocate(&training, vocabulary, error);
	if (r == 0)
		r = measure_rarity(&training, vocabulary, error);
	if (r == 0) {
		label_photos(&training);
		normalise(&training);
		train(&training, options);
		find_axes(&training, options->seed);
		*ret_detector = training.detector;
	} else {
		detector_free(training.detector);
	}
	training_clear(&training);
	return r;
}

struct detector *detector_free(struct detector *detector)
{
	if (!detector)
		return NULL;
	for (unsigned k = 0; k < detector->stem_count; k++)
		free(detector->stems[k]);
	free(detector->stems);
	free(detector->mean);
	free(detector->deviation);
	free(detector->codes);
	free(detector->scales);
	free(detector->bias);
	free(detector->axes);
	free(detector->variances);
	free(detector->rarity);
	free(detector);
	return NULL;
}

struct confidence_parameters detector_parameters(const struct detector *detector)
{
	return (struct confidence_parameters){
		.stems = (const char *const *)detector->stems,
		.stem_count = detector->stem_count,
		.pool_size = detector->pool_size,
		.mean = detector->mean, .deviation = detector->deviation,
		.weight = {
			.type = MATRIX_I8, .rows = detector->stem_count,
			.columns = detector->pool_size, .data = detector->codes,
			.scales = detector->scales,
		},
		.bias = detector->bias,
		.axis_count = detector->axis_count,
		.axes = detector->axes, .variances = detector->variances,
		.rarity = detector->rarity,
		.distance_limit = 1.0f,
	};
}
