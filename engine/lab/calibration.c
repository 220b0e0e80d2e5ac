/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * calibration.c: what every step of a calibration does with a kept search.
 */
#include "engine/lab/calibration.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void calibration_progress(const struct calibration *calibration, const char *step, size_t done,
		     size_t count)
{
	if (calibration->options->progress)
		calibration->options->progress(calibration->options->user, step, done, count);
}

double calibration_now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

bool calibration_is_fitted(const struct kept *kept)
{
	return kept->photo % 2 == 0;
}

size_t calibration_source(const struct calibration *calibration, const struct kept *kept)
{
	struct lab_calibration_report *report = calibration->report;
	const char *name = calibration->photos->photos[kept->photo].source;
	size_t i = 0;

	while (i < report->source_count && strcmp(report->sources[i].source, name) != 0)
		i++;
	if (i == LAB_EVAL_SOURCES_MAX)
		return i - 1;
	if (i == report->source_count)
		snprintf(report->sources[report->source_count++].source,
			 sizeof(report->sources[0].source), "%s", name);
	return i;
}

static void report_extraction(void *user, size_t done, size_t count, const char *problem)
{
	(void)problem;
	calibration_progress(user, "features", done, count);
}

int calibration_extract(struct calibration *calibration, const char *folder,
			const char *const *names, size_t count, uint32_t *ret_records,
			struct engine_error *error)
{
	return features_extract(calibration->features, &(struct features_request){
		.folder = folder, .names = names, .count = count,
		.threads = calibration->options->threads, .progress = report_extraction,
		.user = calibration,
	}, ret_records, error);
}

int calibration_open_view(struct calibration *calibration, struct engine_error *error)
{
	int r;

	calibration->view = confidence_view_free(calibration->view);
	calibration->confidence = confidence_free(calibration->confidence);
	r = confidence_open(&calibration->parameters, calibration->model->vocabulary,
			    &calibration->confidence, error);
	if (r == 0)
		r = confidence_view_open(calibration->confidence,
					 decoder_cells(calibration->model->decoder),
					 &calibration->view, error);
	return r;
}

void calibration_look(struct calibration *calibration, const struct kept *kept)
{
	struct engine_features features = {
		calibration->pool, calibration->grid, calibration->classes,
	};

	features_get(calibration->features, kept->record, calibration->pool, NULL,
		     calibration->classes);
	if (!calibration->model->info.class_count)
		features.classes = NULL;
	confidence_view_photo(calibration->view, &features, calibration->model->info.class_count,
			      &kept->quality);
	confidence_view_candidates(calibration->view, kept->hypotheses, kept->count);
}

bool calibration_is_right(const struct calibration *calibration, const struct kept *kept,
			  unsigned candidate, const struct part *part)
{
	const struct hypothesis *hypothesis = &kept->hypotheses[candidate];
	unsigned content = 0;

	for (unsigned k = 0; k < hypothesis->count; k++) {
		if (!lexeme_is_content(vocabulary_lexeme(calibration->model->vocabulary,
							 hypothesis->words[k])))
			continue;
		if (part->words >> k & 1 &&
		    !(kept->supported[candidate][part_level(part, k)] >> content & 1))
			return false;
		content++;
	}
	return true;
}

unsigned calibration_choice(struct calibration *calibration)
{
	unsigned order[GENERATION_POOL];

	confidence_view_rank(calibration->view, order);
	return order[0];
}

enum engine_band calibration_band(const struct calibration *calibration, float confidence)
{
	const struct confidence_parameters *p = &calibration->parameters;
	float unfamiliarity = confidence_view_unfamiliarity(calibration->view);

	if (confidence < p->refused || (p->strange > 0.0f && unfamiliarity > p->strange))
		return ENGINE_BAND_REFUSED;
	return confidence < p->sure || unfamiliarity > 1.0f ? ENGINE_BAND_UNSURE :
		ENGINE_BAND_SURE;
}

size_t calibration_things(struct calibration *calibration, const struct kept *kept, float least,
			  struct calibration_thing ret_things[CONFIDENCE_THINGS])
{
	unsigned choice = calibration_choice(calibration);
	float confidence = confidence_view_caption(calibration->view, choice, &PART_WHOLE);
	struct engine_thing things[CONFIDENCE_THINGS];
	struct part part;
	size_t count;

	if (calibration_band(calibration, confidence) != ENGINE_BAND_REFUSED ||
	    confidence_view_unfamiliarity(calibration->view) > 1.0f ||
	    confidence_view_sure_part(calibration->view, choice, calibration->parameters.sure,
				      &part, &confidence))
		return 0;
	count = confidence_view_things(calibration->view, least, things);
	for (size_t i = 0; i < count; i++) {
		struct lexeme lexeme = lexeme_of(things[i].text);

		ret_things[i] = (struct calibration_thing){
			things[i].probability,
			detector_supports(&calibration->photos->photos[kept->photo], &lexeme),
		};
	}
	return count;
}
