/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * network.c: forward and backward passes of the three decoders.
 *
 * Captions of a minibatch have different lengths. Rather than padding them, the
 * words are packed time-major: first the first words of all captions, then the
 * second words of those that have one, and so on. Each (caption, time) is a
 * row; a matrix product over all rows, or over those of one time step, then
 * does no work for padding. Rows of one photo stand side by side within a time
 * step, so attention is one small product per photo and step.
 *
 * Only what truly depends on the step before runs step by step (the recurrent
 * product, attention); word vectors, output layer and all weight gradients are
 * single products over all rows. Logits are made and consumed in blocks of rows
 * that stay in cache, which also keeps their memory small.
 *
 * Backward follows forward line by line in reverse; what forward keeps for it
 * is in struct trace.
 */
#pragma GCC optimize("O3")

#include "engine/lab/network.h"

#include <cblas.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/lab/elementwise.h"
#include "engine/lab/lexicon.h"
#include "engine/lab/random.h"

#ifdef LAB_DOUBLE
#define GEMM cblas_dgemm
#else
#define GEMM cblas_sgemm
#endif

enum { LOGIT_ROWS = 256 };	/* a block of logits */

/* --- Parameters --------------------------------------------------------------- */

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

/* Pointers into a flat array by role; absent ones are NULL. Used for the
 * parameters and, with the same layout, for their gradients. */
struct weights {
	real *image, *image_bias, *classes, *state, *state_bias, *embedding, *output_bias;
	real *output_hidden, *output_hidden_bias;
	real *lstm_input, *lstm_image, *lstm_hidden, *lstm_context, *lstm_bias;
	real *region, *region_bias, *key, *query, *query_bias, *output_image, *output_context;
	struct {
		real *input, *hidden, *bias, *hidden_bias;
	} layers[NETWORK_LAYERS_MAX];
};

static real *pointer(const struct network *network, real *values, const char *name)
{
	const struct network_parameter *parameter = network_find(network, name);

	return parameter == NULL ? NULL : values + parameter->offset;
}

static struct weights weights_in(const struct network *network, const real *parameters)
{
	real *values = (real *)parameters;
	struct weights w = {
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

/* --- Memory ------------------------------------------------------------------- */

/* A stack of blocks: a pass that outgrows the first gets further ones, and the
 * next pass finds a single block of the whole size. */
struct block {
	struct block *next;
	size_t size, used;
	real *values;
};

struct network_prepared {
	size_t photos;
	real *image;		/* v */
	real *state;		/* tanh(…): first h, c of all layers */
	real *regions, *keys;	/* G, K */
	real *image_gates;	/* lstm.image v + lstm.bias */
	real *image_output;	/* output.image v + output.hidden.bias */
};

struct network_workspace {
	struct block *blocks;
	bool failed;
	struct network_prepared prepared;
};

int network_workspace_open(struct network_workspace **ret_workspace)
{
	struct network_workspace *workspace = calloc(1, sizeof(*workspace));

	if (workspace == NULL)
		return -ENOMEM;
	*ret_workspace = workspace;
	return 0;
}

static void drop_blocks(struct network_workspace *workspace)
{
	while (workspace->blocks != NULL) {
		struct block *next = workspace->blocks->next;

		free(workspace->blocks->values);
		free(workspace->blocks);
		workspace->blocks = next;
	}
}

struct network_workspace *network_workspace_free(struct network_workspace *workspace)
{
	if (workspace == NULL)
		return NULL;
	drop_blocks(workspace);
	free(workspace);
	return NULL;
}

static void push_block(struct network_workspace *workspace, size_t size)
{
	struct block *block = calloc(1, sizeof(*block));

	if (block != NULL)
		block->values = aligned_alloc(64, size * sizeof(real));
	if (block == NULL || block->values == NULL) {
		free(block);
		workspace->failed = true;
		return;
	}
	block->size = size;
	block->next = workspace->blocks;
	workspace->blocks = block;
}

static void reset(struct network_workspace *workspace)
{
	size_t total = 0;

	workspace->failed = false;
	for (struct block *b = workspace->blocks; b != NULL; b = b->next) {
		total += b->size;
		b->used = 0;
	}
	if (workspace->blocks != NULL && workspace->blocks->next != NULL) {
		drop_blocks(workspace);
		push_block(workspace, total);
	}
}

/* Memory until the next reset; NULL (and the mark `failed`) when there is none. */
static real *take(struct network_workspace *workspace, size_t count)
{
	real *values;

	count = (count + 63) & ~(size_t)63;
	if (workspace->failed)
		return NULL;
	if (workspace->blocks == NULL || workspace->blocks->size - workspace->blocks->used < count)
		push_block(workspace, count > 1 << 20 ? count : 1 << 20);
	if (workspace->failed)
		return NULL;
	values = workspace->blocks->values + workspace->blocks->used;
	workspace->blocks->used += count;
	return values;
}

static real *take_zeros(struct network_workspace *workspace, size_t count)
{
	real *values = take(workspace, count);

	if (values != NULL)
		memset(values, 0, count * sizeof(*values));
	return values;
}

/* --- Products ------------------------------------------------------------------ */

/* y += x Wᵀ, W being outputs × inputs */
static void product(real *y, const real *x, const real *weight, size_t rows, size_t outputs,
		    size_t inputs)
{
	if (rows > 0)
		GEMM(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)outputs, (int)inputs, 1,
		     x, (int)inputs, weight, (int)inputs, 1, y, (int)outputs);
}

/* dx += dy W */
static void product_input(real *dx, const real *dy, const real *weight, size_t rows,
			  size_t outputs, size_t inputs)
{
	if (rows > 0)
		GEMM(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)inputs, (int)outputs, 1,
		     dy, (int)outputs, weight, (int)inputs, 1, dx, (int)inputs);
}

/* dW += dyᵀ x */
static void product_weight(real *dweight, const real *dy, const real *x, size_t rows,
			   size_t outputs, size_t inputs)
{
	if (rows > 0)
		GEMM(CblasRowMajor, CblasTrans, CblasNoTrans, (int)outputs, (int)inputs, (int)rows, 1,
		     dy, (int)outputs, x, (int)inputs, 1, dweight, (int)inputs);
}

/* Every row becomes the bias. */
static void fill_rows(real *y, const real *bias, size_t rows, size_t columns)
{
	for (size_t i = 0; i < rows; i++)
		memcpy(y + i * columns, bias, columns * sizeof(*y));
}

static void sum_rows(real *dbias, const real *dy, size_t rows, size_t columns)
{
	for (size_t i = 0; i < rows; i++)
		for (size_t k = 0; k < columns; k++)
			dbias[k] += dy[i * columns + k];
}

static void rectify(real *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		values[i] = values[i] > 0 ? values[i] : 0;
}

/* gradient through relu: zero where its output is */
static void rectify_back(real *gradient, const real *output, size_t count)
{
	for (size_t i = 0; i < count; i++)
		gradient[i] = output[i] > 0 ? gradient[i] : 0;
}

static void tangents_back(real *gradient, const real *output, size_t count)
{
	for (size_t i = 0; i < count; i++)
		gradient[i] *= 1 - output[i] * output[i];
}

static void add_to(real *sum, const real *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sum[i] += values[i];
}

/* --- What depends on the photo alone -------------------------------------------- */

static void prepare(const struct network *network, const struct weights *w,
		    const struct network_photos *photos, struct network_workspace *workspace,
		    struct network_prepared *p)
{
	const struct network_shape *s = &network->shape;
	size_t n = photos->count, hidden = s->hidden, cells = n * s->cells;
	size_t states = network_state_size(network);

	p->photos = n;
	p->image = take(workspace, n * hidden);
	p->state = take(workspace, n * states);
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
	p->regions = take(workspace, cells * hidden);
	p->keys = take_zeros(workspace, cells * hidden);
	p->image_gates = take(workspace, n * 4 * hidden);
	p->image_output = take(workspace, n * hidden);
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

/* Gradients of what prepare() made; they start at zero. */
struct prepared_gradient {
	real *image, *state, *regions, *keys, *image_gates, *image_output;
};

static void prepare_back(const struct network *network, const struct weights *w,
			 const struct network_photos *photos, const struct network_prepared *p,
			 struct prepared_gradient *d, struct weights *g)
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

/* --- Cells ---------------------------------------------------------------------- */

/* `gates` holds sums and becomes the activated i, f, o, u. */
static void lstm_cell(size_t rows, size_t hidden, real *gates, const real *c_before, real *c,
		      real *h)
{
	for (size_t r = 0; r < rows; r++) {
		real *gate = gates + r * 4 * hidden;
		const real *i = gate, *f = gate + hidden, *o = gate + 2 * hidden, *u = gate + 3 * hidden;
		const real *before = c_before + r * hidden;
		real *now = c + r * hidden, *out = h + r * hidden;

		sigmoids(gate, 3 * hidden);
		tangents(gate + 3 * hidden, hidden);
		for (size_t k = 0; k < hidden; k++)
			out[k] = now[k] = f[k] * before[k] + i[k] * u[k];
		tangents(out, hidden);
		for (size_t k = 0; k < hidden; k++)
			out[k] *= o[k];
	}
}

/* From dh and dc (of this step's outputs) to the gates' sums; dc becomes that
 * of the step before. */
static void lstm_cell_back(size_t rows, size_t hidden, const real *gates, const real *c_before,
			   const real *c, const real *dh, real *dc, real *dgates)
{
	for (size_t r = 0; r < rows; r++) {
		const real *i = gates + r * 4 * hidden, *f = i + hidden, *o = f + hidden, *u = o + hidden;
		const real *before = c_before + r * hidden, *out = dh + r * hidden;
		real *di = dgates + r * 4 * hidden, *df = di + hidden, *d_o = df + hidden, *du = d_o + hidden;
		real *cell = dc + r * hidden;

		memcpy(du, c + r * hidden, hidden * sizeof(*du));
		tangents(du, hidden);
		for (size_t k = 0; k < hidden; k++) {
			real t = du[k], sum = cell[k] + out[k] * o[k] * (1 - t * t);

			d_o[k] = out[k] * t * o[k] * (1 - o[k]);
			di[k] = sum * u[k] * i[k] * (1 - i[k]);
			df[k] = sum * before[k] * f[k] * (1 - f[k]);
			du[k] = sum * i[k] * (1 - u[k] * u[k]);
			cell[k] = sum * f[k];
		}
	}
}

/* `a` = input sums, `b` = hidden sums; `a` becomes the activated r, z, n. */
static void gru_cell(size_t rows, size_t hidden, real *a, const real *b, const real *h_before,
		     real *h)
{
	for (size_t row = 0; row < rows; row++) {
		real *r = a + row * 3 * hidden, *z = r + hidden, *n = z + hidden;
		const real *b_r = b + row * 3 * hidden, *b_n = b_r + 2 * hidden;
		const real *before = h_before + row * hidden;
		real *out = h + row * hidden;

		add_to(r, b_r, 2 * hidden);
		sigmoids(r, 2 * hidden);
		for (size_t k = 0; k < hidden; k++)
			n[k] += r[k] * b_n[k];
		tangents(n, hidden);
		for (size_t k = 0; k < hidden; k++)
			out[k] = (1 - z[k]) * n[k] + z[k] * before[k];
	}
}

/* dh of this step's output becomes the part that flows straight to the step
 * before. */
static void gru_cell_back(size_t rows, size_t hidden, const real *a, const real *b,
			  const real *h_before, real *dh, real *da, real *db)
{
	for (size_t row = 0; row < rows; row++) {
		const real *r = a + row * 3 * hidden, *z = r + hidden, *n = z + hidden;
		const real *b_n = b + row * 3 * hidden + 2 * hidden, *before = h_before + row * hidden;
		real *da_r = da + row * 3 * hidden, *da_z = da_r + hidden, *da_n = da_z + hidden;
		real *db_r = db + row * 3 * hidden, *db_z = db_r + hidden, *db_n = db_z + hidden;
		real *out = dh + row * hidden;

		for (size_t k = 0; k < hidden; k++) {
			real dn = out[k] * (1 - z[k]) * (1 - n[k] * n[k]);

			da_n[k] = dn;
			db_n[k] = dn * r[k];
			da_r[k] = db_r[k] = dn * b_n[k] * r[k] * (1 - r[k]);
			da_z[k] = db_z[k] = out[k] * (before[k] - n[k]) * z[k] * (1 - z[k]);
			out[k] *= z[k];
		}
	}
}

/* --- Attention ------------------------------------------------------------------ */

/* Calls for each run of rows of the same photo: first row, number, photo. */
#define FOR_EACH_PHOTO(photos, rows, first, number) \
	for (size_t first = 0, number; first < (rows) && \
	     (number = run_length((photos) + first, (rows) - first), true); first += number)

static size_t run_length(const size_t *photos, size_t rows)
{
	size_t n = 1;

	while (n < rows && photos[n] == photos[0])
		n++;
	return n;
}

/* q → a, z for the rows of one time step */
static void attend(const struct network_shape *s, const struct network_prepared *p, size_t rows,
		   const size_t *photos, const real *q, real *a, real *z)
{
	size_t hidden = s->hidden, cells = s->cells;
	real scale = (real)(1 / sqrt((double)hidden));

	FOR_EACH_PHOTO(photos, rows, first, number) {
		size_t offset = photos[first] * cells * hidden;

		GEMM(CblasRowMajor, CblasNoTrans, CblasTrans, (int)number, (int)cells, (int)hidden,
		     scale, q + first * hidden, (int)hidden, p->keys + offset, (int)hidden, 0,
		     a + first * cells, (int)cells);
		for (size_t r = first; r < first + number; r++)
			softmax(a + r * cells, cells);
		GEMM(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)number, (int)hidden, (int)cells, 1,
		     a + first * cells, (int)cells, p->regions + offset, (int)hidden, 0,
		     z + first * hidden, (int)hidden);
	}
}

/* dz → ds (gradient of the scaled scores' sums, times the scale) and dq */
static void attend_back(const struct network_shape *s, const struct network_prepared *p,
			size_t rows, const size_t *photos, const real *a, const real *dz, real *ds,
			real *dq)
{
	size_t hidden = s->hidden, cells = s->cells;
	real scale = (real)(1 / sqrt((double)hidden));

	FOR_EACH_PHOTO(photos, rows, first, number) {
		size_t offset = photos[first] * cells * hidden;

		GEMM(CblasRowMajor, CblasNoTrans, CblasTrans, (int)number, (int)cells, (int)hidden, 1,
		     dz + first * hidden, (int)hidden, p->regions + offset, (int)hidden, 0,
		     ds + first * cells, (int)cells);
		for (size_t r = first; r < first + number; r++) {
			const real *weight = a + r * cells;
			real *gradient = ds + r * cells, dot = 0;

			for (size_t k = 0; k < cells; k++)
				dot += weight[k] * gradient[k];
			for (size_t k = 0; k < cells; k++)
				gradient[k] = weight[k] * (gradient[k] - dot) * scale;
		}
		GEMM(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)number, (int)hidden, (int)cells, 1,
		     ds + first * cells, (int)cells, p->keys + offset, (int)hidden, 0,
		     dq + first * hidden, (int)hidden);
	}
}

/* --- Packed rows ------------------------------------------------------------------ */

struct packing {
	size_t rows, steps;
	size_t *first;		/* row at which a step begins; steps + 1 entries */
	size_t *photo, *before;	/* of each row: its photo, the row of its last word */
	size_t *sequence;
	uint32_t *input, *target;
};

static void packing_clear(struct packing *p)
{
	free(p->first);
	free(p->photo);
	free(p->before);
	free(p->sequence);
	free(p->input);
	free(p->target);
	*p = (struct packing){ 0 };
}

static size_t length_of(const struct network_sequence *sequence)
{
	return sequence->count + (sequence->ended ? 1 : 0);
}

static int packing_open(struct packing *ret_packing, const struct network_sequence *sequences,
			size_t count)
{
	struct packing p = { 0 };
	size_t *last, row = 0;

	for (size_t i = 0; i < count; i++) {
		size_t length = length_of(&sequences[i]);

		p.rows += length;
		p.steps = length > p.steps ? length : p.steps;
	}
	p.first = calloc(p.steps + 1, sizeof(*p.first));
	p.photo = calloc(p.rows + 1, sizeof(*p.photo));
	p.before = calloc(p.rows + 1, sizeof(*p.before));
	p.sequence = calloc(p.rows + 1, sizeof(*p.sequence));
	p.input = calloc(p.rows + 1, sizeof(*p.input));
	p.target = calloc(p.rows + 1, sizeof(*p.target));
	last = calloc(count + 1, sizeof(*last));
	if (p.first == NULL || p.photo == NULL || p.before == NULL || p.sequence == NULL ||
	    p.input == NULL || p.target == NULL || last == NULL) {
		free(last);
		packing_clear(&p);
		return -ENOMEM;
	}
	for (size_t t = 0; t < p.steps; t++) {
		p.first[t] = row;
		for (size_t i = 0; i < count; i++) {
			const struct network_sequence *s = &sequences[i];

			if (t >= length_of(s))
				continue;
			p.photo[row] = s->photo;
			p.sequence[row] = i;
			p.before[row] = last[i];
			p.input[row] = t == 0 ? WORD_START : s->words[t - 1];
			p.target[row] = t < s->count ? s->words[t] : WORD_END;
			last[i] = row++;
		}
	}
	p.first[p.steps] = row;
	free(last);
	*ret_packing = p;
	return 0;
}

/* What forward keeps for backward. Arrays have a line for each packed row. */
struct trace {
	struct packing packing;
	struct network_prepared prepared;
	real *x;		/* word vectors after dropout */
	real *x_mask, *y_mask;	/* dropout's factors, or NULL */
	real *y;		/* output's hidden layer before dropout */
	real *y_dropped;
	real *q, *a, *z;	/* attention */
	struct {
		real *gates;		/* activated */
		real *sums;		/* gru: hidden sums */
		real *h, *c, *h_before, *c_before;
	} layers[NETWORK_LAYERS_MAX];
};

/* Rows of the states before step t, from step t − 1 or from the photo. */
static void gather(const struct packing *p, size_t t, size_t width, const real *states,
		   const real *first, size_t first_stride, real *ret_before)
{
	for (size_t r = p->first[t]; r < p->first[t + 1]; r++)
		memcpy(ret_before + r * width,
		       t == 0 ? first + p->photo[r] * first_stride : states + p->before[r] * width,
		       width * sizeof(*states));
}

/* Adds the gradient of the states before step t to where they came from. */
static void scatter(const struct packing *p, size_t t, size_t width, const real *gradient,
		    real *states, real *first, size_t first_stride)
{
	for (size_t r = p->first[t]; r < p->first[t + 1]; r++)
		add_to(t == 0 ? first + p->photo[r] * first_stride : states + p->before[r] * width,
		       gradient + (r - p->first[t]) * width, width);
}

static real *dropout_mask(struct network_workspace *workspace, size_t count, real rate,
			  uint64_t seed)
{
	real *mask, keep = 1 / (1 - rate);
	uint32_t threshold = (uint32_t)((double)rate * UINT32_MAX);
	struct random random;

	if (rate <= 0)
		return NULL;
	mask = take(workspace, count);
	if (mask == NULL)
		return NULL;
	random_seed(&random, seed);
	for (size_t i = 0; i < count; i++)
		mask[i] = random_bits(&random) < threshold ? 0 : keep;
	return mask;
}

static void multiply(real *values, const real *factors, size_t count)
{
	for (size_t i = 0; factors != NULL && i < count; i++)
		values[i] *= factors[i];
}

/* --- Forward ---------------------------------------------------------------------- */

static void forward_attention(const struct network *network, const struct weights *w,
			      struct trace *t, struct network_workspace *workspace)
{
	const struct network_shape *s = &network->shape;
	const struct packing *p = &t->packing;
	const struct network_prepared *prepared = &t->prepared;
	size_t hidden = s->hidden, rows = p->rows;
	real *gates = t->layers[0].gates = take(workspace, rows * 4 * hidden);
	real *h = t->layers[0].h = take(workspace, rows * hidden);
	real *c = t->layers[0].c = take(workspace, rows * hidden);
	real *h_before = t->layers[0].h_before = take(workspace, rows * hidden);
	real *c_before = t->layers[0].c_before = take(workspace, rows * hidden);

	t->q = take(workspace, rows * hidden);
	t->a = take(workspace, rows * s->cells);
	t->z = take(workspace, rows * hidden);
	if (workspace->failed)
		return;
	for (size_t r = 0; r < rows; r++)
		memcpy(gates + r * 4 * hidden, prepared->image_gates + p->photo[r] * 4 * hidden,
		       4 * hidden * sizeof(*gates));
	product(gates, t->x, w->lstm_input, rows, 4 * hidden, hidden);
	fill_rows(t->q, w->query_bias, rows, hidden);
	for (size_t step = 0; step < p->steps; step++) {
		size_t first = p->first[step], n = p->first[step + 1] - first, at = first * hidden;

		gather(p, step, hidden, h, prepared->state, 2 * hidden, h_before);
		gather(p, step, hidden, c, prepared->state + hidden, 2 * hidden, c_before);
		product(t->q + at, h_before + at, w->query, n, hidden, hidden);
		attend(s, prepared, n, p->photo + first, t->q + at, t->a + first * s->cells, t->z + at);
		product(gates + 4 * at, h_before + at, w->lstm_hidden, n, 4 * hidden, hidden);
		product(gates + 4 * at, t->z + at, w->lstm_context, n, 4 * hidden, hidden);
		lstm_cell(n, hidden, gates + 4 * at, c_before + at, c + at, h + at);
	}
}

static void forward_layers(const struct network *network, const struct weights *w,
			   struct trace *t, struct network_workspace *workspace)
{
	const struct network_shape *s = &network->shape;
	const struct packing *p = &t->packing;
	size_t hidden = s->hidden, rows = p->rows, stride = network_state_size(network);
	bool gru = s->kind == NETWORK_GRU;
	size_t width = (gru ? 3 : 4) * hidden;
	const real *input = t->x;

	for (unsigned l = 0; l < s->layers; l++) {
		real *gates = t->layers[l].gates = take(workspace, rows * width);
		real *sums = t->layers[l].sums = gru ? take(workspace, rows * width) : NULL;
		real *h = t->layers[l].h = take(workspace, rows * hidden);
		real *h_before = t->layers[l].h_before = take(workspace, rows * hidden);
		real *c = t->layers[l].c = gru ? NULL : take(workspace, rows * hidden);
		real *c_before = t->layers[l].c_before = gru ? NULL : take(workspace, rows * hidden);
		const real *state = t->prepared.state + l * (gru ? 1 : 2) * hidden;

		if (workspace->failed)
			return;
		fill_rows(gates, w->layers[l].bias, rows, width);
		product(gates, input, w->layers[l].input, rows, width, hidden);
		if (gru)
			fill_rows(sums, w->layers[l].hidden_bias, rows, width);
		for (size_t step = 0; step < p->steps; step++) {
			size_t first = p->first[step], n = p->first[step + 1] - first, at = first * hidden;

			gather(p, step, hidden, h, state, stride, h_before);
			product((gru ? sums : gates) + first * width, h_before + at, w->layers[l].hidden, n,
				width, hidden);
			if (gru) {
				gru_cell(n, hidden, gates + first * width, sums + first * width,
					 h_before + at, h + at);
			} else {
				gather(p, step, hidden, c, state + hidden, stride, c_before);
				lstm_cell(n, hidden, gates + first * width, c_before + at, c + at, h + at);
			}
		}
		input = h;
	}
}

/* The output's hidden layer from h (and z); `x` are the word vectors. */
static void output_layer(const struct network_shape *s, const struct weights *w,
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

/* --- Backward --------------------------------------------------------------------- */

/* `dh` comes with the output layer's share, `dz` likewise; adds to `dx`. */
static void back_attention(const struct network *network, const struct weights *w,
			   const struct trace *t, struct network_workspace *workspace, real *dh,
			   real *dz, real *dx, struct prepared_gradient *d, struct weights *g)
{
	const struct network_shape *s = &network->shape;
	const struct packing *p = &t->packing;
	size_t hidden = s->hidden, cells = s->cells, rows = p->rows, widest = 0;
	real *dgates = take(workspace, rows * 4 * hidden);
	real *dc = take_zeros(workspace, rows * hidden);
	real *dq = take(workspace, rows * hidden);
	real *ds = take(workspace, rows * cells);
	real *before, *of_photo[4];
	size_t *next;

	for (size_t step = 0; step < p->steps; step++) {
		size_t n = p->first[step + 1] - p->first[step];

		widest = n > widest ? n : widest;
	}
	before = take(workspace, widest * hidden);
	for (unsigned i = 0; i < 4; i++)
		of_photo[i] = take(workspace, rows * (i < 2 ? cells : hidden));
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
		attend_back(s, &t->prepared, n, p->photo + first, t->a + first * cells, dz + at,
			    ds + first * cells, dq + at);
		memset(before, 0, n * hidden * sizeof(*before));
		product_input(before, dgates + 4 * at, w->lstm_hidden, n, 4 * hidden, hidden);
		product_input(before, dq + at, w->query, n, hidden, hidden);
		scatter(p, step, hidden, before, dh, d->state, 2 * hidden);
		scatter(p, step, hidden, dc + at, dc, d->state + hidden, 2 * hidden);
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

static void back_layers(const struct network *network, const struct weights *w,
			const struct trace *t, struct network_workspace *workspace, real *dh,
			real *dx, struct prepared_gradient *d, struct weights *g)
{
	const struct network_shape *s = &network->shape;
	const struct packing *p = &t->packing;
	size_t hidden = s->hidden, rows = p->rows, stride = network_state_size(network), widest = 0;
	bool gru = s->kind == NETWORK_GRU;
	size_t width = (gru ? 3 : 4) * hidden;
	real *dgates = take(workspace, rows * width);
	real *dsums = gru ? take(workspace, rows * width) : dgates;
	real *dc = take(workspace, rows * hidden);
	real *dinput = take(workspace, rows * hidden);
	real *before;

	for (size_t step = 0; step < p->steps; step++) {
		size_t n = p->first[step + 1] - p->first[step];

		widest = n > widest ? n : widest;
	}
	before = take(workspace, widest * hidden);
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
				scatter(p, step, hidden, dc + at, dc, dstate + hidden, stride);
				memset(before, 0, n * hidden * sizeof(*before));
			}
			product_input(before, dsums + first * width, w->layers[l].hidden, n, width, hidden);
			scatter(p, step, hidden, before, dh, dstate, stride);
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
static double output_loss(const struct network_shape *s, const struct weights *w,
			  const struct trace *t, const struct network_sequence *sequences,
			  const struct network_pass_options *options, real *logits, real *dy,
			  struct weights *g, double *log_probabilities)
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

static void backward(const struct network *network, const struct weights *w,
		     const struct network_photos *photos, const struct trace *t,
		     struct network_workspace *workspace, real *dy, struct weights *g)
{
	const struct network_shape *s = &network->shape;
	const struct packing *p = &t->packing;
	size_t hidden = s->hidden, rows = p->rows, n = photos->count;
	bool attention = s->kind == NETWORK_ATTENTION;
	const real *h = t->layers[s->layers - 1].h;
	struct prepared_gradient d = {
		.image = take_zeros(workspace, n * hidden),
		.state = take_zeros(workspace, n * network_state_size(network)),
	};
	real *dx = take(workspace, rows * hidden);
	real *dh = take_zeros(workspace, rows * hidden);
	real *dz = attention ? take_zeros(workspace, rows * hidden) : NULL;

	if (attention) {
		d.regions = take_zeros(workspace, n * s->cells * hidden);
		d.keys = take_zeros(workspace, n * s->cells * hidden);
		d.image_gates = take_zeros(workspace, n * 4 * hidden);
		d.image_output = take_zeros(workspace, n * hidden);
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
	prepare_back(network, w, photos, &t->prepared, &d, g);
}

int network_pass(const struct network *network, const real *parameters,
		 const struct network_photos *photos, const struct network_sequence *sequences,
		 size_t sequence_count, const struct network_pass_options *options,
		 struct network_workspace *workspace, real *gradient, double *ret_loss,
		 double *ret_log_probabilities)
{
	const struct network_shape *s = &network->shape;
	struct weights w = weights_in(network, parameters), g = weights_in(network, gradient);
	struct trace t = { 0 };
	size_t hidden = s->hidden, rows;
	real *logits, *dy = NULL;
	double loss;
	int r = packing_open(&t.packing, sequences, sequence_count);

	if (r < 0)
		return r;
	reset(workspace);
	rows = t.packing.rows;
	prepare(network, &w, photos, workspace, &t.prepared);
	t.x = take(workspace, rows * hidden);
	t.y = take(workspace, rows * hidden);
	t.x_mask = dropout_mask(workspace, rows * hidden, options->dropout, options->seed);
	t.y_mask = dropout_mask(workspace, rows * hidden, options->dropout, options->seed + 1);
	logits = take(workspace, LOGIT_ROWS * s->words);
	if (gradient != NULL)
		dy = take_zeros(workspace, rows * hidden);
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
	output_layer(s, &w, &t.prepared, rows, t.packing.photo, t.layers[s->layers - 1].h, t.z, t.x,
		     t.y);
	t.y_dropped = t.y;
	if (t.y_mask != NULL) {
		t.y_dropped = take(workspace, rows * hidden);
		if (workspace->failed)
			goto out;
		memcpy(t.y_dropped, t.y, rows * hidden * sizeof(*t.y));
		multiply(t.y_dropped, t.y_mask, rows * hidden);
	}
	if (ret_log_probabilities != NULL)
		memset(ret_log_probabilities, 0, sequence_count * sizeof(*ret_log_probabilities));
	loss = output_loss(s, &w, &t, sequences, options, logits, dy, &g, ret_log_probabilities);
	if (gradient != NULL)
		backward(network, &w, photos, &t, workspace, dy, &g);
	if (workspace->failed)
		goto out;
	*ret_loss = loss;
	r = 0;
out:
	packing_clear(&t.packing);
	return r;
}

/* --- Generation --------------------------------------------------------------------- */

size_t network_state_size(const struct network *network)
{
	const struct network_shape *s = &network->shape;

	return (s->kind == NETWORK_GRU ? 1 : 2) * s->layers * s->hidden;
}

int network_prepare(const struct network *network, const real *parameters,
		    const struct network_photos *photos, struct network_workspace *workspace,
		    const struct network_prepared **ret_prepared)
{
	struct weights w = weights_in(network, parameters);

	reset(workspace);
	prepare(network, &w, photos, workspace, &workspace->prepared);
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
	struct weights w = weights_in(network, parameters);
	size_t hidden = s->hidden, stride = network_state_size(network);
	bool attention = s->kind == NETWORK_ATTENTION, gru = s->kind == NETWORK_GRU;
	struct block *block = workspace->blocks;
	size_t mark = block->used;
	size_t width = (gru ? 3 : 4) * hidden;
	real *x = take(workspace, rows * hidden), *h = take(workspace, rows * hidden);
	real *c = take(workspace, rows * hidden), *y = take(workspace, rows * hidden);
	real *h_before = take(workspace, rows * hidden), *c_before = take(workspace, rows * hidden);
	real *gates = take(workspace, rows * width), *sums = take(workspace, rows * width);
	real *q = take(workspace, rows * hidden), *z = take(workspace, rows * hidden);
	real *a = take(workspace, rows * (attention ? s->cells : 1));
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
			attend(s, prepared, rows, photos, q, a, z);
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
	output_layer(s, &w, prepared, rows, photos, h, z, x, y);
	fill_rows(ret_logits, w.output_bias, rows, s->words);
	product(ret_logits, y, w.embedding, rows, s->words, hidden);
	if (workspace->blocks == block)
		block->used = mark;
	return 0;
}
