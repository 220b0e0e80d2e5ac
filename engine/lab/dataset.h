/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataset.h: captioned photos ready for training: captions as word numbers,
 * features by record, and the scores' view of the references.
 */
#ifndef LAB_DATASET_H
#define LAB_DATASET_H

#include "engine/lab/captions.h"
#include "engine/lab/decoder_weights.h"
#include "engine/lab/features.h"
#include "engine/lab/sampling.h"
#include "engine/lab/scores.h"

#define DATASET_SOURCES_MAX 8u

struct dataset_caption {
	uint32_t *words;	/* of the vocabulary, cut at the longest caption */
	size_t count;
	bool ended;
};

struct dataset_photo {
	uint32_t record, mirrored;	/* features; `mirrored` may be FEATURES_ABSENT */
	size_t first, count;		/* its captions */
	size_t source;			/* which of the sources, and its number there */
	size_t source_index;
};

struct dataset {
	const struct caption_set *set;
	struct dataset_photo *photos;
	size_t photo_count;
	struct dataset_caption *captions;
	size_t caption_count;
	/* one CIDEr-D for each source, over its own document frequencies */
	const char *sources[DATASET_SOURCES_MAX];
	struct cider *ciders[DATASET_SOURCES_MAX];
	size_t source_count;
	struct lexicon *lexicon;	/* all words of references and vocabulary */
	uint32_t *exact;		/* vocabulary number → number in `lexicon` */
};

/* Borrows `set` and copies what it needs from the rest. Captions beyond
 * `longest` words are cut. `split_sources` keeps sources apart for the scores;
 * else all are one. `end_mark` as in scores.h. */
int dataset_open(const struct caption_set *set, const uint32_t *records, const uint32_t *mirrored,
		 const struct lexicon *vocabulary, size_t longest, bool split_sources,
		 bool end_mark, struct dataset **ret_dataset, struct engine_error *error);
struct dataset *dataset_free(struct dataset *dataset);

/* CIDEr-D of a generated caption for photo `photo`. */
double dataset_score(const struct dataset *dataset, size_t photo,
		     const struct sampled_caption *caption);

/* Normalised features of `count` photos into arrays of the network's sizes.
 * `grid` and `classes` may be NULL. */
struct feature_arrays {
	float *pool, *grid, *classes;
};
void dataset_features(const struct features *features, const struct decoder_weights *weights,
		      uint32_t record, const struct feature_arrays *ret_values);

#endif
