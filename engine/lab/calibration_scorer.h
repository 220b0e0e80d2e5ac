/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * calibration_scorer.h: CIDEr-D of kept candidates, by their own source, and how
 * many of their content words are right.
 */
#ifndef LAB_CALIBRATION_SCORER_H
#define LAB_CALIBRATION_SCORER_H

#include "engine/lab/calibration.h"
#include "engine/lab/scores.h"

/* Words as numbers of one lexicon, and CIDEr over all photos of a source. */
struct calibration_scorer {
	struct lexicon *lexicon;
	struct cider *ciders[LAB_EVAL_SOURCES_MAX];
	struct sentence *sentences;	/* of the human captions */
	uint32_t **words;
	size_t count;
	size_t *numbers;		/* by photo: place in its source's CIDEr */
};

int calibration_scorer_open(struct calibration *calibration, struct calibration_scorer *scorer,
			    struct engine_error *error);
void calibration_scorer_close(struct calibration_scorer *scorer);

double calibration_score(const struct calibration *calibration,
			 const struct calibration_scorer *scorer, size_t kept, unsigned candidate);

/* Adds a candidate's content words, and those of them that are supported. */
void calibration_count_words(const struct calibration *calibration, const struct kept *kept,
			     unsigned candidate, double *right, double *words);

#endif
