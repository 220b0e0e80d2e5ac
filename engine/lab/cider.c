/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cider.c: CIDEr-D. Everything that depends on the references alone (document
 * frequencies, each reference's weighted n-grams and norms) is computed when
 * the set is opened, because self-critical training scores millions of
 * candidates against the same references: a score is then one short sort and a
 * merge per reference, without any allocation.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/lab/lexicon.h"
#include "engine/lab/ngram.h"
#include "engine/lab/scores.h"

#define END_MARK LEXICON_WORDS_MAX

struct weighted {
	uint64_t key;
	double weight;		/* count × inverse document frequency */
};

struct reference {
	struct weighted *grams;	/* by key */
	size_t size;
	double norm[SCORES_ORDER];
	double length;		/* number of bigrams, as COCO's script has it */
};

struct photo {
	struct reference *references;
	size_t count;
};

struct cider {
	struct photo *photos;
	size_t photo_count;
	bool end_mark;
	double log_photos;
	struct ngram *frequencies;	/* open addressing, key 0 is free */
	size_t slot_count;
};

static size_t slot_of(const struct cider *cider, uint64_t key)
{
	size_t slot = (key * 0x9e3779b97f4a7c15u >> 17) & (cider->slot_count - 1);

	while (cider->frequencies[slot].key != 0 && cider->frequencies[slot].key != key)
		slot = (slot + 1) & (cider->slot_count - 1);
	return slot;
}

/* Weights and norms of counted n-grams. */
static void weigh(const struct cider *cider, const struct ngram *grams, size_t size,
		  struct weighted *ret_weighted, double ret_norm[SCORES_ORDER], double *ret_length)
{
	double length = 0, squares[SCORES_ORDER] = { 0 };

	for (size_t i = 0; i < size; i++) {
		unsigned order = ngram_order(grams[i].key) - 1;
		uint32_t documents = cider->frequencies[slot_of(cider, grams[i].key)].count;
		double weight = grams[i].count *
			(cider->log_photos - log(documents > 1 ? documents : 1));

		ret_weighted[i] = (struct weighted){ grams[i].key, weight };
		squares[order] += weight * weight;
		if (order == 1)
			length += grams[i].count;
	}
	for (unsigned n = 0; n < SCORES_ORDER; n++)
		ret_norm[n] = sqrt(squares[n]);
	*ret_length = length;
}

struct cider *cider_free(struct cider *cider)
{
	if (cider == NULL)
		return NULL;
	for (size_t i = 0; cider->photos != NULL && i < cider->photo_count; i++) {
		for (size_t k = 0; k < cider->photos[i].count; k++)
			free(cider->photos[i].references[k].grams);
		free(cider->photos[i].references);
	}
	free(cider->photos);
	free(cider->frequencies);
	free(cider);
	return NULL;
}

/* The words with the end mark where it is wanted; `buffer` has room for one more. */
static struct sentence marked(const struct cider *cider, struct sentence sentence, uint32_t *buffer)
{
	if (sentence.count > 0)
		memcpy(buffer, sentence.words, sentence.count * sizeof(*buffer));
	if (cider->end_mark)
		buffer[sentence.count++] = END_MARK;
	sentence.words = buffer;
	return sentence;
}

static int count_grams(const struct cider *cider, struct sentence sentence,
		       struct ngram_counts *ret_counts)
{
	uint32_t *buffer = calloc(sentence.count + 1, sizeof(*buffer));
	int r;

	if (buffer == NULL)
		return -ENOMEM;
	r = ngram_counts_open(ret_counts, marked(cider, sentence, buffer), 1, SCORES_ORDER);
	free(buffer);
	return r;
}

static int by_key(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

/* Adds one to the frequency of every n-gram that any reference of the photo has. */
static int add_document(struct cider *cider, const struct ngram_counts *references, size_t count)
{
	size_t total = 0, used = 0;
	uint64_t *keys;

	for (size_t k = 0; k < count; k++)
		total += references[k].size;
	keys = calloc(total + 1, sizeof(*keys));
	if (keys == NULL)
		return -ENOMEM;
	for (size_t k = 0; k < count; k++)
		for (size_t i = 0; i < references[k].size; i++)
			keys[used++] = references[k].grams[i].key;
	qsort(keys, used, sizeof(*keys), by_key);
	for (size_t i = 0; i < used; i++) {
		struct ngram *entry;

		if (i > 0 && keys[i] == keys[i - 1])
			continue;
		entry = &cider->frequencies[slot_of(cider, keys[i])];
		entry->key = keys[i];
		entry->count++;
	}
	free(keys);
	return 0;
}

int cider_open(const struct cider_photo *photos, size_t count, bool end_mark,
	       struct cider **ret_cider)
{
	struct cider *cider = calloc(1, sizeof(*cider));
	struct ngram_counts *counted = NULL;
	size_t references = 0, grams = 0, next = 0;
	int r = -ENOMEM;

	if (cider == NULL)
		return -ENOMEM;
	cider->photo_count = count;
	cider->end_mark = end_mark;
	cider->log_photos = log(count > 0 ? (double)count : 1);
	cider->photos = calloc(count + 1, sizeof(*cider->photos));
	for (size_t i = 0; i < count; i++)
		references += photos[i].reference_count;
	counted = calloc(references + 1, sizeof(*counted));
	if (cider->photos == NULL || counted == NULL)
		goto out;
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < photos[i].reference_count; k++, next++) {
			r = count_grams(cider, photos[i].references[k], &counted[next]);
			if (r < 0)
				goto out;
			grams += counted[next].size;
		}
	}
	r = -ENOMEM;
	cider->slot_count = 1024;
	while (cider->slot_count < grams * 2)
		cider->slot_count *= 2;
	cider->frequencies = calloc(cider->slot_count, sizeof(*cider->frequencies));
	if (cider->frequencies == NULL)
		goto out;
	next = 0;
	for (size_t i = 0; i < count; i++) {
		r = add_document(cider, counted + next, photos[i].reference_count);
		if (r < 0)
			goto out;
		next += photos[i].reference_count;
	}
	r = -ENOMEM;
	next = 0;
	for (size_t i = 0; i < count; i++) {
		struct photo *photo = &cider->photos[i];

		photo->references = calloc(photos[i].reference_count + 1, sizeof(*photo->references));
		if (photo->references == NULL)
			goto out;
		photo->count = photos[i].reference_count;
		for (size_t k = 0; k < photo->count; k++, next++) {
			struct reference *reference = &photo->references[k];

			reference->size = counted[next].size;
			reference->grams = calloc(reference->size + 1, sizeof(*reference->grams));
			if (reference->grams == NULL)
				goto out;
			weigh(cider, counted[next].grams, reference->size, reference->grams,
			      reference->norm, &reference->length);
		}
	}
	r = 0;
	*ret_cider = cider;
	cider = NULL;
out:
	for (size_t i = 0; counted != NULL && i < references; i++)
		ngram_counts_clear(&counted[i]);
	free(counted);
	cider_free(cider);
	return r;
}

double cider_score(const struct cider *cider, size_t photo, struct sentence candidate)
{
	uint32_t words[CIDER_WORDS_MAX + 1];
	struct ngram grams[SCORES_ORDER * (CIDER_WORDS_MAX + 1)];
	struct weighted weighted[SCORES_ORDER * (CIDER_WORDS_MAX + 1)];
	double norm[SCORES_ORDER], length, total = 0;
	size_t size;

	if (candidate.count > CIDER_WORDS_MAX)
		candidate.count = CIDER_WORDS_MAX;
	size = ngram_counts_fill(grams, marked(cider, candidate, words), 1, SCORES_ORDER);
	weigh(cider, grams, size, weighted, norm, &length);
	for (size_t k = 0; k < cider->photos[photo].count; k++) {
		const struct reference *reference = &cider->photos[photo].references[k];
		double dot[SCORES_ORDER] = { 0 }, gap = length - reference->length;
		size_t i = 0, j = 0;

		while (i < size && j < reference->size) {
			const struct weighted *a = &weighted[i], *b = &reference->grams[j];

			if (a->key == b->key) {
				dot[ngram_order(a->key) - 1] += fmin(a->weight, b->weight) * b->weight;
				i++;
				j++;
			} else if (a->key < b->key) {
				i++;
			} else {
				j++;
			}
		}
		for (unsigned n = 0; n < SCORES_ORDER; n++)
			if (norm[n] > 0 && reference->norm[n] > 0)
				total += dot[n] / (norm[n] * reference->norm[n]) * exp(-gap * gap / 72);
	}
	return cider->photos[photo].count == 0 ? 0 :
		10 * total / SCORES_ORDER / (double)cider->photos[photo].count;
}
