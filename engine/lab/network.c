/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * network.c: the parameters of the three decoders: their names, shapes and
 * places in the flat array.
 */
#include "engine/lab/network_parts.h"

#include <errno.h>
#include <stdio.h>

#include "engine/lab/lexicon.h"

const char *network_kind_name(enum network_kind kind)
{
	static const char *const names[] = { "lstm-attention", "lstm", "gru" };

	return names[kind];
}

static void add(struct network *network, const char *name, size_t rows, size_t columns,
		size_t fan_in)
{
	struct network_parameter *parameter = &network->parameters[network->parameter_count++];

	snprintf(parameter->name, sizeof(parameter->name), "%s", name);
	parameter->rows = rows;
	parameter->columns = columns;
	parameter->offset = network->value_count;
	parameter->fan_in = fan_in;
	/* every tensor starts on a cache line */
	network->value_count += (rows * columns + 15) & ~(size_t)15;
}

int network_init(struct network *ret_network, const struct network_shape *shape)
{
	const size_t most = 1 << 16, hidden = shape->hidden;
	size_t states = shape->kind == NETWORK_GRU ? 1 : 2;
	size_t gates = shape->kind == NETWORK_GRU ? 3 : 4;
	struct network *network = ret_network;
	char name[NETWORK_NAME_MAX];

	if (hidden == 0 || hidden > 4096 || shape->layers == 0 ||
	    shape->layers > NETWORK_LAYERS_MAX || shape->words <= WORD_FIRST ||
	    shape->words > LEXICON_WORDS_MAX || shape->pool == 0 || shape->pool > most ||
	    shape->classes > most)
		return -EINVAL;
	if (shape->kind == NETWORK_ATTENTION &&
	    (shape->layers != 1 || shape->cells == 0 || shape->cells > 4096 ||
	     shape->channels == 0 || shape->channels > most))
		return -EINVAL;
	*network = (struct network){ .shape = *shape };
	add(network, "image.weight", hidden, shape->pool, shape->pool);
	add(network, "image.bias", hidden, 1, 0);
	if (shape->classes > 0)
		add(network, "class.weight", hidden, shape->classes, 0);
	add(network, "state.weight", states * shape->layers * hidden, hidden, hidden);
	add(network, "state.bias", states * shape->layers * hidden, 1, 0);
	add(network, "embedding.weight", shape->words, hidden, hidden);
	add(network, "output.bias", shape->words, 1, 0);
	add(network, "output.hidden.weight", hidden, hidden, hidden);
	add(network, "output.hidden.bias", hidden, 1, 0);
	if (shape->kind == NETWORK_ATTENTION) {
		add(network, "lstm.input.weight", 4 * hidden, hidden, hidden);
		add(network, "lstm.image.weight", 4 * hidden, hidden, hidden);
		add(network, "lstm.hidden.weight", 4 * hidden, hidden, hidden);
		add(network, "lstm.context.weight", 4 * hidden, hidden, hidden);
		add(network, "lstm.bias", 4 * hidden, 1, 0);
		add(network, "region.weight", hidden, shape->channels, shape->channels);
		add(network, "region.bias", hidden, 1, 0);
		add(network, "attention.key.weight", hidden, hidden, hidden);
		add(network, "attention.query.weight", hidden, hidden, hidden);
		add(network, "attention.query.bias", hidden, 1, 0);
		add(network, "output.image.weight", hidden, hidden, hidden);
		add(network, "output.context.weight", hidden, hidden, hidden);
		return 0;
	}
	for (unsigned l = 0; l < shape->layers; l++) {
		const char *cell = network_kind_name(shape->kind);

		snprintf(name, sizeof(name), "%s.%u.input.weight", cell, l);
		add(network, name, gates * hidden, hidden, hidden);
		snprintf(name, sizeof(name), "%s.%u.hidden.weight", cell, l);
		add(network, name, gates * hidden, hidden, hidden);
		snprintf(name, sizeof(name), shape->kind == NETWORK_GRU ? "%s.%u.input.bias" : "%s.%u.bias",
			 cell, l);
		add(network, name, gates * hidden, 1, 0);
		if (shape->kind == NETWORK_GRU) {
			snprintf(name, sizeof(name), "%s.%u.hidden.bias", cell, l);
			add(network, name, gates * hidden, 1, 0);
		}
	}
	return 0;
}

const struct network_parameter *network_find(const struct network *network, const char *name)
{
	for (size_t i = 0; i < network->parameter_count; i++)
		if (strcmp(network->parameters[i].name, name) == 0)
			return &network->parameters[i];
	return NULL;
}

static real *pointer(const struct network *network, real *values, const char *name)
{
	const struct network_parameter *parameter = network_find(network, name);

	return parameter == NULL ? NULL : values + parameter->offset;
}

struct network_weights network_weights_in(const struct network *network, const real *parameters)
{
	real *values = (real *)parameters;
	struct network_weights w = {
		.image = pointer(network, values, "image.weight"),
		.image_bias = pointer(network, values, "image.bias"),
		.classes = pointer(network, values, "class.weight"),
		.state = pointer(network, values, "state.weight"),
		.state_bias = pointer(network, values, "state.bias"),
		.embedding = pointer(network, values, "embedding.weight"),
		.output_bias = pointer(network, values, "output.bias"),
		.output_hidden = pointer(network, values, "output.hidden.weight"),
		.output_hidden_bias = pointer(network, values, "output.hidden.bias"),
		.lstm_input = pointer(network, values, "lstm.input.weight"),
		.lstm_image = pointer(network, values, "lstm.image.weight"),
		.lstm_hidden = pointer(network, values, "lstm.hidden.weight"),
		.lstm_context = pointer(network, values, "lstm.context.weight"),
		.lstm_bias = pointer(network, values, "lstm.bias"),
		.region = pointer(network, values, "region.weight"),
		.region_bias = pointer(network, values, "region.bias"),
		.key = pointer(network, values, "attention.key.weight"),
		.query = pointer(network, values, "attention.query.weight"),
		.query_bias = pointer(network, values, "attention.query.bias"),
		.output_image = pointer(network, values, "output.image.weight"),
		.output_context = pointer(network, values, "output.context.weight"),
	};
	const char *cell = network_kind_name(network->shape.kind);

	for (unsigned l = 0; network->shape.kind != NETWORK_ATTENTION && l < network->shape.layers; l++) {
		char name[NETWORK_NAME_MAX];

		snprintf(name, sizeof(name), "%s.%u.input.weight", cell, l);
		w.layers[l].input = pointer(network, values, name);
		snprintf(name, sizeof(name), "%s.%u.hidden.weight", cell, l);
		w.layers[l].hidden = pointer(network, values, name);
		snprintf(name, sizeof(name),
			 network->shape.kind == NETWORK_GRU ? "%s.%u.input.bias" : "%s.%u.bias", cell, l);
		w.layers[l].bias = pointer(network, values, name);
		snprintf(name, sizeof(name), "%s.%u.hidden.bias", cell, l);
		w.layers[l].hidden_bias = pointer(network, values, name);
	}
	return w;
}
