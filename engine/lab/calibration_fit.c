/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * calibration_fit.c: fits on one half of the photos what confidence.h computes
 * with: the words' model, what photos are usually like, the captions' model.
 */
#include "engine/lab/calibration.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/lab/isotonic.h"
#include "engine/lab/logistic.h"

/* Makes the sources of the fitted photos count the same, however many photos each
 * has. */
static void weigh_sources(struct calibration *calibration)
{
	size_t counts[LAB_EVAL_SOURCES_MAX] = {0}, all = 0, sources = 0;

	for (size_t j = 0; j < calibration->kept_count; j++) {
		if (calibration_is_fitted(&calibration->kept[j])) {
			counts[calibration_source(calibration, &calibration->kept[j])]++;
			all++;
		}
	}
	for (size_t s = 0; s < LAB_EVAL_SOURCES_MAX; s++)
		sources += counts[s] > 0;
	for (size_t s = 0; s < LAB_EVAL_SOURCES_MAX; s++)
		calibration->source_weights[s] = counts[s] > 0 ?
			(float)all / (float)(sources * counts[s]) : 0.0f;
}

/* On the words of all candidates: consensus must judge them all. */
int calibration_fit_words(struct calibration *calibration, struct engine_error *error)
{
	size_t rows = 0;

	weigh_sources(calibration);
	for (size_t j = 0; j < calibration->kept_count; j++) {
		const struct kept *kept = &calibration->kept[j];
		float weight;

		if (!calibration_is_fitted(kept))
			continue;
		weight = calibration->source_weights[calibration_source(calibration, kept)];
		calibration_look(calibration, kept);
		for (size_t i = 0; i < kept->count; i++) {
			float signals[LIMIT_WORDS][CONFIDENCE_WORD_SIGNALS];
			size_t words = confidence_view_word_signals(calibration->view, i, signals);

			for (size_t k = 0; k < words; k++) {
				memcpy(calibration->rows + rows * CONFIDENCE_WORD_SIGNALS, signals[k],
				       sizeof(signals[k]));
				calibration->weights[rows] = weight;
				calibration->labels[rows++] = kept->supported[i][0] >> k & 1;
			}
		}
	}
	logistic_fit(calibration->rows, calibration->labels, calibration->weights, rows,
		     CONFIDENCE_WORD_SIGNALS, calibration->parameters.word);
	return calibration_open_view(calibration, error);
}

static void add_row(struct calibration *calibration, const struct kept *kept, unsigned candidate,
		    const struct part *part, float weight, size_t *rows)
{
	calibration->weights[*rows] = weight *
		calibration->source_weights[calibration_source(calibration, kept)];
	confidence_view_signals(calibration->view, candidate, part,
				calibration->rows + *rows * CONFIDENCE_SIGNALS);
	calibration->labels[(*rows)++] = calibration_is_right(calibration, kept, candidate, part);
}

/* Inverts a symmetric, positive definite matrix by Gauss and Jordan. */
static void invert(double matrix[CONFIDENCE_MEASURES][CONFIDENCE_MEASURES])
{
	for (size_t i = 0; i < CONFIDENCE_MEASURES; i++) {
		double pivot = 1.0 / matrix[i][i];

		matrix[i][i] = 1.0;
		for (size_t k = 0; k < CONFIDENCE_MEASURES; k++)
			matrix[i][k] *= pivot;
		for (size_t r = 0; r < CONFIDENCE_MEASURES; r++) {
			double factor = matrix[r][i];

			if (r == i)
				continue;
			matrix[r][i] = 0.0;
			for (size_t k = 0; k < CONFIDENCE_MEASURES; k++)
				matrix[r][k] -= factor * matrix[i][k];
		}
	}
}

/* What is usual: mean and inverse covariance of the measures of the photos that
 * are fitted on. */
int calibration_fit_usual(struct calibration *calibration, struct engine_error *error)
{
	double sums[CONFIDENCE_MEASURES] = {0}, count = 0.0;
	double products[CONFIDENCE_MEASURES][CONFIDENCE_MEASURES] = {{0}};

	for (size_t j = 0; j < calibration->kept_count; j++) {
		const float *measures;

		if (!calibration_is_fitted(&calibration->kept[j]))
			continue;
		calibration_look(calibration, &calibration->kept[j]);
		measures = confidence_view_measures(calibration->view);
		count += 1.0;
		for (size_t i = 0; i < CONFIDENCE_MEASURES; i++) {
			sums[i] += (double)measures[i];
			for (size_t k = 0; k < CONFIDENCE_MEASURES; k++)
				products[i][k] += (double)measures[i] * (double)measures[k];
		}
	}
	if (count < 2.0)
		return engine_fail(error, ENGINE_BAD_OPTION, "No photo could be used for the fit.");
	for (size_t i = 0; i < CONFIDENCE_MEASURES; i++) {
		calibration->usual[i] = (float)(sums[i] / count);
		for (size_t k = 0; k < CONFIDENCE_MEASURES; k++)
			products[i][k] = products[i][k] / count - sums[i] * sums[k] / count / count +
				(i == k ? 1e-6 : 0.0);
	}
	invert(products);
	for (size_t i = 0; i < CONFIDENCE_MEASURES; i++) {
		for (size_t k = 0; k < CONFIDENCE_MEASURES; k++)
			calibration->usual[CONFIDENCE_MEASURES * (1 + i) + k] = (float)products[i][k];
	}
	return 0;
}

/* On all that may be given out: the consensus caption, which counts most, its parts,
 * which together count as much, and the search's caption. */
int calibration_fit_captions(struct calibration *calibration, struct engine_error *error)
{
	size_t rows = 0;

	for (size_t j = 0; j < calibration->kept_count; j++) {
		const struct kept *kept = &calibration->kept[j];
		struct part parts[PARTS_MAX];
		size_t part_count;
		unsigned choice;

		if (!calibration_is_fitted(kept))
			continue;
		calibration_look(calibration, kept);
		choice = calibration_choice(calibration);
		part_count = part_find(calibration->model->vocabulary,
				       confidence_generals(calibration->confidence),
				       &kept->hypotheses[choice], parts);
		add_row(calibration, kept, choice, &PART_WHOLE, 1.0f, &rows);
		if (choice != 0)
			add_row(calibration, kept, 0, &PART_WHOLE, 0.5f, &rows);
		for (size_t i = 0; i < part_count; i++)
			add_row(calibration, kept, choice, &parts[i], 1.0f / (float)part_count, &rows);
	}
	logistic_fit(calibration->rows, calibration->labels, calibration->weights, rows,
		     CONFIDENCE_SIGNALS, calibration->parameters.caption);
	return calibration_open_view(calibration, error);
}

/* On the captions that consensus chooses, which are what it is compared on. */
int calibration_fit_isotonic(struct calibration *calibration, struct engine_error *error)
{
	double *values = calloc(calibration->kept_count + 1, sizeof(*values));
	size_t rows = 0;
	int r;

	if (!values)
		return engine_fail_memory(error);
	for (size_t j = 0; j < calibration->kept_count; j++) {
		const struct kept *kept = &calibration->kept[j];
		unsigned choice;

		if (!calibration_is_fitted(kept))
			continue;
		calibration_look(calibration, kept);
		choice = calibration_choice(calibration);
		values[rows] = (double)confidence_view_caption(calibration->view, choice,
							       &PART_WHOLE);
		calibration->weights[rows] =
			calibration->source_weights[calibration_source(calibration, kept)];
		calibration->labels[rows++] = calibration_is_right(calibration, kept, choice,
								   &PART_WHOLE);
	}
	r = isotonic_fit(values, calibration->labels, calibration->weights, rows,
			 &calibration->isotonic);
	free(values);
	return r ? engine_fail_memory(error) : 0;
}
