/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * detector.h: trains what confidence.h knows of photos: which words people use
 * for photos with such features, how far features spread, how rare words are.
 */
#ifndef LAB_DETECTOR_H
#define LAB_DETECTOR_H

#include "engine/confidence.h"
#include "engine/lab/captions.h"
#include "engine/lab/features.h"
#include "engine/vocabulary.h"

struct detector {
	char **stems;		/* sorted */
	unsigned stem_count;
	size_t pool_size;
	float *mean, *deviation;
	int8_t *codes;		/* stem_count × pool_size */
	float *scales, *bias;
	unsigned axis_count;
	float *axes, *variances;
	float *rarity;		/* by vocabulary word */
};

struct detector_options {
	uint64_t seed;
	/* Called after each pass over the photos; may be NULL. */
	void (*progress)(void *user, unsigned pass, unsigned passes, double loss);
	void *user;
};

/* `records` holds each photo's place in `features`, or FEATURES_ABSENT. */
int detector_train(const struct caption_set *photos, const struct features *features,
		   const uint32_t *records, size_t pool_size,
		   const struct vocabulary *vocabulary, const struct detector_options *options,
		   struct detector **ret_detector, struct engine_error *error);
struct detector *detector_free(struct detector *detector);

/* Borrows the detector; coefficients and bounds are left at 0. */
struct confidence_parameters detector_parameters(const struct detector *detector);

/* Whether some human caption of the photo supports the word. */
bool detector_supports(const struct captioned_photo *photo, const struct lexeme *lexeme);

#endif
