/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * network.h: the decoders as the trainer sees them: forward and backward passes
 * over minibatches. The equations and the names of the parameters are those of
 * engine/MODEL.md; the engine's own decoder runs the same network one caption
 * at a time and quantised, this one hundreds of captions at once in 32 bits.
 *
 * All parameters of a network stand in one flat array, and so do their
 * gradients: the optimiser, checkpoints and the finite-difference tests then
 * need to know nothing about the network.
 *
 * A pass runs on one thread with one BLAS thread. The trainer runs several
 * passes side by side, each on its share of the minibatch.
 *
 * LAB_DOUBLE compiles the passes in double precision, for those tests.
 */
#ifndef LAB_NETWORK_H
#define LAB_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef LAB_DOUBLE
typedef double real;
#else
typedef float real;
#endif

enum network_kind { NETWORK_ATTENTION, NETWORK_LSTM, NETWORK_GRU };

#define NETWORK_LAYERS_MAX 8u
#define NETWORK_PARAMETERS_MAX (16u + 4 * NETWORK_LAYERS_MAX)
#define NETWORK_NAME_MAX 32u

struct network_shape {
	enum network_kind kind;
	size_t hidden, layers, words;
	size_t pool;			/* channels of the pooled features */
	size_t cells, channels;		/* of the grid; attention only */
	size_t classes;			/* class scores read as well; 0: none */
};

struct network_parameter {
	char name[NETWORK_NAME_MAX];
	size_t rows, columns;		/* 1 column: a vector */
	size_t offset;			/* in the flat array */
	size_t fan_in;			/* for initial values; 0: zeros */
};

struct network {
	struct network_shape shape;
	struct network_parameter parameters[NETWORK_PARAMETERS_MAX];
	size_t parameter_count;
	size_t value_count;		/* of the flat array */
};

/* Lays the parameters out; fails only on a shape beyond the limits (-EINVAL). */
int network_init(struct network *ret_network, const struct network_shape *shape);
const struct network_parameter *network_find(const struct network *network, const char *name);
const char *network_kind_name(enum network_kind kind);

/* Features of a share of photos, already normalised. */
struct network_photos {
	size_t count;
	const real *pool;	/* count × pool */
	const real *grid;	/* count × cells × channels; NULL without attention */
	const real *classes;	/* count × classes, square roots of probabilities */
};

/* A caption to learn. Sequences stand in ascending order of their photo. */
struct network_sequence {
	size_t photo;
	const uint32_t *words;	/* without start and end marks */
	size_t count;		/* at least 1 unless `ended` */
	bool ended;		/* the end mark is to be learnt too */
	real weight;		/* of each of its words in the loss */
};

struct network_pass_options {
	real smoothing;		/* label smoothing */
	real dropout;		/* of word vectors and of the output's hidden layer */
	uint64_t seed;		/* of dropout */
	real sharpness;		/* factor of all logits; 0 counts as 1 */
};

/* Memory that passes use again and again; one for each thread. */
struct network_workspace;
int network_workspace_open(struct network_workspace **ret_workspace);
struct network_workspace *network_workspace_free(struct network_workspace *workspace);

/* The weighted loss of the sequences; its gradient is added to `gradient`
 * unless that is NULL. Each sequence's log-probability is stored in
 * `ret_log_probabilities` if not NULL. Returns 0 or -ENOMEM. */
int network_pass(const struct network *network, const real *parameters,
		 const struct network_photos *photos, const struct network_sequence *sequences,
		 size_t sequence_count, const struct network_pass_options *options,
		 struct network_workspace *workspace, real *gradient, double *ret_loss,
		 double *ret_log_probabilities);

/* Generation, many captions at once. A prepared share of photos serves any
 * number of steps until the workspace's next use by another call than
 * network_step. States are `network_state_size` values a row. */
struct network_prepared;
int network_prepare(const struct network *network, const real *parameters,
		    const struct network_photos *photos, struct network_workspace *workspace,
		    const struct network_prepared **ret_prepared);
size_t network_state_size(const struct network *network);
void network_first_state(const struct network *network, const struct network_prepared *prepared,
			 size_t photo, real *ret_state);
/* One word for each of `rows` captions: `photo` (ascending), previous `words`
 * and `states` (updated in place) to `ret_logits`, rows × words. */
int network_step(const struct network *network, const real *parameters,
		 const struct network_prepared *prepared, struct network_workspace *workspace,
		 size_t rows, const size_t *photos, const uint32_t *words, real *states,
		 real *ret_logits);

#endif
