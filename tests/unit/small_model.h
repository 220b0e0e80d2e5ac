/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * small_model.h: model files made in memory, with random weights from a fixed
 * seed, small enough to be opened thousands of times.
 */
#ifndef TESTS_SMALL_MODEL_H
#define TESTS_SMALL_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "engine/lab/blueprint.h"

struct small_model {
	uint8_t *bytes;		/* aligned as gguf_open_memory wants it */
	size_t size;
};

/* Every operator of the engine in one graph of 12 × 10 pixels; no decoder. */
struct small_model small_model_all_operators(void);
/* Nearly as many operators, with 8-bit weights and values throughout. */
struct small_model small_model_quantised(void);
/* Only operators that copies of channels (engine/copies.h) may pass; and the same with
 * a depthwise convolution, which they may not. */
struct small_model small_model_copyable(void);
struct small_model small_model_depthwise(void);
/* Any blueprint as a model file. */
struct small_model small_model_write(const struct blueprint *blueprint);
void small_model_free(struct small_model *model);

/* Deterministic values between −1 and 1. */
float small_random(uint64_t *state);

/* Appends a convolution with random weights and a bias. */
struct blueprint_node *small_convolution(struct blueprint *blueprint, const char *name,
					 unsigned input, unsigned channels, unsigned kernel,
					 unsigned stride, unsigned padding, unsigned groups,
					 uint64_t *state);

#endif
