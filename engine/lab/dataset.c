/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataset.c: built once before training; nothing here allocates later.
 */
#include "engine/lab/dataset.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"

struct dataset *dataset_free(struct dataset *dataset)
{
	if (dataset == NULL)
		return NULL;
	for (size_t i = 0; dataset->captions != NULL && i < dataset->caption_count; i++)
		free(dataset->captions[i].words);
	for (size_t i = 0; i < dataset->source_count; i++)
		cider_free(dataset->ciders[i]);
	free(dataset->captions);
	free(dataset->photos);
	free(dataset->exact);
	lexicon_free(dataset->lexicon);
	free(dataset);
	return NULL;
}

/* Photos whose source is `source` share a CIDEr-D. */
static int open_cider(struct dataset *dataset, size_t source, bool end_mark)
{
	const struct caption_set *set = dataset->set;
	struct cider_photo *photos = calloc(set->photo_count + 1, sizeof(*photos));
	struct sentence *sentences = calloc(set->caption_count + 1, sizeof(*sentences));
	size_t photo_count = 0, used = 0;
	int r = -ENOMEM;

	if (photos == NULL || sentences == NULL)
		goto out;
	for (size_t i = 0; i < set->photo_count; i++) {
		if (dataset->photos[i].source != source)
			continue;
		dataset->photos[i].source_index = photo_count;
		photos[photo_count].references = sentences + used;
		photos[photo_count++].reference_count = set->photos[i].caption_count;
		for (size_t k = 0; k < set->photos[i].caption_count; k++) {
			uint32_t *words;

			r = lexicon_encode(dataset->lexicon, set->photos[i].words[k], LEXICON_EXACT, &words,
					   &sentences[used].count);
			if (r < 0)
				goto out;
			sentences[used++].words = words;
		}
	}
	r = cider_open(photos, photo_count, end_mark, &dataset->ciders[source]);
out:
	for (size_t i = 0; i < used; i++)
		free((void *)sentences[i].words);
	free(sentences);
	free(photos);
	return r;
}

static int fill(struct dataset *dataset, const uint32_t *records, const uint32_t *mirrored,
		const struct lexicon *vocabulary, size_t longest, bool split_sources)
{
	const struct caption_set *set = dataset->set;
	int r;

	for (size_t i = 0; i < set->photo_count; i++) {
		struct dataset_photo *photo = &dataset->photos[i];
		const char *name = split_sources ? set->photos[i].source : "";
		size_t source = 0;

		while (source < dataset->source_count && strcmp(dataset->sources[source], name) != 0)
			source++;
		if (source == DATASET_SOURCES_MAX)
			source--;
		else if (source == dataset->source_count)
			dataset->sources[dataset->source_count++] = name;
		photo->source = source;
		photo->record = records[i];
		photo->mirrored = mirrored == NULL ? FEATURES_ABSENT : mirrored[i];
		photo->first = dataset->caption_count;
		photo->count = set->photos[i].caption_count;
		for (size_t k = 0; k < photo->count; k++) {
			struct dataset_caption *caption = &dataset->captions[dataset->caption_count];

			r = lexicon_add_all(dataset->lexicon, set->photos[i].words[k]);
			if (r == 0)
				r = lexicon_encode(vocabulary, set->photos[i].words[k],
						   LEXICON_AS_VOCABULARY, &caption->words, &caption->count);
			if (r < 0)
				return r;
			dataset->caption_count++;
			caption->ended = caption->count <= longest;
			if (!caption->ended)
				caption->count = longest;
		}
	}
	for (uint32_t i = 0; i < lexicon_size(vocabulary); i++) {
		const char *word = lexicon_word(vocabulary, i);

		r = lexicon_add(dataset->lexicon, word, strlen(word), &dataset->exact[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int dataset_open(const struct caption_set *set, const uint32_t *records, const uint32_t *mirrored,
		 const struct lexicon *vocabulary, size_t longest, bool split_sources,
		 bool end_mark, struct dataset **ret_dataset, struct engine_error *error)
{
	struct dataset *dataset = calloc(1, sizeof(*dataset));
	int r = -ENOMEM;

	if (dataset == NULL)
		return engine_fail_memory(error);
	dataset->set = set;
	dataset->photo_count = set->photo_count;
	dataset->photos = calloc(set->photo_count + 1, sizeof(*dataset->photos));
	dataset->captions = calloc(set->caption_count + 1, sizeof(*dataset->captions));
	dataset->exact = calloc(lexicon_size(vocabulary) + 1, sizeof(*dataset->exact));
	if (dataset->photos != NULL && dataset->captions != NULL && dataset->exact != NULL)
		r = lexicon_open(&dataset->lexicon);
	if (r == 0)
		r = fill(dataset, records, mirrored, vocabulary, longest, split_sources);
	for (size_t i = 0; r == 0 && i < dataset->source_count; i++)
		r = open_cider(dataset, i, end_mark);
	if (r < 0) {
		dataset_free(dataset);
		if (r == -E2BIG)
			return engine_fail(error, r, "The captions have more than %u different words.",
					   LEXICON_WORDS_MAX);
		return engine_fail_memory(error);
	}
	*ret_dataset = dataset;
	return 0;
}

double dataset_score(const struct dataset *dataset, size_t photo,
		     const struct sampled_caption *caption)
{
	const struct dataset_photo *of = &dataset->photos[photo];
	uint32_t words[LIMIT_WORDS];

	for (size_t i = 0; i < caption->count; i++)
		words[i] = dataset->exact[caption->words[i]];
	return cider_score(dataset->ciders[of->source], of->source_index,
			   (struct sentence){ words, caption->count });
}

void dataset_features(const struct features *features, const struct decoder_weights *weights,
		      uint32_t record, const struct feature_arrays *ret_values)
{
	const struct network_shape *shape = &weights->network.shape;
	float scale = 1 / weights->feature_std;

	features_get(features, record, ret_values->pool, ret_values->grid, ret_values->classes);
	for (size_t i = 0; i < shape->pool; i++)
		ret_values->pool[i] = (ret_values->pool[i] - weights->feature_mean[i]) * scale;
	if (ret_values->grid != NULL)
		for (size_t i = 0; i < shape->cells * shape->channels; i++)
			ret_values->grid[i] *= weights->region_scale;
	if (ret_values->classes != NULL)
		for (size_t i = 0; i < shape->classes; i++)
			ret_values->classes[i] = sqrtf(fmaxf(ret_values->classes[i], 0));
}
