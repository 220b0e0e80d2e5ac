/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * activation_vector.h: the decoder's element-wise functions on GCC's vector
 * types, so that one text serves every instruction set. A file that includes it
 * defines ACTIVATION_BYTES, the width of a vector, and ACTIVATION_SET, the name
 * of the table it gets.
 *
 * The exponential splits x into n·ln 2 + r with |r| ≤ ln 2 / 2, takes 2^n from
 * the bits of the exponent and e^r from its Taylor polynomial of degree 7, whose
 * remainder there is below 1e-8 of the value. tanh and the sigmoid come from it;
 * their absolute error stays below 3e-7.
 */
#include "engine/activation.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LANES (ACTIVATION_BYTES / sizeof(float))

typedef float vector __attribute__((vector_size(ACTIVATION_BYTES)));
typedef int32_t integers __attribute__((vector_size(ACTIVATION_BYTES)));
typedef uint32_t bits __attribute__((vector_size(ACTIVATION_BYTES)));

static inline vector splat(float value)
{
	return value - (vector){0};
}

static inline vector load(const float *from)
{
	vector value;

	memcpy(&value, from, sizeof(value));
	return value;
}

static inline void store(float *to, vector value)
{
	memcpy(to, &value, sizeof(value));
}

/* The last values of an array that is no multiple of the width. */
static inline vector load_some(const float *from, size_t count, float fill)
{
	vector value = splat(fill);

	memcpy(&value, from, count * sizeof(float));
	return value;
}

static inline void store_some(float *to, vector value, size_t count)
{
	memcpy(to, &value, count * sizeof(float));
}

static inline vector choose(integers mask, vector yes, vector no)
{
	return (vector)(((integers)yes & mask) | ((integers)no & ~mask));
}

static inline vector exponential(vector x)
{
	const vector low = splat(-87.0f), high = splat(88.0f);
	/* adding and taking away 1.5 · 2^23 rounds to an integer */
	const vector rounder = splat(12582912.0f);
	vector n, r, p;
	bits power;

	x = choose(x < low, low, x);
	x = choose(x > high, high, x);
	n = (x * splat(1.44269504f) + rounder) - rounder;
	/* ln 2 in two parts, the first of few enough bits that n times it is exact */
	r = x - n * splat(0.693359375f);
	r = r - n * splat(-2.12194440e-4f);
	p = splat(1.0f / 5040.0f);
	p = p * r + splat(1.0f / 720.0f);
	p = p * r + splat(1.0f / 120.0f);
	p = p * r + splat(1.0f / 24.0f);
	p = p * r + splat(1.0f / 6.0f);
	p = p * r + splat(0.5f);
	p = p * r + splat(1.0f);
	p = p * r + splat(1.0f);
	power = (bits)__builtin_convertvector(n, integers) + 127u;
	return p * (vector)(power << 23);
}

static inline vector sigmoid(vector x)
{
	return splat(1.0f) / (splat(1.0f) + exponential(-x));
}

static inline vector hyperbolic(vector x)
{
	return splat(1.0f) - splat(2.0f) / (exponential(x + x) + splat(1.0f));
}

static void relu(float *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		values[i] = values[i] > 0.0f ? values[i] : 0.0f;
}

static void tanh_all(float *values, size_t count)
{
	size_t i = 0;

	for (; i + LANES <= count; i += LANES)
		store(values + i, hyperbolic(load(values + i)));
	if (i < count)
		store_some(values + i, hyperbolic(load_some(values + i, count - i, 0.0f)),
			   count - i);
}

static float largest(const float *values, size_t count)
{
	vector most = splat(values[0]);
	float result;
	size_t i = 0;

	for (; i + LANES <= count; i += LANES) {
		vector value = load(values + i);

		most = choose(value > most, value, most);
	}
	result = most[0];
	for (size_t k = 1; k < LANES; k++)
		result = most[k] > result ? most[k] : result;
	for (; i < count; i++)
		result = values[i] > result ? values[i] : result;
	return result;
}

static float sum_of(vector sums)
{
	float sum = 0.0f;

	for (size_t k = 0; k < LANES; k++)
		sum += sums[k];
	return sum;
}

static void softmax(float *values, size_t count)
{
	vector most = splat(largest(values, count)), sums = splat(0.0f), factor;
	size_t i = 0;
	float sum;

	for (; i + LANES <= count; i += LANES) {
		vector value = exponential(load(values + i) - most);

		store(values + i, value);
		sums += value;
	}
	sum = sum_of(sums);
	if (i < count) {
		vector value = exponential(load_some(values + i, count - i, 0.0f) - most);

		store_some(values + i, value, count - i);
		for (size_t k = 0; i + k < count; k++)
			sum += value[k];
	}
	factor = splat(1.0f / sum);
	for (i = 0; i + LANES <= count; i += LANES)
		store(values + i, load(values + i) * factor);
	for (; i < count; i++)
		values[i] *= factor[0];
}

static float log_sum_exp(const float *values, size_t count)
{
	float most = largest(values, count), sum;
	vector sums = splat(0.0f);
	size_t i = 0;

	for (; i + LANES <= count; i += LANES)
		sums += exponential(load(values + i) - splat(most));
	sum = sum_of(sums);
	if (i < count) {
		vector value = exponential(load_some(values + i, count - i, 0.0f) - splat(most));

		for (size_t k = 0; i + k < count; k++)
			sum += value[k];
	}
	return most + logf(sum);
}

static size_t find_above(const float *values, size_t start, size_t count, float threshold)
{
	size_t i = start;

	for (; i + LANES <= count; i += LANES) {
		integers above = load(values + i) > splat(threshold);
		uint64_t any[ACTIVATION_BYTES / sizeof(uint64_t)], found = 0;

		memcpy(any, &above, sizeof(any));
		for (size_t k = 0; k < sizeof(any) / sizeof(*any); k++)
			found |= any[k];
		if (found)
			break;
	}
	while (i < count && !(values[i] > threshold))
		i++;
	return i;
}

static void lstm_some(const float *gates, float *cell, float *ret_hidden, size_t hidden,
		      size_t some)
{
	vector in = sigmoid(load_some(gates, some, 0.0f));
	vector forget = sigmoid(load_some(gates + hidden, some, 0.0f));
	vector out = sigmoid(load_some(gates + 2 * hidden, some, 0.0f));
	vector update = hyperbolic(load_some(gates + 3 * hidden, some, 0.0f));
	vector kept = forget * load_some(cell, some, 0.0f) + in * update;

	store_some(cell, kept, some);
	store_some(ret_hidden, out * hyperbolic(kept), some);
}

static void lstm(const float *gates, float *cell, float *ret_hidden, size_t hidden)
{
	size_t i = 0;

	for (; i + LANES <= hidden; i += LANES)
		lstm_some(gates + i, cell + i, ret_hidden + i, hidden, LANES);
	if (i < hidden)
		lstm_some(gates + i, cell + i, ret_hidden + i, hidden, hidden - i);
}

static void gru_some(const float *from_input, const float *from_hidden, float *state,
		     size_t hidden, size_t some)
{
	vector reset = sigmoid(load_some(from_input, some, 0.0f) +
			       load_some(from_hidden, some, 0.0f));
	vector update = sigmoid(load_some(from_input + hidden, some, 0.0f) +
				load_some(from_hidden + hidden, some, 0.0f));
	vector fresh = hyperbolic(load_some(from_input + 2 * hidden, some, 0.0f) +
				  reset * load_some(from_hidden + 2 * hidden, some, 0.0f));
	vector old = load_some(state, some, 0.0f);

	store_some(state, fresh + update * (old - fresh), some);
}

static void gru(const float *from_input, const float *from_hidden, float *state, size_t hidden)
{
	size_t i = 0;

	for (; i + LANES <= hidden; i += LANES)
		gru_some(from_input + i, from_hidden + i, state + i, hidden, LANES);
	if (i < hidden)
		gru_some(from_input + i, from_hidden + i, state + i, hidden, hidden - i);
}

#define ACTIVATION_STRING(name) #name
#define ACTIVATION_NAME(name) ACTIVATION_STRING(name)

extern const struct activation ACTIVATION_SET;
const struct activation ACTIVATION_SET = {
	.name = ACTIVATION_NAME(ACTIVATION_SET),
	.relu = relu,
	.tanh = tanh_all,
	.softmax = softmax,
	.log_sum_exp = log_sum_exp,
	.find_above = find_above,
	.lstm = lstm,
	.gru = gru,
};
