/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * small_decoder.h: decoders of every kind and weight type with a few dozen
 * random weights, for tests that need no trained network.
 */
#ifndef TESTS_SMALL_DECODER_H
#define TESTS_SMALL_DECODER_H

#include "engine/decoder.h"

#define SMALL_TENSORS 40u

struct small_decoder {
	struct decoder_config config;
	size_t count;
	struct {
		char name[48];
		struct decoder_tensor tensor;
		float *values;		/* the weights before their type was chosen */
		void *stored;
		float *scales;
	} tensors[SMALL_TENSORS];
	struct decoder *decoder;
};

/* Opens the decoder; matrices are stored in `type`. */
void small_decoder_open(struct small_decoder *small, enum decoder_kind kind, unsigned hidden,
			unsigned layers, unsigned words, enum matrix_type type, uint64_t seed);
void small_decoder_close(struct small_decoder *small);

/* The float values of a tensor by its name. */
const float *small_decoder_values(const struct small_decoder *small, const char *name);

/* Random features of the decoder's sizes; free both pointers. */
void small_features(const struct small_decoder *small, uint64_t seed, float **ret_pool,
		    float **ret_grid);

#endif
