/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * checkpoint.h: a training run on disk. Everything random in a run derives from
 * its seed and position, so parameters, the optimiser's means, the position and
 * the sums in progress are all there is to save, and a resumed run computes the
 * same numbers as one that was never stopped.
 */
#ifndef LAB_CHECKPOINT_H
#define LAB_CHECKPOINT_H

#include "engine/lab/lab.h"
#include "engine/lab/optimiser.h"

/* A point of the learning curves. */
struct history_point {
	uint64_t phase;
	double epoch;		/* of the phase */
	double loss, reward;	/* NAN where there is none */
	double score;		/* validation, NAN where there was none */
};

struct position {
	uint64_t phase, step;	/* steps done of the phase */
	uint64_t fruitless;	/* validations since the best */
	double best_score;
	double loss_sum, reward_sum, count;	/* since the last point of the curves */
	double seconds;		/* of training so far */
};

struct checkpoint {
	uint64_t fingerprint;	/* of the options and data that decide the course */
	struct position position;
	/* value_count each; no `average` (NULL) in runs that keep none */
	float *parameters, *best, *average;
	struct optimiser *optimiser;
	size_t value_count;
	struct history_point *history;
	size_t history_count;
};

/* Written beside and renamed. */
int checkpoint_write(const struct checkpoint *checkpoint, const char *path,
		     struct engine_error *error);
/* Fills the arrays that `checkpoint` points to; `history` is allocated and the
 * caller's. A checkpoint of another run (fingerprint, size) is refused. */
int checkpoint_read(struct checkpoint *checkpoint, const char *path, struct engine_error *error);

#endif
