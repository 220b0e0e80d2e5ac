/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * calibration_search.c: searches photos' captions as the product does, and keeps
 * all candidates with what is true of them.
 */
#include "engine/lab/calibration.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/error.h"

#define TIMED 100u	/* photos that are searched without confidence, too */

int calibration_measure_quality(const char *folder, const char *name,
				struct engine_quality *ret_quality, struct engine_error *error)
{
	char path[4096];
	struct engine_image *image;
	int fd, r;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return engine_fail(error, ENGINE_BAD_IMAGE, "The photo %s cannot be opened.", path);
	r = engine_image_read(fd, &(struct engine_image_options){ .wanted_width = 299,
			      .wanted_height = 299 }, &image, error);
	close(fd);
	if (r)
		return r;
	r = engine_quality_measure(image, NULL, ret_quality, error);
	engine_image_free(image);
	return r;
}

/* Sets the bit of the word and of what can be said for it, as far as people say so. */
static void support(const struct calibration *calibration, const struct kept *kept,
		    unsigned word, uint32_t *supported, uint32_t bit)
{
	const struct captioned_photo *photo = &calibration->photos->photos[kept->photo];
	const struct vocabulary *vocabulary = calibration->model->vocabulary;
	const uint32_t *generals = confidence_generals(calibration->confidence)[word];

	if (detector_supports(photo, vocabulary_lexeme(vocabulary, word)))
		supported[0] |= bit;
	for (unsigned k = 0; k < LEXEME_GENERALS && generals[k] != 0; k++) {
		if (detector_supports(photo, vocabulary_lexeme(vocabulary, generals[k])))
			supported[1 + k] |= bit;
	}
}

static int keep(struct calibration *calibration, struct kept *kept,
		const struct hypothesis *hypotheses, size_t count, struct engine_error *error)
{
	const struct engine_model *model = calibration->model;
	size_t cells = decoder_cells(model->decoder);

	kept->hypotheses = calloc(count, sizeof(*kept->hypotheses));
	kept->attention = calloc(count * LIMIT_WORDS * (cells + 1), sizeof(float));
	kept->supported = calloc(count, sizeof(*kept->supported));
	if (!kept->hypotheses || !kept->attention || !kept->supported)
		return engine_fail_memory(error);
	kept->count = count;
	memcpy(kept->hypotheses, hypotheses, count * sizeof(*hypotheses));
	for (size_t i = 0; i < count; i++) {
		struct hypothesis *hypothesis = &kept->hypotheses[i];
		unsigned content = 0;

		if (hypothesis->attention) {
			float *copy = kept->attention + i * LIMIT_WORDS * cells;

			memcpy(copy, hypothesis->attention,
			       hypothesis->count * cells * sizeof(float));
			hypothesis->attention = copy;
		}
		for (unsigned k = 0; k < hypothesis->count; k++) {
			const struct lexeme *lexeme = vocabulary_lexeme(model->vocabulary,
									hypothesis->words[k]);

			if (!lexeme_is_content(lexeme))
				continue;
			support(calibration, kept, hypothesis->words[k], kept->supported[i],
				1u << content);
			content++;
		}
	}
	return 0;
}

int calibration_search(struct calibration *calibration, bool judged_only,
		       struct engine_error *error)
{
	const struct engine_model *model = calibration->model;
	struct engine_features features = {
		calibration->pool, calibration->grid,
		model->info.class_count ? calibration->classes : NULL,
	};
	struct engine_caption_options options = { .beam = model->beam };
	const struct hypothesis *found;
	size_t count;
	int r = 0;

	for (size_t p = 0; r == 0 && p < calibration->photos->photo_count; p++) {
		struct kept *kept = &calibration->kept[calibration->kept_count];
		double started;

		*kept = (struct kept){ .photo = p, .record = calibration->records[p] };
		if (kept->record == FEATURES_ABSENT ||
		    (judged_only && calibration_is_fitted(kept)))
			continue;
		features_get(calibration->features, kept->record, calibration->pool,
			     calibration->grid, calibration->classes);
		if (calibration->kept_count < TIMED) {
			started = calibration_now_ms();
			r = generation_run(calibration->generation, &features, &options, 0, &found,
					   &count, error);
			calibration->plain_ms += calibration_now_ms() - started;
			calibration->timed++;
		}
		started = calibration_now_ms();
		if (r == 0)
			r = generation_run(calibration->generation, &features, &options,
					   CONFIDENCE_CROWD, &found, &count, error);
		calibration->crowd_ms += calibration_now_ms() - started;
		if (r == 0)
			r = calibration_measure_quality(calibration->options->images,
					    calibration->photos->photos[p].file_name, &kept->quality,
					    error);
		if (r == 0)
			r = keep(calibration, kept, found, count, error);
		calibration->kept_count++;
		calibration_progress(calibration, "captions", p + 1, calibration->photos->photo_count);
	}
	return r;
}

