/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * train_material.c: what a run learns from: photos with their features, captions,
 * texts, the vocabulary and the parameters it begins with. A photo that turns
 * out unusable is listed and left out; too many stop the run.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/lab/trainer.h"
#include "engine/model.h"

enum { STATISTICS_PHOTOS = 2000 };	/* for the normalisation of features */

void trainer_note(struct trainer *t, const char *sentence)
{
	const struct lab_train_progress progress = { .phase = (enum lab_phase)t->position.phase,
						     .note = sentence };

	if (t->options->progress != NULL)
		t->options->progress(t->options->user, &progress);
}

struct extraction {
	struct trainer *trainer;
	struct caption_set *set;
	double started, shown;
	size_t first;
	bool failed;
};

static void extraction_progress(void *user, size_t done, size_t count, const char *problem)
{
	struct extraction *x = user;
	const struct lab_train_options *o = x->trainer->options;
	double time = trainer_clock();

	if (problem != NULL && captions_problem(x->set, "%s", problem) < 0)
		x->failed = true;
	if (x->started == 0) {
		x->started = x->shown = time;
		x->first = done;
	}
	if (o->progress != NULL && (time - x->shown >= o->progress_seconds || done == count)) {
		double rate = (double)(done - x->first) / (time - x->started + 1e-9);
		const struct lab_train_progress progress = {
			.phase = LAB_PHASE_FEATURES, .step = done, .steps = count,
			.captions_per_second = rate, .seconds = time - x->started,
			.seconds_left = rate > 0 ? (double)(count - done) / rate : 0,
		};

		o->progress(o->user, &progress);
		x->shown = time;
	}
}
/* Features of a set's photos; photos without are taken out of the set. */
static int extract(struct trainer *t, struct caption_set *set, const char *folder, bool mirrored,
		   uint32_t **ret_records, struct engine_error *error)
{
	struct extraction extraction = { .trainer = t, .set = set };
	uint32_t *records = calloc(set->photo_count + 1, sizeof(*records));
	const char **names = calloc(set->photo_count + 1, sizeof(*names));
	struct features_request request = {
		.folder = folder, .names = names, .count = set->photo_count, .mirrored = mirrored,
		.threads = t->threads, .stop = t->options->stop,
		.progress = extraction_progress, .user = &extraction,
	};
	int r;

	if (records == NULL || names == NULL) {
		r = engine_fail_memory(error);
		goto out;
	}
	for (size_t i = 0; i < set->photo_count; i++)
		names[i] = set->photos[i].file_name;
	r = features_extract(t->features, &request, records, error);
	if (r == 0 && extraction.failed)
		r = engine_fail_memory(error);
	if (r != 0)
		goto out;
	*ret_records = records;
	records = NULL;
out:
	free(records);
	free(names);
	return r;
}

/* Takes photos without features out of the set and its records. */
static void drop_absent(struct caption_set *set, uint32_t *records, uint32_t *mirrored)
{
	for (size_t i = 0; i < set->photo_count;) {
		if (records[i] == FEATURES_ABSENT) {
			captions_remove(set, i);
			memmove(records + i, records + i + 1, (set->photo_count - i) * sizeof(*records));
			if (mirrored != NULL)
				memmove(mirrored + i, mirrored + i + 1,
					(set->photo_count - i) * sizeof(*mirrored));
			continue;
		}
		i++;
	}
}

static int judge_problems(struct trainer *t, const struct caption_set *set, size_t entries,
			  struct engine_error *error)
{
	for (size_t i = 0; i < set->problem_count; i++)
		trainer_note(t, set->problems[i]);
	if ((double)set->problem_count > t->options->problem_share * (double)entries)
		return engine_fail(error, -EINVAL,
				   "%zu entries of the caption file cannot be used, more than %g%% of %zu; the first: %s",
				   set->problem_count, 100 * t->options->problem_share, entries,
				   set->problems[0]);
	return 0;
}

/* Every twentieth photo of the training set becomes a validation photo. */
static int hold_out(struct caption_set *train, struct caption_set **ret_val,
		    struct engine_error *error)
{
	struct caption_set *val = calloc(1, sizeof(*val));
	size_t kept = 0;

	if (val == NULL)
		return engine_fail_memory(error);
	val->photos = calloc(train->photo_count + 1, sizeof(*val->photos));
	if (val->photos == NULL) {
		captions_free(val);
		return engine_fail_memory(error);
	}
	for (size_t i = 0; i < train->photo_count; i++) {
		if (i % 20 == 19) {
			val->photos[val->photo_count++] = train->photos[i];
			val->caption_count += train->photos[i].caption_count;
		} else {
			train->photos[kept++] = train->photos[i];
		}
	}
	train->photo_count = kept;
	train->caption_count -= val->caption_count;
	*ret_val = val;
	return 0;
}

int trainer_read_photos(struct trainer *t, struct engine_error *error)
{
	const struct lab_train_options *o = t->options;
	size_t entries;
	int r = captions_read(o->captions, &t->train_set, error);

	if (r == 0)
		r = captions_check_files(t->train_set, o->images, error);
	if (r != 0)
		return r;
	entries = t->train_set->photo_count + t->train_set->caption_count + t->train_set->problem_count;
	r = judge_problems(t, t->train_set, entries, error);
	if (r == 0 && o->val_captions != NULL) {
		r = captions_read(o->val_captions, &t->val_set, error);
		if (r == 0)
			r = captions_check_files(t->val_set, o->val_images != NULL ? o->val_images : o->images,
						 error);
	} else if (r == 0 && t->train_set->photo_count >= 20) {
		r = hold_out(t->train_set, &t->val_set, error);
	}
	if (r != 0)
		return r;
	r = extract(t, t->train_set, o->images, false, &t->train_records, error);
	if (r == 0 && o->mirrored)
		r = extract(t, t->train_set, o->images, true, &t->mirrored_records, error);
	if (r == 0 && t->val_set != NULL)
		r = extract(t, t->val_set, o->val_images != NULL ? o->val_images : o->images, false,
			    &t->val_records, error);
	if (r != 0)
		return r;
	drop_absent(t->train_set, t->train_records, t->mirrored_records);
	if (t->val_set != NULL)
		drop_absent(t->val_set, t->val_records, NULL);
	r = judge_problems(t, t->train_set, entries, error);
	if (r == 0 && t->train_set->photo_count == 0)
		r = engine_fail(error, -EINVAL, "No photo is left to train on.");
	return r;
}

int trainer_read_texts(struct trainer *t, const struct lexicon *vocabulary, struct engine_error *error)
{
	for (size_t i = 0; i < t->options->text_count; i++) {
		struct caption_text text;
		struct dataset_caption *grown;
		int r = captions_text_read(t->options->texts[i], &text, error);

		if (r != 0)
			return r;
		grown = reallocarray(t->texts, t->text_count + text.count, sizeof(*grown));
		if (grown == NULL) {
			captions_text_free(&text);
			return engine_fail_memory(error);
		}
		t->texts = grown;
		for (size_t k = 0; k < text.count; k++) {
			struct dataset_caption *caption = &grown[t->text_count];

			if (lexicon_encode(vocabulary, text.words[k], LEXICON_AS_VOCABULARY, &caption->words,
					   &caption->count) < 0) {
				captions_text_free(&text);
				return engine_fail_memory(error);
			}
			t->text_count++;
			caption->ended = caption->count <= TRAINER_LONGEST_CAPTION;
			if (!caption->ended)
				caption->count = TRAINER_LONGEST_CAPTION;
		}
		captions_text_free(&text);
	}
	return 0;
}

/* The words of the training captions that are frequent enough. */
static int count_words(struct trainer *t, struct lexicon **ret_vocabulary,
		       struct engine_error *error)
{
	struct lexicon *counted;
	int r = lexicon_open(&counted);

	for (size_t i = 0; r == 0 && i < t->train_set->photo_count; i++)
		for (size_t k = 0; r == 0 && k < t->train_set->photos[i].caption_count; k++)
			r = lexicon_add_all(counted, t->train_set->photos[i].words[k]);
	if (r == 0)
		r = lexicon_to_vocabulary(counted, t->options->minimum_count, ret_vocabulary);
	lexicon_free(counted);
	if (r == -E2BIG)
		return engine_fail(error, r, "The captions have more than %u different words.",
				   LEXICON_WORDS_MAX);
	return r < 0 ? engine_fail_memory(error) : 0;
}

/* Mean of each pooled channel, one deviation for all, and the scale that gives
 * the grid a mean square of 1, from an even selection of the training photos. */
static int measure_features(struct trainer *t, struct engine_error *error)
{
	const struct network_shape *shape = &t->weights->network.shape;
	size_t count = t->train_set->photo_count, stride = count / STATISTICS_PHOTOS + 1, used = 0;
	size_t grid_size = shape->kind == NETWORK_ATTENTION ? shape->cells * shape->channels : 0;
	float *pool = calloc(shape->pool, sizeof(*pool)), *grid = calloc(grid_size + 1, sizeof(*grid));
	double *sum = calloc(shape->pool, sizeof(*sum)), square = 0, grid_square = 0, variance;
	int r = 0;

	if (pool == NULL || grid == NULL || sum == NULL) {
		r = engine_fail_memory(error);
		goto out;
	}
	for (size_t i = 0; i < count; i += stride, used++) {
		features_get(t->features, t->train_records[i], pool, grid_size > 0 ? grid : NULL, NULL);
		for (size_t k = 0; k < shape->pool; k++) {
			sum[k] += (double)pool[k];
			square += (double)pool[k] * (double)pool[k];
		}
		for (size_t k = 0; k < grid_size; k++)
			grid_square += (double)grid[k] * (double)grid[k];
	}
	variance = square / (double)(used * shape->pool);
	for (size_t k = 0; k < shape->pool; k++) {
		double mean = sum[k] / (double)used;

		t->weights->feature_mean[k] = (float)mean;
		variance -= mean * mean / (double)shape->pool;
	}
	if (variance > 0)
		t->weights->feature_std = (float)sqrt(variance);
	if (grid_square > 0)
		t->weights->region_scale = (float)sqrt((double)(used * grid_size) / grid_square);
out:
	free(pool);
	free(grid);
	free(sum);
	return r;
}

int trainer_make_weights(struct trainer *t, struct engine_error *error)
{
	const struct lab_train_options *o = t->options;
	const struct engine_model_info *info = engine_model_info(t->model);
	struct lexicon *vocabulary = NULL;
	struct decoder_weights *given = NULL;
	size_t cells = (size_t)info->grid_width * info->grid_height;
	int r = count_words(t, &vocabulary, error);

	if (r != 0)
		return r;
	if (o->init) {
		r = decoder_weights_read(t->model->file, cells, &given, error);
		if (r == 0)
			r = decoder_weights_extend(given, o->freeze_words ? given->vocabulary : vocabulary,
						   o->class_scores ? info->class_count : 0, o->seed, &t->weights,
						   error);
	} else {
		const struct network_shape shape = {
			.kind = (enum network_kind)o->decoder,
			.hidden = o->hidden,
			.layers = o->layers,
			.words = lexicon_size(vocabulary),
			.pool = info->pool_size,
			.cells = cells,
			.channels = info->grid_channels,
			.classes = o->class_scores ? info->class_count : 0,
		};

		r = decoder_weights_create(&shape, vocabulary, o->seed, &t->weights, error);
		if (r == 0)
			r = measure_features(t, error);
	}
	decoder_weights_free(given);
	lexicon_free(vocabulary);
	return r;
}
