/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * activation.h: the element-wise functions of the decoder and the passes over
 * its logits. Each has one plain definition (kernels/activation_vector.h),
 * compiled for several vector widths; the widest that the processor has is
 * taken.
 */
#ifndef ENGINE_ACTIVATION_H
#define ENGINE_ACTIVATION_H

#include <stddef.h>

struct activation {
	const char *name;

	void (*relu)(float *values, size_t count);
	void (*tanh)(float *values, size_t count);

	/* In place: e^x / Σ e^x. */
	void (*softmax)(float *values, size_t count);

	/* log Σ e^x. */
	float (*log_sum_exp)(const float *values, size_t count);

	/* The first index from `start` on whose value is above the threshold, or
	 * `count`. A value that is not a number is never above. */
	size_t (*find_above)(const float *values, size_t start, size_t count, float threshold);

	/* gates: input, forget, output, update, `hidden` values each, before their
	 * functions. Updates the cell and writes the hidden state. */
	void (*lstm)(const float *gates, float *cell, float *ret_hidden, size_t hidden);

	/* Both: reset, update, new, `hidden` values each. Updates the hidden state. */
	void (*gru)(const float *from_input, const float *from_hidden, float *state,
		    size_t hidden);
};

/* The fastest set that this processor can run. */
const struct activation *activation_best(void);

/* Every set that this processor can run, for tests. NULL past the last. */
const struct activation *activation_at(size_t index);

#endif
