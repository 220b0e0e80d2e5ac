/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * activation.h: the element-wise functions of the decoder.
 */
#ifndef ENGINE_ACTIVATION_H
#define ENGINE_ACTIVATION_H

#include <stddef.h>

void activation_relu(float *values, size_t count);
void activation_tanh(float *values, size_t count);

/* In place: e^x / Σ e^x. */
void activation_softmax(float *values, size_t count);

/* log Σ e^x. */
float activation_log_sum_exp(const float *values, size_t count);

/* gates: input, forget, output, update, `hidden` values each, before their
 * functions. Updates the cell and writes the hidden state. */
void activation_lstm(const float *gates, float *cell, float *ret_hidden, size_t hidden);

/* Both: reset, update, new, `hidden` values each. Updates the hidden state. */
void activation_gru(const float *from_input, const float *from_hidden, float *state,
		    size_t hidden);

#endif
