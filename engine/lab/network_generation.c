/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * network_generation.c: words one at a time, for greedy search and sampling.
 */
#pragma GCC optimize("O3")

#include "engine/lab/network_parts.h"

#include <errno.h>

size_t network_state_size(const struct network *network)
{
	const struct network_shape *s = &network->shape;

	return (s->kind == NETWORK_GRU ? 1 : 2) * s->layers * s->hidden;
}

int network_prepare(const struct network *network, const real *parameters,
		    const struct network_photos *photos, struct network_workspace *workspace,
		    const struct network_prepared **ret_prepared)
{
	struct network_weights w = network_weights_in(network, parameters);

	workspace_reset(workspace);
	forward_prepare(network, &w, photos, workspace, &workspace->prepared);
	if (workspace->failed)
		return -ENOMEM;
	*ret_prepared = &workspace->prepared;
	return 0;
}

void network_first_state(const struct network *network, const struct network_prepared *prepared,
			 size_t photo, real *ret_state)
{
	size_t size = network_state_size(network);

	memcpy(ret_state, prepared->state + photo * size, size * sizeof(*ret_state));
}

/* Copies a column block of the states to or from a dense array. */
static void unpack(real *dense, const real *states, size_t rows, size_t stride, size_t hidden)
{
	for (size_t r = 0; r < rows; r++)
		memcpy(dense + r * hidden, states + r * stride, hidden * sizeof(*dense));
}

static void pack(real *states, const real *dense, size_t rows, size_t stride, size_t hidden)
{
	for (size_t r = 0; r < rows; r++)
		memcpy(states + r * stride, dense + r * hidden, hidden * sizeof(*dense));
}

int network_step(const struct network *network, const real *parameters,
		 const struct network_prepared *prepared, struct network_workspace *workspace,
		 size_t rows, const size_t *photos, const uint32_t *words, real *states,
		 real *ret_logits)
{
	const struct network_shape *s = &network->shape;
	struct network_weights w = network_weights_in(network, parameters);
	size_t hidden = s->hidden, stride = network_state_size(network);
	bool attention = s->kind == NETWORK_ATTENTION, gru = s->kind == NETWORK_GRU;
	struct block *block = workspace->blocks;
	size_t mark = block->used;
	size_t width = (gru ? 3 : 4) * hidden;
	real *x = workspace_take(workspace, rows * hidden), *h = workspace_take(workspace, rows * hidden);
	real *c = workspace_take(workspace, rows * hidden), *y = workspace_take(workspace, rows * hidden);
	real *h_before = workspace_take(workspace, rows * hidden);
	real *c_before = workspace_take(workspace, rows * hidden);
	real *gates = workspace_take(workspace, rows * width), *sums = workspace_take(workspace, rows * width);
	real *q = workspace_take(workspace, rows * hidden), *z = workspace_take(workspace, rows * hidden);
	real *a = workspace_take(workspace, rows * (attention ? s->cells : 1));
	const real *input = x;

	if (workspace->failed)
		return -ENOMEM;
	for (size_t r = 0; r < rows; r++)
		/* every network has an embedding */
		// NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker)
		memcpy(x + r * hidden, w.embedding + (size_t)words[r] * hidden, hidden * sizeof(*x));
	for (unsigned l = 0; l < s->layers; l++) {
		real *state = states + l * (gru ? 1 : 2) * hidden;

		unpack(h_before, state, rows, stride, hidden);
		if (!gru)
			unpack(c_before, state + hidden, rows, stride, hidden);
		if (attention) {
			for (size_t r = 0; r < rows; r++)
				memcpy(gates + r * width, prepared->image_gates + photos[r] * width,
				       width * sizeof(*gates));
			product(gates, x, w.lstm_input, rows, width, hidden);
			fill_rows(q, w.query_bias, rows, hidden);
			product(q, h_before, w.query, rows, hidden, hidden);
			attention_forward(s, prepared, rows, photos, q, a, z);
			product(gates, h_before, w.lstm_hidden, rows, width, hidden);
			product(gates, z, w.lstm_context, rows, width, hidden);
		} else {
			fill_rows(gates, w.layers[l].bias, rows, width);
			product(gates, input, w.layers[l].input, rows, width, hidden);
			if (gru)
				fill_rows(sums, w.layers[l].hidden_bias, rows, width);
			product(gru ? sums : gates, h_before, w.layers[l].hidden, rows, width, hidden);
		}
		if (gru) {
			gru_cell(rows, hidden, gates, sums, h_before, h);
		} else {
			lstm_cell(rows, hidden, gates, c_before, c, h);
			pack(state + hidden, c, rows, stride, hidden);
		}
		pack(state, h, rows, stride, hidden);
		input = h;
	}
	forward_output(s, &w, prepared, rows, photos, h, z, x, y);
	fill_rows(ret_logits, w.output_bias, rows, s->words);
	product(ret_logits, y, w.embedding, rows, s->words, hidden);
	if (workspace->blocks == block)
		block->used = mark;
	return 0;
}
