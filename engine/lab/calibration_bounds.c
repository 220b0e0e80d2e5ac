/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * calibration_bounds.c: where the bands end, by two rules that a listener can be
 * told. Sure: the bound at which the surer half of what is said errs least, be it
 * whole captions or the sure parts of others; with a low bound long parts are said
 * that do not hold, with a high one too few photos have a part at all. Refused: the
 * highest bound below which captions, though worded as doubtful, would have more
 * wrong content words than right ones. Both on the fitted half, sources of photos
 * counting the same.
 */
#include "engine/lab/calibration.h"

#include <math.h>
#include <stdlib.h>

#include "engine/error.h"

#define SURE_LEAST 0.5f
#define SURE_STEPS 31u		/* to 0.8 */
#define REFUSED_STEPS 51u	/* 0 to 0.5 */
#define REFUSED_RIGHT 0.5
#define STEP 0.01f

/* What is said of a photo. */
struct said {
	float confidence;
	bool right;
};

static int surer(const void *a, const void *b)
{
	float first = ((const struct said *)a)->confidence;
	float second = ((const struct said *)b)->confidence;

	return (first < second) - (first > second);
}

/* Of the photo that the view looks at. */
static struct said say(struct calibration *calibration, const struct kept *kept, float bound)
{
	unsigned choice = calibration_choice(calibration);
	struct said said = {
		.confidence = confidence_view_caption(calibration->view, choice, CONFIDENCE_WHOLE),
	};
	part_words part = 0;

	if (said.confidence < bound)
		part = confidence_view_sure_part(calibration->view, choice, bound,
						 &said.confidence);
	said.right = calibration_is_right(calibration, kept, choice,
					  part ? part : CONFIDENCE_WHOLE);
	return said;
}

/* Adds to each step's error that of the surer half of a source's photos. `said` has
 * room for all steps of all kept photos. */
static void add_errors(struct calibration *calibration, size_t source, struct said *said,
		       double *errors)
{
	size_t count = 0, room = calibration->kept_count;

	for (size_t j = 0; j < calibration->kept_count; j++) {
		const struct kept *kept = &calibration->kept[j];

		if (!calibration_is_fitted(kept) || calibration_source(calibration, kept) != source)
			continue;
		calibration_look(calibration, kept);
		for (unsigned i = 0; i < SURE_STEPS; i++)
			said[i * room + count] = say(calibration, kept,
						     SURE_LEAST + STEP * (float)i);
		count++;
	}
	for (unsigned i = 0; i < SURE_STEPS && count > 1; i++) {
		size_t wrong = 0;

		qsort(said + i * room, count, sizeof(*said), surer);
		for (size_t k = 0; k < count / 2; k++)
			wrong += !said[i * room + k].right;
		errors[i] += (double)wrong / (double)(count / 2);
	}
}

static int choose_sure(struct calibration *calibration, struct engine_error *error)
{
	struct said *said = calloc(SURE_STEPS * (calibration->kept_count + 1), sizeof(*said));
	double errors[SURE_STEPS] = {0};
	unsigned best = 0;

	if (!said)
		return engine_fail_memory(error);
	for (size_t s = 0; s < calibration->report->source_count; s++)
		add_errors(calibration, s, said, errors);
	free(said);
	for (unsigned i = 1; i < SURE_STEPS; i++) {
		if (errors[i] < errors[best])
			best = i;
	}
	calibration->parameters.sure = SURE_LEAST + STEP * (float)best;
	return 0;
}

static void choose_refused(struct calibration *calibration)
{
	double right[REFUSED_STEPS] = {0}, words[REFUSED_STEPS] = {0};
	unsigned at = REFUSED_STEPS - 1;

	for (size_t j = 0; j < calibration->kept_count; j++) {
		const struct kept *kept = &calibration->kept[j];
		float signals[LIMIT_WORDS][CONFIDENCE_WORD_SIGNALS], confidence;
		double weight, count;
		unsigned choice;

		if (!calibration_is_fitted(kept))
			continue;
		calibration_look(calibration, kept);
		choice = calibration_choice(calibration);
		weight = (double)calibration->source_weights[calibration_source(calibration, kept)];
		confidence = confidence_view_caption(calibration->view, choice, CONFIDENCE_WHOLE);
		count = (double)confidence_view_word_signals(calibration->view, choice, signals);
		for (unsigned i = 0; i < REFUSED_STEPS; i++) {
			if (confidence >= STEP * (float)i)
				continue;
			words[i] += weight * count;
			right[i] += weight * (double)__builtin_popcount(kept->supported[choice]);
		}
	}
	while (at > 0 && right[at] >= REFUSED_RIGHT * words[at])
		at--;
	calibration->parameters.refused = fminf(STEP * (float)at, calibration->parameters.sure);
}

int calibration_choose_bounds(struct calibration *calibration, struct engine_error *error)
{
	int r = choose_sure(calibration, error);

	if (r == 0)
		choose_refused(calibration);
	return r;
}
