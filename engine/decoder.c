/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * decoder.c: one step of all growing sentences at a time, so that one pass over
 * the weights serves them all. What depends on the photo alone is computed when
 * the photo is begun; a state's memory is one arena, planned when it is opened.
 */
#include "engine/decoder.h"

#include "engine/activation.h"
#include "engine/error.h"
#include "engine/half.h"
#include "engine/kernels/isa.h"
#include "engine/limits.h"

#include <cblas.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64u

struct layer {
	struct matrix input, hidden;
	const float *input_bias;	/* LSTM: the one bias */
	const float *hidden_bias;	/* GRU only */
};

struct decoder {
	enum decoder_kind kind;
	unsigned hidden, layers, words, pool_size, classes, cells, channels;
	float feature_std, region_scale;
	const float *feature_mean;
	struct matrix image, class, state, embedding, output_hidden;
	const float *image_bias, *state_bias, *output_bias, *output_hidden_bias;
	struct layer layer[LIMIT_DECODER_LAYERS];
	/* attention */
	struct matrix region, key, query, gates_image, gates_context, output_image,
		output_context;
	const float *region_bias, *query_bias;
	struct decoder_search search;
	/* what matrices need beside the file: 16 bits widened, rows of codes summed */
	void *owned[32];
	size_t owned_count;
};

struct decoder_state {
	const struct decoder *decoder;
	const struct activation *activation;
	struct threadpool *threads;		/* or NULL */
	unsigned capacity;
	/* p, s and v, each followed by what rounding it to 8 bits leaves */
	struct vectors pool, classes, image;
	float *photo_products;			/* two rows as long as any of theirs */
	struct vectors grid, regions;		/* attention: the grid's rows and G */
	float *keys;				/* K */
	float *gates_photo, *output_photo;	/* the parts of a step that the photo fixes */
	struct vectors hidden[LIMIT_DECODER_LAYERS], hidden_next[LIMIT_DECODER_LAYERS];
	float *cell[LIMIT_DECODER_LAYERS], *cell_next[LIMIT_DECODER_LAYERS];
	struct vectors embedding, context, output;
	float *start;				/* the states before the first word */
	float *query, *gates;
	void *arena;
};

static const char *const kind_names[] = {
	[DECODER_LSTM_ATTENTION] = "lstm-attention",
	[DECODER_LSTM] = "lstm",
	[DECODER_GRU] = "gru",
};

int decoder_kind_parse(const char *name, enum decoder_kind *ret_kind,
		       struct engine_error *error)
{
	for (size_t i = 0; i < sizeof(kind_names) / sizeof(*kind_names); i++) {
		if (strcmp(name, kind_names[i]) == 0) {
			*ret_kind = (enum decoder_kind)i;
			return 0;
		}
	}
	return engine_fail(error, ENGINE_UNSUPPORTED,
			   "The model's decoder is of kind \"%.40s\"; this engine knows "
			   "lstm-attention, lstm and gru.", name);
}

const char *decoder_kind_name(enum decoder_kind kind)
{
	return kind_names[kind];
}

enum decoder_kind decoder_kind(const struct decoder *decoder)
{
	return decoder->kind;
}

unsigned decoder_words(const struct decoder *decoder)
{
	return decoder->words;
}

unsigned decoder_pool_size(const struct decoder *decoder)
{
	return decoder->pool_size;
}

unsigned decoder_cells(const struct decoder *decoder)
{
	return decoder->cells;
}

const struct decoder_search *decoder_search(const struct decoder *decoder)
{
	return &decoder->search;
}

unsigned decoder_channels(const struct decoder *decoder)
{
	return decoder->channels;
}

/* --- Opening -------------------------------------------------------------- */

/* Remembers the first fault, so that a list of loads needs one check. */
struct loader {
	struct decoder *decoder;
	const struct decoder_config *config;
	struct engine_error *error;
	int status;
};

static bool has_tensor(const struct decoder_config *config, const char *name)
{
	struct decoder_tensor tensor;

	return config->find(config->user, name, &tensor);
}

static bool load(struct loader *loader, const char *name, size_t rows, size_t columns,
		 struct decoder_tensor *ret_tensor)
{
	struct decoder_tensor tensor = {0};

	if (loader->status != 0)
		return false;
	if (!loader->config->find(loader->config->user, name, &tensor)) {
		loader->status = engine_fail(loader->error, ENGINE_BAD_MODEL,
			"The model's decoder lacks the tensor \"%s\".", name);
		return false;
	}
	if (tensor.rows != rows || tensor.columns != columns) {
		loader->status = engine_fail(loader->error, ENGINE_BAD_MODEL,
			"The decoder's tensor \"%s\" is %zu by %zu; %zu by %zu was expected.",
			name, tensor.rows, tensor.columns, rows, columns);
		return false;
	}
	if (tensor.type == MATRIX_I8 && !tensor.scales) {
		loader->status = engine_fail(loader->error, ENGINE_BAD_MODEL,
			"The decoder's 8-bit tensor \"%s\" has no scales.", name);
		return false;
	}
	*ret_tensor = tensor;
	return true;
}

static const float *load_vector(struct loader *loader, const char *name, size_t length)
{
	struct decoder_tensor tensor;

	if (!load(loader, name, 1, length, &tensor))
		return NULL;
	if (tensor.type != MATRIX_F32) {
		loader->status = engine_fail(loader->error, ENGINE_BAD_MODEL,
			"The decoder's tensor \"%s\" must hold 32-bit floats.", name);
		return NULL;
	}
	return tensor.data;
}

static float load_number(struct loader *loader, const char *name)
{
	const float *value = load_vector(loader, name, 1);

	if (!value)
		return 1.0f;
	if (!isfinite(*value) || *value <= 0.0f)
		loader->status = engine_fail(loader->error, ENGINE_BAD_MODEL,
			"The decoder's tensor \"%s\" must be a positive number.", name);
	return *value;
}

static void load_matrix(struct loader *loader, const char *name, size_t rows,
			size_t columns, struct matrix *ret_matrix)
{
	struct decoder *decoder = loader->decoder;
	struct decoder_tensor tensor;
	void *owned;

	if (!load(loader, name, rows, columns, &tensor))
		return;
	*ret_matrix = (struct matrix){
		.type = tensor.type, .rows = rows, .columns = columns,
		.data = tensor.data, .scales = tensor.scales,
	};
	if (tensor.type == MATRIX_F32)
		return;
	owned = malloc((tensor.type == MATRIX_F16 ? rows * columns : rows) * sizeof(float));
	if (!owned) {
		loader->status = engine_fail_memory(loader->error);
		return;
	}
	decoder->owned[decoder->owned_count++] = owned;
	if (tensor.type == MATRIX_F16) {
		half_to_floats(tensor.data, rows * columns, owned);
		ret_matrix->type = MATRIX_F32;
		ret_matrix->data = owned;
	} else {
		matvec_q8_sums(tensor.data, rows, columns, owned);
		ret_matrix->sums = owned;
	}
}

static void load_layers(struct loader *loader)
{
	struct decoder *decoder = loader->decoder;
	const char *prefix = decoder->kind == DECODER_GRU ? "gru" : "lstm";
	size_t hidden = decoder->hidden, gates = (decoder->kind == DECODER_GRU ? 3 : 4) * hidden;
	char name[64];

	for (unsigned l = 0; l < decoder->layers; l++) {
		struct layer *layer = &decoder->layer[l];

		snprintf(name, sizeof(name), "%s.%u.input.weight", prefix, l);
		load_matrix(loader, name, gates, hidden, &layer->input);
		snprintf(name, sizeof(name), "%s.%u.hidden.weight", prefix, l);
		load_matrix(loader, name, gates, hidden, &layer->hidden);
		if (decoder->kind == DECODER_LSTM) {
			snprintf(name, sizeof(name), "lstm.%u.bias", l);
			layer->input_bias = load_vector(loader, name, gates);
			continue;
		}
		snprintf(name, sizeof(name), "gru.%u.input.bias", l);
		layer->input_bias = load_vector(loader, name, gates);
		snprintf(name, sizeof(name), "gru.%u.hidden.bias", l);
		layer->hidden_bias = load_vector(loader, name, gates);
	}
}

static void load_attention(struct loader *loader)
{
	struct decoder *decoder = loader->decoder;
	size_t hidden = decoder->hidden, gates = 4 * hidden;

	load_matrix(loader, "lstm.input.weight", gates, hidden, &decoder->layer[0].input);
	load_matrix(loader, "lstm.hidden.weight", gates, hidden, &decoder->layer[0].hidden);
	decoder->layer[0].input_bias = load_vector(loader, "lstm.bias", gates);
	load_matrix(loader, "lstm.image.weight", gates, hidden, &decoder->gates_image);
	load_matrix(loader, "lstm.context.weight", gates, hidden, &decoder->gates_context);
	decoder->region_scale = load_number(loader, "region.scale");
	load_matrix(loader, "region.weight", hidden, decoder->channels, &decoder->region);
	decoder->region_bias = load_vector(loader, "region.bias", hidden);
	load_matrix(loader, "attention.key.weight", hidden, hidden, &decoder->key);
	load_matrix(loader, "attention.query.weight", hidden, hidden, &decoder->query);
	decoder->query_bias = load_vector(loader, "attention.query.bias", hidden);
	load_matrix(loader, "output.image.weight", hidden, hidden, &decoder->output_image);
	load_matrix(loader, "output.context.weight", hidden, hidden, &decoder->output_context);
	/* The regions' products compute more than they read, and come right before the
	 * first word's step, which reads all of these. */
	decoder->region.next[0] = &decoder->embedding;
	decoder->region.next[1] = &decoder->layer[0].input;
	decoder->region.next[2] = &decoder->layer[0].hidden;
	decoder->region.next[3] = &decoder->gates_context;
	decoder->key.next[0] = &decoder->query;
	decoder->key.next[1] = &decoder->output_hidden;
	decoder->key.next[2] = &decoder->output_context;
}

static int check_config(const struct decoder_config *config, struct engine_error *error)
{
	bool attention = config->kind == DECODER_LSTM_ATTENTION;
	const struct {
		const char *what;
		unsigned value, least, most;
	} ranges[] = {
		{ "hidden size", config->hidden, 1, LIMIT_DECODER_HIDDEN },
		{ "number of layers", config->layers, 1, attention ? 1 : LIMIT_DECODER_LAYERS },
		{ "number of words", config->words, 5, LIMIT_VOCABULARY },
		{ "size of the pooled features", config->pool_size, 1, LIMIT_MODEL_CHANNELS },
		{ "number of classes", config->classes, 0, LIMIT_MODEL_CHANNELS },
		{ "number of regions", config->grid_cells, attention, LIMIT_DECODER_CELLS },
		{ "number of the regions' channels", config->grid_channels, attention,
		  LIMIT_MODEL_CHANNELS },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		if (ranges[i].value < ranges[i].least || ranges[i].value > ranges[i].most)
			return engine_fail(error, ENGINE_BAD_MODEL,
				"The decoder's %s is %u; %u to %u can be used.", ranges[i].what,
				ranges[i].value, ranges[i].least, ranges[i].most);
	}
	if (!(config->search.sharpness >= 0.0f && config->search.sharpness <= 100.0f) ||
	    !(config->search.length_power >= 0.0f && config->search.length_power <= 10.0f))
		return engine_fail(error, ENGINE_BAD_MODEL,
			"The decoder's sharpness must be from 0 to 100, its length power from 0 "
			"to 10.");
	return 0;
}

int decoder_open(const struct decoder_config *config, struct decoder **ret_decoder,
		 struct engine_error *error)
{
	struct loader loader = { .config = config, .error = error };
	struct decoder *decoder;
	size_t hidden = config->hidden;
	bool attention = config->kind == DECODER_LSTM_ATTENTION;
	int status = check_config(config, error);

	if (status != 0)
		return status;
	decoder = calloc(1, sizeof(*decoder));
	if (!decoder)
		return engine_fail_memory(error);
	loader.decoder = decoder;
	decoder->kind = config->kind;
	decoder->hidden = config->hidden;
	decoder->layers = config->layers;
	decoder->words = config->words;
	decoder->pool_size = config->pool_size;
	decoder->cells = attention ? config->grid_cells : 0;
	decoder->channels = attention ? config->grid_channels : 0;
	decoder->search = config->search;
	if (decoder->search.sharpness == 0.0f)
		decoder->search.sharpness = 1.0f;
	if (decoder->search.length_power == 0.0f)
		decoder->search.length_power = 0.7f;

	decoder->feature_mean = load_vector(&loader, "feature.mean", config->pool_size);
	decoder->feature_std = load_number(&loader, "feature.std");
	load_matrix(&loader, "image.weight", hidden, config->pool_size, &decoder->image);
	decoder->image_bias = load_vector(&loader, "image.bias", hidden);
	if (has_tensor(config, "class.weight")) {
		decoder->classes = config->classes;
		load_matrix(&loader, "class.weight", hidden, config->classes, &decoder->class);
	}
	size_t states = hidden * decoder->layers * (decoder->kind == DECODER_GRU ? 1 : 2);
	load_matrix(&loader, "state.weight", states, hidden, &decoder->state);
	decoder->state_bias = load_vector(&loader, "state.bias", states);
	load_matrix(&loader, "embedding.weight", config->words, hidden, &decoder->embedding);
	decoder->output_bias = load_vector(&loader, "output.bias", config->words);
	load_matrix(&loader, "output.hidden.weight", hidden, hidden, &decoder->output_hidden);
	decoder->output_hidden_bias = load_vector(&loader, "output.hidden.bias", hidden);
	if (attention)
		load_attention(&loader);
	else
		load_layers(&loader);
	if (loader.status != 0) {
		decoder_free(decoder);
		return loader.status;
	}
	*ret_decoder = decoder;
	return 0;
}

struct decoder *decoder_free(struct decoder *decoder)
{
	if (!decoder)
		return NULL;
	for (size_t i = 0; i < decoder->owned_count; i++)
		free(decoder->owned[i]);
	free(decoder);
	return NULL;
}

/* --- State ------------------------------------------------------------------ */

/* Hands out parts of an arena. Run once without memory to learn the size, once
 * more to place. Sizes cannot overflow: check_config bounds every factor. */
struct plan {
	char *base;
	size_t used;
};

static void *place(struct plan *plan, size_t count, size_t size)
{
	void *at = plan->base ? plan->base + plan->used : NULL;

	plan->used += (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	return at;
}

static float *place_floats(struct plan *plan, size_t count)
{
	return place(plan, count, sizeof(float));
}

static struct vectors place_vectors(struct plan *plan, size_t capacity, size_t length)
{
	return (struct vectors){
		.values = place_floats(plan, capacity * length),
		.codes = place(plan, capacity * length + VECTORS_OVERREAD, 1),
		.scales = place_floats(plan, capacity),
		.length = length,
		.capacity = capacity,
	};
}

static void place_state(struct decoder_state *state, struct plan *plan)
{
	const struct decoder *decoder = state->decoder;
	size_t hidden = decoder->hidden, capacity = state->capacity;

	state->pool = place_vectors(plan, 2, decoder->pool_size);
	state->classes = place_vectors(plan, 2, decoder->classes);
	state->image = place_vectors(plan, 2, hidden);
	state->photo_products = place_floats(plan, 2 * (decoder->state.rows > 4 * hidden ?
							decoder->state.rows : 4 * hidden));
	for (unsigned l = 0; l < decoder->layers; l++) {
		state->hidden[l] = place_vectors(plan, capacity, hidden);
		state->hidden_next[l] = place_vectors(plan, capacity, hidden);
		state->cell[l] = place_floats(plan, capacity * hidden);
		state->cell_next[l] = place_floats(plan, capacity * hidden);
	}
	state->start = place_floats(plan, decoder->state.rows);
	state->embedding = place_vectors(plan, capacity, hidden);
	state->output = place_vectors(plan, capacity, hidden);
	/* the GRU's two parts of three gates are the most that a step needs */
	state->gates = place_floats(plan, capacity * 6 * hidden);
	if (decoder->kind == DECODER_LSTM_ATTENTION) {
		state->grid = place_vectors(plan, decoder->cells, decoder->channels);
		state->regions = place_vectors(plan, decoder->cells, hidden);
		state->keys = place_floats(plan, decoder->cells * hidden);
		state->gates_photo = place_floats(plan, 4 * hidden);
		state->output_photo = place_floats(plan, hidden);
		state->context = place_vectors(plan, capacity, hidden);
		state->query = place_floats(plan, capacity * hidden);
	}
}

int decoder_state_open(const struct decoder *decoder, unsigned capacity,
		       struct decoder_state **ret_state, struct engine_error *error)
{
	struct decoder_state *state = calloc(1, sizeof(*state));
	struct plan plan = {0};

	if (!state)
		return engine_fail_memory(error);
	state->decoder = decoder;
	state->activation = activation_best();
	state->capacity = capacity;
	place_state(state, &plan);
	state->arena = aligned_alloc(ALIGNMENT, plan.used);
	if (!state->arena) {
		decoder_state_free(state);
		return engine_fail_memory(error);
	}
	memset(state->arena, 0, plan.used);
	plan = (struct plan){ .base = state->arena };
	place_state(state, &plan);
	*ret_state = state;
	return 0;
}

void decoder_state_share(struct decoder_state *state, struct threadpool *pool)
{
	state->threads = pool;
}

struct decoder_state *decoder_state_free(struct decoder_state *state)
{
	if (!state)
		return NULL;
	free(state->arena);
	free(state);
	return NULL;
}

static void set_rows(float *rows, size_t count, const float *row, size_t length)
{
	for (size_t i = 0; i < count; i++)
		memcpy(rows + i * length, row, length * sizeof(*row));
}

static void multiply(struct decoder_state *state, const struct matrix *matrix,
		     struct vectors *x, size_t count, float factor, bool add, float *y,
		     size_t y_stride)
{
	matrix_multiply_shared(matrix, x, count, factor, add, y, y_stride, state->threads);
}

static void multiply_from(struct decoder_state *state, const float *start,
			  const struct matrix *matrix, struct vectors *x, size_t count, float *y,
			  size_t y_stride)
{
	matrix_multiply_from(start, matrix, x, count, y, y_stride, state->threads);
}

/* Call after writing to the first of a photo's vectors: the second becomes what 8
 * bits do not hold of it. */
static void photo_vector_changed(struct vectors *x)
{
	float *rest = x->values + x->length;

	quantise_q8(x->values, x->length, x->codes, x->scales);
	for (size_t i = 0; i < x->length; i++)
		rest[i] = x->values[i] - x->scales[0] * (float)x->codes[i];
	vectors_changed(x);
}

/* Adds a product to `y`. Rounding what is known of the photo would show in every
 * word, so both vectors are multiplied, in one pass over the weights. */
static void multiply_photo(struct decoder_state *state, const struct matrix *matrix,
			   struct vectors *x, float *y)
{
	const float *products = state->photo_products;
	size_t rows = matrix->rows;

	if (matrix->type != MATRIX_I8) {
		multiply(state, matrix, x, 1, 1.0f, true, y, rows);
		return;
	}
	multiply(state, matrix, x, 2, 1.0f, false, state->photo_products, rows);
	for (size_t r = 0; r < rows; r++)
		y[r] += products[r] + products[rows + r];
}

static void begin_attention(struct decoder_state *state, const float *grid)
{
	const struct decoder *decoder = state->decoder;
	size_t hidden = decoder->hidden, cells = decoder->cells;

	memcpy(state->grid.values, grid, cells * decoder->channels * sizeof(*grid));
	vectors_changed(&state->grid);
	set_rows(state->regions.values, cells, decoder->region_bias, hidden);
	multiply(state, &decoder->region, &state->grid, cells, decoder->region_scale, true,
			state->regions.values, hidden);
	state->activation->relu(state->regions.values, cells * hidden);
	vectors_changed(&state->regions);
	multiply(state, &decoder->key, &state->regions, cells, 1.0f, false, state->keys, hidden);

	memcpy(state->gates_photo, decoder->layer[0].input_bias, 4 * hidden * sizeof(float));
	multiply_photo(state, &decoder->gates_image, &state->image, state->gates_photo);
	memcpy(state->output_photo, decoder->output_hidden_bias, hidden * sizeof(float));
	multiply_photo(state, &decoder->output_image, &state->image, state->output_photo);
}

void decoder_state_begin(struct decoder_state *state, const struct engine_features *features)
{
	const struct decoder *decoder = state->decoder;
	size_t hidden = decoder->hidden;

	/* With more threads OpenBLAS allocates in every call, and a word's products
	 * are too small to gain from them. */
	openblas_set_num_threads(1);
	for (size_t i = 0; i < decoder->pool_size; i++)
		state->pool.values[i] = (features->pool[i] - decoder->feature_mean[i]) / decoder->feature_std;
	photo_vector_changed(&state->pool);
	memcpy(state->image.values, decoder->image_bias, hidden * sizeof(float));
	multiply_photo(state, &decoder->image, &state->pool, state->image.values);
	if (decoder->classes > 0 && features->classes) {
		for (size_t i = 0; i < decoder->classes; i++)
			state->classes.values[i] = sqrtf(fmaxf(features->classes[i], 0.0f));
		photo_vector_changed(&state->classes);
		multiply_photo(state, &decoder->class, &state->classes, state->image.values);
	}
	state->activation->relu(state->image.values, hidden);
	photo_vector_changed(&state->image);

	memcpy(state->start, decoder->state_bias, decoder->state.rows * sizeof(float));
	multiply_photo(state, &decoder->state, &state->image, state->start);
	state->activation->tanh(state->start, decoder->state.rows);
	if (decoder->kind == DECODER_LSTM_ATTENTION)
		begin_attention(state, features->grid);
	decoder_state_restart(state);
}

void decoder_state_restart(struct decoder_state *state)
{
	const struct decoder *decoder = state->decoder;
	size_t hidden = decoder->hidden, bytes = hidden * sizeof(float);
	const float *from = state->start;

	for (unsigned l = 0; l < decoder->layers; l++) {
		memcpy(state->hidden[l].values, from, bytes);
		from += hidden;
		if (decoder->kind == DECODER_GRU)
			continue;
		memcpy(state->cell[l], from, bytes);
		from += hidden;
	}
}

/* Brings each sentence's state into its row of this step. */
static void follow_parents(struct decoder_state *state, const unsigned *parents, unsigned count)
{
	const struct decoder *decoder = state->decoder;
	size_t hidden = decoder->hidden, bytes = hidden * sizeof(float);

	for (unsigned l = 0; l < decoder->layers; l++) {
		struct vectors vectors = state->hidden[l];
		float *cell = state->cell[l];

		for (unsigned i = 0; i < count; i++) {
			memcpy(state->hidden_next[l].values + i * hidden,
			       vectors.values + parents[i] * hidden, bytes);
			memcpy(state->cell_next[l] + i * hidden, cell + parents[i] * hidden, bytes);
		}
		state->hidden[l] = state->hidden_next[l];
		state->hidden_next[l] = vectors;
		state->cell[l] = state->cell_next[l];
		state->cell_next[l] = cell;
		vectors_changed(&state->hidden[l]);
	}
}

/* Leaves the weights in ret_attention and Σ weight × region in state->context. */
static void attend(struct decoder_state *state, unsigned count, float *ret_attention)
{
	const struct decoder *decoder = state->decoder;
	size_t hidden = decoder->hidden, cells = decoder->cells;

	multiply_from(state, decoder->query_bias, &decoder->query, &state->hidden[0], count,
		      state->query, hidden);
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)count, (blasint)cells,
		    (blasint)hidden, 1.0f / sqrtf((float)hidden), state->query,
		    (blasint)hidden, state->keys, (blasint)hidden, 0.0f, ret_attention,
		    (blasint)cells);
	for (unsigned i = 0; i < count; i++)
		state->activation->softmax(ret_attention + i * cells, cells);
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)count, (blasint)hidden,
		    (blasint)cells, 1.0f, ret_attention, (blasint)cells, state->regions.values,
		    (blasint)hidden, 0.0f, state->context.values, (blasint)hidden);
	vectors_changed(&state->context);
}

static void step_lstm(struct decoder_state *state, unsigned l, struct vectors *input,
		      unsigned count)
{
	const struct decoder *decoder = state->decoder;
	const struct layer *layer = &decoder->layer[l];
	size_t hidden = decoder->hidden;
	bool attention = decoder->kind == DECODER_LSTM_ATTENTION;

	multiply_from(state, attention ? state->gates_photo : layer->input_bias, &layer->input,
		      input, count, state->gates, 4 * hidden);
	multiply(state, &layer->hidden, &state->hidden[l], count, 1.0f, true, state->gates,
			4 * hidden);
	if (attention)
		multiply(state, &decoder->gates_context, &state->context, count, 1.0f, true,
				state->gates, 4 * hidden);
	for (unsigned i = 0; i < count; i++)
		state->activation->lstm(state->gates + i * 4 * hidden, state->cell[l] + i * hidden,
				state->hidden[l].values + i * hidden, hidden);
	vectors_changed(&state->hidden[l]);
}

static void step_gru(struct decoder_state *state, unsigned l, struct vectors *input,
		     unsigned count)
{
	const struct layer *layer = &state->decoder->layer[l];
	size_t hidden = state->decoder->hidden;
	float *from_input = state->gates, *from_hidden = state->gates + count * 3 * hidden;

	multiply_from(state, layer->input_bias, &layer->input, input, count, from_input,
		      3 * hidden);
	multiply_from(state, layer->hidden_bias, &layer->hidden, &state->hidden[l], count,
		      from_hidden, 3 * hidden);
	for (unsigned i = 0; i < count; i++)
		state->activation->gru(from_input + i * 3 * hidden, from_hidden + i * 3 * hidden,
			       state->hidden[l].values + i * hidden, hidden);
	vectors_changed(&state->hidden[l]);
}

void decoder_state_step(struct decoder_state *state, const unsigned *words,
			const unsigned *parents, unsigned count, float *ret_logits,
			float *ret_attention)
{
	const struct decoder *decoder = state->decoder;
	size_t hidden = decoder->hidden;
	bool attention = decoder->kind == DECODER_LSTM_ATTENTION;
	struct vectors *top = &state->hidden[decoder->layers - 1];
	float *output = state->output.values;

	follow_parents(state, parents, count);
	for (unsigned i = 0; i < count; i++)
		matrix_row(&decoder->embedding, words[i], state->embedding.values + i * hidden);
	vectors_changed(&state->embedding);
	if (attention)
		attend(state, count, ret_attention);
	for (unsigned l = 0; l < decoder->layers; l++) {
		struct vectors *input = l == 0 ? &state->embedding : &state->hidden[l - 1];

		if (decoder->kind == DECODER_GRU)
			step_gru(state, l, input, count);
		else
			step_lstm(state, l, input, count);
	}

	set_rows(output, count, attention ? state->output_photo : decoder->output_hidden_bias,
		 hidden);
	for (size_t i = 0; i < count * hidden; i++)
		output[i] += state->embedding.values[i];
	multiply(state, &decoder->output_hidden, top, count, 1.0f, true, output, hidden);
	if (attention)
		multiply(state, &decoder->output_context, &state->context, count, 1.0f, true,
				output, hidden);
	state->activation->tanh(output, count * hidden);
	vectors_changed(&state->output);
	multiply_from(state, decoder->output_bias, &decoder->embedding, &state->output, count,
		      ret_logits, decoder->words);
	if (decoder->search.sharpness != 1.0f)
		for (size_t i = 0; i < (size_t)count * decoder->words; i++)
			ret_logits[i] *= decoder->search.sharpness;
}
