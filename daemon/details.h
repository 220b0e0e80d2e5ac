/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * details.h: the document that goes with every caption, defined once.
 *
 * It is JSON because it crosses a process boundary, is printed by the client
 * and is translated, value by value, into D-Bus's a{sv}. Its keys:
 *
 *   confidence    number, 0 to 1: the calibrated probability that all content
 *                 words are right; of models without calibration the geometric
 *                 mean of the words' probabilities
 *   band          "sure", "unsure" or "refused"; this and the next six only of
 *                 calibrated models
 *   reasons       list of "words", "disagreement", "unfamiliar", "quality": why it
 *                 is not sure
 *   sentence      the caption itself, without what is said of its doubt
 *   sure_part     { caption, confidence }: the longest part that is sure, doubtful nouns
 *                 said more generally
 *   things        list of { text, probability }: nouns that are likely anyhow; none of
 *                 an unfamiliar picture
 *   where         list of { text, across, down, spread }: where the nouns of the
 *                 sentence are ("left", "centre", "right"; "top", "middle",
 *                 "bottom"), each only where it is at one place; spread is the
 *                 standard deviation about that, in shares of the picture
 *   unfamiliarity number: above 1 the picture is less like the training photos
 *                 than 95% of photos are
 *   words         list of { text, probability } in the order of the sentence;
 *                 content words have a stem, and of calibrated models a confidence
 *   alternatives  list of { caption, confidence, words }; absent when none
 *   timings       { decode, preprocess, encode, generate, total } in milliseconds
 *   warnings      list of sentences; absent when there is none
 *   quality       what the picture is like; see quality.h
 *   width, height the picture's size in pixels, upright
 *   model         name and version of the model
 *
 * A list that would be empty is left out, for D-Bus cannot type an empty list.
 */
#ifndef DAEMON_DETAILS_H
#define DAEMON_DETAILS_H

#include <jansson.h>

#include "engine/engine.h"

struct details_input {
	const struct engine_model_info *model;
	const struct engine_image *image;
	const struct engine_result *result;	/* NULL: not described */
	const struct engine_quality *quality;
	double decode_ms, quality_ms, total_ms;
};

/* A new reference, or NULL when out of memory. */
json_t *details_build(const struct details_input *input);

/* The probability per word of a caption, 0 to 1. */
double details_confidence(const struct engine_caption *caption);

/* What `descry model info` and the property Model say of a model. */
json_t *details_model(const struct engine_model_info *info);

#endif
