/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * network_parts.h: what the files behind network.h share. network.c lays the
 * parameters out, network_workspace.c keeps the memory of passes,
 * network_packing.c packs captions into rows, network_cells.c has the recurrent
 * cells and attention with their gradients, network_forward.c and
 * network_backward.c the passes, network_generation.c the step by step use.
 */
#ifndef LAB_NETWORK_PARTS_H
#define LAB_NETWORK_PARTS_H

#include <cblas.h>
#include <string.h>

#include "engine/lab/elementwise.h"
#include "engine/lab/network.h"

#ifdef LAB_DOUBLE
#define GEMM cblas_dgemm
#else
#define GEMM cblas_sgemm
#endif

/* --- Parameters --------------------------------------------------------------- */

/* Pointers into a flat array by role; absent ones are NULL. Used for the
 * parameters and, with the same layout, for their gradients. */
struct network_weights {
	real *image, *image_bias, *classes, *state, *state_bias, *embedding, *output_bias;
	real *output_hidden, *output_hidden_bias;
	real *lstm_input, *lstm_image, *lstm_hidden, *lstm_context, *lstm_bias;
	real *region, *region_bias, *key, *query, *query_bias, *output_image, *output_context;
	struct {
		real *input, *hidden, *bias, *hidden_bias;
	} layers[NETWORK_LAYERS_MAX];
};

struct network_weights network_weights_in(const struct network *network, const real *parameters);

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

void workspace_reset(struct network_workspace *workspace);
real *workspace_take(struct network_workspace *workspace, size_t count);
real *workspace_take_zeros(struct network_workspace *workspace, size_t count);

/* --- Products ------------------------------------------------------------------ */

/* y += x Wᵀ, W being outputs × inputs */
static inline void product(real *y, const real *x, const real *weight, size_t rows, size_t outputs,
			   size_t inputs)
{
	if (rows > 0)
		GEMM(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)outputs, (int)inputs, 1,
		     x, (int)inputs, weight, (int)inputs, 1, y, (int)outputs);
}

/* dx += dy W */
static inline void product_input(real *dx, const real *dy, const real *weight, size_t rows,
				 size_t outputs, size_t inputs)
{
	if (rows > 0)
		GEMM(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)inputs, (int)outputs, 1,
		     dy, (int)outputs, weight, (int)inputs, 1, dx, (int)inputs);
}

/* dW += dyᵀ x */
static inline void product_weight(real *dweight, const real *dy, const real *x, size_t rows,
				  size_t outputs, size_t inputs)
{
	if (rows > 0)
		GEMM(CblasRowMajor, CblasTrans, CblasNoTrans, (int)outputs, (int)inputs, (int)rows, 1,
		     dy, (int)outputs, x, (int)inputs, 1, dweight, (int)inputs);
}

/* Every row becomes the bias. */
static inline void fill_rows(real *y, const real *bias, size_t rows, size_t columns)
{
	for (size_t i = 0; i < rows; i++)
		memcpy(y + i * columns, bias, columns * sizeof(*y));
}

static inline void sum_rows(real *dbias, const real *dy, size_t rows, size_t columns)
{
	for (size_t i = 0; i < rows; i++)
		for (size_t k = 0; k < columns; k++)
			dbias[k] += dy[i * columns + k];
}

static inline void rectify(real *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		values[i] = values[i] > 0 ? values[i] : 0;
}

/* gradient through relu: zero where its output is */
static inline void rectify_back(real *gradient, const real *output, size_t count)
{
	for (size_t i = 0; i < count; i++)
		gradient[i] = output[i] > 0 ? gradient[i] : 0;
}

static inline void tangents_back(real *gradient, const real *output, size_t count)
{
	for (size_t i = 0; i < count; i++)
		gradient[i] *= 1 - output[i] * output[i];
}

static inline void add_to(real *sum, const real *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sum[i] += values[i];
}

static inline void multiply(real *values, const real *factors, size_t count)
{
	for (size_t i = 0; factors != NULL && i < count; i++)
		values[i] *= factors[i];
}

/* --- Cells and attention ---------------------------------------------------------- */

void lstm_cell(size_t rows, size_t hidden, real *gates, const real *c_before, real *c,
	       real *h);
void lstm_cell_back(size_t rows, size_t hidden, const real *gates, const real *c_before,
		    const real *c, const real *dh, real *dc, real *dgates);
void gru_cell(size_t rows, size_t hidden, real *a, const real *b, const real *h_before,
	      real *h);
void gru_cell_back(size_t rows, size_t hidden, const real *a, const real *b,
		   const real *h_before, real *dh, real *da, real *db);
void attention_forward(const struct network_shape *s, const struct network_prepared *p, size_t rows,
		       const size_t *photos, const real *q, real *a, real *z);
void attention_backward(const struct network_shape *s, const struct network_prepared *p,
			size_t rows, const size_t *photos, const real *a, const real *dz, real *ds,
			real *dq);

/* --- Packed rows ------------------------------------------------------------------ */

struct packing {
	size_t rows, steps;
	size_t *first;		/* row at which a step begins; steps + 1 entries */
	size_t *photo, *before;	/* of each row: its photo, the row of its last word */
	size_t *sequence;
	uint32_t *input, *target;
};

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

void packing_clear(struct packing *p);
int packing_open(struct packing *ret_packing, const struct network_sequence *sequences,
		 size_t count);
void packing_gather(const struct packing *p, size_t t, size_t width, const real *states,
		    const real *first, size_t first_stride, real *ret_before);
void packing_scatter(const struct packing *p, size_t t, size_t width, const real *gradient,
		     real *states, real *first, size_t first_stride);
real *packing_dropout(struct network_workspace *workspace, size_t count, real rate,
		      uint64_t seed);

/* --- Passes ----------------------------------------------------------------------- */

/* Gradients of what forward_prepare() made; they start at zero. */
struct prepared_gradient {
	real *image, *state, *regions, *keys, *image_gates, *image_output;
};

void forward_prepare(const struct network *network, const struct network_weights *w,
		     const struct network_photos *photos, struct network_workspace *workspace,
		     struct network_prepared *p);
void forward_attention(const struct network *network, const struct network_weights *w,
		       struct trace *t, struct network_workspace *workspace);
void forward_layers(const struct network *network, const struct network_weights *w,
		    struct trace *t, struct network_workspace *workspace);
void forward_output(const struct network_shape *s, const struct network_weights *w,
		    const struct network_prepared *prepared, size_t rows, const size_t *photos,
		    const real *h, const real *z, const real *x, real *y);
double backward_loss(const struct network_shape *s, const struct network_weights *w,
		     const struct trace *t, const struct network_sequence *sequences,
		     const struct network_pass_options *options, real *logits, real *dy,
		     struct network_weights *g, double *log_probabilities);
void backward_pass(const struct network *network, const struct network_weights *w,
		   const struct network_photos *photos, const struct trace *t,
		   struct network_workspace *workspace, real *dy, struct network_weights *g);

#endif
