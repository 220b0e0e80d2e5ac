/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * features.h: the encoder's features of many photos, computed once and kept on
 * disk in half precision, so that an epoch of training costs no convolution.
 *
 * A cache is two files in a folder, named by a hash of the encoder's weights:
 * KEY.features, records of equal size, and KEY.index, a line for each record
 * with the photo's name, size and time of change. A line is written after its
 * record, so a run that was cut off goes on where it stopped, and a photo that
 * changed is computed again.
 */
#ifndef LAB_FEATURES_H
#define LAB_FEATURES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

#define FEATURES_ABSENT UINT32_MAX

struct features;

/* `folder` is made if it is missing. Borrows the model. */
int features_open(const struct engine_model *model, const char *folder,
		  struct features **ret_features, struct engine_error *error);
struct features *features_free(struct features *features);

struct features_request {
	const char *folder;		/* of the photos */
	const char *const *names;
	size_t count;
	bool mirrored;			/* left and right exchanged */
	unsigned threads;
	const atomic_bool *stop;	/* may be NULL */
	/* Called by one thread at a time; `problem` is NULL or says why a photo has
	 * no features. May be NULL. */
	void (*progress)(void *user, size_t done, size_t count, const char *problem);
	void *user;
};

/* Sees to it that every photo is in the cache, computing what is missing.
 * `ret_records` gets each photo's record, FEATURES_ABSENT for photos that cannot
 * be read. ENGINE_CANCELLED when stopped; what was computed stays. */
int features_extract(struct features *features, const struct features_request *request,
		     uint32_t *ret_records, struct engine_error *error);

/* Copies a record's values; safe from many threads. `ret_grid` and `ret_classes`
 * may be NULL. */
void features_get(const struct features *features, uint32_t record, float *ret_pool,
		  float *ret_grid, float *ret_classes);

#endif
