/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * decoder.h: the recurrent networks that turn a photo's features into words,
 * behind one interface: LSTM with attention over the encoder's grid, LSTM of
 * several layers, GRU of several layers. MODEL.md states their equations and
 * tensors. A decoder holds weights and may be shared by threads; a decoder
 * state holds one photo and the sentences that grow on it, and belongs to one
 * thread.
 */
#ifndef ENGINE_DECODER_H
#define ENGINE_DECODER_H

#include "engine/engine.h"
#include "engine/matrix.h"

enum decoder_kind {
	DECODER_LSTM_ATTENTION,
	DECODER_LSTM,
	DECODER_GRU,
};

/* Returns 0, or ENGINE_UNSUPPORTED for a name that is none of
 * "lstm-attention", "lstm", "gru". */
int decoder_kind_parse(const char *name, enum decoder_kind *ret_kind,
		       struct engine_error *error);
const char *decoder_kind_name(enum decoder_kind kind);

/* A tensor as the model file holds it. A vector has one row. `scales` belongs
 * to I8: one a row. */
struct decoder_tensor {
	enum matrix_type type;
	size_t rows, columns;
	const void *data;
	const float *scales;
};

/* How sentences are best searched for, which training decides. Zeros stand for
 * the defaults, 1 and 0.7. */
struct decoder_search {
	float sharpness;	/* factor of all logits */
	float length_power;	/* score = log_probability / (words + 1)^power */
	/* Of each word, or NULL: words of the same group other than 0 exclude one
	 * another within a sentence. Borrowed until the decoder is freed. */
	const int32_t *groups;
};

struct decoder_config {
	enum decoder_kind kind;
	unsigned hidden, layers, words;
	unsigned pool_size;
	unsigned grid_cells, grid_channels;	/* 0 without attention */
	unsigned classes;	/* of the encoder's head; read if there is a "class.weight" */
	struct decoder_search search;
	/* Finds a tensor by the names in MODEL.md without their prefix
	 * ("embedding.weight"); false if there is none. Called only while the
	 * decoder is opened; the data are borrowed until it is freed. */
	bool (*find)(void *user, const char *name, struct decoder_tensor *ret_tensor);
	void *user;
};

struct decoder;

/* Checks every size against the configuration before any weight is used. */
int decoder_open(const struct decoder_config *config, struct decoder **ret_decoder,
		 struct engine_error *error);
struct decoder *decoder_free(struct decoder *decoder);

enum decoder_kind decoder_kind(const struct decoder *decoder);
unsigned decoder_words(const struct decoder *decoder);
unsigned decoder_pool_size(const struct decoder *decoder);
/* Regions that a word's attention map covers; 0 without attention. */
unsigned decoder_cells(const struct decoder *decoder);
unsigned decoder_channels(const struct decoder *decoder);
/* With the defaults in the place of zeros. */
const struct decoder_search *decoder_search(const struct decoder *decoder);

struct decoder_state;

/* Allocates everything that stepping `capacity` sentences at once needs.
 * Borrows the decoder. */
int decoder_state_open(const struct decoder *decoder, unsigned capacity,
		       struct decoder_state **ret_state, struct engine_error *error);
/* Lets the threads of `pool`, borrowed, share the work. What comes out is the same. */
void decoder_state_share(struct decoder_state *state, struct threadpool *pool);
struct decoder_state *decoder_state_free(struct decoder_state *state);

/* Starts on a photo: all that does not change from word to word is computed
 * here, the attention's keys among it. `grid` is read with attention only;
 * `classes` may be NULL. */
void decoder_state_begin(struct decoder_state *state, const struct engine_features *features);

/* Back to before the first word of the same photo. _begin does it too. */
void decoder_state_restart(struct decoder_state *state);

/* Advances `count` sentences by one word. Sentence i continues the sentence
 * that the previous step numbered parents[i] (the first step: 0)
 * with the word words[i], and gets `words` logits and, with attention, `cells`
 * weights in its row. */
void decoder_state_step(struct decoder_state *state, const unsigned *words,
			const unsigned *parents, unsigned count, float *ret_logits,
			float *ret_attention);

#endif
