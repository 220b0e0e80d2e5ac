/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * encoder.h: from a picture to features: resize, run the graph, copy out what the
 * decoder reads. Belongs to a context.
 */
#ifndef ENGINE_ENCODER_H
#define ENGINE_ENCODER_H

#include "engine/engine.h"
#include "engine/executor.h"

struct encoder;

/* Allocates everything that pictures of any size need. Borrows all. */
int encoder_open(const struct program *program, struct threadpool *pool,
		 struct encoder **ret_encoder, struct engine_error *error);
struct encoder *encoder_free(struct encoder *encoder);

/* From now on the encoder finds out how many of the pool's threads are fastest (see
 * thread_choice.h). */
void encoder_choose_threads(struct encoder *encoder);

/* The features hold until the next call. Writes preprocess_ms and encode_ms into
 * `ret_timings`, which may be NULL. */
int encoder_run(struct encoder *encoder, const struct engine_image *image,
		const atomic_bool *cancel, const struct engine_features **ret_features,
		struct engine_timings *ret_timings, struct engine_error *error);

/* The same for pixels that already have the network's size. */
int encoder_run_pixels(struct encoder *encoder, const uint8_t *rgb, const atomic_bool *cancel,
		       const struct engine_features **ret_features, struct engine_error *error);

/* Whether a second look is possible and quick: of an encoder that runs in 8 bits, on a
 * processor with vectors of 8 floats or more. */
bool encoder_can_look_again(const struct encoder *encoder);

/* Runs the picture of the latest encoder_run once more, in floats, which takes four
 * times as long. Memory is allocated for the run and given back. Adds its time to
 * `timings`. When it fails, the features of the run before stand as they were. */
int encoder_look_again(struct encoder *encoder, const atomic_bool *cancel,
		       const struct engine_features **ret_features,
		       struct engine_timings *timings, struct engine_error *error);

/* Of the latest run, of either kind. */
const struct engine_features *encoder_features(const struct encoder *encoder);

struct executor *encoder_executor(struct encoder *encoder);

#endif
