/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * calibration_bounds.c: where the bands end, by two rules that a listener can be
 * told. Sure: the highest bound, of at least a half, at which something is still said
 * without doubt of half of the photos, be it the whole caption or the sure part of
 * it. Refused: the highest bound below which captions, though worded as doubtful,
 * would have more wrong content words than right ones. Both on the fitted half,
 * sources of photos counting the same.
 */
#include "engine/lab/calibration.h"

#include <math.h>

#define SURE_SAID 0.5
#define SURE_LEAST 0.5f
#define REFUSED_RIGHT 0.5
#define STEP 0.01f

/* What counts, of what. */
struct share {
	double counted, all;
};

static void add_sure(struct calibration *calibration, const struct kept *kept, float bound,
		     struct share *share)
{
	unsigned choice = calibration_choice(calibration);
	float confidence = confidence_view_caption(calibration->view, choice, CONFIDENCE_WHOLE);
	double weight = (double)calibration->source_weights[calibration_source(calibration, kept)];
	part_words part = CONFIDENCE_WHOLE;

	if (confidence < bound)
		part = confidence_view_sure_part(calibration->view, choice, bound, &confidence);
	share->all += weight;
	if (part)
		share->counted += weight;
}

static void add_doubtful(struct calibration *calibration, const struct kept *kept, float bound,
			 struct share *share)
{
	unsigned choice = calibration_choice(calibration);
	float signals[LIMIT_WORDS][CONFIDENCE_WORD_SIGNALS];
	double weight = (double)calibration->source_weights[calibration_source(calibration, kept)];

	if (confidence_view_caption(calibration->view, choice, CONFIDENCE_WHOLE) >= bound)
		return;
	share->all += weight * (double)confidence_view_word_signals(calibration->view, choice,
								    signals);
	share->counted += weight * (double)__builtin_popcount(kept->supported[choice]);
}

/* Over steps of the bound, what `add` counts. */
static void count(struct calibration *calibration, unsigned steps, float first,
		  void (*add)(struct calibration *calibration, const struct kept *kept,
			      float bound, struct share *share),
		  struct share *ret_shares)
{
	for (unsigned i = 0; i < steps; i++)
		ret_shares[i] = (struct share){0};
	for (size_t j = 0; j < calibration->kept_count; j++) {
		const struct kept *kept = &calibration->kept[j];

		if (!calibration_is_fitted(kept))
			continue;
		calibration_look(calibration, kept);
		for (unsigned i = 0; i < steps; i++)
			add(calibration, kept, first + STEP * (float)i, &ret_shares[i]);
	}
}

void calibration_choose_bounds(struct calibration *calibration)
{
	enum { SURE_STEPS = 41, REFUSED_STEPS = 51 };	/* 0.5 to 0.9, 0 to 0.5 */
	struct confidence_parameters *p = &calibration->parameters;
	struct share sure[SURE_STEPS], refused[REFUSED_STEPS];
	unsigned at = 0;

	count(calibration, SURE_STEPS, SURE_LEAST, add_sure, sure);
	while (at + 1 < SURE_STEPS && sure[at + 1].counted >= SURE_SAID * sure[at + 1].all)
		at++;
	p->sure = SURE_LEAST + STEP * (float)at;
	count(calibration, REFUSED_STEPS, 0.0f, add_doubtful, refused);
	at = REFUSED_STEPS - 1;
	while (at > 0 && refused[at].counted >= REFUSED_RIGHT * refused[at].all)
		at--;
	p->refused = fminf(STEP * (float)at, p->sure);
}
