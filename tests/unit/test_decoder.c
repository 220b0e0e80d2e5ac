/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_decoder.c: every decoder kind against its equations, written out here a
 * second time in double precision and one sentence at a time; then what a
 * damaged model makes of decoder_open.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/random.h"
#include "tests/unit/small_decoder.h"

#define HIDDEN 16u
#define WORDS 40u
#define MOST_LAYERS 3u

/* One sentence's state as the equations have it. */
struct plain {
	double h[MOST_LAYERS][HIDDEN], c[MOST_LAYERS][HIDDEN];
	double v[HIDDEN], regions[8][HIDDEN], keys[8][HIDDEN];
};

/* y = W x + b, b may be NULL. */
static void product(const struct small_decoder *small, const char *weight, const char *bias,
		    size_t rows, size_t columns, const double *x, double *y)
{
	const float *w = small_decoder_values(small, weight);
	const float *b = bias ? small_decoder_values(small, bias) : NULL;

	for (size_t r = 0; r < rows; r++) {
		y[r] = b ? (double)b[r] : 0.0;
		for (size_t k = 0; k < columns; k++)
			y[r] += (double)w[r * columns + k] * x[k];
	}
}

static double sigmoid(double x)
{
	return 1.0 / (1.0 + exp(-x));
}

static void plain_begin(const struct small_decoder *small, const float *pool, const float *grid,
			struct plain *plain)
{
	const struct decoder_config *config = &small->config;
	const float *mean = small_decoder_values(small, "feature.mean");
	double deviation = (double)*small_decoder_values(small, "feature.std");
	double p[64], states[2 * MOST_LAYERS * HIDDEN];
	size_t each = config->kind == DECODER_GRU ? 1 : 2;

	for (size_t i = 0; i < config->pool_size; i++)
		p[i] = ((double)pool[i] - (double)mean[i]) / deviation;
	product(small, "image.weight", "image.bias", HIDDEN, config->pool_size, p, plain->v);
	for (size_t i = 0; i < HIDDEN; i++)
		plain->v[i] = fmax(plain->v[i], 0.0);
	product(small, "state.weight", "state.bias", each * config->layers * HIDDEN, HIDDEN,
		plain->v, states);
	for (size_t l = 0; l < config->layers; l++) {
		for (size_t i = 0; i < HIDDEN; i++) {
			plain->h[l][i] = tanh(states[each * l * HIDDEN + i]);
			if (each == 2)
				plain->c[l][i] = tanh(states[(2 * l + 1) * HIDDEN + i]);
		}
	}
	if (config->kind != DECODER_LSTM_ATTENTION)
		return;
	for (size_t r = 0; r < config->grid_cells; r++) {
		double g[64];

		for (size_t k = 0; k < config->grid_channels; k++)
			g[k] = (double)grid[r * config->grid_channels + k] *
				(double)*small_decoder_values(small, "region.scale");
		product(small, "region.weight", "region.bias", HIDDEN, config->grid_channels, g,
			plain->regions[r]);
		for (size_t i = 0; i < HIDDEN; i++)
			plain->regions[r][i] = fmax(plain->regions[r][i], 0.0);
		product(small, "attention.key.weight", NULL, HIDDEN, HIDDEN, plain->regions[r],
			plain->keys[r]);
	}
}

static void plain_attend(const struct small_decoder *small, const struct plain *plain,
			 double *attention, double *z)
{
	double q[HIDDEN], sum = 0.0;

	product(small, "attention.query.weight", "attention.query.bias", HIDDEN, HIDDEN,
		plain->h[0], q);
	memset(z, 0, HIDDEN * sizeof(*z));
	for (size_t r = 0; r < small->config.grid_cells; r++) {
		attention[r] = 0.0;
		for (size_t i = 0; i < HIDDEN; i++)
			attention[r] += plain->keys[r][i] * q[i];
		attention[r] = exp(attention[r] / sqrt((double)HIDDEN));
		sum += attention[r];
	}
	for (size_t r = 0; r < small->config.grid_cells; r++) {
		attention[r] /= sum;
		for (size_t i = 0; i < HIDDEN; i++)
			z[i] += attention[r] * plain->regions[r][i];
	}
}

static void plain_lstm(double *gates, double *h, double *c)
{
	for (size_t i = 0; i < HIDDEN; i++) {
		c[i] = sigmoid(gates[HIDDEN + i]) * c[i] +
			sigmoid(gates[i]) * tanh(gates[3 * HIDDEN + i]);
		h[i] = sigmoid(gates[2 * HIDDEN + i]) * tanh(c[i]);
	}
}

static void plain_layer(const struct small_decoder *small, unsigned l, const double *x,
			struct plain *plain)
{
	double a[4 * HIDDEN], b[4 * HIDDEN];
	char weight[48], bias[48];

	if (small->config.kind == DECODER_LSTM) {
		snprintf(weight, sizeof(weight), "lstm.%u.input.weight", l);
		snprintf(bias, sizeof(bias), "lstm.%u.bias", l);
		product(small, weight, bias, 4 * HIDDEN, HIDDEN, x, a);
		snprintf(weight, sizeof(weight), "lstm.%u.hidden.weight", l);
		product(small, weight, NULL, 4 * HIDDEN, HIDDEN, plain->h[l], b);
		for (size_t i = 0; i < 4 * HIDDEN; i++)
			a[i] += b[i];
		plain_lstm(a, plain->h[l], plain->c[l]);
		return;
	}
	snprintf(weight, sizeof(weight), "gru.%u.input.weight", l);
	snprintf(bias, sizeof(bias), "gru.%u.input.bias", l);
	product(small, weight, bias, 3 * HIDDEN, HIDDEN, x, a);
	snprintf(weight, sizeof(weight), "gru.%u.hidden.weight", l);
	snprintf(bias, sizeof(bias), "gru.%u.hidden.bias", l);
	product(small, weight, bias, 3 * HIDDEN, HIDDEN, plain->h[l], b);
	for (size_t i = 0; i < HIDDEN; i++) {
		double r = sigmoid(a[i] + b[i]), z = sigmoid(a[HIDDEN + i] + b[HIDDEN + i]);
		double n = tanh(a[2 * HIDDEN + i] + r * b[2 * HIDDEN + i]);

		plain->h[l][i] = (1.0 - z) * n + z * plain->h[l][i];
	}
}

static void plain_step(const struct small_decoder *small, struct plain *plain, unsigned word,
		       double *logits, double *attention)
{
	const float *embedding = small_decoder_values(small, "embedding.weight");
	double x[HIDDEN], z[HIDDEN], y[HIDDEN], part[4 * HIDDEN];
	const double *top = plain->h[small->config.layers - 1];

	for (size_t i = 0; i < HIDDEN; i++)
		x[i] = (double)embedding[word * HIDDEN + i];
	if (small->config.kind == DECODER_LSTM_ATTENTION) {
		static const char *const weights[] = { "lstm.input.weight", "lstm.image.weight",
			"lstm.hidden.weight", "lstm.context.weight" };
		double gates[4 * HIDDEN];

		plain_attend(small, plain, attention, z);
		for (size_t i = 0; i < 4 * HIDDEN; i++)
			gates[i] = (double)small_decoder_values(small, "lstm.bias")[i];
		for (size_t k = 0; k < 4; k++) {
			const double *const inputs[] = { x, plain->v, plain->h[0], z };

			product(small, weights[k], NULL, 4 * HIDDEN, HIDDEN, inputs[k], part);
			for (size_t i = 0; i < 4 * HIDDEN; i++)
				gates[i] += part[i];
		}
		plain_lstm(gates, plain->h[0], plain->c[0]);
	} else {
		for (unsigned l = 0; l < small->config.layers; l++)
			plain_layer(small, l, l == 0 ? x : plain->h[l - 1], plain);
	}
	product(small, "output.hidden.weight", "output.hidden.bias", HIDDEN, HIDDEN, top, y);
	for (size_t i = 0; i < HIDDEN; i++)
		y[i] += x[i];
	if (small->config.kind == DECODER_LSTM_ATTENTION) {
		product(small, "output.image.weight", NULL, HIDDEN, HIDDEN, plain->v, part);
		for (size_t i = 0; i < HIDDEN; i++)
			y[i] += part[i];
		product(small, "output.context.weight", NULL, HIDDEN, HIDDEN, z, part);
		for (size_t i = 0; i < HIDDEN; i++)
			y[i] += part[i];
	}
	for (size_t i = 0; i < HIDDEN; i++)
		y[i] = tanh(y[i]);
	product(small, "embedding.weight", "output.bias", WORDS, HIDDEN, y, logits);
}

/* Follows three sentences for some steps, with parents that cross, and returns
 * the largest difference of a logit or an attention weight. */
static double largest_difference(enum decoder_kind kind, unsigned layers, enum matrix_type type)
{
	struct small_decoder small;
	struct decoder_state *state;
	struct engine_error error;
	struct plain *plain = calloc(3, sizeof(*plain)), *next = calloc(3, sizeof(*next));
	struct random random = { 7 };
	float *pool, *grid, logits[3 * WORDS], attention[3 * 8];
	struct engine_features features;
	double worst = 0.0;

	small_decoder_open(&small, kind, HIDDEN, layers, WORDS, type, 11);
	small_features(&small, 13, &pool, &grid);
	assert_int_equal(decoder_state_open(small.decoder, 3, &state, &error), 0);
	features = (struct engine_features){ .pool = pool, .grid = grid };
	decoder_state_begin(state, &features);
	plain_begin(&small, pool, grid, &plain[0]);
	for (unsigned step = 0; step < 6; step++) {
		unsigned words[3], parents[3], count = step == 0 ? 1 : 3;

		for (unsigned i = 0; i < count; i++) {
			words[i] = (unsigned)(random_unit(&random) * WORDS);
			parents[i] = step < 2 ? 0 : (unsigned)(random_unit(&random) * 3);
		}
		decoder_state_step(state, words, parents, count, logits, attention);
		for (unsigned i = 0; i < count; i++) {
			double expected[WORDS], weights[8];

			next[i] = plain[parents[i]];
			plain_step(&small, &next[i], words[i], expected, weights);
			for (unsigned k = 0; k < WORDS; k++)
				worst = fmax(worst, fabs(expected[k] - (double)logits[i * WORDS + k]));
			for (unsigned k = 0; k < decoder_cells(small.decoder); k++)
				worst = fmax(worst, fabs(weights[k] - (double)attention[
					i * decoder_cells(small.decoder) + k]));
		}
		memcpy(plain, next, 3 * sizeof(*plain));
	}
	decoder_state_free(state);
	small_decoder_close(&small);
	free(pool);
	free(grid);
	free(plain);
	free(next);
	return worst;
}

static void test_attention_lstm(void **state)
{
	(void)state;
	assert_true(largest_difference(DECODER_LSTM_ATTENTION, 1, MATRIX_F32) < 1e-4);
	assert_true(largest_difference(DECODER_LSTM_ATTENTION, 1, MATRIX_F16) < 1e-4);
}

static void test_plain_lstm(void **state)
{
	(void)state;
	assert_true(largest_difference(DECODER_LSTM, 1, MATRIX_F32) < 1e-4);
	assert_true(largest_difference(DECODER_LSTM, 3, MATRIX_F32) < 1e-4);
	assert_true(largest_difference(DECODER_LSTM, 2, MATRIX_F16) < 1e-4);
}

static void test_gru(void **state)
{
	(void)state;
	assert_true(largest_difference(DECODER_GRU, 1, MATRIX_F32) < 1e-4);
	assert_true(largest_difference(DECODER_GRU, 3, MATRIX_F32) < 1e-4);
}

/* The weights are the codes' own values, so what differs is the rounding of the
 * vectors to 8 bits. */
static void test_eight_bits(void **state)
{
	(void)state;
	assert_true(largest_difference(DECODER_LSTM_ATTENTION, 1, MATRIX_I8) < 0.3);
	assert_true(largest_difference(DECODER_LSTM, 2, MATRIX_I8) < 0.3);
	assert_true(largest_difference(DECODER_GRU, 2, MATRIX_I8) < 0.3);
}

/* The first word's logits where two of the pooled features are not the mean: they
 * are 127 and `second` steps of what 8 bits could hold of them. */
static void first_logits(const struct small_decoder *small, float second, float ret_logits[WORDS])
{
	const float *mean = small_decoder_values(small, "feature.mean");
	float step = 0.01f * small_decoder_values(small, "feature.std")[0];
	unsigned size = small->config.pool_size, word = 1, parent = 0;
	struct engine_features features;
	struct decoder_state *state;
	struct engine_error error;
	float *pool, *grid, attention[8];

	small_features(small, 13, &pool, &grid);
	memcpy(pool, mean, size * sizeof(*pool));
	pool[0] += 127 * step;
	pool[1] += second * step;
	features = (struct engine_features){ .pool = pool, .grid = grid };
	assert_int_equal(decoder_state_open(small->decoder, 1, &state, &error), 0);
	decoder_state_begin(state, &features);
	decoder_state_step(state, &word, &parent, 1, ret_logits, attention);
	decoder_state_free(state);
	free(pool);
	free(grid);
}

/* What is less than a step of 8 bits still counts, as it does in floats. */
static void test_photo_is_finer_than_eight_bits(void **state)
{
	struct small_decoder small;
	float at[WORDS], beside[WORDS];
	double most = 0;

	(void)state;
	small_decoder_open(&small, DECODER_LSTM, HIDDEN, 1, WORDS, MATRIX_I8, 11);
	first_logits(&small, 50, at);
	first_logits(&small, 50.4f, beside);
	for (unsigned i = 0; i < WORDS; i++)
		most = fmax(most, fabs((double)at[i] - (double)beside[i]));
	assert_true(most > 0);
	assert_true(most < 0.1);
	small_decoder_close(&small);
}

/* The photo's own state comes back, however far sentences grew. */
static void test_restart(void **state)
{
	struct small_decoder small;
	struct decoder_state *decoding;
	struct engine_error error;
	float *pool, *grid, first[WORDS], again[WORDS], attention[8];
	struct engine_features features;

	(void)state;
	small_decoder_open(&small, DECODER_LSTM, HIDDEN, 2, WORDS, MATRIX_F32, 3);
	small_features(&small, 5, &pool, &grid);
	assert_int_equal(decoder_state_open(small.decoder, 1, &decoding, &error), 0);
	features = (struct engine_features){ .pool = pool };
	decoder_state_begin(decoding, &features);
	for (unsigned i = 0; i < 4; i++) {
		unsigned word = 4 + i, parent = 0;

		decoder_state_step(decoding, &word, &parent, 1, i == 0 ? first : again, attention);
	}
	assert_memory_not_equal(first, again, sizeof(first));
	decoder_state_restart(decoding);
	decoder_state_step(decoding, &(unsigned){ 4 }, &(unsigned){ 0 }, 1, again, attention);
	assert_memory_equal(first, again, sizeof(first));
	decoder_state_free(decoding);
	small_decoder_close(&small);
	free(pool);
	free(grid);
}

/* Takes one tensor away or changes its shape, for each tensor there is. */
static void test_damaged_models(void **state)
{
	static const enum decoder_kind kinds[] = { DECODER_LSTM_ATTENTION, DECODER_LSTM, DECODER_GRU };

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		struct small_decoder small;
		struct decoder *decoder = NULL;
		struct engine_error error;

		small_decoder_open(&small, kinds[k], HIDDEN, kinds[k] == DECODER_LSTM_ATTENTION ? 1 : 2,
				   WORDS, MATRIX_F32, 17);
		for (size_t i = 0; i < small.count; i++) {
			char *name = small.tensors[i].name;

			name[0] ^= 1;
			assert_int_equal(decoder_open(&small.config, &decoder, &error), ENGINE_BAD_MODEL);
			name[0] ^= 1;
			assert_non_null(strstr(error.message, name));
			small.tensors[i].tensor.columns++;
			assert_int_equal(decoder_open(&small.config, &decoder, &error), ENGINE_BAD_MODEL);
			small.tensors[i].tensor.columns--;
			small.tensors[i].tensor.type = MATRIX_I8;
			assert_int_equal(decoder_open(&small.config, &decoder, &error), ENGINE_BAD_MODEL);
			small.tensors[i].tensor.type = MATRIX_F32;
		}
		small.tensors[1].values[0] = NAN;
		assert_int_equal(decoder_open(&small.config, &decoder, &error), ENGINE_BAD_MODEL);
		small.config.hidden = 0;
		assert_int_equal(decoder_open(&small.config, &decoder, &error), ENGINE_BAD_MODEL);
		assert_null(decoder);
		small_decoder_close(&small);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attention_lstm),
		cmocka_unit_test(test_plain_lstm),
		cmocka_unit_test(test_gru),
		cmocka_unit_test(test_eight_bits),
		cmocka_unit_test(test_photo_is_finer_than_eight_bits),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_damaged_models),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
