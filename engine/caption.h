/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * caption.h: from features to captions as the public header gives them out.
 * Belongs to a context; engine_describe() and engine_generate() are built on
 * describe.c. The laboratory opens one on a decoder that is being trained.
 */
#ifndef ENGINE_CAPTION_H
#define ENGINE_CAPTION_H

#include "engine/confidence.h"
#include "engine/decoder.h"
#include "engine/engine.h"
#include "engine/vocabulary.h"

struct caption_writer;

/* All are borrowed. */
struct caption_writer_config {
	const struct decoder *decoder;
	const struct vocabulary *vocabulary;
	const struct confidence *confidence;	/* may be NULL */
	unsigned beam;			/* stands for options->beam of 0 */
	size_t class_count;		/* of features->classes */
	unsigned grid_width, grid_height;	/* 0: places stay unknown */
	struct threadpool *threads;	/* may be NULL */
};

/* Allocates everything that captions need; caption_write does not. */
int caption_writer_open(const struct caption_writer_config *config,
			struct caption_writer **ret_writer, struct engine_error *error);
struct caption_writer *caption_writer_free(struct caption_writer *writer);

/* `options` may be NULL. Timings but generate_ms are 0. The result holds until
 * the next call. */
int caption_write(struct caption_writer *writer, const struct engine_features *features,
		  const struct engine_caption_options *options,
		  struct engine_result **ret_result, struct engine_error *error);

/* Whether finer features might well have given the latest caption other words. */
bool caption_was_close(const struct caption_writer *writer);

#endif
