/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * decoder_weights.h: a decoder outside the engine: the network's parameters as
 * one flat array, its vocabulary and its normalisation of features, read from
 * and written to model files (engine/MODEL.md).
 */
#ifndef LAB_DECODER_WEIGHTS_H
#define LAB_DECODER_WEIGHTS_H

#include "engine/engine.h"
#include "engine/gguf.h"
#include "engine/lab/lexicon.h"
#include "engine/lab/network.h"

struct decoder_weights {
	struct network network;
	float *parameters;
	struct lexicon *vocabulary;
	float *feature_mean;	/* of each pooled channel */
	float feature_std, region_scale;
};

/* Fresh parameters from the seed; takes neither shape nor vocabulary. The
 * normalisation is left at "none". */
int decoder_weights_create(const struct network_shape *shape, const struct lexicon *vocabulary,
			   uint64_t seed, struct decoder_weights **ret_weights,
			   struct engine_error *error);
/* `cells` is the size of the encoder's grid. */
int decoder_weights_read(const struct gguf *file, size_t cells,
			 struct decoder_weights **ret_weights, struct engine_error *error);
struct decoder_weights *decoder_weights_free(struct decoder_weights *weights);

/* A copy with the words of `vocabulary` appended that it lacks, and with class
 * scores as input if `classes` is not 0. New words start near the mean of the
 * others, class scores without effect. */
int decoder_weights_extend(const struct decoder_weights *weights, const struct lexicon *vocabulary,
			   size_t classes, uint64_t seed, struct decoder_weights **ret_weights,
			   struct engine_error *error);

/* Metadata to set besides; a NULL leaves what the encoder's file says. */
struct decoder_weights_notes {
	const char *name, *training_data, *provenance;
};

/* Writes a complete model: everything of the encoder's file but its decoder,
 * and this decoder in half precision (vectors in full). */
int decoder_weights_write(const struct decoder_weights *weights, const struct gguf *encoder,
			  const struct decoder_weights_notes *notes, const char *path,
			  struct engine_error *error);

#endif
