/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * caption.h: from features to captions as the public header gives them out.
 * Belongs to a context; engine_describe() and engine_generate() are built on
 * describe.c. The laboratory opens one on a decoder that is being trained.
 */
#ifndef ENGINE_CAPTION_H
#define ENGINE_CAPTION_H

#include "engine/decoder.h"
#include "engine/engine.h"
#include "engine/vocabulary.h"

struct caption_writer;

/* Allocates everything that captions need; caption_write does not. Borrows
 * decoder and vocabulary. `beam` stands for options->beam of 0. */
int caption_writer_open(const struct decoder *decoder, const struct vocabulary *vocabulary,
			unsigned beam, struct caption_writer **ret_writer,
			struct engine_error *error);
struct caption_writer *caption_writer_free(struct caption_writer *writer);

/* `options` may be NULL. Timings but generate_ms are 0. The result holds until
 * the next call. */
int caption_write(struct caption_writer *writer, const struct engine_features *features,
		  const struct engine_caption_options *options,
		  struct engine_result **ret_result, struct engine_error *error);

#endif
