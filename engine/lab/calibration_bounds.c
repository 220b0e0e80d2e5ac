/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * calibration_bounds.c: from where on things are said, by rules that a listener can be
 * told. Sure: the lowest bound from which nine of ten statements are right, be they whole
 * captions or the sure parts of others. Refused: the highest bound below which captions,
 * though worded as doubtful, would have more wrong content words than right ones. Single
 * words: the lowest probability from which nine of ten are right, of photos that are
 * refused and of which nothing else is said. All on the fitted half, sources of photos
 * counting the same.
 */
#include "engine/lab/calibration.h"

#include <math.h>

#define SURE_LEAST 0.5f
#define SURE_STEPS 46u		/* to 0.95 */
#define SURE_RIGHT 0.9
#define REFUSED_STEPS 51u	/* 0 to 0.5 */
#define REFUSED_RIGHT 0.5
#define THING_LEAST 0.5f
#define THING_STEPS 46u		/* to 0.95 */
#define THING_RIGHT 0.9
#define STEP 0.01f

/* Weights of what is said from a bound on, and of what is right of it. */
struct tally {
	double said, right;
};

/* The lowest step from which on the share is reached, the last if there is none. */
static unsigned lowest(const struct tally *tallies, unsigned steps, double share)
{
	unsigned at = 0;

	while (at + 1 < steps && tallies[at].right < share * tallies[at].said)
		at++;
	return at;
}

static double weight_of(struct calibration *calibration, const struct kept *kept)
{
	return (double)calibration->source_weights[calibration_source(calibration, kept)];
}

/* Of the photo that the view looks at. */
static void state(struct calibration *calibration, const struct kept *kept, float bound,
		  struct tally *tally)
{
	unsigned choice = calibration_choice(calibration);
	struct part part = PART_WHOLE;
	float confidence = confidence_view_caption(calibration->view, choice, &part);

	if (confidence < bound && !confidence_view_sure_part(calibration->view, choice, bound,
							     &part, &confidence))
		return;
	tally->said += weight_of(calibration, kept);
	if (calibration_is_right(calibration, kept, choice, &part))
		tally->right += weight_of(calibration, kept);
}

static void choose_sure(struct calibration *calibration)
{
	struct tally tallies[SURE_STEPS] = {0};

	for (size_t j = 0; j < calibration->kept_count; j++) {
		const struct kept *kept = &calibration->kept[j];

		if (!calibration_is_fitted(kept))
			continue;
		calibration_look(calibration, kept);
		for (unsigned i = 0; i < SURE_STEPS; i++)
			state(calibration, kept, SURE_LEAST + STEP * (float)i, &tallies[i]);
	}
	calibration->parameters.sure = SURE_LEAST +
		STEP * (float)lowest(tallies, SURE_STEPS, SURE_RIGHT);
}

static void choose_refused(struct calibration *calibration)
{
	struct tally tallies[REFUSED_STEPS] = {0};
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
		weight = weight_of(calibration, kept);
		confidence = confidence_view_caption(calibration->view, choice, &PART_WHOLE);
		count = (double)confidence_view_word_signals(calibration->view, choice, signals);
		for (unsigned i = 0; i < REFUSED_STEPS; i++) {
			if (confidence >= STEP * (float)i)
				continue;
			tallies[i].said += weight * count;
			tallies[i].right += weight *
				(double)__builtin_popcount(kept->supported[choice][0]);
		}
	}
	while (at > 0 && tallies[at].right >= REFUSED_RIGHT * tallies[at].said)
		at--;
	calibration->parameters.refused = fminf(STEP * (float)at, calibration->parameters.sure);
}

static void choose_thing(struct calibration *calibration)
{
	struct tally tallies[THING_STEPS] = {0};

	for (size_t j = 0; j < calibration->kept_count; j++) {
		const struct kept *kept = &calibration->kept[j];
		struct calibration_thing things[CONFIDENCE_THINGS];
		size_t count;

		if (!calibration_is_fitted(kept))
			continue;
		calibration_look(calibration, kept);
		count = calibration_things(calibration, kept, THING_LEAST, things);
		for (size_t k = 0; k < count; k++) {
			for (unsigned i = 0; i < THING_STEPS; i++) {
				if (things[k].probability < THING_LEAST + STEP * (float)i)
					break;
				tallies[i].said += weight_of(calibration, kept);
				tallies[i].right += things[k].right ?
					weight_of(calibration, kept) : 0.0;
			}
		}
	}
	calibration->parameters.thing = THING_LEAST +
		STEP * (float)lowest(tallies, THING_STEPS, THING_RIGHT);
}

int calibration_choose_bounds(struct calibration *calibration, struct engine_error *error)
{
	int r;

	choose_sure(calibration);
	choose_refused(calibration);
	r = calibration_open_view(calibration, error);
	if (r == 0) {
		choose_thing(calibration);
		r = calibration_open_view(calibration, error);
	}
	return r;
}
