/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * model.h: an open model file and what was made of it. Immutable after
 * engine_model_open, so contexts of many threads share it. Private to the engine
 * and its laboratory.
 */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include "engine/confidence.h"
#include "engine/decoder.h"
#include "engine/engine.h"
#include "engine/gguf.h"
#include "engine/graph.h"
#include "engine/program.h"
#include "engine/vocabulary.h"

/* The version of the keys that MODEL.md documents. */
#define MODEL_FORMAT 1u
#define MODEL_ARCHITECTURE "descry"

struct engine_model {
	struct gguf *file;
	struct graph *graph;
	struct program *program;	/* of ENGINE_PATH_AUTO */
	struct decoder *decoder;	/* NULL in a model that only encodes */
	struct vocabulary *vocabulary;	/* NULL likewise */
	struct confidence *confidence;	/* NULL in a model that was not calibrated */
	unsigned beam;			/* the default width of the search */
	const char *const *labels;	/* info.class_count, or NULL */
	struct engine_model_info info;
};

/* Makes a model of an open file, which it takes, also when it fails. */
int model_build(struct gguf *file, struct engine_model **ret_model, struct engine_error *error);

#endif
