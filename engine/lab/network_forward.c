/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * network_forward.c: only what truly depends on the step before runs step by step
 * (the recurrent product, attention); word vectors and the output layer are
 * single products over all rows. What backward needs is kept in struct trace.
 */
#pragma GCC optimize("O3")

#include "engine/lab/network_parts.h"

void forward_prepare(const struct network *network, const struct network_weights *w,
		     const struct network_photos *photos, struct network_workspace *workspace,
		     struct network_prepared *p)
{
	const struct network_shape *s = &network->shape;
	size_t n = photos->count, hidden = s->hidden, cells = n * s->cells;
	size_t states = network_state_size(network);

	p->photos = n;
	p->image = workspace_take(workspace, n * hidden);
	p->state = workspace_take(workspace, n * states);
	if (workspace->failed)
		return;
	fill_rows(p->image, w->image_bias, n, hidden);
	product(p->image, photos->pool, w->image, n, hidden, s->pool);
	if (s->classes > 0)
		product(p->image, photos->classes, w->classes, n, hidden, s->classes);
	rectify(p->image, n * hidden);
	fill_rows(p->state, w->state_bias, n, states);
	product(p->state, p->image, w->state, n, states, hidden);
	tangents(p->state, n * states);
	if (s->kind != NETWORK_ATTENTION)
		return;
	p->regions = workspace_take(workspace, cells * hidden);
	p->keys = workspace_take_zeros(workspace, cells * hidden);
	p->image_gates = workspace_take(workspace, n * 4 * hidden);
	p->image_output = workspace_take(workspace, n * hidden);
	if (workspace->failed)
		return;
	fill_rows(p->regions, w->region_bias, cells, hidden);
	product(p->regions, photos->grid, w->region, cells, hidden, s->channels);
	rectify(p->regions, cells * hidden);
	product(p->keys, p->regions, w->key, cells, hidden, hidden);
	fill_rows(p->image_gates, w->lstm_bias, n, 4 * hidden);
	product(p->image_gates, p->image, w->lstm_image, n, 4 * hidden, hidden);
	fill_rows(p->image_output, w->output_hidden_bias, n, hidden);
	product(p->image_output, p->image, w->output_image, n, hidden, hidden);
}

void forward_attention(const struct network *network, const struct network_weights *w,
		       struct trace *t, struct network_workspace *workspace)
{
	const struct network_shape *s = &network->shape;
	const struct packing *p = &t->packing;
	const struct network_prepared *prepared = &t->prepared;
	size_t hidden = s->hidden, rows = p->rows;
	real *gates = t->layers[0].gates = workspace_take(workspace, rows * 4 * hidden);
	real *h = t->layers[0].h = workspace_take(workspace, rows * hidden);
	real *c = t->layers[0].c = workspace_take(workspace, rows * hidden);
	real *h_before = t->layers[0].h_before = workspace_take(workspace, rows * hidden);
	real *c_before = t->layers[0].c_before = workspace_take(workspace, rows * hidden);

	t->q = workspace_take(workspace, rows * hidden);
	t->a = workspace_take(workspace, rows * s->cells);
	t->z = workspace_take(workspace, rows * hidden);
	if (workspace->failed)
		return;
	for (size_t r = 0; r < rows; r++)
		memcpy(gates + r * 4 * hidden, prepared->image_gates + p->photo[r] * 4 * hidden,
		       4 * hidden * sizeof(*gates));
	product(gates, t->x, w->lstm_input, rows, 4 * hidden, hidden);
	fill_rows(t->q, w->query_bias, rows, hidden);
	for (size_t step = 0; step < p->steps; step++) {
		size_t first = p->first[step], n = p->first[step + 1] - first, at = first * hidden;

		packing_gather(p, step, hidden, h, prepared->state, 2 * hidden, h_before);
		packing_gather(p, step, hidden, c, prepared->state + hidden, 2 * hidden, c_before);
		product(t->q + at, h_before + at, w->query, n, hidden, hidden);
		attention_forward(s, prepared, n, p->photo + first, t->q + at, t->a + first * s->cells, t->z + at);
		product(gates + 4 * at, h_before + at, w->lstm_hidden, n, 4 * hidden, hidden);
		product(gates + 4 * at, t->z + at, w->lstm_context, n, 4 * hidden, hidden);
		lstm_cell(n, hidden, gates + 4 * at, c_before + at, c + at, h + at);
	}
}

void forward_layers(const struct network *network, const struct network_weights *w,
		    struct trace *t, struct network_workspace *workspace)
{
	const struct network_shape *s = &network->shape;
	const struct packing *p = &t->packing;
	size_t hidden = s->hidden, rows = p->rows, stride = network_state_size(network);
	bool gru = s->kind == NETWORK_GRU;
	size_t width = (gru ? 3 : 4) * hidden;
	const real *input = t->x;

	for (unsigned l = 0; l < s->layers; l++) {
		real *gates = t->layers[l].gates = workspace_take(workspace, rows * width);
		real *sums = t->layers[l].sums = gru ? workspace_take(workspace, rows * width) : NULL;
		real *h = t->layers[l].h = workspace_take(workspace, rows * hidden);
		real *h_before = t->layers[l].h_before = workspace_take(workspace, rows * hidden);
		real *c = t->layers[l].c = gru ? NULL : workspace_take(workspace, rows * hidden);
		real *c_before = t->layers[l].c_before = gru ? NULL : workspace_take(workspace, rows * hidden);
		const real *state = t->prepared.state + l * (gru ? 1 : 2) * hidden;

		if (workspace->failed)
			return;
		fill_rows(gates, w->layers[l].bias, rows, width);
		product(gates, input, w->layers[l].input, rows, width, hidden);
		if (gru)
			fill_rows(sums, w->layers[l].hidden_bias, rows, width);
		for (size_t step = 0; step < p->steps; step++) {
			size_t first = p->first[step], n = p->first[step + 1] - first, at = first * hidden;

			packing_gather(p, step, hidden, h, state, stride, h_before);
			product((gru ? sums : gates) + first * width, h_before + at, w->layers[l].hidden, n,
				width, hidden);
			if (gru) {
				gru_cell(n, hidden, gates + first * width, sums + first * width,
					 h_before + at, h + at);
			} else {
				packing_gather(p, step, hidden, c, state + hidden, stride, c_before);
				lstm_cell(n, hidden, gates + first * width, c_before + at, c + at, h + at);
			}
		}
		input = h;
	}
}

/* The output's hidden layer from h (and z); `x` are the word vectors. */
void forward_output(const struct network_shape *s, const struct network_weights *w,
		    const struct network_prepared *prepared, size_t rows, const size_t *photos,
		    const real *h, const real *z, const real *x, real *y)
{
	size_t hidden = s->hidden;

	if (s->kind == NETWORK_ATTENTION) {
		for (size_t r = 0; r < rows; r++)
			memcpy(y + r * hidden, prepared->image_output + photos[r] * hidden,
			       hidden * sizeof(*y));
		product(y, z, w->output_context, rows, hidden, hidden);
	} else {
		fill_rows(y, w->output_hidden_bias, rows, hidden);
	}
	product(y, h, w->output_hidden, rows, hidden, hidden);
	add_to(y, x, rows * hidden);
	tangents(y, rows * hidden);
}
