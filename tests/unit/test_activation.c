/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_activation.c: the element-wise functions of every vector width that this
 * processor has, against the C library in double precision, for lengths around
 * the width of a vector.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/activation.h"
#include "engine/random.h"

#define MOST 67u
#define GUARD 12345.0f

/* Values from −width to width, one guard value behind them. */
static void fill(struct random *random, float *values, size_t count, double width)
{
	for (size_t i = 0; i < count; i++)
		values[i] = (float)(width * (2.0 * random_unit(random) - 1.0));
	values[count] = GUARD;
}

static void assert_near(float value, double expected)
{
	assert_true(fabs((double)value - expected) < 1e-6 * fmax(1.0, fabs(expected)));
}

static double sigmoid(double x)
{
	return 1.0 / (1.0 + exp(-x));
}

static void check_lengths(const struct activation *set, struct random *random, size_t count)
{
	float x[MOST + 1], y[MOST + 1], a[4 * MOST + 1], b[4 * MOST + 1], c[MOST + 1];
	double sum = 0.0;

	fill(random, x, count, 12.0);
	memcpy(y, x, sizeof(x));
	set->tanh(y, count);
	for (size_t i = 0; i < count; i++)
		assert_true(fabs((double)y[i] - tanh((double)x[i])) < 3e-7);
	memcpy(y, x, sizeof(x));
	set->relu(y, count);
	for (size_t i = 0; i < count; i++)
		assert_true(y[i] == fmaxf(x[i], 0.0f));
	for (size_t i = 0; i < count; i++)
		sum += exp((double)x[i]);
	assert_near(set->log_sum_exp(x, count), log(sum));
	memcpy(y, x, sizeof(x));
	set->softmax(y, count);
	for (size_t i = 0; i < count; i++)
		assert_near(y[i], exp((double)x[i]) / sum);
	assert_true(y[count] == GUARD);

	fill(random, a, 4 * count, 6.0);
	fill(random, c, count, 2.0);
	memcpy(x, c, sizeof(c));
	y[count] = GUARD;
	set->lstm(a, c, y, count);
	for (size_t i = 0; i < count; i++) {
		double cell = sigmoid((double)a[count + i]) * (double)x[i] +
			sigmoid((double)a[i]) * tanh((double)a[3 * count + i]);

		assert_near(c[i], cell);
		assert_near(y[i], sigmoid((double)a[2 * count + i]) * tanh(cell));
	}
	assert_true(c[count] == GUARD && y[count] == GUARD);

	fill(random, b, 3 * count, 6.0);
	fill(random, y, count, 1.0);
	memcpy(x, y, sizeof(y));
	set->gru(a, b, y, count);
	for (size_t i = 0; i < count; i++) {
		double reset = sigmoid((double)a[i] + (double)b[i]);
		double update = sigmoid((double)a[count + i] + (double)b[count + i]);
		double fresh = tanh((double)a[2 * count + i] + reset * (double)b[2 * count + i]);

		assert_near(y[i], (1.0 - update) * fresh + update * (double)x[i]);
	}
	assert_true(y[count] == GUARD);
}

static void test_functions(void **state)
{
	const struct activation *set;
	struct random random = { 1 };

	(void)state;
	for (size_t k = 0; (set = activation_at(k)) != NULL; k++) {
		for (size_t count = 1; count <= MOST; count++)
			check_lengths(set, &random, count);
	}
	assert_ptr_equal(activation_best(), activation_at(0));
}

/* What overflows a naive exponential. */
static void test_extremes(void **state)
{
	static const float extremes[] = { -1e30f, -200.0f, -88.0f, -0.0f, 88.0f, 200.0f, 1e30f };
	const struct activation *set;

	(void)state;
	for (size_t k = 0; (set = activation_at(k)) != NULL; k++) {
		float values[8], gates[4], cell = 1e30f, hidden;

		memcpy(values, extremes, sizeof(extremes));
		set->tanh(values, 7);
		for (size_t i = 0; i < 7; i++)
			assert_near(values[i], tanh((double)extremes[i]));
		memcpy(values, extremes, sizeof(extremes));
		set->softmax(values, 7);
		assert_near(values[6], 1.0);
		assert_near(values[0], 0.0);
		assert_near(set->log_sum_exp((float[]){ 1000.0f, 1000.0f }, 2), 1000.0 + log(2.0));
		gates[0] = gates[1] = gates[2] = gates[3] = 1e30f;
		set->lstm(gates, &cell, &hidden, 1);
		assert_near(hidden, 1.0);
		values[0] = NAN;
		set->tanh(values, 1);
		assert_true(isnan(values[0]));
	}
}

static void test_find_above(void **state)
{
	const struct activation *set;
	struct random random = { 2 };

	(void)state;
	for (size_t k = 0; (set = activation_at(k)) != NULL; k++) {
		for (unsigned round = 0; round < 500; round++) {
			float values[MOST + 1];
			size_t count = 1 + (size_t)(random_unit(&random) * (MOST - 1));
			size_t start = (size_t)(random_unit(&random) * (double)count), at = start;
			float threshold = (float)(random_unit(&random) * 1.2 - 0.1);

			fill(&random, values, count, 1.0);
			values[count / 2] = NAN;
			while (at < count && !(values[at] > threshold))
				at++;
			assert_int_equal(set->find_above(values, start, count, threshold), at);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_find_above),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
