/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * model.c: reads the keys of a model file in the order of MODEL.md and hands each
 * part to the module that knows it. Keys and tensors that nobody asks for are
 * left alone: newer files may carry more.
 */
#include "engine/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/threadpool.h"
#include "engine/tilt.h"
#include "engine/limits.h"

static int check_format(const struct gguf *file, struct engine_error *error)
{
	const char *architecture;
	uint32_t format;
	int r = gguf_get_string(file, "general.architecture", &architecture, error);

	if (r)
		return r;
	if (strcmp(architecture, MODEL_ARCHITECTURE) != 0)
		return engine_fail(error, ENGINE_UNSUPPORTED,
				   "The file %s holds a model of the kind %s, not one that describes pictures.",
				   gguf_name(file), architecture);
	r = gguf_get_u32(file, "descry.format", &format, error);
	if (r)
		return r;
	if (format != MODEL_FORMAT)
		return engine_fail(error, ENGINE_UNSUPPORTED,
				   "The model file %s is of format %u; this version reads format %u. "
				   "Get the model that belongs to this version.",
				   gguf_name(file), format, MODEL_FORMAT);
	return 0;
}

/* decoder.<name>, and for I8 the scales in decoder.<name>.scale */
static bool find_tensor(void *user, const char *name, struct decoder_tensor *ret_tensor)
{
	const struct gguf *file = user;
	const struct gguf_tensor *tensor, *scales;
	char full[LIMIT_MODEL_NAME + 1];
	int length = snprintf(full, sizeof(full), "decoder.%s", name);

	if (length < 0 || (size_t)length >= sizeof(full))
		return false;
	tensor = gguf_find_tensor(file, full);
	if (!tensor || tensor->rank > 2)
		return false;
	*ret_tensor = (struct decoder_tensor){
		.rows = tensor->rank == 2 ? tensor->shape[0] : 1,
		.columns = tensor->shape[tensor->rank - 1],
		.data = tensor->data,
	};
	switch (tensor->type) {
	case GGUF_TENSOR_F32:
		ret_tensor->type = MATRIX_F32;
		return true;
	case GGUF_TENSOR_F16:
		ret_tensor->type = MATRIX_F16;
		return true;
	case GGUF_TENSOR_I32:
		return false;
	case GGUF_TENSOR_I8:
		break;
	}
	length += snprintf(full + length, sizeof(full) - (size_t)length, ".scale");
	if ((size_t)length >= sizeof(full))
		return false;
	scales = gguf_find_tensor(file, full);
	if (!scales || scales->type != GGUF_TENSOR_F32 || scales->rank != 1 ||
	    scales->count != ret_tensor->rows)
		return false;
	ret_tensor->type = MATRIX_I8;
	ret_tensor->scales = scales->data;
	return true;
}

/* All of it is optional; what is wrong with the numbers decoder_open says. */
static int read_search(const struct gguf *file, size_t words, struct decoder_search *ret_search,
		       struct engine_error *error)
{
	const struct gguf_tensor *groups = gguf_find_tensor(file, "decoder.word.group");
	const struct {
		const char *key;
		float *value;
	} numbers[] = {
		{ "descry.decoder.sharpness", &ret_search->sharpness },
		{ "descry.decoder.length_power", &ret_search->length_power },
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers) && r == 0; i++)
		if (gguf_find(file, numbers[i].key))
			r = gguf_get_f32(file, numbers[i].key, numbers[i].value, error);
	if (r == 0 && groups) {
		if (groups->type != GGUF_TENSOR_I32 || groups->rank != 1 || groups->count != words)
			return engine_fail(error, ENGINE_BAD_MODEL,
				"The tensor decoder.word.group in the model file %s is not one whole "
				"number for each of %zu words.", gguf_name(file), words);
		ret_search->groups = groups->data;
	}
	return r;
}

static int open_decoder(struct engine_model *model, struct engine_error *error)
{
	const struct gguf *file = model->file;
	struct engine_model_info *info = &model->info;
	const char *const *words;
	const char *kind;
	size_t word_count;
	struct decoder_config config = {
		.pool_size = info->pool_size,
		.grid_cells = info->grid_width * info->grid_height,
		.grid_channels = info->grid_channels,
		.classes = info->class_count,
		.find = find_tensor,
		.user = model->file,
	};
	uint32_t hidden, layers, beam;
	int r;

	if (!gguf_find(file, "descry.decoder.kind"))
		return 0;
	r = gguf_get_string(file, "descry.decoder.kind", &kind, error);
	if (r == 0)
		r = gguf_get_u32(file, "descry.decoder.hidden", &hidden, error);
	if (r == 0)
		r = gguf_get_u32(file, "descry.decoder.layers", &layers, error);
	if (r == 0)
		r = gguf_get_u32(file, "descry.decoder.beam", &beam, error);
	if (r == 0)
		r = gguf_get_strings(file, "tokenizer.ggml.tokens", &words, &word_count, error);
	if (r == 0)
		r = read_search(file, word_count, &config.search, error);
	if (r == 0)
		r = decoder_kind_parse(kind, &config.kind, error);
	if (r == 0)
		r = vocabulary_open(words, word_count, &model->vocabulary, error);
	if (r)
		return r;
	if (beam < 1 || beam > LIMIT_BEAM)
		return engine_fail(error, ENGINE_BAD_MODEL,
				   "The model file %s has descry.decoder.beam %u; 1 to %u can be used.",
				   gguf_name(file), beam, LIMIT_BEAM);
	config.hidden = hidden;
	config.layers = layers;
	config.words = vocabulary_size(model->vocabulary);
	r = decoder_open(&config, &model->decoder, error);
	if (r)
		return r;
	model->beam = beam;
	r = confidence_read(file, model->vocabulary, info->pool_size, &model->confidence, error);
	if (r)
		return r;
	info->decoder_kind = kind;
	info->vocabulary_size = config.words;
	info->hidden_size = hidden;
	info->layer_count = layers;
	return 0;
}

static int read_labels(struct engine_model *model, struct engine_error *error)
{
	size_t count;
	int r;

	if (!model->info.class_count || !gguf_find(model->file, "descry.encoder.classes"))
		return 0;
	r = gguf_get_strings(model->file, "descry.encoder.classes", &model->labels, &count, error);
	if (r == 0 && count != model->info.class_count)
		r = engine_fail(error, ENGINE_BAD_MODEL,
				"The model file %s names %zu classes, but its head has %u.",
				gguf_name(model->file), count, model->info.class_count);
	return r;
}

static void read_info(struct engine_model *model)
{
	const struct gguf *file = model->file;
	const struct graph *graph = model->graph;
	const struct graph_shape *input = &graph->nodes[0].shape;
	struct engine_model_info *info = &model->info;

	info->name = gguf_string_or(file, "general.name", "");
	info->version = gguf_string_or(file, "general.version", "");
	info->licence = gguf_string_or(file, "general.license", "");
	info->provenance = gguf_string_or(file, "descry.provenance", "");
	info->training_data = gguf_string_or(file, "descry.training_data", "");
	info->language = gguf_string_or(file, "descry.language", "");
	info->encoder_kind = gguf_string_or(file, "descry.encoder.kind", "");
	info->decoder_kind = "";
	info->input_width = input->width;
	info->input_height = input->height;
	info->pool_size = graph->nodes[graph->pool].shape.channels;
	info->judges_tilt = tilt_fits(file, info->pool_size);
	if (graph->grid >= 0) {
		const struct graph_shape *grid = &graph->nodes[graph->grid].shape;

		info->grid_width = grid->width;
		info->grid_height = grid->height;
		info->grid_channels = grid->channels;
	}
	if (graph->classes >= 0)
		info->class_count = graph->nodes[graph->classes].shape.channels;
	info->file_size = gguf_size(file);
	info->operation_count = graph->operations;
}

struct opening {
	struct engine_model *model;
	struct engine_error errors[LIMIT_THREADS];
	int results[LIMIT_THREADS];
};

static void open_share(void *argument, unsigned index, unsigned count)
{
	struct opening *opening = argument;
	struct engine_model *model = opening->model;
	int r = 0;

	(void)count;
	if (index == 0)
		r = open_decoder(model, &opening->errors[index]);
	if (r == 0)
		r = program_prepare(model->program, &opening->errors[index]);
	opening->results[index] = r;
}

/* The decoder is opened by one thread while others pack the encoder's weights: as many
 * as a context would use, without them where they cannot be had. */
static int open_parts(struct engine_model *model, struct engine_error *error)
{
	struct opening opening = { .model = model };
	struct threadpool *pool = NULL;
	int r = program_plan(model->graph, ENGINE_PATH_AUTO, &model->program, error);

	if (r)
		return r;
	threadpool_open(threadpool_choose(0), &pool, NULL);
	threadpool_run(pool, open_share, &opening);
	threadpool_free(pool);
	for (unsigned i = 0; i < LIMIT_THREADS && r == 0; i++) {
		r = opening.results[i];
		if (r && error)
			*error = opening.errors[i];
	}
	return r;
}

int model_build(struct gguf *file, struct engine_model **ret_model, struct engine_error *error)
{
	struct engine_model *model = calloc(1, sizeof(*model));
	int r;

	if (!model) {
		gguf_free(file);
		return engine_fail_memory(error);
	}
	model->file = file;
	r = check_format(file, error);
	if (r == 0)
		r = graph_open(file, &model->graph, error);
	if (r)
		goto out;
	read_info(model);
	r = read_labels(model, error);
	if (r == 0)
		r = open_parts(model, error);
	if (r)
		goto out;
	*ret_model = model;
	model = NULL;
out:
	engine_model_free(model);
	return r;
}

int engine_model_open(const char *path, struct engine_model **ret_model,
		      struct engine_error *error)
{
	struct gguf *file;
	int r = gguf_open(path, &file, error);

	return r ? r : model_build(file, ret_model, error);
}

struct engine_model *engine_model_free(struct engine_model *model)
{
	if (!model)
		return NULL;
	program_free(model->program);
	confidence_free(model->confidence);
	decoder_free(model->decoder);
	vocabulary_free(model->vocabulary);
	graph_free(model->graph);
	gguf_free(model->file);
	free(model);
	return NULL;
}

const struct engine_model_info *engine_model_info(const struct engine_model *model)
{
	return &model->info;
}
