/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * train.c: the course of a training run: features, vocabulary, then up to three
 * phases over the same parameters: language (captions without photos), captions
 * (cross-entropy) and reward (self-critical training, Rennie 2017, with the mean
 * of a photo's other samples as the baseline, Luo 2020).
 *
 * A step's minibatch is cut into shares of SHARE_PHOTOS photos; share i belongs
 * to thread i mod threads, each thread adds into a gradient of its own, and
 * these are summed in order: a run is the same each time for a seed and a
 * number of threads. All randomness of a step comes from a hash of the seed, the
 * phase and the step, so a checkpoint needs no generator's state.
 */
#include <cblas.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/error.h"
#include "engine/gguf.h"
#include "engine/lab/checkpoint.h"
#include "engine/lab/dataset.h"
#include "engine/lab/lab.h"
#include "engine/lab/report.h"
#include "engine/lexeme.h"
#include "engine/model.h"
#include "engine/threadpool.h"

enum {
	SHARE_PHOTOS = 16,
	SHARE_TEXTS = 64,
	CURVE_POINTS = 20,	/* an epoch */
	SAMPLES_MAX = 32,
	STATISTICS_PHOTOS = 2000,	/* for the normalisation of features */
	LONGEST_CAPTION = 30,
};

/* What one thread works with. */
struct worker {
	struct network_workspace *workspace;
	float *gradient;
	struct feature_arrays features;		/* of SHARE_PHOTOS photos */
	struct network_sequence *sequences;
	size_t sequence_room;
	struct sampled_caption *samples;
};

struct trainer {
	const struct lab_train_options *options;
	struct engine_model *model;
	struct features *features;
	struct caption_set *train_set, *val_set;
	uint32_t *train_records, *mirrored_records, *val_records;
	struct dataset *train, *val;
	struct dataset_caption *texts;
	size_t text_count;
	struct decoder_weights *weights;
	float *best;
	float *average;			/* running mean of the parameters, or NULL */
	uint32_t *nouns;		/* of each word: which noun it is a form of, or 0 */
	struct optimiser optimiser;
	struct threadpool *pool;
	unsigned threads;
	struct worker *workers;
	struct sampled_caption *val_captions;
	size_t *order, *text_order;

	struct position position;
	struct history_point *history;
	size_t history_count, history_room;
	double phase_seconds[LAB_PHASE_COUNT];

	/* for progress lines only */
	double shown_loss, shown_reward, shown_count, shown_captions;
	double shown_time, phase_start, checkpoint_time;
	size_t phase_first_step;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static uint64_t mix(uint64_t seed, uint64_t a, uint64_t b, uint64_t c)
{
	struct random random;

	random_seed(&random, seed);
	random_seed(&random, random_next(&random) ^ a);
	random_seed(&random, random_next(&random) ^ b);
	random_seed(&random, random_next(&random) ^ c);
	return random_next(&random);
}

/* --- Options ------------------------------------------------------------------- */

const char *lab_phase_name(enum lab_phase phase)
{
	static const char *const names[] = { "features", "language", "captions", "reward" };

	return names[phase];
}

void lab_train_defaults(struct lab_train_options *ret_options)
{
	*ret_options = (struct lab_train_options){
		.decoder = LAB_DECODER_ATTENTION,
		.hidden = 512,
		.layers = 1,
		.minimum_count = 5,
		.caption_epochs = 12,
		.language_rate = 4e-4,
		.caption_rate = 4e-4,
		.reward_rate = 5e-5,
		.final_rate = 0.05,
		.warm_up = 100,
		.batch = 32,
		.text_batch = 256,
		.samples = 5,
		.sharpness = 1.5,
		.smoothing = 0.1,
		.dropout = 0.3,
		.clip = 5,
		.seed = 1,
		.validations = 1,
		.patience = 6,
		.problem_share = 0.01,
		.checkpoint_seconds = 300,
		.progress_seconds = 30,
	};
}

int lab_train_preset(const char *name, struct lab_train_options *options,
		     struct engine_error *error)
{
	if (strcmp(name, "original") != 0)
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "There is no preset \"%s\"; the only one is \"original\".", name);
	options->decoder = LAB_DECODER_LSTM;
	options->layers = 4;
	options->hidden = 256;
	options->smoothing = 0;
	options->weight_decay = 0;
	options->language_epochs = 0;
	options->reward_epochs = 0;
	return 0;
}

static int check_options(const struct lab_train_options *o, struct engine_error *error)
{
	if (o->captions == NULL || o->images == NULL || o->model == NULL || o->output == NULL ||
	    o->cache == NULL)
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "Training needs a caption file, a photo folder, a model, a place for the features and a name for the result.");
	if (o->batch < 1 || o->batch > 4096 || o->text_batch < 1 || o->text_batch > 16384)
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "A batch must have 1 to 4096 photos or 1 to 16384 texts.");
	if (o->samples < 2 || o->samples > SAMPLES_MAX)
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "The reward needs 2 to %d samples of each photo.", SAMPLES_MAX);
	if (!(o->sharpness > 0 && o->sharpness <= 100))
		return engine_fail(error, ENGINE_BAD_OPTION, "The sharpness must be above 0, at most 100.");
	if (!(o->dropout >= 0 && o->dropout < 0.9) || !(o->smoothing >= 0 && o->smoothing < 1) ||
	    !(o->feature_noise >= 0 && o->feature_noise <= 1))
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "Dropout must be from 0 to 0.9, label smoothing below 1, feature noise at most 1.");
	if (!(o->average >= 0 && o->average < 1) || !(o->reward_captions >= 0 && o->reward_captions <= 1))
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "The average must keep a share from 0 to below 1, and the captions' part beside the reward be at most 1.");
	if (o->resume && o->checkpoint == NULL)
		return engine_fail(error, ENGINE_BAD_OPTION, "To resume, name the checkpoint.");
	if (o->language_epochs > 0 && o->text_count == 0)
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "Pretraining of the language needs a file of captions without photos.");
	return 0;
}

/* --- Progress -------------------------------------------------------------------- */

static bool stopped(const struct trainer *t)
{
	return t->options->stop != NULL && atomic_load(t->options->stop);
}

static void note(struct trainer *t, const char *sentence)
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
	double time = now();

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

/* --- Data ------------------------------------------------------------------------ */

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
		note(t, set->problems[i]);
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

static int read_photos(struct trainer *t, struct engine_error *error)
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

static int read_texts(struct trainer *t, const struct lexicon *vocabulary, struct engine_error *error)
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
			caption->ended = caption->count <= LONGEST_CAPTION;
			if (!caption->ended)
				caption->count = LONGEST_CAPTION;
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

static int make_weights(struct trainer *t, struct engine_error *error)
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

/* --- A share of a minibatch -------------------------------------------------------- */

struct step {
	struct trainer *trainer;
	enum lab_phase phase;
	const size_t *items;	/* photos or texts */
	size_t count, share;
	uint64_t seed;
	size_t tokens;		/* of the whole step, for the mean */
	int *results;		/* of each share */
	double *losses, *rewards;
};

static void load_photo(struct trainer *t, struct worker *worker, const struct dataset_photo *photo,
		       size_t slot, uint64_t seed)
{
	const struct network_shape *shape = &t->weights->network.shape;
	size_t grid_size = shape->cells * shape->channels;
	const struct feature_arrays at = {
		worker->features.pool + slot * shape->pool,
		worker->features.grid == NULL ? NULL : worker->features.grid + slot * grid_size,
		worker->features.classes == NULL ? NULL : worker->features.classes + slot * shape->classes,
	};
	float noise = (float)(t->options->feature_noise * 2 * sqrt(3));	/* width of a uniform */
	uint32_t record = photo->record;
	struct random random;

	random_seed(&random, seed);
	if (photo->mirrored != FEATURES_ABSENT && (random_bits(&random) & 1) != 0)
		record = photo->mirrored;
	dataset_features(t->features, t->weights, record, &at);
	if (noise <= 0)
		return;
	for (size_t i = 0; i < shape->pool; i++)
		at.pool[i] += noise * ((float)random_unit(&random) - 0.5f);
	for (size_t i = 0; at.grid != NULL && i < grid_size; i++)
		at.grid[i] *= 1 + noise * ((float)random_unit(&random) - 0.5f);
}

static int room_for(struct worker *worker, size_t count)
{
	if (count > worker->sequence_room) {
		struct network_sequence *grown = reallocarray(worker->sequences, count, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		worker->sequences = grown;
		worker->sequence_room = count;
	}
	return 0;
}

static struct network_sequence sequence_of(size_t photo, const struct dataset_caption *caption,
					   float weight)
{
	return (struct network_sequence){ photo, caption->words, caption->count, caption->ended, weight };
}

static double repetitions(const struct trainer *t, const struct sampled_caption *caption)
{
	size_t again = 0;

	for (size_t i = 1; i < caption->count; i++) {
		if (t->nouns[caption->words[i]] == 0)
			continue;
		for (size_t k = 0; k < i; k++) {
			if (t->nouns[caption->words[k]] == t->nouns[caption->words[i]]) {
				again++;
				break;
			}
		}
	}
	return (double)again;
}

/* Draws captions, scores them, and makes the advantage over the photo's other
 * captions the weight of each. Where cross-entropy has a part, one of the captions
 * that people gave the photo follows them. */
static int draw(struct step *step, struct worker *worker, const size_t *items, size_t count,
		const struct network_photos *photos, uint64_t seed, size_t *ret_used,
		double *ret_reward)
{
	struct trainer *t = step->trainer;
	size_t each = t->options->samples, used = 0;
	double shown = t->options->reward_captions * (double)each / (double)step->tokens;
	struct random random;
	double reward[SAMPLES_MAX], total = 0;
	int r;

	random_seed(&random, seed);
	r = sampling_run(&t->weights->network, t->weights->parameters, photos, each, &random,
			 (float)t->options->sharpness, worker->workspace, worker->samples);
	if (r == 0)
		r = room_for(worker, count * (each + 1));
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		const struct dataset_photo *photo = &t->train->photos[items[i]];
		const struct sampled_caption *captions = worker->samples + i * each;
		double sum = 0;

		for (size_t k = 0; k < each; k++) {
			reward[k] = dataset_score(t->train, items[i], &captions[k]);
			total += reward[k];
			reward[k] -= t->options->repetition_penalty * repetitions(t, &captions[k]);
			sum += reward[k];
		}
		for (size_t k = 0; k < each; k++) {
			double others = (sum - reward[k]) / (double)(each - 1);

			worker->sequences[used++] = (struct network_sequence){
				i, captions[k].words, captions[k].count, captions[k].ended,
				(float)((reward[k] - others) / ((double)step->tokens)),
			};
		}
		if (shown > 0 && photo->count > 0)
			worker->sequences[used++] = sequence_of(i,
				&t->train->captions[photo->first + random_next(&random) % photo->count],
				(float)shown);
	}
	*ret_used = used;
	*ret_reward = total;
	return 0;
}

static int run_share(struct step *step, struct worker *worker, size_t share)
{
	struct trainer *t = step->trainer;
	const struct lab_train_options *o = t->options;
	size_t first = share * step->share;
	size_t count = step->count - first < step->share ? step->count - first : step->share;
	const size_t *items = step->items + first;
	uint64_t seed = mix(step->seed, share, 0, 0);
	struct network_photos photos = {
		.count = step->phase == LAB_PHASE_LANGUAGE ? 1 : count,
		.pool = worker->features.pool, .grid = worker->features.grid,
		.classes = worker->features.classes,
	};
	struct network_pass_options options = {
		.smoothing = (float)o->smoothing, .dropout = (float)o->dropout, .seed = seed,
	};
	const struct network_shape *shape = &t->weights->network.shape;
	size_t used = 0;
	int r;

	if (step->phase == LAB_PHASE_LANGUAGE) {
		/* no photo: all features at their mean */
		memset(worker->features.pool, 0, shape->pool * sizeof(float));
		if (photos.grid != NULL)
			memset(worker->features.grid, 0, shape->cells * shape->channels * sizeof(float));
		if (photos.classes != NULL)
			memset(worker->features.classes, 0, shape->classes * sizeof(float));
		r = room_for(worker, count);
		for (size_t i = 0; r == 0 && i < count; i++)
			worker->sequences[used++] = sequence_of(0, &t->texts[items[i]],
								1 / (float)step->tokens);
	} else {
		for (size_t i = 0; i < count; i++)
			load_photo(t, worker, &t->train->photos[items[i]], i, mix(step->seed, share, i, 1));
		if (step->phase == LAB_PHASE_REWARD) {
			options.smoothing = 0;
			options.dropout = 0;
			options.sharpness = (float)o->sharpness;
			r = draw(step, worker, items, count, &photos, seed, &used, &step->rewards[share]);
		} else {
			size_t captions = 0;

			for (size_t i = 0; i < count; i++)
				captions += t->train->photos[items[i]].count;
			r = room_for(worker, captions);
			for (size_t i = 0; r == 0 && i < count; i++) {
				const struct dataset_photo *photo = &t->train->photos[items[i]];

				for (size_t k = photo->first; k < photo->first + photo->count; k++)
					worker->sequences[used++] = sequence_of(i, &t->train->captions[k],
										1 / (float)step->tokens);
			}
		}
	}
	if (r < 0)
		return r;
	return network_pass(&t->weights->network, t->weights->parameters, &photos, worker->sequences,
			    used, &options, worker->workspace, worker->gradient, &step->losses[share],
			    NULL);
}

static void step_task(void *argument, unsigned index, unsigned count)
{
	struct step *step = argument;
	struct worker *worker = &step->trainer->workers[index];
	size_t shares = (step->count + step->share - 1) / step->share;

	memset(worker->gradient, 0, step->trainer->weights->network.value_count * sizeof(float));
	for (size_t share = index; share < shares; share += count)
		step->results[share] = run_share(step, worker, share);
}

/* The workers' gradients into the first's. */
static void sum_task(void *argument, unsigned index, unsigned count)
{
	struct trainer *t = argument;
	size_t begin, end;

	threadpool_share(t->weights->network.value_count, 16, index, count, &begin, &end);
	for (unsigned w = 1; w < t->threads; w++)
		for (size_t i = begin; i < end; i++)
			t->workers[0].gradient[i] += t->workers[w].gradient[i];
}

/* --- Validation -------------------------------------------------------------------- */

struct validation {
	struct trainer *trainer;
	int results[LIMIT_THREADS];
};

static void validation_task(void *argument, unsigned index, unsigned count)
{
	struct validation *v = argument;
	struct trainer *t = v->trainer;
	struct worker *worker = &t->workers[index];
	const struct network_shape *shape = &t->weights->network.shape;
	size_t total = t->val->photo_count, shares = (total + SHARE_PHOTOS - 1) / SHARE_PHOTOS;

	v->results[index] = 0;
	for (size_t share = index; share < shares && v->results[index] == 0; share += count) {
		size_t first = share * SHARE_PHOTOS;
		size_t n = total - first < SHARE_PHOTOS ? total - first : SHARE_PHOTOS;
		const struct network_photos photos = { n, worker->features.pool, worker->features.grid,
						       worker->features.classes };

		for (size_t i = 0; i < n; i++) {
			const struct feature_arrays at = {
				worker->features.pool + i * shape->pool,
				worker->features.grid == NULL ? NULL :
					worker->features.grid + i * shape->cells * shape->channels,
				worker->features.classes == NULL ? NULL :
					worker->features.classes + i * shape->classes,
			};

			dataset_features(t->features, t->weights, t->val->photos[first + i].record, &at);
		}
		v->results[index] = sampling_run(&t->weights->network, t->weights->parameters, &photos, 1,
						 NULL, 1, worker->workspace, t->val_captions + first);
	}
}

/* Exchanges the parameters with their running mean, if there is one. */
static void swap_average(struct trainer *t)
{
	float *parameters = t->weights->parameters;

	if (t->average == NULL)
		return;
	t->weights->parameters = t->average;
	t->average = parameters;
}

static void update_average(struct trainer *t)
{
	/* the first steps count in full: the mean would keep the start too long */
	double steps = (double)t->optimiser.steps;
	float part = (float)(1 - fmin(t->options->average, (1 + steps) / (10 + steps)));

	for (size_t i = 0; t->average != NULL && i < t->weights->network.value_count; i++)
		t->average[i] += part * (t->weights->parameters[i] - t->average[i]);
}

/* CIDEr-D of greedy captions: the mean of the sources' own scores. */
static int validate(struct trainer *t, double *ret_score, struct engine_error *error)
{
	struct validation validation = { .trainer = t };
	double sums[DATASET_SOURCES_MAX] = { 0 }, counts[DATASET_SOURCES_MAX] = { 0 }, score = 0;

	threadpool_run(t->pool, validation_task, &validation);
	for (unsigned i = 0; i < t->threads; i++)
		if (validation.results[i] < 0)
			return engine_fail_memory(error);
	for (size_t i = 0; i < t->val->photo_count; i++) {
		size_t source = t->val->photos[i].source;

		sums[source] += dataset_score(t->val, i, &t->val_captions[i]);
		counts[source]++;
	}
	for (size_t i = 0; i < t->val->source_count; i++)
		score += sums[i] / counts[i] / (double)t->val->source_count;
	*ret_score = score;
	return 0;
}

/* --- Phases ------------------------------------------------------------------------- */

struct course {
	enum lab_phase phase;
	double epochs, rate;
	size_t items, batch, share;
	size_t epoch_steps, steps;
	double captions;	/* an item stands for */
	const size_t *order;
};

static struct course course_of(const struct trainer *t, enum lab_phase phase)
{
	const struct lab_train_options *o = t->options;
	struct course plan = { .phase = phase, .batch = o->batch, .share = SHARE_PHOTOS,
			     .items = t->train->photo_count, .order = t->order };

	switch (phase) {
	case LAB_PHASE_LANGUAGE:
		plan.epochs = o->language_epochs;
		plan.rate = o->language_rate;
		plan.items = t->text_count;
		plan.batch = o->text_batch;
		plan.share = SHARE_TEXTS;
		plan.captions = 1;
		plan.order = t->text_order;
		break;
	case LAB_PHASE_CAPTIONS:
		plan.epochs = o->caption_epochs;
		plan.rate = o->caption_rate;
		plan.captions = (double)t->train->caption_count / (double)t->train->photo_count;
		break;
	default:
		plan.epochs = o->reward_epochs;
		plan.rate = o->reward_rate;
		plan.captions = o->samples;
	}
	plan.epoch_steps = (plan.items + plan.batch - 1) / plan.batch;
	plan.steps = (size_t)ceil(plan.epochs * (double)plan.epoch_steps);
	return plan;
}

static int add_point(struct trainer *t, const struct course *plan, double score,
		     struct engine_error *error)
{
	struct position *p = &t->position;
	struct history_point point = { .phase = plan->phase, .loss = NAN, .reward = NAN, .score = score };

	if (t->history_count == t->history_room) {
		size_t room = t->history_room == 0 ? 256 : t->history_room * 2;
		struct history_point *grown = reallocarray(t->history, room, sizeof(*grown));

		if (grown == NULL)
			return engine_fail_memory(error);
		t->history = grown;
		t->history_room = room;
	}
	point.epoch = (double)p->step / (double)plan->epoch_steps;
	if (p->count > 0) {
		if (plan->phase == LAB_PHASE_REWARD)
			point.reward = p->reward_sum / p->count;
		else
			point.loss = p->loss_sum / p->count;
	}
	p->loss_sum = p->reward_sum = p->count = 0;
	t->history[t->history_count++] = point;
	return 0;
}

static void show(struct trainer *t, const struct course *plan, double rate, double score)
{
	const struct lab_train_options *o = t->options;
	struct position *p = &t->position;
	double time = now(), spent = time - t->phase_start;
	double done = (double)(p->step - t->phase_first_step);
	struct lab_train_progress progress = {
		.phase = plan->phase, .step = p->step, .steps = plan->steps,
		.epoch = (double)p->step / (double)plan->epoch_steps,
		.learning_rate = rate,
		.captions_per_second = t->shown_captions / (time - t->shown_time + 1e-9),
		.seconds = spent,
		.seconds_left = done > 0 ? spent / done * (double)(plan->steps - p->step) : 0,
		.validated = isfinite(score), .score = score, .best_score = p->best_score,
	};

	if (t->shown_count > 0) {
		progress.loss = t->shown_loss / t->shown_count;
		progress.reward = t->shown_reward / t->shown_count;
	}
	if (o->progress != NULL)
		o->progress(o->user, &progress);
	t->shown_loss = t->shown_reward = t->shown_count = t->shown_captions = 0;
	t->shown_time = time;
}

static int save_model(struct trainer *t, struct engine_error *error)
{
	return decoder_weights_write(t->weights, t->model->file, NULL, t->options->output, error);
}

/* After a validation: remembers the best, tells when to stop early. */
static int consider(struct trainer *t, double score, bool *ret_enough, struct engine_error *error)
{
	struct position *p = &t->position;

	*ret_enough = false;
	if (score > p->best_score) {
		p->best_score = score;
		p->fruitless = 0;
		memcpy(t->best, t->weights->parameters, t->weights->network.value_count * sizeof(float));
		return save_model(t, error);
	}
	p->fruitless++;
	*ret_enough = t->options->patience > 0 && p->fruitless >= t->options->patience;
	return 0;
}

static uint64_t fingerprint(const struct trainer *t)
{
	const struct lab_train_options *o = t->options;
	const double values[] = {
		o->hidden, o->layers, (double)o->decoder, o->minimum_count, o->class_scores, o->mirrored,
		o->language_epochs, o->caption_epochs, o->reward_epochs, o->language_rate,
		o->caption_rate, o->reward_rate, o->final_rate, o->warm_up, o->batch, o->text_batch,
		o->samples, o->sharpness, o->repetition_penalty, o->reward_captions, o->average, o->smoothing, o->dropout, o->feature_noise,
		o->weight_decay, o->clip, o->validations, o->patience, o->init, o->freeze_words,
		(double)t->threads, (double)t->train->photo_count, (double)t->train->caption_count,
		(double)t->text_count, t->val == NULL ? 0 : (double)t->val->photo_count,
	};
	uint64_t value = o->seed;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		uint64_t bits;

		memcpy(&bits, &values[i], sizeof(bits));
		value = mix(value, bits, i, 0);
	}
	return value;
}

static int save_checkpoint(struct trainer *t, struct engine_error *error)
{
	const struct checkpoint checkpoint = {
		.fingerprint = fingerprint(t), .position = t->position,
		.parameters = t->weights->parameters, .best = t->best, .average = t->average,
		.optimiser = &t->optimiser, .value_count = t->weights->network.value_count,
		.history = t->history, .history_count = t->history_count,
	};

	t->checkpoint_time = now();
	return t->options->checkpoint == NULL ? 0 :
		checkpoint_write(&checkpoint, t->options->checkpoint, error);
}

static size_t count_tokens(const struct trainer *t, const struct course *plan, const size_t *items,
			   size_t count)
{
	size_t tokens = 0;

	/* the reward's scale does not matter to Adam: a typical length */
	if (plan->phase == LAB_PHASE_REWARD)
		return count * t->options->samples * 10;
	for (size_t i = 0; i < count; i++) {
		if (plan->phase == LAB_PHASE_LANGUAGE) {
			tokens += t->texts[items[i]].count + t->texts[items[i]].ended;
		} else {
			const struct dataset_photo *photo = &t->train->photos[items[i]];

			for (size_t k = photo->first; k < photo->first + photo->count; k++)
				tokens += t->train->captions[k].count + t->train->captions[k].ended;
		}
	}
	return tokens;
}

static int run_step(struct trainer *t, const struct course *plan, const size_t *items, size_t count,
		    double rate, struct engine_error *error)
{
	enum { SHARES_MAX = 4096 };
	int results[SHARES_MAX];
	double losses[SHARES_MAX], rewards[SHARES_MAX], loss = 0, reward = 0, norm;
	size_t shares = (count + plan->share - 1) / plan->share;
	struct step step = {
		.trainer = t, .phase = plan->phase, .items = items, .count = count, .share = plan->share,
		.seed = mix(t->options->seed, plan->phase, t->position.step, 2),
		.tokens = count_tokens(t, plan, items, count),
		.results = results, .losses = losses, .rewards = rewards,
	};
	const struct optimiser_options options = {
		.rate = rate, .weight_decay = t->options->weight_decay, .clip = t->options->clip,
	};

	memset(rewards, 0, sizeof(rewards));
	threadpool_run(t->pool, step_task, &step);
	for (size_t i = 0; i < shares; i++) {
		if (results[i] < 0)
			return engine_fail_memory(error);
		loss += losses[i];
		reward += rewards[i];
	}
	if (t->threads > 1)
		threadpool_run(t->pool, sum_task, t);
	norm = optimiser_step(&t->optimiser, &t->weights->network, t->weights->parameters,
			      t->workers[0].gradient, &options, t->pool);
	if (!isfinite(norm) || !isfinite(loss))
		return engine_fail(error, -ERANGE,
				   "Training diverged at step %" PRIu64 " of the phase \"%s\". Lower the learning rate.",
				   t->position.step + 1, lab_phase_name(plan->phase));
	update_average(t);
	reward /= (double)(count * t->options->samples);
	t->position.loss_sum += loss;
	t->position.reward_sum += reward;
	t->position.count++;
	t->shown_loss += loss;
	t->shown_reward += reward;
	t->shown_count++;
	t->shown_captions += (double)count * plan->captions;
	return 0;
}

static int run_phase(struct trainer *t, enum lab_phase phase, struct engine_error *error)
{
	const struct lab_train_options *o = t->options;
	struct course plan = course_of(t, phase);
	struct position *p = &t->position;
	size_t *order = (size_t *)plan.order;
	double every = o->validations > 0 ? (double)plan.epoch_steps / o->validations : INFINITY;
	size_t point_steps = plan.epoch_steps / CURVE_POINTS + 1;
	uint64_t shuffled = UINT64_MAX;
	bool enough = false;
	double rate = 0;
	int r = 0;

	t->phase_start = t->shown_time = now();
	t->phase_first_step = p->step;
	while (p->step < plan.steps && !enough) {
		uint64_t epoch = p->step / plan.epoch_steps;
		size_t first = (p->step % plan.epoch_steps) * plan.batch;
		size_t count = plan.items - first < plan.batch ? plan.items - first : plan.batch;
		double before, score = NAN;
		bool due;

		if (stopped(t)) {
			r = save_checkpoint(t, error);
			return r != 0 ? r : engine_fail(error, ENGINE_CANCELLED,
							o->checkpoint == NULL ? "Training was stopped." :
							"Training was stopped; the checkpoint %s goes on with --resume.",
							o->checkpoint);
		}
		if (epoch != shuffled) {
			struct random random;

			for (size_t i = 0; i < plan.items; i++)
				order[i] = i;
			random_seed(&random, mix(o->seed, phase, epoch, 3));
			random_shuffle(&random, order, plan.items);
			shuffled = epoch;
		}
		before = now();
		rate = optimiser_rate(plan.rate, o->final_rate, p->step, o->warm_up, plan.steps);
		r = run_step(t, &plan, order + first, count, rate, error);
		if (r != 0)
			return r;
		p->step++;
		due = p->step == plan.steps || floor((double)p->step / every) >
			floor((double)(p->step - 1) / every);
		if (due && t->val != NULL && phase != LAB_PHASE_LANGUAGE) {
			swap_average(t);
			r = validate(t, &score, error);
			if (r == 0)
				r = consider(t, score, &enough, error);
			swap_average(t);
		}
		if (r == 0 && (isfinite(score) || p->step % point_steps == 0 || p->step == plan.steps))
			r = add_point(t, &plan, score, error);
		p->seconds += now() - before;
		t->phase_seconds[phase] += now() - before;
		if (r != 0)
			return r;
		if (isfinite(score) || now() - t->shown_time >= o->progress_seconds)
			show(t, &plan, rate, score);
		if (now() - t->checkpoint_time >= o->checkpoint_seconds) {
			r = save_checkpoint(t, error);
			if (r != 0)
				return r;
		}
	}
	return 0;
}

static void next_phase(struct trainer *t)
{
	struct position *p = &t->position;
	size_t count = t->weights->network.value_count;

	swap_average(t);
	/* the next phase starts from the best of this one */
	if (t->val != NULL && p->phase != LAB_PHASE_LANGUAGE && p->best_score >= 0)
		memcpy(t->weights->parameters, t->best, count * sizeof(float));
	if (t->average != NULL)
		memcpy(t->average, t->weights->parameters, count * sizeof(float));
	optimiser_reset(&t->optimiser, count);
	p->phase++;
	p->step = 0;
	p->fruitless = 0;
	p->loss_sum = p->reward_sum = p->count = 0;
}

/* --- The run --------------------------------------------------------------------------- */

static int allocate_worker(struct trainer *t, struct worker *worker)
{
	const struct network_shape *shape = &t->weights->network.shape;
	size_t count = t->weights->network.value_count;

	if (network_workspace_open(&worker->workspace) < 0)
		return -ENOMEM;
	worker->gradient = aligned_alloc(64, count * sizeof(float));
	worker->features.pool = calloc(SHARE_PHOTOS * shape->pool, sizeof(float));
	if (shape->kind == NETWORK_ATTENTION)
		worker->features.grid = calloc(SHARE_PHOTOS * shape->cells * shape->channels,
					       sizeof(float));
	if (shape->classes > 0)
		worker->features.classes = calloc(SHARE_PHOTOS * shape->classes, sizeof(float));
	worker->samples = calloc((size_t)SHARE_PHOTOS * t->options->samples, sizeof(*worker->samples));
	if (worker->gradient == NULL || worker->features.pool == NULL || worker->samples == NULL ||
	    (shape->kind == NETWORK_ATTENTION && worker->features.grid == NULL) ||
	    (shape->classes > 0 && worker->features.classes == NULL))
		return -ENOMEM;
	return 0;
}

/* Equal numbers for all forms of a noun, 0 for other words. */
static int number_nouns(const struct lexicon *vocabulary, uint32_t **ret_nouns)
{
	uint32_t *nouns = calloc(lexicon_size(vocabulary), sizeof(*nouns));
	struct lexicon *stems = NULL;
	int r = nouns == NULL ? -ENOMEM : lexicon_open(&stems);

	for (uint32_t i = WORD_FIRST; r == 0 && i < lexicon_size(vocabulary); i++) {
		struct lexeme lexeme = lexeme_of(lexicon_word(vocabulary, i));

		if (lexeme.kind != LEXEME_NOUN)
			continue;
		r = lexicon_add(stems, lexeme.stem, strlen(lexeme.stem), &nouns[i]);
		nouns[i]++;
	}
	lexicon_free(stems);
	if (r < 0) {
		free(nouns);
		return r;
	}
	*ret_nouns = nouns;
	return 0;
}

static int prepare_run(struct trainer *t, struct engine_error *error)
{
	const struct lexicon *vocabulary = t->weights->vocabulary;
	size_t count = t->weights->network.value_count;
	int r = dataset_open(t->train_set, t->train_records, t->mirrored_records, vocabulary,
			     LONGEST_CAPTION, true, true, &t->train, error);

	if (r == 0 && t->val_set != NULL && t->val_set->photo_count > 0)
		r = dataset_open(t->val_set, t->val_records, NULL, vocabulary, LONGEST_CAPTION, true,
				 false, &t->val, error);
	if (r == 0)
		r = read_texts(t, vocabulary, error);
	if (r != 0)
		return r;
	t->order = calloc(t->train->photo_count + 1, sizeof(*t->order));
	t->text_order = calloc(t->text_count + 1, sizeof(*t->text_order));
	t->workers = calloc(t->threads, sizeof(*t->workers));
	t->best = malloc(count * sizeof(float));
	if (t->options->average > 0)
		t->average = aligned_alloc(64, (count * sizeof(float) + 63) & ~(size_t)63);
	if (t->val != NULL)
		t->val_captions = calloc(t->val->photo_count, sizeof(*t->val_captions));
	if (t->order == NULL || t->text_order == NULL || t->workers == NULL || t->best == NULL ||
	    (t->val != NULL && t->val_captions == NULL) ||
	    (t->options->average > 0 && t->average == NULL) ||
	    optimiser_init(&t->optimiser, count) < 0)
		return engine_fail_memory(error);
	for (unsigned i = 0; i < t->threads; i++)
		if (allocate_worker(t, &t->workers[i]) < 0)
			return engine_fail_memory(error);
	if (number_nouns(vocabulary, &t->nouns) < 0)
		return engine_fail_memory(error);
	memcpy(t->best, t->weights->parameters, count * sizeof(float));
	if (t->average != NULL)
		memcpy(t->average, t->weights->parameters, count * sizeof(float));
	t->position = (struct position){ .phase = LAB_PHASE_LANGUAGE, .best_score = -1 };
	return 0;
}

static int resume(struct trainer *t, struct engine_error *error)
{
	struct checkpoint checkpoint = {
		.fingerprint = fingerprint(t), .parameters = t->weights->parameters, .best = t->best,
		.average = t->average, .optimiser = &t->optimiser, .value_count = t->weights->network.value_count,
	};
	int r = checkpoint_read(&checkpoint, t->options->checkpoint, error);

	if (r != 0)
		return r;
	t->position = checkpoint.position;
	t->history = checkpoint.history;
	t->history_count = t->history_room = checkpoint.history_count;
	return 0;
}

static int write_report(struct trainer *t, struct engine_error *error)
{
	struct report report = {
		.options = t->options, .weights = t->weights, .history = t->history,
		.history_count = t->history_count, .best_score = t->position.best_score,
		.validation = t->val, .captions = t->val_captions,
	};
	double score;
	int r = t->val == NULL ? 0 : validate(t, &score, error);

	memcpy(report.seconds, t->phase_seconds, sizeof(report.seconds));
	return r != 0 ? r : report_write(&report, t->options->report, error);
}

static int train(struct trainer *t, struct engine_error *error)
{
	const struct lab_train_options *o = t->options;
	double score, started = now();
	int r = engine_model_open(o->model, &t->model, error);

	if (r == 0)
		r = threadpool_open(t->threads, &t->pool, error);
	if (r == 0)
		r = features_open(t->model, o->cache, &t->features, error);
	if (r == 0)
		r = read_photos(t, error);
	t->phase_seconds[LAB_PHASE_FEATURES] = now() - started;
	if (r == 0)
		r = make_weights(t, error);
	if (r == 0)
		r = prepare_run(t, error);
	if (r != 0)
		return r;
	if (o->resume) {
		r = resume(t, error);
	} else if (o->init && t->val != NULL) {
		/* the given decoder is the first to beat */
		r = validate(t, &score, error);
		if (r == 0) {
			bool enough;

			r = consider(t, score, &enough, error);
		}
		if (r == 0 && o->progress != NULL) {
			const struct lab_train_progress progress = {
				.phase = LAB_PHASE_LANGUAGE, .validated = true, .score = score,
				.best_score = score, .note = "The given decoder, before training.",
			};

			o->progress(o->user, &progress);
		}
	}
	t->checkpoint_time = now();
	while (r == 0 && t->position.phase < LAB_PHASE_COUNT) {
		r = run_phase(t, (enum lab_phase)t->position.phase, error);
		if (r == 0)
			next_phase(t);
	}
	if (r == 0)
		r = save_model(t, error);
	if (r == 0)
		r = save_checkpoint(t, error);
	if (r == 0 && o->report != NULL)
		r = write_report(t, error);
	return r;
}

static void trainer_clear(struct trainer *t)
{
	for (unsigned i = 0; t->workers != NULL && i < t->threads; i++) {
		network_workspace_free(t->workers[i].workspace);
		free(t->workers[i].gradient);
		free(t->workers[i].features.pool);
		free(t->workers[i].features.grid);
		free(t->workers[i].features.classes);
		free(t->workers[i].sequences);
		free(t->workers[i].samples);
	}
	free(t->workers);
	for (size_t i = 0; i < t->text_count; i++)
		free(t->texts[i].words);
	free(t->texts);
	free(t->order);
	free(t->text_order);
	free(t->best);
	free(t->average);
	free(t->nouns);
	free(t->val_captions);
	free(t->history);
	optimiser_clear(&t->optimiser);
	dataset_free(t->train);
	dataset_free(t->val);
	captions_free(t->train_set);
	captions_free(t->val_set);
	free(t->train_records);
	free(t->mirrored_records);
	free(t->val_records);
	decoder_weights_free(t->weights);
	features_free(t->features);
	threadpool_free(t->pool);
	engine_model_free(t->model);
}

int lab_train(const struct lab_train_options *options, struct engine_error *error)
{
	struct trainer trainer = { .options = options };
	int blas_threads = openblas_get_num_threads();
	int r = check_options(options, error);

	if (r != 0)
		return r;
	trainer.threads = threadpool_choose(options->threads);
	openblas_set_num_threads(1);
	r = train(&trainer, error);
	openblas_set_num_threads(blas_threads);
	trainer_clear(&trainer);
	return r;
}
