/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * calibration_consensus.c: how much a word's confidence and a caption's likeness to the
 * other candidates weigh against the search's score, and from which bound on a word
 * counts for a caption rather than against it. Of a grid that setting is taken whose
 * gain in CIDEr-D is largest for the source of photos that gains least, among those that
 * make two more of a hundred content words right in every source of the fitted half. The
 * other way round, most words right as long as CIDEr-D does not fall, ends at the edge of
 * a fall, and other photos are over it.
 */
#include "engine/lab/calibration_scorer.h"

#include <math.h>
#include <stdlib.h>

#include "engine/error.h"

#define WEIGHTS 8u		/* 0.01 to 1.28, doubling, and none */
#define LIKENESSES 9u		/* 0.02 to 5.12, doubling, and none */
#define BOUNDS 7u		/* 0.3 to 0.6 */
#define RIGHT 0.02		/* of content words, more than by the search */

/* A caption of the search. */
struct choice {
	double score, confidence, likeness, words, right, cider;
};

struct options {
	struct choice choices[LIMIT_BEAM];
	size_t count, source;
};

struct setting {
	double weight, bound, likeness;
};

/* Of the captions that a setting chooses; CIDEr-D against the search's own. */
struct outcome {
	double gain[LAB_EVAL_SOURCES_MAX];
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
			.likeness = (double)confidence_view_likeness(calibration->view, i),
			.cider = calibration_score(calibration, scorer, number, i),
		};
		calibration_count_words(calibration, kept, i, &choice->right, &choice->words);
		confidence_view_words(calibration->view, i, confidences);
		for (unsigned k = 0; k < kept->hypotheses[i].count; k++)
			choice->confidence += confidences[k] < 0.0f ? 0.0 : (double)confidences[k];
		options->count++;
	}
}

static struct outcome choose(const struct options *photos, size_t count,
			     const struct setting *setting)
{
	struct outcome outcome = {0};

	for (size_t p = 0; p < count; p++) {
		const struct options *options = &photos[p];
		const struct choice *best = options->choices;
		double most = 0.0;

		for (size_t i = 0; i < options->count; i++) {
			const struct choice *choice = &options->choices[i];
			double utility = choice->score + setting->likeness * choice->likeness +
				setting->weight *
				(choice->confidence - setting->bound * choice->words);

			if (i == 0 || utility > most) {
				most = utility;
				best = choice;
			}
		}
		outcome.gain[options->source] += best->cider - options->choices[0].cider;
		outcome.photos[options->source]++;
		outcome.right[options->source] += best->right;
		outcome.words[options->source] += best->words;
	}
	return outcome;
}

static double precision(const struct outcome *outcome, size_t source)
{
	return outcome->right[source] / fmax(outcome->words[source], 1.0);
}

/* The least mean gain of a source, or less than nothing where too few words are right. */
static double worth(const struct outcome *outcome, const struct outcome *plain)
{
	double least = INFINITY;

	for (size_t s = 0; s < LAB_EVAL_SOURCES_MAX; s++) {
		if (outcome->photos[s] <= 0.0)
			continue;
		if (precision(outcome, s) < precision(plain, s) + RIGHT)
			return -INFINITY;
		least = fmin(least, outcome->gain[s] / outcome->photos[s]);
	}
	return least;
}

int calibration_fit_consensus(struct calibration *calibration, struct engine_error *error)
{
	struct confidence_parameters *p = &calibration->parameters;
	struct options *photos = calloc(calibration->kept_count + 1, sizeof(*photos));
	struct calibration_scorer scorer;
	struct setting best = {0};
	struct outcome plain;
	double most = 0.0;
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
	plain = choose(photos, count, &best);
	for (unsigned i = 0; i <= WEIGHTS; i++) {
		for (unsigned k = 0; k <= LIKENESSES; k++) {
			for (unsigned b = 0; b < BOUNDS; b++) {
				const struct setting setting = {
					i == 0 ? 0.0 : ldexp(0.005, (int)i), 0.3 + 0.05 * b,
					k == 0 ? 0.0 : ldexp(0.01, (int)k),
				};
				const struct outcome outcome = choose(photos, count, &setting);

				if (worth(&outcome, &plain) <= most)
					continue;
				most = worth(&outcome, &plain);
				best = setting;
			}
		}
	}
	p->consensus_weight = (float)best.weight;
	p->consensus_bound = (float)best.bound;
	p->consensus_likeness = (float)best.likeness;
	free(photos);
	return calibration_open_view(calibration, error);
}
