/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * calibration.h: what the steps of a calibration share: the photos' searches, kept
 * (calibration_search.c), the fits on one half of them (calibration_fit.c), what
 * tells non-photos (calibration_probe.c), the bounds of the bands
 * (calibration_bounds.c) and the judgement of the other half
 * (calibration_judge.c). calibrate.c puts them in order. Photos with even numbers
 * are fitted on, odd ones judged.
 *
 * A caption is right when every content word of it is supported by one of the
 * photo's human captions (lexeme.h). Each photo's candidates are searched once and
 * kept, because the word model must stand before captions can be chosen and judged.
 */
#ifndef LAB_CALIBRATION_H
#define LAB_CALIBRATION_H

#include "engine/confidence.h"
#include "engine/lab/captions.h"
#include "engine/lab/detector.h"
#include "engine/lab/features.h"
#include "engine/lab/lab.h"
#include "engine/model.h"

/* A photo's search, kept. */
struct kept {
	struct hypothesis *hypotheses;
	float *attention;
	size_t count, photo;		/* number in the caption set */
	uint32_t record;
	struct engine_quality quality;
	/* by hypothesis, bit i: content word i is supported, as it stands or said in its
	 * first, second … more general word */
	uint32_t (*supported)[1 + LEXEME_GENERALS];
};

/* What is said of a photo, and how it stands. */
struct judged {
	size_t kept, source;
	unsigned candidate;
	double confidence;
	bool right;
	enum engine_band band;		/* of captions chosen by consensus */
	struct part part;		/* said for sure where the whole is not, or no words */
};

struct calibration {
	const struct lab_calibrate_options *options;
	struct engine_model *model;
	struct caption_set *train, *photos;
	struct features *features;
	uint32_t *train_records, *records;
	struct detector *detector;
	struct confidence_parameters parameters;
	float usual[CONFIDENCE_USUAL];
	struct confidence *confidence;
	struct confidence_view *view;
	struct generation *generation;
	struct kept *kept;
	size_t kept_count;
	float *pool, *grid, *classes;
	float *rows, *weights;		/* of a fit */
	bool *labels;
	float source_weights[LAB_EVAL_SOURCES_MAX];
	float *probes;
	struct isotonic *isotonic;	/* of captions' confidences; NULL where nothing is fitted */
	struct lab_calibration_report *report;
	double plain_ms, crowd_ms, trust_ms;	/* sums, over these counts: */
	size_t timed, judged;			/* plain, trust; crowd: kept_count */
};

void calibration_progress(const struct calibration *calibration, const char *step, size_t done,
			  size_t count);
double calibration_now_ms(void);
bool calibration_is_fitted(const struct kept *kept);

/* Number of the photo's source in the report. */
size_t calibration_source(const struct calibration *calibration, const struct kept *kept);
/* Sees to the features of a folder's pictures. */
int calibration_extract(struct calibration *calibration, const char *folder,
			const char *const *names, size_t count, uint32_t *ret_records,
			struct engine_error *error);

/* Takes the parameters as they stand now. */
int calibration_open_view(struct calibration *calibration, struct engine_error *error);
/* Shows the view a photo and its candidates. */
void calibration_look(struct calibration *calibration, const struct kept *kept);
/* The candidate that consensus puts first. */
unsigned calibration_choice(struct calibration *calibration);
/* Whether all that these words of the caption say is supported. */
bool calibration_is_right(const struct calibration *calibration, const struct kept *kept,
			  unsigned candidate, const struct part *part);

/* As the engine's: confidence says little of what is no photo. */
enum engine_band calibration_band(const struct calibration *calibration, float confidence);

/* A single word that is said where no sentence is. */
struct calibration_thing {
	float probability;
	bool right;
};

/* Those of the photo that the view looks at, of at least this probability; none unless
 * its caption is refused and has no sure part. */
size_t calibration_things(struct calibration *calibration, const struct kept *kept, float least,
			  struct calibration_thing ret_things[CONFIDENCE_THINGS]);

/* Searches the captions of every photo that `calibration` has features of, or
 * only those that are judged. */
int calibration_search(struct calibration *calibration, bool judged_only,
		       struct engine_error *error);

int calibration_fit_words(struct calibration *calibration, struct engine_error *error);
/* calibration_consensus.c */
int calibration_fit_consensus(struct calibration *calibration, struct engine_error *error);
/* What photos are usually like. */
int calibration_fit_usual(struct calibration *calibration, struct engine_error *error);
/* Finds what tells non-photos from photos, and how far clean photos lie at most.
 * calibration_probe.c */
int calibration_fit_probes(struct calibration *calibration, struct engine_error *error);
int calibration_judge_probes(struct calibration *calibration, struct engine_error *error);
/* Whether the pixels alone tell that this is no photo. */
bool calibration_looks_strange(const struct engine_quality *quality);
int calibration_measure_quality(const char *folder, const char *name,
				struct engine_quality *ret_quality, struct engine_error *error);
int calibration_fit_captions(struct calibration *calibration, struct engine_error *error);
/* What the logistic model of captions is compared with. */
int calibration_fit_isotonic(struct calibration *calibration, struct engine_error *error);

/* Chooses the bounds of the bands on the fitted half. */
int calibration_choose_bounds(struct calibration *calibration, struct engine_error *error);

/* Fills the report. */
int calibration_judge(struct calibration *calibration, struct engine_error *error);

#endif
