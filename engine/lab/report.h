/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * report.h: a training run as one HTML page with SVG curves, made to be read by
 * a screen reader too: every curve has its figures in a table beside it.
 */
#ifndef LAB_REPORT_H
#define LAB_REPORT_H

#include "engine/lab/checkpoint.h"
#include "engine/lab/dataset.h"

struct report {
	const struct lab_train_options *options;
	const struct decoder_weights *weights;
	const struct history_point *history;
	size_t history_count;
	double seconds[LAB_PHASE_COUNT];	/* spent in each phase */
	double best_score;
	const struct dataset *validation;	/* NULL without validation */
	const struct sampled_caption *captions;	/* of its photos, by the best parameters */
};

int report_write(const struct report *report, const char *path, struct engine_error *error);

#endif
