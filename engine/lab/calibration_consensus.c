/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * calibration_consensus.c: how much a word's confidence weighs against the search's
 * score, and from which bound on it counts for a caption rather than against it.
 * Of a grid that pair is taken that makes most content words right on the fitted
 * half, among those that raise CIDEr-D by GAIN in every source of photos: what only
 * just does not fall on these photos falls on others.
 */
#include "engine/lab/calibration_scorer.h"

#include <math.h>
#include <stdlib.h>

#include "engine/error.h"

#define WEIGHTS 24u
#define BOUNDS 7u
#define GAIN 0.005		/* of the mean CIDEr-D */

/* A caption of the search. */
struct choice {
	double score, confidence, words, right, cider;
};

struct options {
	struct choice choices[LIMIT_BEAM];
	size_t count, source;
};

/* Of the captions that a pair of weight and bound chooses. */
struct outcome {
	double cider[LAB_EVAL_SOURCES_MAX];
	double right[LAB_EVAL_SOURCES_MAX], words[LAB_EVAL_SOURCES_MAX];
	double photos[LAB_EVAL_SOURCES_MAX];
};

static void see(struct calibration *calibration, const struct calibration_scorer *scorer,
		size_t number, struct options *options)
{
	const struct kept *kept = &calibration->kept[number];

	*options = (struct options){ .source = calibration_source(calibration, kept) };
	calibration_look(calibration, kept);
	for (unsigned i = 0; i < kept->count && options->count < LIMIT_BEAM; i++) {
		struct choice *choice = &options->choices[options->count];
		float confidences[LIMIT_WORDS];

		if (kept->hypotheses[i].sampled)
			continue;
		*choice = (struct choice){
			.score = (double)kept->hypotheses[i].score,
			.cider = calibration_score(calibration, scorer, number, i),
		};
		calibration_count_words(calibration, kept, i, &choice->right, &choice->words);
		confidence_view_words(calibration->view, i, confidences);
		for (unsigned k = 0; k < kept->hypotheses[i].count; k++)
			choice->confidence += confidences[k] < 0.0f ? 0.0 : (double)confidences[k];
		options->count++;
	}
}

static struct outcome choose(const struct options *photos, size_t count, double weight,
			     double bound)
{
	struct outcome outcome = {0};

	for (size_t p = 0; p < count; p++) {
		const struct options *options = &photos[p];
		const struct choice *best = options->choices;
		double most = 0.0;

		for (size_t i = 0; i < options->count; i++) {
			const struct choice *choice = &options->choices[i];
			double utility = choice->score +
				weight * (choice->confidence - bound * choice->words);

			if (i == 0 || utility > most) {
				most = utility;
				best = choice;
			}
		}
		outcome.cider[options->source] += best->cider;
		outcome.photos[options->source]++;
		outcome.right[options->source] += best->right;
		outcome.words[options->source] += best->words;
	}
	return outcome;
}

/* The sum of the sources' precision, or less than 0 where CIDEr-D does not gain. */
static double worth(const struct outcome *outcome, const struct outcome *plain)
{
	double sum = 0.0;

	for (size_t s = 0; s < LAB_EVAL_SOURCES_MAX; s++) {
		if (outcome->cider[s] < plain->cider[s] + GAIN * outcome->photos[s])
			return -1.0;
		sum += outcome->right[s] / fmax(outcome->words[s], 1.0);
	}
	return sum;
}

int calibration_fit_consensus(struct calibration *calibration, struct engine_error *error)
{
	struct confidence_parameters *p = &calibration->parameters;
	struct options *photos = calloc(calibration->kept_count + 1, sizeof(*photos));
	struct calibration_scorer scorer;
	struct outcome plain;
	double best, weight = 0.0003;
	size_t count = 0;
	int r;

	if (!photos)
		return engine_fail_memory(error);
	r = calibration_scorer_open(calibration, &scorer, error);
	if (r) {
		free(photos);
		return r;
	}
	for (size_t j = 0; j < calibration->kept_count; j++) {
		if (calibration_is_fitted(&calibration->kept[j]))
			see(calibration, &scorer, j, &photos[count++]);
	}
	calibration_scorer_close(&scorer);
	plain = choose(photos, count, 0.0, 0.0);
	best = 0.0;
	p->consensus_weight = 0.0f;
	for (unsigned i = 0; i < WEIGHTS; i++, weight *= 1.5) {
		for (unsigned k = 0; k < BOUNDS; k++) {
			double bound = 0.3 + 0.05 * k;
			struct outcome outcome = choose(photos, count, weight, bound);

			if (worth(&outcome, &plain) <= best)
				continue;
			best = worth(&outcome, &plain);
			p->consensus_weight = (float)weight;
			p->consensus_bound = (float)bound;
		}
	}
	free(photos);
	return calibration_open_view(calibration, error);
}
