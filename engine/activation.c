/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * activation.c: the decoder's element-wise functions on the C library's
 * exponentials.
 */
#include "engine/activation.h"

#include <math.h>

static float sigmoid(float x)
{
	return 1.0f / (1.0f + expf(-x));
}

void activation_relu(float *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		values[i] = values[i] > 0.0f ? values[i] : 0.0f;
}

void activation_tanh(float *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		values[i] = tanhf(values[i]);
}

static float largest(const float *values, size_t count)
{
	float most = values[0];

	for (size_t i = 1; i < count; i++)
		most = values[i] > most ? values[i] : most;
	return most;
}

void activation_softmax(float *values, size_t count)
{
	float most = largest(values, count), sum = 0.0f;

	for (size_t i = 0; i < count; i++) {
		values[i] = expf(values[i] - most);
		sum += values[i];
	}
	for (size_t i = 0; i < count; i++)
		values[i] /= sum;
}

float activation_log_sum_exp(const float *values, size_t count)
{
	float most = largest(values, count), sum = 0.0f;

	for (size_t i = 0; i < count; i++)
		sum += expf(values[i] - most);
	return most + logf(sum);
}

void activation_lstm(const float *gates, float *cell, float *ret_hidden, size_t hidden)
{
	for (size_t i = 0; i < hidden; i++) {
		float in = sigmoid(gates[i]), forget = sigmoid(gates[hidden + i]);
		float out = sigmoid(gates[2 * hidden + i]), update = tanhf(gates[3 * hidden + i]);

		cell[i] = forget * cell[i] + in * update;
		ret_hidden[i] = out * tanhf(cell[i]);
	}
}

void activation_gru(const float *from_input, const float *from_hidden, float *state,
		    size_t hidden)
{
	for (size_t i = 0; i < hidden; i++) {
		float reset = sigmoid(from_input[i] + from_hidden[i]);
		float update = sigmoid(from_input[hidden + i] + from_hidden[hidden + i]);
		float fresh = tanhf(from_input[2 * hidden + i] + reset * from_hidden[2 * hidden + i]);

		state[i] = (1.0f - update) * fresh + update * state[i];
	}
}
