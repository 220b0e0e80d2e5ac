/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * calibrate.c: fits what confidence.h computes with and judges it. Photos with
 * even numbers are fitted on, odd ones judged. A caption is right when every
 * content word of it is supported by one of the photo's human captions
 * (lexeme.h). Each photo's candidates are searched once and kept, because the
 * word model must stand before captions can be chosen and judged.
 */
#include "engine/lab/lab.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/confidence.h"
#include "engine/error.h"
#include "engine/gguf_writer.h"
#include "engine/lab/captions.h"
#include "engine/lab/detector.h"
#include "engine/lab/features.h"
#include "engine/lab/lexicon.h"
#include "engine/lab/logistic.h"
#include "engine/lab/scores.h"
#include "engine/model.h"
#include "engine/sentence.h"

#define TIMED 100u	/* photos that are searched without confidence, too */

/* A photo's search, kept. */
struct kept {
	struct hypothesis *hypotheses;
	float *attention;
	size_t count, photo;		/* number in the caption set */
	uint32_t record;
	struct engine_quality quality;
	/* by hypothesis, bit i: content word i is supported */
	uint32_t *supported;
};

/* What is said of a photo, and how it stands. */
struct judged {
	size_t kept, source;
	unsigned candidate;
	double confidence;
	bool right;
};

struct calibration {
	const struct lab_calibrate_options *options;
	struct engine_model *model;
	struct caption_set *train, *photos;
	struct features *features;
	uint32_t *train_records, *records;
	struct detector *detector;
	struct confidence_parameters parameters;
	float usual[CONFIDENCE_USUAL];
	struct confidence *confidence;
	struct confidence_view *view;
	struct generation *generation;
	struct kept *kept;
	size_t kept_count;
	float *pool, *grid, *classes;
	float *rows;
	bool *labels;
	struct lab_calibration_report *report;
	double plain_ms, crowd_ms, trust_ms;	/* sums, over these counts: */
	size_t timed, judged;			/* plain, trust; crowd: kept_count */
};

static void progress(const struct calibration *calibration, const char *step, size_t done,
		     size_t count)
{
	if (calibration->options->progress)
		calibration->options->progress(calibration->options->user, step, done, count);
}

static double now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static bool is_fitted(const struct kept *kept)
{
	return kept->photo % 2 == 0;
}

static int open_view(struct calibration *calibration, struct engine_error *error)
{
	int r;

	calibration->view = confidence_view_free(calibration->view);
	calibration->confidence = confidence_free(calibration->confidence);
	r = confidence_open(&calibration->parameters, calibration->model->vocabulary,
			    &calibration->confidence, error);
	if (r == 0)
		r = confidence_view_open(calibration->confidence,
					 decoder_cells(calibration->model->decoder),
					 &calibration->view, error);
	return r;
}

static void look(struct calibration *calibration, const struct kept *kept)
{
	struct engine_features features = {
		calibration->pool, calibration->grid, calibration->classes,
	};

	features_get(calibration->features, kept->record, calibration->pool, NULL,
		     calibration->classes);
	if (!calibration->model->info.class_count)
		features.classes = NULL;
	confidence_view_photo(calibration->view, &features, calibration->model->info.class_count,
			      &kept->quality);
	confidence_view_candidates(calibration->view, kept->hypotheses, kept->count);
}

/* --- Features and searches ------------------------------------------------------- */

static void report_extraction(void *user, size_t done, size_t count, const char *problem)
{
	(void)problem;
	progress(user, "features", done, count);
}

static int extract(struct calibration *calibration, struct caption_set *set, const char *folder,
		   uint32_t **ret_records, struct engine_error *error)
{
	const char **names = calloc(set->photo_count + 1, sizeof(*names));
	uint32_t *records = calloc(set->photo_count + 1, sizeof(*records));
	int r;

	if (!names || !records) {
		free(names);
		free(records);
		return engine_fail_memory(error);
	}
	for (size_t i = 0; i < set->photo_count; i++)
		names[i] = set->photos[i].file_name;
	r = features_extract(calibration->features, &(struct features_request){
		.folder = folder, .names = names, .count = set->photo_count,
		.threads = calibration->options->threads, .progress = report_extraction,
		.user = calibration,
	}, records, error);
	free(names);
	*ret_records = records;
	return r;
}

static int measure_quality(const char *folder, const char *name, struct engine_quality *ret_quality,
			   struct engine_error *error)
{
	char path[4096];
	struct engine_image *image;
	int fd, r;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return engine_fail(error, ENGINE_BAD_IMAGE, "The photo %s cannot be opened.", path);
	r = engine_image_read(fd, &(struct engine_image_options){ .wanted_width = 299,
			      .wanted_height = 299 }, &image, error);
	close(fd);
	if (r)
		return r;
	r = engine_quality_measure(image, NULL, ret_quality, error);
	engine_image_free(image);
	return r;
}

static int keep(struct calibration *calibration, struct kept *kept,
		const struct hypothesis *hypotheses, size_t count, struct engine_error *error)
{
	const struct engine_model *model = calibration->model;
	size_t cells = decoder_cells(model->decoder);

	kept->hypotheses = calloc(count, sizeof(*kept->hypotheses));
	kept->attention = calloc(count * LIMIT_WORDS * (cells + 1), sizeof(float));
	kept->supported = calloc(count, sizeof(*kept->supported));
	if (!kept->hypotheses || !kept->attention || !kept->supported)
		return engine_fail_memory(error);
	kept->count = count;
	memcpy(kept->hypotheses, hypotheses, count * sizeof(*hypotheses));
	for (size_t i = 0; i < count; i++) {
		struct hypothesis *hypothesis = &kept->hypotheses[i];
		unsigned content = 0;

		if (hypothesis->attention) {
			float *copy = kept->attention + i * LIMIT_WORDS * cells;

			memcpy(copy, hypothesis->attention,
			       hypothesis->count * cells * sizeof(float));
			hypothesis->attention = copy;
		}
		for (unsigned k = 0; k < hypothesis->count; k++) {
			const struct lexeme *lexeme = vocabulary_lexeme(model->vocabulary,
									hypothesis->words[k]);

			if (!lexeme_is_content(lexeme))
				continue;
			if (detector_supports(&calibration->photos->photos[kept->photo], lexeme))
				kept->supported[i] |= 1u << content;
			content++;
		}
	}
	return 0;
}

static int search(struct calibration *calibration, struct engine_error *error)
{
	const struct engine_model *model = calibration->model;
	struct engine_features features = {
		calibration->pool, calibration->grid,
		model->info.class_count ? calibration->classes : NULL,
	};
	struct engine_caption_options options = { .beam = model->beam };
	const struct hypothesis *found;
	size_t count;
	int r = 0;

	for (size_t p = 0; r == 0 && p < calibration->photos->photo_count; p++) {
		struct kept *kept = &calibration->kept[calibration->kept_count];
		double started;

		if (calibration->records[p] == FEATURES_ABSENT)
			continue;
		*kept = (struct kept){ .photo = p, .record = calibration->records[p] };
		features_get(calibration->features, kept->record, calibration->pool,
			     calibration->grid, calibration->classes);
		if (calibration->kept_count < TIMED) {
			started = now_ms();
			r = generation_run(calibration->generation, &features, &options, 0, &found,
					   &count, error);
			calibration->plain_ms += now_ms() - started;
			calibration->timed++;
		}
		started = now_ms();
		if (r == 0)
			r = generation_run(calibration->generation, &features, &options,
					   GENERATION_CROWD, &found, &count, error);
		calibration->crowd_ms += now_ms() - started;
		if (r == 0)
			r = measure_quality(calibration->options->images,
					    calibration->photos->photos[p].file_name, &kept->quality,
					    error);
		if (r == 0)
			r = keep(calibration, kept, found, count, error);
		calibration->kept_count++;
		progress(calibration, "captions", p + 1, calibration->photos->photo_count);
	}
	return r;
}

/* --- Fits ----------------------------------------------------------------------- */

/* On the words of all candidates: consensus must judge them all. */
static int fit_words(struct calibration *calibration, struct engine_error *error)
{
	size_t rows = 0;

	for (size_t j = 0; j < calibration->kept_count; j++) {
		const struct kept *kept = &calibration->kept[j];

		if (!is_fitted(kept))
			continue;
		look(calibration, kept);
		for (size_t i = 0; i < kept->count; i++) {
			float signals[LIMIT_WORDS][CONFIDENCE_WORD_SIGNALS];
			size_t words = confidence_view_word_signals(calibration->view, i, signals);

			for (size_t k = 0; k < words; k++) {
				memcpy(calibration->rows + rows * CONFIDENCE_WORD_SIGNALS, signals[k],
				       sizeof(signals[k]));
				calibration->labels[rows++] = kept->supported[i] >> k & 1;
			}
		}
	}
	logistic_fit(calibration->rows, calibration->labels, rows, CONFIDENCE_WORD_SIGNALS,
		     calibration->parameters.word);
	return open_view(calibration, error);
}

static bool is_right(const struct calibration *calibration, const struct kept *kept,
		     unsigned candidate, part_words part)
{
	const struct hypothesis *hypothesis = &kept->hypotheses[candidate];
	unsigned content = 0;

	for (unsigned k = 0; k < hypothesis->count; k++) {
		if (!lexeme_is_content(vocabulary_lexeme(calibration->model->vocabulary,
							 hypothesis->words[k])))
			continue;
		if (part >> k & 1 && !(kept->supported[candidate] >> content & 1))
			return false;
		content++;
	}
	return true;
}

static unsigned first_choice(struct calibration *calibration)
{
	unsigned order[GENERATION_POOL];

	confidence_view_rank(calibration->view, order);
	return order[0];
}

static void add_row(struct calibration *calibration, const struct kept *kept, unsigned candidate,
		    part_words part, size_t *rows)
{
	confidence_view_signals(calibration->view, candidate, part,
				calibration->rows + *rows * CONFIDENCE_SIGNALS);
	calibration->labels[(*rows)++] = is_right(calibration, kept, candidate, part);
}

static int ascending(const void *a, const void *b)
{
	float first = *(const float *)a, second = *(const float *)b;

	return (first > second) - (first < second);
}

/* Inverts a symmetric, positive definite matrix by Gauss and Jordan. */
static void invert(double matrix[CONFIDENCE_MEASURES][CONFIDENCE_MEASURES])
{
	for (size_t i = 0; i < CONFIDENCE_MEASURES; i++) {
		double pivot = 1.0 / matrix[i][i];

		matrix[i][i] = 1.0;
		for (size_t k = 0; k < CONFIDENCE_MEASURES; k++)
			matrix[i][k] *= pivot;
		for (size_t r = 0; r < CONFIDENCE_MEASURES; r++) {
			double factor = matrix[r][i];

			if (r == i)
				continue;
			matrix[r][i] = 0.0;
			for (size_t k = 0; k < CONFIDENCE_MEASURES; k++)
				matrix[r][k] -= factor * matrix[i][k];
		}
	}
}

/* What is usual: mean and inverse covariance of the measures of the photos that
 * are fitted on. */
static int fit_usual(struct calibration *calibration, struct engine_error *error)
{
	double sums[CONFIDENCE_MEASURES] = {0}, count = 0.0;
	double products[CONFIDENCE_MEASURES][CONFIDENCE_MEASURES] = {{0}};

	for (size_t j = 0; j < calibration->kept_count; j++) {
		const float *measures;

		if (!is_fitted(&calibration->kept[j]))
			continue;
		look(calibration, &calibration->kept[j]);
		measures = confidence_view_measures(calibration->view);
		count += 1.0;
		for (size_t i = 0; i < CONFIDENCE_MEASURES; i++) {
			sums[i] += (double)measures[i];
			for (size_t k = 0; k < CONFIDENCE_MEASURES; k++)
				products[i][k] += (double)measures[i] * (double)measures[k];
		}
	}
	if (count < 2.0)
		return engine_fail(error, ENGINE_BAD_OPTION, "No photo could be used for the fit.");
	for (size_t i = 0; i < CONFIDENCE_MEASURES; i++) {
		calibration->usual[i] = (float)(sums[i] / count);
		for (size_t k = 0; k < CONFIDENCE_MEASURES; k++)
			products[i][k] = products[i][k] / count - sums[i] * sums[k] / count / count +
				(i == k ? 1e-6 : 0.0);
	}
	invert(products);
	for (size_t i = 0; i < CONFIDENCE_MEASURES; i++) {
		for (size_t k = 0; k < CONFIDENCE_MEASURES; k++)
			calibration->usual[CONFIDENCE_MEASURES * (1 + i) + k] = (float)products[i][k];
	}
	return 0;
}

/* On all that may be given out: the captions of the search and of the consensus,
 * and the parts of the latter. */
static int fit_captions(struct calibration *calibration, struct engine_error *error)
{
	float *distances = calloc(calibration->kept_count + 1, sizeof(*distances));
	size_t rows = 0, photos = 0;

	if (!distances)
		return engine_fail_memory(error);
	for (size_t j = 0; j < calibration->kept_count; j++) {
		const struct kept *kept = &calibration->kept[j];
		part_words parts[PARTS_MAX];
		size_t part_count;
		unsigned choice;

		if (!is_fitted(kept))
			continue;
		look(calibration, kept);
		choice = first_choice(calibration);
		part_count = part_find(calibration->model->vocabulary, &kept->hypotheses[choice],
				       parts);
		add_row(calibration, kept, 0, CONFIDENCE_WHOLE, &rows);
		add_row(calibration, kept, choice, CONFIDENCE_WHOLE, &rows);
		for (size_t i = 0; i < part_count; i++)
			add_row(calibration, kept, choice, parts[i], &rows);
		distances[photos++] = confidence_view_distance(calibration->view);
	}
	if (photos > 0) {
		qsort(distances, photos, sizeof(*distances), ascending);
		calibration->parameters.distance_limit =
			distances[(size_t)(0.95 * (double)(photos - 1))];
	}
	free(distances);
	if (photos == 0)
		return engine_fail(error, ENGINE_BAD_OPTION, "No photo could be used for the fit.");
	logistic_fit(calibration->rows, calibration->labels, rows, CONFIDENCE_SIGNALS,
		     calibration->parameters.caption);
	return open_view(calibration, error);
}

/* --- Judging --------------------------------------------------------------------- */

static int surer(const void *a, const void *b)
{
	double first = ((const struct judged *)a)->confidence;
	double second = ((const struct judged *)b)->confidence;

	return (first < second) - (first > second);
}

/* Sorts them, the surest first. */
static struct lab_calibration assess(struct judged *judged, size_t count)
{
	struct lab_calibration result = { .captions = count };
	size_t wrong = 0;

	if (count == 0)
		return result;
	qsort(judged, count, sizeof(*judged), surer);
	for (size_t i = 0; i < count; i++) {
		size_t bin = (size_t)fmin(judged[i].confidence * LAB_EVAL_BINS, LAB_EVAL_BINS - 1);
		size_t step = (i + 1) * 20 / count;

		wrong += !judged[i].right;
		result.bins[bin].count++;
		result.bins[bin].confidence += judged[i].confidence;
		result.bins[bin].right += judged[i].right;
		result.risk_area += (double)wrong / (double)(i + 1) / (double)count;
		if (step != i * 20 / count)
			result.risk[step] = (double)wrong / (double)(i + 1);
		if (i + 1 == count / 2)
			result.error_half = (double)wrong / (double)(i + 1);
	}
	result.right = 1.0 - (double)wrong / (double)count;
	for (size_t b = 0; b < LAB_EVAL_BINS; b++) {
		struct lab_eval_bin *bin = &result.bins[b];

		if (bin->count == 0)
			continue;
		bin->confidence /= (double)bin->count;
		bin->right /= (double)bin->count;
		result.ece += fabs(bin->confidence - bin->right) * (double)bin->count /
			(double)count;
	}
	return result;
}

static size_t source_of(struct lab_calibration_report *report, const char *name)
{
	size_t i = 0;

	while (i < report->source_count && strcmp(report->sources[i].source, name) != 0)
		i++;
	if (i == LAB_EVAL_SOURCES_MAX)
		return i - 1;
	if (i == report->source_count)
		snprintf(report->sources[report->source_count++].source,
			 sizeof(report->sources[0].source), "%s", name);
	return i;
}

/* Words as numbers of one lexicon, and CIDEr over all photos of a source. */
struct scorer {
	struct lexicon *lexicon;
	struct cider *ciders[LAB_EVAL_SOURCES_MAX];
	struct sentence *sentences;	/* of the human captions */
	uint32_t **words;
	size_t count;
	size_t *numbers;		/* by kept: place in its source's CIDEr */
};

static void scorer_close(struct scorer *scorer)
{
	for (size_t i = 0; i < LAB_EVAL_SOURCES_MAX; i++)
		cider_free(scorer->ciders[i]);
	for (size_t i = 0; i < scorer->count; i++)
		free(scorer->words[i]);
	free(scorer->words);
	free(scorer->sentences);
	free(scorer->numbers);
	lexicon_free(scorer->lexicon);
}

static int scorer_open(struct calibration *calibration, struct scorer *scorer,
		       struct engine_error *error)
{
	const struct caption_set *set = calibration->photos;
	struct cider_photo *photos = calloc(calibration->kept_count + 1, sizeof(*photos));
	int r;

	*scorer = (struct scorer){0};
	scorer->sentences = calloc(set->caption_count + 1, sizeof(*scorer->sentences));
	scorer->words = calloc(set->caption_count + 1, sizeof(*scorer->words));
	scorer->numbers = calloc(calibration->kept_count + 1, sizeof(*scorer->numbers));
	r = lexicon_open(&scorer->lexicon);
	if (r != 0 || !photos || !scorer->sentences || !scorer->words || !scorer->numbers)
		goto fail;
	for (unsigned i = 0; r == 0 && i < vocabulary_size(calibration->model->vocabulary); i++) {
		const char *word = vocabulary_word(calibration->model->vocabulary, i);
		uint32_t index;

		r = lexicon_add(scorer->lexicon, word, strlen(word), &index);
	}
	for (size_t p = 0; r == 0 && p < set->photo_count; p++) {
		for (size_t c = 0; r == 0 && c < set->photos[p].caption_count; c++)
			r = lexicon_add_all(scorer->lexicon, set->photos[p].words[c]);
	}
	for (size_t s = 0; r == 0 && s < calibration->report->source_count; s++) {
		size_t count = 0;

		for (size_t j = 0; r == 0 && j < calibration->kept_count; j++) {
			const struct captioned_photo *photo =
				&set->photos[calibration->kept[j].photo];

			if (source_of(calibration->report, photo->source) != s)
				continue;
			scorer->numbers[j] = count;
			photos[count].references = &scorer->sentences[scorer->count];
			photos[count++].reference_count = photo->caption_count;
			for (size_t c = 0; r == 0 && c < photo->caption_count; c++) {
				struct sentence *sentence = &scorer->sentences[scorer->count];

				r = lexicon_encode(scorer->lexicon, photo->words[c], LEXICON_EXACT,
						   &scorer->words[scorer->count], &sentence->count);
				sentence->words = scorer->words[scorer->count];
				scorer->count += r == 0;
			}
		}
		if (r == 0)
			r = cider_open(photos, count, false, &scorer->ciders[s]);
	}
	free(photos);
	if (r == 0)
		return 0;
	scorer_close(scorer);
	return engine_fail_memory(error);
fail:
	free(photos);
	scorer_close(scorer);
	return engine_fail_memory(error);
}

static double score(const struct calibration *calibration, const struct scorer *scorer,
		    size_t source, size_t kept, unsigned candidate)
{
	const struct hypothesis *hypothesis = &calibration->kept[kept].hypotheses[candidate];
	uint32_t words[LIMIT_WORDS];

	/* the lexicon took the vocabulary's words first, so numbers are the same */
	memcpy(words, hypothesis->words, hypothesis->count * sizeof(*words));
	return cider_score(scorer->ciders[source], scorer->numbers[kept],
			   (struct sentence){ words, hypothesis->count });
}

static void count_words(const struct calibration *calibration, const struct kept *kept,
			unsigned candidate, double *right, double *words)
{
	const struct hypothesis *hypothesis = &kept->hypotheses[candidate];
	unsigned content = 0;

	for (unsigned k = 0; k < hypothesis->count; k++)
		content += lexeme_is_content(vocabulary_lexeme(calibration->model->vocabulary,
							       hypothesis->words[k]));
	*right += __builtin_popcount(kept->supported[candidate]);
	*words += content;
}

/* One source; the arrays have room for every kept photo. */
static void judge_source(struct calibration *calibration, const struct scorer *scorer,
			 size_t number, struct judged *before, struct judged *plain,
			 struct judged *consensus, struct judged *spoken, size_t *ret_count)
{
	struct lab_calibration_source *source = &calibration->report->sources[number];
	double right[2] = {0}, words[2] = {0}, cider[2] = {0};
	size_t count = 0, accepted = 0, band_right[3] = {0};

	for (size_t j = 0; j < calibration->kept_count; j++) {
		const struct kept *kept = &calibration->kept[j];
		const struct captioned_photo *photo = &calibration->photos->photos[kept->photo];
		unsigned choice;
		double started;
		size_t band;

		if (is_fitted(kept) || source_of(calibration->report, photo->source) != number)
			continue;
		started = now_ms();
		look(calibration, kept);
		choice = first_choice(calibration);
		before[count] = plain[count] = (struct judged){
			j, number, 0, 0.0, is_right(calibration, kept, 0, CONFIDENCE_WHOLE),
		};
		before[count].confidence = exp((double)kept->hypotheses[0].log_probability /
					       (double)(kept->hypotheses[0].count + 1));
		plain[count].confidence = (double)confidence_view_caption(calibration->view, 0,
							CONFIDENCE_WHOLE);
		consensus[count] = (struct judged){
			j, number, choice,
			(double)confidence_view_caption(calibration->view, choice,
							CONFIDENCE_WHOLE),
			is_right(calibration, kept, choice, CONFIDENCE_WHOLE),
		};
		spoken[count] = consensus[count];
		if (consensus[count].confidence < (double)calibration->parameters.sure) {
			float confidence = 0.0f;
			part_words part = confidence_view_sure_part(calibration->view, choice,
				calibration->parameters.sure, &confidence);

			if (part) {
				spoken[count].confidence = (double)confidence;
				spoken[count].right = is_right(calibration, kept, choice, part);
				source->parts++;
				source->part_words += __builtin_popcount(part);
			}
		}
		calibration->trust_ms += now_ms() - started;
		calibration->judged++;
		accepted += confidence_view_distance(calibration->view) <=
			calibration->parameters.distance_limit;
		band = consensus[count].confidence >= (double)calibration->parameters.sure ? 0 :
			consensus[count].confidence >= (double)calibration->parameters.refused ? 1 : 2;
		source->bands[band]++;
		band_right[band] += consensus[count].right;
		count_words(calibration, kept, 0, &right[0], &words[0]);
		count_words(calibration, kept, choice, &right[1], &words[1]);
		cider[0] += score(calibration, scorer, number, j, 0);
		cider[1] += score(calibration, scorer, number, j, choice);
		count++;
	}
	*ret_count = count;
	if (count == 0)
		return;
	for (size_t b = 0; b < 3; b++)
		source->band_right[b] = source->bands[b] > 0 ?
			(double)band_right[b] / (double)source->bands[b] : 0.0;
	source->plain_precision = right[0] / fmax(words[0], 1.0);
	source->precision = right[1] / fmax(words[1], 1.0);
	source->plain_cider = cider[0] / (double)count;
	source->cider = cider[1] / (double)count;
	source->accepted = (double)accepted / (double)count;
	source->before = assess(before, count);
	source->search = assess(plain, count);
	source->consensus = assess(consensus, count);
	source->spoken = assess(spoken, count);
	if (source->parts > 0.0)
		source->part_words /= source->parts;
	source->parts /= (double)count;
}

static void note_worst(struct calibration *calibration, const struct judged *judged, size_t count)
{
	struct lab_calibration_report *report = calibration->report;

	for (size_t i = 0; i < count; i++) {
		const struct kept *kept = &calibration->kept[judged[i].kept];
		const struct hypothesis *hypothesis = &kept->hypotheses[judged[i].candidate];
		struct lab_calibration_caption worst = {
			.file_name = calibration->photos->photos[kept->photo].file_name,
			.confidence = judged[i].confidence,
		};
		const char *words[LIMIT_WORDS];
		char sentence[SENTENCE_BYTES];
		size_t at;

		if (judged[i].right || (report->worst_count == LAB_OVERCONFIDENT &&
		    worst.confidence <= report->worst[LAB_OVERCONFIDENT - 1].confidence))
			continue;
		for (unsigned k = 0; k < hypothesis->count; k++)
			words[k] = vocabulary_word(calibration->model->vocabulary,
						   hypothesis->words[k]);
		sentence_write(words, hypothesis->count, hypothesis->ended, sentence);
		snprintf(worst.sentence, sizeof(worst.sentence), "%.500s", sentence);
		if (report->worst_count < LAB_OVERCONFIDENT)
			report->worst_count++;
		for (at = report->worst_count - 1; at > 0 &&
		     worst.confidence > report->worst[at - 1].confidence; at--)
			report->worst[at] = report->worst[at - 1];
		report->worst[at] = worst;
	}
}

static int judge(struct calibration *calibration, struct engine_error *error)
{
	size_t room = calibration->kept_count + 1, count;
	struct judged *before = calloc(room, sizeof(*before));
	struct judged *plain = calloc(room, sizeof(*plain));
	struct judged *consensus = calloc(room, sizeof(*consensus));
	struct judged *spoken = calloc(room, sizeof(*spoken));
	struct scorer scorer;
	int r = before && plain && consensus && spoken ? 0 : engine_fail_memory(error);

	for (size_t j = 0; j < calibration->kept_count; j++)
		source_of(calibration->report,
			  calibration->photos->photos[calibration->kept[j].photo].source);
	if (r == 0)
		r = scorer_open(calibration, &scorer, error);
	if (r == 0) {
		for (size_t s = 0; s < calibration->report->source_count; s++) {
			judge_source(calibration, &scorer, s, before, plain, consensus,
				     spoken, &count);
			note_worst(calibration, consensus, count);
		}
		scorer_close(&scorer);
	}
	free(before);
	free(plain);
	free(consensus);
	free(spoken);
	return r;
}

/* --- The whole ------------------------------------------------------------------- */

static int write_model(const struct calibration *calibration, const char *output,
		       struct engine_error *error)
{
	const struct confidence_parameters *p = &calibration->parameters;
	struct gguf_writer *writer;
	size_t stems = p->stem_count, axes = p->axis_count, pool = p->pool_size;
	int r = gguf_writer_open(&writer, error);

	if (r)
		return r;
	gguf_writer_copy(writer, calibration->model->file, "");
	gguf_writer_set_strings(writer, "descry.confidence.stems", p->stems, stems);
	gguf_writer_set_f32(writer, "descry.confidence.distance_limit", p->distance_limit);
	gguf_writer_set_f32(writer, "descry.confidence.sure", p->sure);
	gguf_writer_set_f32(writer, "descry.confidence.refused", p->refused);
	gguf_writer_add_tensor(writer, "confidence.mean", GGUF_TENSOR_F32, 1, &pool, p->mean);
	gguf_writer_add_tensor(writer, "confidence.deviation", GGUF_TENSOR_F32, 1, &pool,
			       p->deviation);
	gguf_writer_add_tensor(writer, "confidence.weight", GGUF_TENSOR_I8, 2,
			       (size_t[]){ stems, pool }, p->weight.data);
	gguf_writer_add_tensor(writer, "confidence.scale", GGUF_TENSOR_F32, 1, &stems,
			       p->weight.scales);
	gguf_writer_add_tensor(writer, "confidence.bias", GGUF_TENSOR_F32, 1, &stems, p->bias);
	gguf_writer_add_tensor(writer, "confidence.axes", GGUF_TENSOR_F32, 2,
			       (size_t[]){ axes, pool }, p->axes);
	gguf_writer_add_tensor(writer, "confidence.variance", GGUF_TENSOR_F32, 1,
			       (size_t[]){ axes + 1 }, p->variances);
	gguf_writer_add_tensor(writer, "confidence.rarity", GGUF_TENSOR_F32, 1,
			       (size_t[]){ vocabulary_size(calibration->model->vocabulary) },
			       p->rarity);
	gguf_writer_add_tensor(writer, "confidence.usual", GGUF_TENSOR_F32, 1,
			       (size_t[]){ CONFIDENCE_USUAL }, p->usual);
	gguf_writer_add_tensor(writer, "confidence.word", GGUF_TENSOR_F32, 1,
			       (size_t[]){ CONFIDENCE_WORD_SIGNALS + 1 }, p->word);
	gguf_writer_add_tensor(writer, "confidence.caption", GGUF_TENSOR_F32, 1,
			       (size_t[]){ CONFIDENCE_SIGNALS + 1 }, p->caption);
	r = gguf_writer_write(writer, output, error);
	gguf_writer_free(writer);
	return r;
}

static void report_pass(void *user, unsigned pass, unsigned passes, double loss)
{
	(void)loss;
	progress(user, "detector", pass, passes);
}

static int prepare(struct calibration *calibration, struct engine_error *error)
{
	const struct lab_calibrate_options *options = calibration->options;
	const struct engine_model_info *info;
	int r = engine_model_open(options->model, &calibration->model, error);

	if (r)
		return r;
	info = &calibration->model->info;
	if (!calibration->model->decoder)
		return engine_fail(error, ENGINE_UNSUPPORTED,
			"The model %s has no decoder, so there are no captions to be sure of.",
			options->model);
	calibration->pool = calloc(info->pool_size, sizeof(float));
	calibration->grid = calloc((size_t)info->grid_width * info->grid_height *
				   info->grid_channels + 1, sizeof(float));
	calibration->classes = calloc(info->class_count + 1, sizeof(float));
	calibration->report = calloc(1, sizeof(*calibration->report));
	if (!calibration->pool || !calibration->grid || !calibration->classes ||
	    !calibration->report)
		return engine_fail_memory(error);
	r = generation_open(calibration->model->decoder, &calibration->generation, error);
	if (r == 0)
		r = captions_read(options->train, &calibration->train, error);
	if (r == 0)
		r = captions_read(options->captions, &calibration->photos, error);
	if (r == 0)
		r = features_open(calibration->model, options->cache, &calibration->features, error);
	if (r == 0)
		r = extract(calibration, calibration->photos, options->images,
			    &calibration->records, error);
	if (r == 0)
		r = extract(calibration, calibration->train, options->train_images,
			    &calibration->train_records, error);
	if (r)
		return r;
	calibration->kept = calloc(calibration->photos->photo_count + 1,
				   sizeof(*calibration->kept));
	/* Rows for all content words of all candidates of half the photos, which
	 * are more than its captions and their parts. */
	calibration->rows = calloc((calibration->photos->photo_count + 2) / 2 *
		(LIMIT_BEAM + GENERATION_CROWD) * LIMIT_WORDS * CONFIDENCE_SIGNALS, sizeof(float));
	calibration->labels = calloc((calibration->photos->photo_count + 2) / 2 *
		(LIMIT_BEAM + GENERATION_CROWD) * LIMIT_WORDS, sizeof(bool));
	if (!calibration->kept || !calibration->rows || !calibration->labels)
		return engine_fail_memory(error);
	return 0;
}

static void calibration_clear(struct calibration *calibration)
{
	for (size_t j = 0; j < calibration->kept_count; j++) {
		free(calibration->kept[j].hypotheses);
		free(calibration->kept[j].attention);
		free(calibration->kept[j].supported);
	}
	free(calibration->kept);
	free(calibration->rows);
	free(calibration->labels);
	free(calibration->pool);
	free(calibration->grid);
	free(calibration->classes);
	free(calibration->train_records);
	free(calibration->records);
	generation_free(calibration->generation);
	confidence_view_free(calibration->view);
	confidence_free(calibration->confidence);
	detector_free(calibration->detector);
	features_free(calibration->features);
	captions_free(calibration->train);
	engine_model_free(calibration->model);
}

int lab_calibrate(const struct lab_calibrate_options *options, const char *output,
		  struct lab_calibration_report **ret_report, struct engine_error *error)
{
	struct calibration calibration = { .options = options };
	int r = prepare(&calibration, error);

	if (r == 0)
		r = detector_train(calibration.train, calibration.features,
				   calibration.train_records, calibration.model->info.pool_size,
				   calibration.model->vocabulary, &(struct detector_options){
				   options->seed, report_pass, &calibration },
				   &calibration.detector, error);
	if (r == 0) {
		calibration.parameters = detector_parameters(calibration.detector);
		calibration.parameters.usual = calibration.usual;
		calibration.parameters.sure = options->sure > 0.0f ? options->sure : 0.5f;
		calibration.parameters.refused = options->refused > 0.0f ? options->refused : 0.15f;
		calibration.report->stems = calibration.detector->stem_count;
		r = open_view(&calibration, error);
	}
	if (r == 0)
		r = search(&calibration, error);
	if (r == 0)
		r = fit_words(&calibration, error);
	if (r == 0)
		r = fit_usual(&calibration, error);
	if (r == 0)
		r = fit_captions(&calibration, error);
	if (r == 0) {
		r = judge(&calibration, error);
	}
	if (r == 0) {
		calibration.report->plain_ms = calibration.plain_ms / (double)calibration.timed;
		calibration.report->trust_ms =
			calibration.crowd_ms / (double)calibration.kept_count +
			calibration.trust_ms / (double)(calibration.judged > 0 ? calibration.judged : 1);
	}
	if (r == 0 && output)
		r = write_model(&calibration, output, error);
	if (r == 0) {
		/* the report's file names live in it */
		calibration.report->memory = calibration.photos;
		*ret_report = calibration.report;
	} else {
		captions_free(calibration.photos);
		free(calibration.report);
	}
	calibration_clear(&calibration);
	return r;
}

struct lab_calibration_report *lab_calibration_free(struct lab_calibration_report *report)
{
	if (!report)
		return NULL;
	captions_free(report->memory);
	free(report);
	return NULL;
}
