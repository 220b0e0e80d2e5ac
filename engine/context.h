/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * context.h: what one thread needs to run a model. Private to the engine and its
 * laboratory.
 */
#ifndef ENGINE_CONTEXT_H
#define ENGINE_CONTEXT_H

#include "engine/caption.h"
#include "engine/encoder.h"
#include "engine/model.h"
#include "engine/threadpool.h"

struct engine_context {
	const struct engine_model *model;
	struct threadpool *pool;
	struct program *own_program;	/* NULL where the model's is used */
	struct encoder *encoder;
	bool second_look;		/* close captions are made again from floats */
	struct caption_writer *writer;	/* NULL where the model has no decoder */
	unsigned *class_order;		/* scratch of engine_classify, or NULL */
};

#endif
