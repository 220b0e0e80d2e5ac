/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * small_decoder.c: weights are drawn uniformly, wide enough that the words
 * differ clearly in probability.
 */
#include "tests/unit/small_decoder.h"

#include "engine/half.h"
#include "engine/kernels/isa.h"
#include "engine/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL 24u
#define CELLS 6u
#define CHANNELS 20u

static bool find(void *user, const char *name, struct decoder_tensor *ret_tensor)
{
	const struct small_decoder *small = user;

	for (size_t i = 0; i < small->count; i++) {
		if (strcmp(small->tensors[i].name, name) == 0) {
			*ret_tensor = small->tensors[i].tensor;
			return true;
		}
	}
	return false;
}

static void add(struct small_decoder *small, struct random *random, enum matrix_type type,
		float width, size_t rows, size_t columns, const char *name)
{
	size_t at = small->count++, count = rows * columns;
	float *values = malloc(count * sizeof(*values));
	void *stored = values;
	float *scales = NULL;

	for (size_t i = 0; i < count; i++)
		values[i] = width * (float)(2.0 * random_unit(random) - 1.0);
	if (type == MATRIX_F16) {
		uint16_t *half = malloc(count * sizeof(*half));

		for (size_t i = 0; i < count; i++) {
			half[i] = half_from_float(values[i]);
			values[i] = half_to_float(half[i]);
		}
		stored = half;
	} else if (type == MATRIX_I8) {
		int8_t *codes = malloc(count);

		scales = malloc(rows * sizeof(*scales));
		for (size_t r = 0; r < rows; r++) {
			quantise_q8(values + r * columns, columns, codes + r * columns, &scales[r]);
			for (size_t k = 0; k < columns; k++)
				values[r * columns + k] = scales[r] * (float)codes[r * columns + k];
		}
		stored = codes;
	}
	snprintf(small->tensors[at].name, sizeof(small->tensors[at].name), "%s", name);
	small->tensors[at].values = values;
	small->tensors[at].stored = stored;
	small->tensors[at].scales = scales;
	small->tensors[at].tensor = (struct decoder_tensor){ type, rows, columns, stored, scales };
}

void small_decoder_open(struct small_decoder *small, enum decoder_kind kind, unsigned hidden,
			unsigned layers, unsigned words, enum matrix_type type, uint64_t seed)
{
	struct random random = { seed };
	size_t h = hidden, gates = (kind == DECODER_GRU ? 3 : 4) * h;
	size_t states = (kind == DECODER_GRU ? 1 : 2) * layers * h;
	char name[48];
	struct engine_error error;

	memset(small, 0, sizeof(*small));
	small->config = (struct decoder_config){
		.kind = kind, .hidden = hidden, .layers = layers, .words = words,
		.pool_size = POOL, .grid_cells = CELLS, .grid_channels = CHANNELS,
		.find = find, .user = small,
	};
	add(small, &random, MATRIX_F32, 1.0f, 1, POOL, "feature.mean");
	add(small, &random, MATRIX_F32, 1.0f, 1, 1, "feature.std");
	small->tensors[1].values[0] = 0.7f;
	add(small, &random, type, 0.5f, h, POOL, "image.weight");
	add(small, &random, MATRIX_F32, 0.5f, 1, h, "image.bias");
	add(small, &random, type, 0.5f, states, h, "state.weight");
	add(small, &random, MATRIX_F32, 0.5f, 1, states, "state.bias");
	add(small, &random, type, 1.0f, words, h, "embedding.weight");
	add(small, &random, MATRIX_F32, 0.5f, 1, words, "output.bias");
	add(small, &random, type, 1.0f, h, h, "output.hidden.weight");
	add(small, &random, MATRIX_F32, 0.5f, 1, h, "output.hidden.bias");
	if (kind == DECODER_LSTM_ATTENTION) {
		add(small, &random, type, 1.0f, gates, h, "lstm.input.weight");
		add(small, &random, type, 1.0f, gates, h, "lstm.hidden.weight");
		add(small, &random, type, 1.0f, gates, h, "lstm.image.weight");
		add(small, &random, type, 1.0f, gates, h, "lstm.context.weight");
		add(small, &random, MATRIX_F32, 0.5f, 1, gates, "lstm.bias");
		add(small, &random, MATRIX_F32, 1.0f, 1, 1, "region.scale");
		small->tensors[small->count - 1].values[0] = 0.3f;
		add(small, &random, type, 1.0f, h, CHANNELS, "region.weight");
		add(small, &random, MATRIX_F32, 0.5f, 1, h, "region.bias");
		add(small, &random, type, 1.0f, h, h, "attention.key.weight");
		add(small, &random, type, 1.0f, h, h, "attention.query.weight");
		add(small, &random, MATRIX_F32, 0.5f, 1, h, "attention.query.bias");
		add(small, &random, type, 1.0f, h, h, "output.image.weight");
		add(small, &random, type, 1.0f, h, h, "output.context.weight");
	}
	for (unsigned l = 0; kind != DECODER_LSTM_ATTENTION && l < layers; l++) {
		const char *prefix = kind == DECODER_GRU ? "gru" : "lstm";

		snprintf(name, sizeof(name), "%s.%u.input.weight", prefix, l);
		add(small, &random, type, 1.0f, gates, h, name);
		snprintf(name, sizeof(name), "%s.%u.hidden.weight", prefix, l);
		add(small, &random, type, 1.0f, gates, h, name);
		snprintf(name, sizeof(name), kind == DECODER_GRU ? "gru.%u.input.bias" :
			 "lstm.%u.bias", l);
		add(small, &random, MATRIX_F32, 0.5f, 1, gates, name);
		if (kind == DECODER_GRU) {
			snprintf(name, sizeof(name), "gru.%u.hidden.bias", l);
			add(small, &random, MATRIX_F32, 0.5f, 1, gates, name);
		}
	}
	if (decoder_open(&small->config, &small->decoder, &error) != 0) {
		fprintf(stderr, "%s\n", error.message);
		abort();
	}
}

void small_decoder_close(struct small_decoder *small)
{
	decoder_free(small->decoder);
	for (size_t i = 0; i < small->count; i++) {
		if (small->tensors[i].stored != small->tensors[i].values)
			free(small->tensors[i].stored);
		free(small->tensors[i].values);
		free(small->tensors[i].scales);
	}
}

const float *small_decoder_values(const struct small_decoder *small, const char *name)
{
	for (size_t i = 0; i < small->count; i++) {
		if (strcmp(small->tensors[i].name, name) == 0)
			return small->tensors[i].values;
	}
	fprintf(stderr, "no tensor %s\n", name);
	abort();
}

void small_features(const struct small_decoder *small, uint64_t seed, float **ret_pool,
		    float **ret_grid)
{
	struct random random = { seed };
	size_t grid = (size_t)small->config.grid_cells * small->config.grid_channels;

	*ret_pool = malloc(small->config.pool_size * sizeof(float));
	*ret_grid = malloc(grid * sizeof(float));
	for (size_t i = 0; i < small->config.pool_size; i++)
		(*ret_pool)[i] = (float)(2.0 * random_unit(&random));
	for (size_t i = 0; i < grid; i++)
		(*ret_grid)[i] = (float)(2.0 * random_unit(&random));
}
