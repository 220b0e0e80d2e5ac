/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * calibration_judge.c: judges on the other half of the photos how far stated
 * confidences can be believed, each source of photos apart.
 */
#include "engine/lab/calibration.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/lab/calibration_scorer.h"
#include "engine/lab/isotonic.h"
#include "engine/sentence.h"

static int surer(const void *a, const void *b)
{
	double first = ((const struct judged *)a)->confidence;
	double second = ((const struct judged *)b)->confidence;

	return (first < second) - (first > second);
}

/* Sorts them, the surest first. */
static struct lab_calibration assess(struct judged *judged, size_t count)
{
	struct lab_calibration result = { .captions = count };
	double spread[LAB_EVAL_BINS] = {0};	/* variance of the number that is right */
	size_t wrong = 0;

	if (count == 0)
		return result;
	qsort(judged, count, sizeof(*judged), surer);
	for (size_t i = 0; i < count; i++) {
		size_t bin = (size_t)fmin(judged[i].confidence * LAB_EVAL_BINS, LAB_EVAL_BINS - 1);
		size_t step = (i + 1) * 20 / count;

		wrong += !judged[i].right;
		result.bins[bin].count++;
		result.bins[bin].confidence += judged[i].confidence;
		spread[bin] += judged[i].confidence * (1.0 - judged[i].confidence);
		result.bins[bin].right += judged[i].right;
		result.risk_area += (double)wrong / (double)(i + 1) / (double)count;
		if (step != i * 20 / count)
			result.risk[step] = (double)wrong / (double)(i + 1);
		if (i + 1 == count / 2)
			result.error_half = (double)wrong / (double)(i + 1);
	}
	result.right = 1.0 - (double)wrong / (double)count;
	for (size_t b = 0; b < LAB_EVAL_BINS; b++) {
		struct lab_eval_bin *bin = &result.bins[b];

		if (bin->count == 0)
			continue;
		bin->confidence /= (double)bin->count;
		bin->right /= (double)bin->count;
		result.ece += fabs(bin->confidence - bin->right) * (double)bin->count /
			(double)count;
		result.chance += sqrt(2.0 / M_PI * spread[b]) / (double)count;
	}
	return result;
}

/* What is said as it is, without a doubt before it. */
static void judge_statement(struct lab_calibration_source *source, const struct judged *spoken,
			    enum engine_band band, bool part)
{
	if (band != ENGINE_BAND_SURE && !part)
		return;
	source->statements++;
	source->statements_right += spoken->right;
}

/* Single words, said where no sentence is. */
static void judge_things(struct calibration *calibration, const struct kept *kept,
			 struct lab_calibration_source *source)
{
	struct calibration_thing things[CONFIDENCE_THINGS];
	size_t count = calibration_things(calibration, kept, calibration->parameters.thing, things);

	source->named += count > 0;
	source->things += count;
	for (size_t i = 0; i < count; i++)
		source->things_right += things[i].right;
}

/* One source; the arrays have room for every kept photo. */
static void judge_source(struct calibration *calibration, const struct calibration_scorer *scorer,
			 size_t number, struct judged *before, struct judged *plain,
			 struct judged *consensus, struct judged *spoken, size_t *ret_count)
{
	struct lab_calibration_source *source = &calibration->report->sources[number];
	double right[2] = {0}, words[2] = {0}, cider[2] = {0};
	size_t count = 0, accepted = 0, band_right[3] = {0};

	for (size_t j = 0; j < calibration->kept_count; j++) {
		const struct kept *kept = &calibration->kept[j];
		unsigned choice;
		bool familiar;
		double started;
		enum engine_band band;

		if (calibration_is_fitted(kept) || calibration_source(calibration, kept) != number)
			continue;
		started = calibration_now_ms();
		calibration_look(calibration, kept);
		choice = calibration_choice(calibration);
		familiar = confidence_view_unfamiliarity(calibration->view) <= 1.0f;
		before[count] = plain[count] = (struct judged){
			.kept = j, .source = number,
			.right = calibration_is_right(calibration, kept, 0, &PART_WHOLE),
		};
		before[count].confidence = exp((double)kept->hypotheses[0].log_probability /
					       (double)(kept->hypotheses[0].count + 1));
		plain[count].confidence = (double)confidence_view_caption(calibration->view, 0,
							&PART_WHOLE);
		consensus[count] = (struct judged){
			.kept = j, .source = number, .candidate = choice,
			.confidence = (double)confidence_view_caption(calibration->view, choice,
								      &PART_WHOLE),
			.right = calibration_is_right(calibration, kept, choice, &PART_WHOLE),
		};
		consensus[count].band = calibration_band(calibration,
			(float)consensus[count].confidence);
		spoken[count] = consensus[count];
		if (consensus[count].band != ENGINE_BAND_SURE &&
		    confidence_view_allows_part(calibration->view, consensus[count].band)) {
			float confidence = 0.0f;
			struct part part;

			if (confidence_view_sure_part(calibration->view, choice,
						      calibration->parameters.sure, &part,
						      &confidence)) {
				consensus[count].part = part;
				spoken[count].confidence = (double)confidence;
				spoken[count].right = calibration_is_right(calibration, kept, choice,
									   &part);
				source->parts++;
				source->general_parts += part_vagueness(&part) > 0;
				source->part_words += __builtin_popcount(part.words);
			}
		}
		calibration->trust_ms += calibration_now_ms() - started;
		calibration->judged++;
		judge_statement(source, &spoken[count], consensus[count].band,
				consensus[count].part.words != 0);
		judge_things(calibration, kept, source);
		accepted += familiar && !calibration_looks_strange(&kept->quality);
		band = consensus[count].band;
		source->bands[band]++;
		band_right[band] += consensus[count].right;
		calibration_count_words(calibration, kept, 0, &right[0], &words[0]);
		calibration_count_words(calibration, kept, choice, &right[1], &words[1]);
		cider[0] += calibration_score(calibration, scorer, j, 0);
		cider[1] += calibration_score(calibration, scorer, j, choice);
		count++;
	}
	*ret_count = count;
	if (count == 0)
		return;
	for (size_t b = 0; b < 3; b++)
		source->band_right[b] = source->bands[b] > 0 ?
			(double)band_right[b] / (double)source->bands[b] : 0.0;
	source->plain_precision = right[0] / fmax(words[0], 1.0);
	source->precision = right[1] / fmax(words[1], 1.0);
	source->plain_cider = cider[0] / (double)count;
	source->cider = cider[1] / (double)count;
	source->accepted = (double)accepted / (double)count;
	source->before = assess(before, count);
	source->search = assess(plain, count);
	source->consensus = assess(consensus, count);
	source->spoken = assess(spoken, count);
	if (calibration->isotonic) {
		memcpy(plain, consensus, count * sizeof(*plain));
		for (size_t i = 0; i < count; i++)
			plain[i].confidence = isotonic_value(calibration->isotonic,
							     plain[i].confidence);
		source->isotonic = assess(plain, count);
	}
	if (source->parts > 0.0)
		source->part_words /= source->parts;
	source->general_parts /= (double)count;
	source->parts /= (double)count;
}

static void note_worst(struct calibration *calibration, const struct judged *judged, size_t count)
{
	struct lab_calibration_report *report = calibration->report;

	for (size_t i = 0; i < count; i++) {
		const struct kept *kept = &calibration->kept[judged[i].kept];
		const struct hypothesis *hypothesis = &kept->hypotheses[judged[i].candidate];
		struct lab_calibration_caption worst = {
			.file_name = calibration->photos->photos[kept->photo].file_name,
			.confidence = judged[i].confidence, .band = judged[i].band,
		};
		const char *words[LIMIT_WORDS];
		char sentence[SENTENCE_BYTES];
		size_t at;

		if (judged[i].right || (report->worst_count == LAB_OVERCONFIDENT &&
		    worst.confidence <= report->worst[LAB_OVERCONFIDENT - 1].confidence))
			continue;
		for (unsigned k = 0; k < hypothesis->count; k++)
			words[k] = vocabulary_word(calibration->model->vocabulary,
						   hypothesis->words[k]);
		sentence_write(words, hypothesis->count, hypothesis->ended, sentence);
		snprintf(worst.sentence, sizeof(worst.sentence), "%.500s", sentence);
		if (judged[i].part.words) {
			sentence_write(words, part_texts(calibration->model->vocabulary,
				confidence_generals(calibration->confidence), hypothesis,
				&judged[i].part, words), true, sentence);
			snprintf(worst.part, sizeof(worst.part), "%.500s", sentence);
		}
		if (report->worst_count < LAB_OVERCONFIDENT)
			report->worst_count++;
		for (at = report->worst_count - 1; at > 0 &&
		     worst.confidence > report->worst[at - 1].confidence; at--)
			report->worst[at] = report->worst[at - 1];
		report->worst[at] = worst;
	}
}

int calibration_judge(struct calibration *calibration, struct engine_error *error)
{
	size_t room = calibration->kept_count + 1, count;
	struct judged *before = calloc(room, sizeof(*before));
	struct judged *plain = calloc(room, sizeof(*plain));
	struct judged *consensus = calloc(room, sizeof(*consensus));
	struct judged *spoken = calloc(room, sizeof(*spoken));
	struct calibration_scorer scorer;
	int r = before && plain && consensus && spoken ? 0 : engine_fail_memory(error);

	for (size_t j = 0; j < calibration->kept_count; j++)
		calibration_source(calibration, &calibration->kept[j]);
	if (r == 0)
		r = calibration_scorer_open(calibration, &scorer, error);
	if (r == 0) {
		for (size_t s = 0; s < calibration->report->source_count; s++) {
			judge_source(calibration, &scorer, s, before, plain, consensus,
				     spoken, &count);
			note_worst(calibration, consensus, count);
		}
		calibration_scorer_close(&scorer);
	}
	free(before);
	free(plain);
	free(consensus);
	free(spoken);
	return r;
}

