/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * eval.c: a model's captions for every photo of a set, by as many threads as
 * asked for, then the scores and the measures of what the captions are like.
 * Everything that is scored is words as tokenizer.h splits them.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/context.h"
#include "engine/error.h"
#include "engine/lab/captions.h"
#include "engine/lab/features.h"
#include "engine/lab/lab.h"
#include "engine/lab/lexicon.h"
#include "engine/lab/scores.h"
#include "engine/lab/tokenizer.h"
#include "engine/lexeme.h"
#include "engine/limits.h"
#include "engine/model.h"
#include "engine/threadpool.h"

enum { OPENING_WORDS = 5, OPENINGS = 10 };

struct candidate {
	char *words;		/* split; NULL: none */
	double confidence;
	int sure_class;		/* −1: the head is not sure, or there is none */
	double cider;
};

struct evaluation {
	const struct lab_eval_options *options;
	struct engine_model *model;
	struct features *features;
	struct caption_set *set;
	struct candidate *candidates;
	uint32_t *records;	/* in the cache, if there is one */

	pthread_mutex_t lock;
	size_t next, done;
	int result;
	struct engine_error *error;

	/* for scoring */
	struct lexicon *lexicon;
	struct sentence *references, *said;	/* references photo after photo */
	size_t *first_reference;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* --- Captions of a model ------------------------------------------------------- */

struct feature_buffers {
	float *pool, *grid, *classes;
};

/* As the daemon does it, second looks included. */
static int describe_photo(const struct evaluation *e, struct engine_context *context, size_t photo,
			  const struct engine_caption_options *options,
			  const struct engine_result **ret_result, struct engine_error *error)
{
	const struct engine_model_info *info = engine_model_info(e->model);
	const struct engine_image_options wanted = { .wanted_width = info->input_width,
						     .wanted_height = info->input_height };
	struct engine_image *image;
	char *path;
	int fd, r;

	if (asprintf(&path, "%s/%s", e->options->images, e->set->photos[photo].file_name) < 0)
		return engine_fail_memory(error);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		r = engine_fail(error, ENGINE_BAD_IMAGE, "%s cannot be opened: %s.", path, strerror(errno));
	else
		r = engine_image_read(fd, &wanted, &image, error);
	if (fd >= 0)
		close(fd);
	free(path);
	if (r != 0)
		return r;
	r = engine_describe(context, image, options, ret_result, error);
	engine_image_free(image);
	return r;
}

static int join_words(const struct engine_caption *caption, char **ret_words)
{
	size_t size = 1;
	char *words, *end;

	for (size_t i = 0; i < caption->word_count; i++)
		size += strlen(caption->words[i].text) + 1;
	words = end = malloc(size);
	if (words == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < caption->word_count; i++) {
		if (i > 0)
			*end++ = ' ';
		end = stpcpy(end, caption->words[i].text);
	}
	*end = '\0';
	*ret_words = words;
	return 0;
}

static int describe(const struct evaluation *e, struct engine_context *context, size_t photo,
		    struct feature_buffers *buffers, struct candidate *ret_candidate,
		    struct engine_error *error)
{
	const struct engine_model_info *info = engine_model_info(e->model);
	const struct engine_caption_options options = {
		.search = e->options->search, .beam = e->options->beam,
		.temperature = e->options->temperature, .seed = e->options->seed + photo,
		.plain = e->options->plain, .cancel = e->options->stop,
	};
	struct candidate candidate = { .sure_class = -1 };
	struct engine_features cached;
	const struct engine_features *features = &cached;
	const struct engine_result *result;
	const struct engine_caption *best;
	int r = 0;

	if (e->features != NULL) {
		if (e->records[photo] == FEATURES_ABSENT)
			return engine_fail(error, ENGINE_BAD_IMAGE, "There are no features.");
		features_get(e->features, e->records[photo], buffers->pool, buffers->grid, buffers->classes);
		cached = (struct engine_features){ buffers->pool, buffers->grid,
						   info->class_count > 0 ? buffers->classes : NULL };
		r = engine_generate(context, features, &options, &result, error);
	} else {
		r = describe_photo(e, context, photo, &options, &result, error);
		features = encoder_features(context->encoder);
	}
	if (r != 0)
		return r;
	for (unsigned i = 0; features->classes != NULL && i < info->class_count; i++)
		if (features->classes[i] >= (float)LAB_EVAL_SURE)
			candidate.sure_class = (int)i;
	best = &result->captions[0];
	candidate.confidence = best->confidence >= 0 ? (double)best->confidence :
		exp((double)best->log_probability / (double)(best->word_count + 1));
	if (join_words(best, &candidate.words) < 0)
		return engine_fail_memory(error);
	*ret_candidate = candidate;
	return 0;
}

static void *work(void *argument)
{
	struct evaluation *e = argument;
	const struct engine_model_info *info = engine_model_info(e->model);
	const struct engine_context_options options = { .threads = 1, .path = e->options->path };
	struct feature_buffers buffers = {
		.pool = calloc(info->pool_size + 1, sizeof(float)),
		.grid = calloc((size_t)info->grid_width * info->grid_height * info->grid_channels + 1,
			       sizeof(float)),
		.classes = calloc(info->class_count + 1, sizeof(float)),
	};
	struct engine_context *context = NULL;
	struct engine_error error = { "" };
	int r;

	r = buffers.pool == NULL || buffers.grid == NULL || buffers.classes == NULL ?
		engine_fail_memory(&error) : engine_context_open(e->model, &options, &context, &error);
	pthread_mutex_lock(&e->lock);
	while (r == 0 && e->result == 0 && e->next < e->set->photo_count) {
		size_t photo = e->next++;

		if (e->options->stop != NULL && atomic_load(e->options->stop)) {
			r = engine_fail(&error, ENGINE_CANCELLED, "The evaluation was stopped.");
			break;
		}
		pthread_mutex_unlock(&e->lock);
		r = describe(e, context, photo, &buffers, &e->candidates[photo], &error);
		pthread_mutex_lock(&e->lock);
		if (r == ENGINE_BAD_IMAGE || r == ENGINE_TOO_LARGE)
			r = 0;	/* counted as skipped */
		e->done++;
		if (r == 0 && e->options->progress != NULL)
			e->options->progress(e->options->user, e->done, e->set->photo_count);
	}
	if (r != 0 && e->result == 0) {
		e->result = r;
		if (e->error != NULL)
			*e->error = error;
	}
	pthread_mutex_unlock(&e->lock);
	engine_context_free(context);
	free(buffers.pool);
	free(buffers.grid);
	free(buffers.classes);
	return NULL;
}

static int fill_cache(struct evaluation *e, struct engine_error *error)
{
	const char **names = calloc(e->set->photo_count + 1, sizeof(*names));
	const struct features_request request = {
		.folder = e->options->images, .names = names, .count = e->set->photo_count,
		.threads = threadpool_choose(e->options->threads), .stop = e->options->stop,
	};
	int r;

	e->records = calloc(e->set->photo_count + 1, sizeof(*e->records));
	if (names == NULL || e->records == NULL) {
		free(names);
		return engine_fail_memory(error);
	}
	for (size_t i = 0; i < e->set->photo_count; i++)
		names[i] = e->set->photos[i].file_name;
	r = features_open(e->model, e->options->cache, &e->features, error);
	if (r == 0)
		r = features_extract(e->features, &request, e->records, error);
	free(names);
	return r;
}

static int run_model(struct evaluation *e, struct engine_error *error)
{
	unsigned threads = threadpool_choose(e->options->threads), started = 0;
	pthread_t workers[LIMIT_THREADS];
	int r = engine_model_open(e->options->model, &e->model, error);

	if (r == 0 && engine_model_info(e->model)->vocabulary_size == 0)
		r = engine_fail(error, ENGINE_UNSUPPORTED, "%s has no decoder, so it makes no captions.",
				e->options->model);
	if (r == 0 && e->options->cache != NULL)
		r = fill_cache(e, error);
	if (r != 0)
		return r;
	for (; started + 1 < threads; started++)
		if (pthread_create(&workers[started], NULL, work, e) != 0)
			break;
	work(e);
	for (unsigned i = 0; i < started; i++)
		pthread_join(workers[i], NULL);
	return e->result;
}

/* --- Captions from a file ---------------------------------------------------------- */

struct numbered {
	int64_t id;
	size_t photo;
};

static int by_id(const void *left, const void *right)
{
	const struct numbered *a = left, *b = right;

	return a->id < b->id ? -1 : a->id > b->id;
}

static int read_results(struct evaluation *e, struct engine_error *error)
{
	const char *path = e->options->results;
	struct numbered *ids = calloc(e->set->photo_count + 1, sizeof(*ids));
	json_error_t problem;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &problem), *entry;
	size_t i;
	int r = 0;

	if (ids == NULL) {
		r = engine_fail_memory(error);
		goto out;
	}
	if (!json_is_array(root)) {
		r = engine_fail(error, -EINVAL, "%s is not a list of captions in JSON: line %d: %s.", path,
				root == NULL ? problem.line : 1, root == NULL ? problem.text : "no list");
		goto out;
	}
	for (i = 0; i < e->set->photo_count; i++)
		ids[i] = (struct numbered){ e->set->photos[i].id, i };
	qsort(ids, e->set->photo_count, sizeof(*ids), by_id);
	json_array_foreach(root, i, entry) {
		json_t *id = json_object_get(entry, "image_id"), *caption = json_object_get(entry, "caption");
		const struct numbered *found;
		struct numbered wanted;

		if (!json_is_integer(id) || !json_is_string(caption)) {
			r = engine_fail(error, -EINVAL, "%s: entry %zu has no image_id or no caption.", path, i);
			goto out;
		}
		wanted.id = json_integer_value(id);
		found = bsearch(&wanted, ids, e->set->photo_count, sizeof(*ids), by_id);
		if (found == NULL || e->candidates[found->photo].words != NULL) {
			r = engine_fail(error, -EINVAL, "%s: entry %zu has the image_id %lld, which %s.", path, i,
					(long long)wanted.id, found == NULL ? "the caption file does not have" :
					"an entry before has too");
			goto out;
		}
		e->candidates[found->photo].sure_class = -1;
		if (tokenizer_split(json_string_value(caption), &e->candidates[found->photo].words) < 0) {
			r = engine_fail_memory(error);
			goto out;
		}
	}
out:
	json_decref(root);
	free(ids);
	return r;
}

/* --- Scores --------------------------------------------------------------------------- */

/* Numbers for all words of the photos that have a caption to score. */
static int number_words(struct evaluation *e, struct engine_error *error)
{
	size_t used = 0;
	int r = lexicon_open(&e->lexicon);

	for (size_t i = 0; r == 0 && i < e->set->photo_count; i++) {
		const struct captioned_photo *photo = &e->set->photos[i];

		e->first_reference[i] = used;
		if (e->candidates[i].words == NULL)
			continue;
		r = lexicon_add_all(e->lexicon, e->candidates[i].words);
		for (size_t k = 0; r == 0 && k < photo->caption_count; k++)
			r = lexicon_add_all(e->lexicon, photo->words[k]);
		if (r == 0)
			r = lexicon_encode(e->lexicon, e->candidates[i].words, LEXICON_EXACT,
					   (uint32_t **)&e->said[i].words, &e->said[i].count);
		for (size_t k = 0; r == 0 && k < photo->caption_count; k++, used++)
			r = lexicon_encode(e->lexicon, photo->words[k], LEXICON_EXACT,
					   (uint32_t **)&e->references[used].words, &e->references[used].count);
	}
	if (r == -E2BIG)
		return engine_fail(error, r, "The captions have more than %u different words.",
				   LEXICON_WORDS_MAX);
	return r < 0 ? engine_fail_memory(error) : 0;
}

/* The photos of a source that have a caption, or all. */
static size_t select_photos(const struct evaluation *e, const char *source, size_t *ret_photos)
{
	size_t count = 0;

	for (size_t i = 0; i < e->set->photo_count; i++)
		if (e->candidates[i].words != NULL &&
		    (source == NULL || strcmp(e->set->photos[i].source, source) == 0))
			ret_photos[count++] = i;
	return count;
}

static int score_words(struct evaluation *e, const size_t *photos, size_t count, double *ciders,
		       struct lab_eval_scores *s)
{
	struct scored_caption *captions = calloc(count + 1, sizeof(*captions));
	struct cider_photo *all = calloc(count + 1, sizeof(*all));
	struct cider *cider = NULL;
	int r = captions == NULL || all == NULL ? -ENOMEM : 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct sentence *references = e->references + e->first_reference[photos[i]];
		size_t references_count = e->set->photos[photos[i]].caption_count;
		double rouge = 0;

		captions[i] = (struct scored_caption){ e->said[photos[i]], references, references_count };
		all[i] = (struct cider_photo){ references, references_count };
		r = scores_rouge(&captions[i], &rouge);
		s->rouge += rouge / (double)count;
	}
	if (r == 0)
		r = scores_bleu(captions, count, s->bleu);
	if (r == 0)
		r = cider_open(all, count, false, &cider);
	for (size_t i = 0; r == 0 && i < count; i++) {
		ciders[i] = cider_score(cider, i, e->said[photos[i]]);
		s->cider += ciders[i] / (double)count;
	}
	cider_free(cider);
	free(captions);
	free(all);
	return r;
}

static int by_key(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

static size_t count_different(uint64_t *keys, size_t count)
{
	size_t different = 0;

	if (count > 0)
		qsort(keys, count, sizeof(*keys), by_key);
	for (size_t i = 0; i < count; i++)
		different += i == 0 || keys[i] != keys[i - 1];
	return different;
}

static uint64_t opening(struct sentence sentence)
{
	uint64_t key = 14695981039346656037u;

	for (size_t i = 0; i < sentence.count && i < OPENING_WORDS; i++)
		key = (key ^ (sentence.words[i] + 1)) * 0x100000001b3u;
	return key;
}

static int by_size(const void *left, const void *right)
{
	const size_t *a = left, *b = right;

	return *a < *b ? 1 : *a > *b ? -1 : 0;
}

static int measure_variety(struct evaluation *e, const size_t *photos, size_t count,
			   struct lab_eval_scores *s)
{
	size_t total = 0, pairs = 0, run = 0, runs = 0, common = 0;
	uint64_t *keys, *pair_keys;
	size_t *sizes;
	int r = -ENOMEM;

	for (size_t i = 0; i < count; i++)
		total += e->said[photos[i]].count;
	keys = calloc(total + count + 1, sizeof(*keys));
	pair_keys = calloc(total + 1, sizeof(*pair_keys));
	sizes = calloc(count + 1, sizeof(*sizes));
	if (keys == NULL || pair_keys == NULL || sizes == NULL)
		goto out;
	total = 0;
	for (size_t i = 0; i < count; i++) {
		struct sentence said = e->said[photos[i]];

		for (size_t k = 0; k < said.count; k++) {
			keys[total++] = said.words[k];
			if (k > 0)
				pair_keys[pairs++] = (uint64_t)said.words[k - 1] << 32 | said.words[k];
		}
	}
	s->length = (double)total / (double)count;
	s->vocabulary = count_different(keys, total);
	s->distinct[0] = total == 0 ? 0 : (double)s->vocabulary / (double)total;
	s->distinct[1] = pairs == 0 ? 0 : (double)count_different(pair_keys, pairs) / (double)pairs;
	for (size_t i = 0; i < count; i++)
		keys[i] = opening(e->said[photos[i]]);
	qsort(keys, count, sizeof(*keys), by_key);
	for (size_t i = 0; i < count; i++) {
		run++;
		if (i + 1 == count || keys[i + 1] != keys[i]) {
			sizes[runs++] = run;
			run = 0;
		}
	}
	qsort(sizes, runs, sizeof(*sizes), by_size);
	for (size_t i = 0; i < runs && i < OPENINGS; i++)
		common += sizes[i];
	s->common_openings = (double)common / (double)count;
	r = 0;
out:
	free(keys);
	free(pair_keys);
	free(sizes);
	return r;
}

static bool says_noun_twice(const struct evaluation *e, struct sentence said)
{
	struct lexeme nouns[CIDER_WORDS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < said.count && count < CIDER_WORDS_MAX; i++) {
		struct lexeme lexeme = lexeme_of(lexicon_word(e->lexicon, said.words[i]));

		if (lexeme.kind != LEXEME_NOUN)
			continue;
		for (size_t k = 0; k < count; k++)
			if (strcmp(nouns[k].stem, lexeme.stem) == 0)
				return true;
		nouns[count++] = lexeme;
	}
	return false;
}

/* Whether the sentence has the class's last word or a word for its kind. */
static bool names_class(const struct evaluation *e, struct sentence said, const char *label)
{
	const char *last = strrchr(label, ' ');
	struct lexeme class_lexeme = lexeme_of(last == NULL ? label : last + 1);

	for (size_t i = 0; i < said.count; i++) {
		struct lexeme lexeme = lexeme_of(lexicon_word(e->lexicon, said.words[i]));

		if (lexeme.kind == LEXEME_NOUN && lexeme_supports(&class_lexeme, &lexeme))
			return true;
	}
	return false;
}

static void measure_content(struct evaluation *e, const size_t *photos, size_t count,
			    struct lab_eval_scores *s)
{
	size_t twice = 0, named = 0, named_by_people = 0;

	for (size_t i = 0; i < count; i++) {
		const struct candidate *candidate = &e->candidates[photos[i]];
		const struct sentence *references = e->references + e->first_reference[photos[i]];
		const char *label;

		twice += says_noun_twice(e, e->said[photos[i]]);
		if (candidate->sure_class < 0 || e->model == NULL || e->model->labels == NULL)
			continue;
		label = e->model->labels[candidate->sure_class];
		s->sure_photos++;
		named += names_class(e, e->said[photos[i]], label);
		for (size_t k = 0; k < e->set->photos[photos[i]].caption_count; k++) {
			if (names_class(e, references[k], label)) {
				named_by_people++;
				break;
			}
		}
	}
	s->noun_twice = (double)twice / (double)count;
	if (s->sure_photos > 0) {
		s->sure_named = (double)named / (double)s->sure_photos;
		s->sure_named_by_people = (double)named_by_people / (double)s->sure_photos;
	}
}

static int by_value(const void *left, const void *right)
{
	const double *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

static int measure_confidence(struct evaluation *e, const size_t *photos, size_t count,
			      const double *ciders, struct lab_eval_scores *s)
{
	double *sorted = malloc((count + 1) * sizeof(*sorted)), median;

	if (sorted == NULL)
		return -ENOMEM;
	memcpy(sorted, ciders, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_value);
	median = sorted[count / 2];
	free(sorted);
	for (size_t i = 0; i < count; i++) {
		double confidence = e->candidates[photos[i]].confidence;
		unsigned at = (unsigned)(confidence * LAB_EVAL_BINS);
		struct lab_eval_bin *bin = &s->bins[at < LAB_EVAL_BINS ? at : LAB_EVAL_BINS - 1];

		bin->count++;
		bin->confidence += confidence;
		bin->right += ciders[i] >= median;
	}
	for (size_t i = 0; i < LAB_EVAL_BINS; i++) {
		struct lab_eval_bin *bin = &s->bins[i];

		if (bin->count == 0)
			continue;
		bin->confidence /= (double)bin->count;
		bin->right /= (double)bin->count;
		s->calibration_error += fabs(bin->confidence - bin->right) * (double)bin->count /
			(double)count;
	}
	return 0;
}

/* `source` NULL: all. Stores each caption's CIDEr-D by its own source. */
static int score_source(struct evaluation *e, const char *source, struct lab_eval_scores *ret_scores)
{
	struct lab_eval_scores scores = { .photos = 0 };
	size_t *photos = calloc(e->set->photo_count + 1, sizeof(*photos));
	double *ciders = calloc(e->set->photo_count + 1, sizeof(*ciders));
	int r = -ENOMEM;

	if (photos == NULL || ciders == NULL)
		goto out;
	snprintf(scores.source, sizeof(scores.source), "%s", source == NULL ? "all" : source);
	scores.photos = select_photos(e, source, photos);
	r = 0;
	if (scores.photos == 0)
		goto out;
	r = score_words(e, photos, scores.photos, ciders, &scores);
	if (r == 0)
		r = measure_variety(e, photos, scores.photos, &scores);
	if (r == 0) {
		measure_content(e, photos, scores.photos, &scores);
		if (e->model != NULL)
			r = measure_confidence(e, photos, scores.photos, ciders, &scores);
	}
	for (size_t i = 0; i < scores.photos; i++)
		e->candidates[photos[i]].cider = ciders[i];
	if (r == 0)
		*ret_scores = scores;
out:
	free(photos);
	free(ciders);
	return r;
}

/* --- The report --------------------------------------------------------------------------- */

static int make_report(struct evaluation *e, double seconds, struct lab_eval_report **ret_report,
		       struct engine_error *error)
{
	struct lab_eval_report *report = calloc(1, sizeof(*report));
	const char *names[LAB_EVAL_SOURCES_MAX];
	size_t size = 1, count = 0;
	char *at;
	int r;

	if (report == NULL)
		return engine_fail_memory(error);
	r = score_source(e, NULL, &report->all);
	for (size_t i = 0; i < e->set->photo_count; i++) {
		const char *source = e->set->photos[i].source;
		size_t k = 0;

		while (k < count && strcmp(names[k], source) != 0)
			k++;
		if (k == count && count < LAB_EVAL_SOURCES_MAX)
			names[count++] = source;
	}
	for (size_t i = 0; r == 0 && count > 1 && i < count; i++) {
		r = score_source(e, names[i], &report->sources[i]);
		report->source_count++;
	}
	for (size_t i = 0; i < e->set->photo_count; i++)
		if (e->candidates[i].words != NULL)
			size += strlen(e->candidates[i].words) + strlen(e->set->photos[i].file_name) + 2;
	report->captions = calloc(e->set->photo_count + 1, sizeof(*report->captions));
	report->memory = at = malloc(size);
	if (r < 0 || report->captions == NULL || at == NULL) {
		lab_eval_free(report);
		return engine_fail_memory(error);
	}
	for (size_t i = 0; i < e->set->photo_count; i++) {
		struct lab_eval_caption *caption = &report->captions[report->caption_count];

		if (e->candidates[i].words == NULL) {
			report->skipped++;
			continue;
		}
		caption->image_id = e->set->photos[i].id;
		caption->file_name = at;
		at = stpcpy(at, e->set->photos[i].file_name) + 1;
		caption->caption = at;
		at = stpcpy(at, e->candidates[i].words) + 1;
		caption->confidence = e->candidates[i].confidence;
		caption->cider = e->candidates[i].cider;
		report->caption_count++;
	}
	report->seconds = seconds;
	*ret_report = report;
	return 0;
}

struct lab_eval_report *lab_eval_free(struct lab_eval_report *report)
{
	if (report == NULL)
		return NULL;
	free(report->captions);
	free(report->memory);
	free(report);
	return NULL;
}

static void evaluation_clear(struct evaluation *e)
{
	for (size_t i = 0; e->said != NULL && i < e->set->photo_count; i++)
		free((void *)e->said[i].words);
	for (size_t i = 0; e->references != NULL && i < e->set->caption_count; i++)
		free((void *)e->references[i].words);
	for (size_t i = 0; e->candidates != NULL && i < e->set->photo_count; i++)
		free(e->candidates[i].words);
	free(e->said);
	free(e->references);
	free(e->first_reference);
	free(e->candidates);
	free(e->records);
	lexicon_free(e->lexicon);
	features_free(e->features);
	engine_model_free(e->model);
	captions_free(e->set);
}

int lab_eval(const struct lab_eval_options *options, struct lab_eval_report **ret_report,
	     struct engine_error *error)
{
	struct evaluation e = { .options = options, .error = error,
				.lock = PTHREAD_MUTEX_INITIALIZER };
	double started = now();
	int r;

	if (options->captions == NULL || (options->results == NULL && options->images == NULL) ||
	    (options->results == NULL) == (options->model == NULL))
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "An evaluation needs a caption file and either a model with its photo folder or a file of results.");
	if (options->cache != NULL && options->path != ENGINE_PATH_AUTO)
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "The cache holds features of the model's own path; leave it out with another.");
	r = captions_read(options->captions, &e.set, error);
	if (r == 0) {
		e.candidates = calloc(e.set->photo_count + 1, sizeof(*e.candidates));
		e.said = calloc(e.set->photo_count + 1, sizeof(*e.said));
		e.references = calloc(e.set->caption_count + 1, sizeof(*e.references));
		e.first_reference = calloc(e.set->photo_count + 1, sizeof(*e.first_reference));
		if (e.candidates == NULL || e.said == NULL || e.references == NULL ||
		    e.first_reference == NULL)
			r = engine_fail_memory(error);
	}
	if (r == 0)
		r = options->model != NULL ? run_model(&e, error) : read_results(&e, error);
	if (r == 0)
		r = number_words(&e, error);
	if (r == 0)
		r = make_report(&e, now() - started, ret_report, error);
	evaluation_clear(&e);
	return r;
}
