/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * network_backward.c: follows forward line by line in reverse. All weight
 * gradients are single products over all rows. Logits are made and consumed in
 * blocks of rows that stay in cache, which also keeps their memory small.
 */
#pragma GCC optimize("O3")

#include "engine/lab/network_parts.h"

#include <errno.h>
#include <stdlib.h>

enum { LOGIT_ROWS = 256 };	/* a block of logits */

static void backward_prepared(const struct network *network, const struct network_weights *w,
			      const struct network_photos *photos, const struct network_prepared *p,
			      struct prepared_gradient *d, struct network_weights *g)
{
	const struct network_shape *s = &network->shape;
	size_t n = photos->count, hidden = s->hidden, cells = n * s->cells;
	size_t states = network_state_size(network);

	if (s->kind == NETWORK_ATTENTION) {
		product_weight(g->output_image, d->image_output, p->image, n, hidden, hidden);
		product_input(d->image, d->image_output, w->output_image, n, hidden, hidden);
		sum_rows(g->output_hidden_bias, d->image_output, n, hidden);
		product_weight(g->lstm_image, d->image_gates, p->image, n, 4 * hidden, hidden);
		product_input(d->image, d->image_gates, w->lstm_image, n, 4 * hidden, hidden);
		sum_rows(g->lstm_bias, d->image_gates, n, 4 * hidden);
		product_weight(g->key, d->keys, p->regions, cells, hidden, hidden);
		product_input(d->regions, d->keys, w->key, cells, hidden, hidden);
		rectify_back(d->regions, p->regions, cells * hidden);
		product_weight(g->region, d->regions, photos->grid, cells, hidden, s->channels);
		sum_rows(g->region_bias, d->regions, cells, hidden);
	}
	tangents_back(d->state, p->state, n * states);
	product_weight(g->state, d->state, p->image, n, states, hidden);
	product_input(d->image, d->state, w->state, n, states, hidden);
	sum_rows(g->state_bias, d->state, n, states);
	rectify_back(d->image, p->image, n * hidden);
	product_weight(g->image, d->image, photos->pool, n, hidden, s->pool);
	if (s->classes > 0)
		product_weight(g->classes, d->image, photos->classes, n, hidden, s->classes);
	sum_rows(g->image_bias, d->image, n, hidden);
}

/* `dh` comes with the output layer's share, `dz` likewise; adds to `dx`. */
static void back_attention(const struct network *network, const struct network_weights *w,
			   const struct trace *t, struct network_workspace *workspace, real *dh,
			   real *dz, real *dx, struct prepared_gradient *d, struct network_weights *g)
{
	const struct network_shape *s = &network->shape;
	const struct packing *p = &t->packing;
	size_t hidden = s->hidden, cells = s->cells, rows = p->rows, widest = 0;
	real *dgates = workspace_take(workspace, rows * 4 * hidden);
	real *dc = workspace_take_zeros(workspace, rows * hidden);
	real *dq = workspace_take(workspace, rows * hidden);
	real *ds = workspace_take(workspace, rows * cells);
	real *before, *of_photo[4];
	size_t *next;

	for (size_t step = 0; step < p->steps; step++) {
		size_t n = p->first[step + 1] - p->first[step];

		widest = n > widest ? n : widest;
	}
	before = workspace_take(workspace, widest * hidden);
	for (unsigned i = 0; i < 4; i++)
		of_photo[i] = workspace_take(workspace, rows * (i < 2 ? cells : hidden));
	next = calloc(t->prepared.photos + 1, sizeof(*next));
	if (next == NULL)
		workspace->failed = true;
	if (workspace->failed) {
		free(next);
		return;
	}
	for (size_t step = p->steps; step-- > 0;) {
		size_t first = p->first[step], n = p->first[step + 1] - first, at = first * hidden;

		lstm_cell_back(n, hidden, t->layers[0].gates + 4 * at, t->layers[0].c_before + at,
			       t->layers[0].c + at, dh + at, dc + at, dgates + 4 * at);
		product_input(dz + at, dgates + 4 * at, w->lstm_context, n, 4 * hidden, hidden);
		attention_backward(s, &t->prepared, n, p->photo + first, t->a + first * cells, dz + at,
			    ds + first * cells, dq + at);
		memset(before, 0, n * hidden * sizeof(*before));
		product_input(before, dgates + 4 * at, w->lstm_hidden, n, 4 * hidden, hidden);
		product_input(before, dq + at, w->query, n, hidden, hidden);
		packing_scatter(p, step, hidden, before, dh, d->state, 2 * hidden);
		packing_scatter(p, step, hidden, dc + at, dc, d->state + hidden, 2 * hidden);
	}
	product_weight(g->lstm_hidden, dgates, t->layers[0].h_before, rows, 4 * hidden, hidden);
	product_weight(g->lstm_context, dgates, t->z, rows, 4 * hidden, hidden);
	product_weight(g->lstm_input, dgates, t->x, rows, 4 * hidden, hidden);
	product_input(dx, dgates, w->lstm_input, rows, 4 * hidden, hidden);
	for (size_t r = 0; r < rows; r++)
		add_to(d->image_gates + p->photo[r] * 4 * hidden, dgates + r * 4 * hidden, 4 * hidden);
	product_weight(g->query, dq, t->layers[0].h_before, rows, hidden, hidden);
	sum_rows(g->query_bias, dq, rows, hidden);

	/* G and K of a photo served all its rows: gather those, then one product */
	for (size_t r = 0; r < rows; r++)
		next[p->photo[r] + 1]++;
	for (size_t i = 0; i < t->prepared.photos; i++)
		next[i + 1] += next[i];
	for (size_t r = 0; r < rows; r++) {
		size_t to = next[p->photo[r]]++;

		memcpy(of_photo[0] + to * cells, t->a + r * cells, cells * sizeof(*ds));
		memcpy(of_photo[1] + to * cells, ds + r * cells, cells * sizeof(*ds));
		memcpy(of_photo[2] + to * hidden, dz + r * hidden, hidden * sizeof(*dz));
		memcpy(of_photo[3] + to * hidden, t->q + r * hidden, hidden * sizeof(*dz));
	}
	for (size_t i = 0, first = 0; i < t->prepared.photos; first = next[i++]) {
		size_t n = next[i] - first, offset = i * cells * hidden;

		product_weight(d->regions + offset, of_photo[0] + first * cells,
			       of_photo[2] + first * hidden, n, cells, hidden);
		product_weight(d->keys + offset, of_photo[1] + first * cells,
			       of_photo[3] + first * hidden, n, cells, hidden);
	}
	free(next);
}

static void back_layers(const struct network *network, const struct network_weights *w,
			const struct trace *t, struct network_workspace *workspace, real *dh,
			real *dx, struct prepared_gradient *d, struct network_weights *g)
{
	const struct network_shape *s = &network->shape;
	const struct packing *p = &t->packing;
	size_t hidden = s->hidden, rows = p->rows, stride = network_state_size(network), widest = 0;
	bool gru = s->kind == NETWORK_GRU;
	size_t width = (gru ? 3 : 4) * hidden;
	real *dgates = workspace_take(workspace, rows * width);
	real *dsums = gru ? workspace_take(workspace, rows * width) : dgates;
	real *dc = workspace_take(workspace, rows * hidden);
	real *dinput = workspace_take(workspace, rows * hidden);
	real *before;

	for (size_t step = 0; step < p->steps; step++) {
		size_t n = p->first[step + 1] - p->first[step];

		widest = n > widest ? n : widest;
	}
	before = workspace_take(workspace, widest * hidden);
	if (workspace->failed)
		return;
	for (size_t l = s->layers; l-- > 0;) {
		const real *input = l == 0 ? t->x : t->layers[l - 1].h;
		real *dstate = d->state + l * (gru ? 1 : 2) * hidden;
		real *swap;

		memset(dc, 0, rows * hidden * sizeof(*dc));
		for (size_t step = p->steps; step-- > 0;) {
			size_t first = p->first[step], n = p->first[step + 1] - first, at = first * hidden;

			if (gru) {
				gru_cell_back(n, hidden, t->layers[l].gates + first * width,
					      t->layers[l].sums + first * width, t->layers[l].h_before + at,
					      dh + at, dgates + first * width, dsums + first * width);
				memcpy(before, dh + at, n * hidden * sizeof(*before));
			} else {
				lstm_cell_back(n, hidden, t->layers[l].gates + first * width,
					       t->layers[l].c_before + at, t->layers[l].c + at, dh + at,
					       dc + at, dgates + first * width);
				packing_scatter(p, step, hidden, dc + at, dc, dstate + hidden, stride);
				memset(before, 0, n * hidden * sizeof(*before));
			}
			product_input(before, dsums + first * width, w->layers[l].hidden, n, width, hidden);
			packing_scatter(p, step, hidden, before, dh, dstate, stride);
		}
		product_weight(g->layers[l].hidden, dsums, t->layers[l].h_before, rows, width, hidden);
		product_weight(g->layers[l].input, dgates, input, rows, width, hidden);
		sum_rows(g->layers[l].bias, dgates, rows, width);
		if (gru)
			sum_rows(g->layers[l].hidden_bias, dsums, rows, width);
		memset(dinput, 0, rows * hidden * sizeof(*dinput));
		product_input(dinput, dgates, w->layers[l].input, rows, width, hidden);
		swap = dh;
		dh = dinput;
		dinput = swap;
	}
	add_to(dx, dh, rows * hidden);
}

/* Logits in blocks: loss, log-probabilities and, with `dy`, the gradients of y,
 * of the embedding and of the output bias. */
double backward_loss(const struct network_shape *s, const struct network_weights *w,
		     const struct trace *t, const struct network_sequence *sequences,
		     const struct network_pass_options *options, real *logits, real *dy,
		     struct network_weights *g, double *log_probabilities)
{
	const struct packing *p = &t->packing;
	size_t words = s->words, hidden = s->hidden;
	real smoothing = options->smoothing;
	real sharpness = options->sharpness > 0 ? options->sharpness : 1;
	double loss = 0;

	for (size_t first = 0; first < p->rows; first += LOGIT_ROWS) {
		size_t n = p->rows - first < LOGIT_ROWS ? p->rows - first : LOGIT_ROWS;
		const real *y = t->y_dropped + first * hidden;

		fill_rows(logits, w->output_bias, n, words);
		product(logits, y, w->embedding, n, words, hidden);
		for (size_t k = 0; k < n * words && sharpness != 1; k++)
			logits[k] *= sharpness;
		for (size_t i = 0; i < n; i++) {
			const struct network_sequence *sequence = &sequences[p->sequence[first + i]];
			uint32_t target = p->target[first + i];
			real *row = logits + i * words, weight = sequence->weight, factor;
			real wanted = row[target], total = smoothing > 0 ? sum_of(row, words) : 0;
			real log_sum = softmax(row, words);
			double log_probability = (double)(wanted - log_sum);

			loss -= (double)weight *
				((1 - (double)smoothing) * log_probability +
				 (double)smoothing * ((double)total / (double)words - (double)log_sum));
			if (log_probabilities != NULL)
				log_probabilities[p->sequence[first + i]] += log_probability;
			if (dy == NULL)
				continue;
			factor = weight * sharpness;
			for (size_t k = 0; k < words; k++)
				row[k] = factor * (row[k] - smoothing / (real)words);
			row[target] -= factor * (1 - smoothing);
		}
		if (dy == NULL)
			continue;
		product_input(dy + first * hidden, logits, w->embedding, n, words, hidden);
		product_weight(g->embedding, logits, y, n, words, hidden);
		sum_rows(g->output_bias, logits, n, words);
	}
	return loss;
}

void backward_pass(const struct network *network, const struct network_weights *w,
		   const struct network_photos *photos, const struct trace *t,
		   struct network_workspace *workspace, real *dy, struct network_weights *g)
{
	const struct network_shape *s = &network->shape;
	const struct packing *p = &t->packing;
	size_t hidden = s->hidden, rows = p->rows, n = photos->count;
	bool attention = s->kind == NETWORK_ATTENTION;
	const real *h = t->layers[s->layers - 1].h;
	struct prepared_gradient d = {
		.image = workspace_take_zeros(workspace, n * hidden),
		.state = workspace_take_zeros(workspace, n * network_state_size(network)),
	};
	real *dx = workspace_take(workspace, rows * hidden);
	real *dh = workspace_take_zeros(workspace, rows * hidden);
	real *dz = attention ? workspace_take_zeros(workspace, rows * hidden) : NULL;

	if (attention) {
		d.regions = workspace_take_zeros(workspace, n * s->cells * hidden);
		d.keys = workspace_take_zeros(workspace, n * s->cells * hidden);
		d.image_gates = workspace_take_zeros(workspace, n * 4 * hidden);
		d.image_output = workspace_take_zeros(workspace, n * hidden);
	}
	if (workspace->failed)
		return;
	multiply(dy, t->y_mask, rows * hidden);
	tangents_back(dy, t->y, rows * hidden);
	memcpy(dx, dy, rows * hidden * sizeof(*dx));
	product_weight(g->output_hidden, dy, h, rows, hidden, hidden);
	product_input(dh, dy, w->output_hidden, rows, hidden, hidden);
	if (attention) {
		product_weight(g->output_context, dy, t->z, rows, hidden, hidden);
		product_input(dz, dy, w->output_context, rows, hidden, hidden);
		for (size_t r = 0; r < rows; r++)
			add_to(d.image_output + p->photo[r] * hidden, dy + r * hidden, hidden);
		back_attention(network, w, t, workspace, dh, dz, dx, &d, g);
	} else {
		sum_rows(g->output_hidden_bias, dy, rows, hidden);
		back_layers(network, w, t, workspace, dh, dx, &d, g);
	}
	if (workspace->failed)
		return;
	multiply(dx, t->x_mask, rows * hidden);
	for (size_t r = 0; r < rows; r++)
		add_to(g->embedding + (size_t)p->input[r] * hidden, dx + r * hidden, hidden);
	backward_prepared(network, w, photos, &t->prepared, &d, g);
}

int network_pass(const struct network *network, const real *parameters,
		 const struct network_photos *photos, const struct network_sequence *sequences,
		 size_t sequence_count, const struct network_pass_options *options,
		 struct network_workspace *workspace, real *gradient, double *ret_loss,
		 double *ret_log_probabilities)
{
	const struct network_shape *s = &network->shape;
	struct network_weights w = network_weights_in(network, parameters);
	struct network_weights g = network_weights_in(network, gradient);
	struct trace t = { 0 };
	size_t hidden = s->hidden, rows;
	real *logits, *dy = NULL;
	double loss;
	int r = packing_open(&t.packing, sequences, sequence_count);

	if (r < 0)
		return r;
	workspace_reset(workspace);
	rows = t.packing.rows;
	forward_prepare(network, &w, photos, workspace, &t.prepared);
	t.x = workspace_take(workspace, rows * hidden);
	t.y = workspace_take(workspace, rows * hidden);
	t.x_mask = packing_dropout(workspace, rows * hidden, options->dropout, options->seed);
	t.y_mask = packing_dropout(workspace, rows * hidden, options->dropout, options->seed + 1);
	logits = workspace_take(workspace, LOGIT_ROWS * s->words);
	if (gradient != NULL)
		dy = workspace_take_zeros(workspace, rows * hidden);
	r = -ENOMEM;
	if (workspace->failed)
		goto out;
	for (size_t i = 0; i < rows; i++)
		memcpy(t.x + i * hidden, w.embedding + (size_t)t.packing.input[i] * hidden,
		       hidden * sizeof(*t.x));
	multiply(t.x, t.x_mask, rows * hidden);
	if (s->kind == NETWORK_ATTENTION)
		forward_attention(network, &w, &t, workspace);
	else
		forward_layers(network, &w, &t, workspace);
	if (workspace->failed)
		goto out;
	forward_output(s, &w, &t.prepared, rows, t.packing.photo, t.layers[s->layers - 1].h, t.z, t.x,
		     t.y);
	t.y_dropped = t.y;
	if (t.y_mask != NULL) {
		t.y_dropped = workspace_take(workspace, rows * hidden);
		if (workspace->failed)
			goto out;
		memcpy(t.y_dropped, t.y, rows * hidden * sizeof(*t.y));
		multiply(t.y_dropped, t.y_mask, rows * hidden);
	}
	if (ret_log_probabilities != NULL)
		memset(ret_log_probabilities, 0, sequence_count * sizeof(*ret_log_probabilities));
	loss = backward_loss(s, &w, &t, sequences, options, logits, dy, &g, ret_log_probabilities);
	if (gradient != NULL)
		backward_pass(network, &w, photos, &t, workspace, dy, &g);
	if (workspace->failed)
		goto out;
	*ret_loss = loss;
	r = 0;
out:
	packing_clear(&t.packing);
	return r;
}
