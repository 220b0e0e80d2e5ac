/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * context.c: opens the parts of a context in the order in which they lean on one
 * another, and the calls of the public header that need only the encoder.
 */
#include "engine/context.h"

#include <stdlib.h>

#include "engine/error.h"
#include "engine/limits.h"

int engine_context_open(const struct engine_model *model,
			const struct engine_context_options *options,
			struct engine_context **ret_context, struct engine_error *error)
{
	static const struct engine_context_options defaults = { 0 };
	struct engine_context *context;
	const struct program *program = model->program;
	int r;

	if (!options)
		options = &defaults;
	if (options->threads > LIMIT_THREADS)
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "%u threads were asked for; 1 to %u are possible.",
				   options->threads, LIMIT_THREADS);
	if ((unsigned)options->path > ENGINE_PATH_FLOAT)
		return engine_fail(error, ENGINE_BAD_OPTION, "The path %d is unknown.",
				   (int)options->path);
	context = calloc(1, sizeof(*context));
	if (!context)
		return engine_fail_memory(error);
	context->model = model;
	r = threadpool_open(threadpool_choose(options->threads), &context->pool, error);
	if (r == 0 && options->path != ENGINE_PATH_AUTO) {
		r = program_open(model->graph, options->path, context->pool,
				 &context->own_program, error);
		program = context->own_program;
	}
	if (r == 0)
		r = encoder_open(program, context->pool, &context->encoder, error);
	if (r == 0)
		context->second_look = !options->single_look && encoder_can_look_again(context->encoder);
	if (r == 0 && options->threads == 0)
		encoder_choose_threads(context->encoder);
	if (r == 0 && model->decoder)
		r = caption_writer_open(&(struct caption_writer_config){
			.decoder = model->decoder, .vocabulary = model->vocabulary,
			.confidence = model->confidence, .beam = model->beam,
			.class_count = model->info.class_count,
			/* the detector's maps are of the channels that are pooled */
			.grid_width = model->info.grid_channels == model->info.pool_size ?
				model->info.grid_width : 0,
			.grid_height = model->info.grid_height, .threads = context->pool,
		}, &context->writer, error);
	if (r == 0 && model->info.class_count) {
		context->class_order = calloc(model->info.class_count,
					      sizeof(*context->class_order));
		if (!context->class_order)
			r = engine_fail_memory(error);
	}
	if (r)
		goto out;
	*ret_context = context;
	context = NULL;
out:
	engine_context_free(context);
	return r;
}

struct engine_context *engine_context_free(struct engine_context *context)
{
	if (!context)
		return NULL;
	caption_writer_free(context->writer);
	encoder_free(context->encoder);
	program_free(context->own_program);
	threadpool_free(context->pool);
	free(context->class_order);
	free(context);
	return NULL;
}

int engine_encode(struct engine_context *context, const struct engine_image *image,
		  const struct engine_features **ret_features, struct engine_error *error)
{
	return encoder_run(context->encoder, image, NULL, ret_features, NULL, error);
}

int engine_classify(struct engine_context *context, const struct engine_image *image,
		    struct engine_class *ret_classes, size_t count, struct engine_error *error)
{
	const struct engine_model *model = context->model;
	const struct engine_features *features;
	unsigned *order = context->class_order, total = model->info.class_count;
	int r;

	if (!total)
		return engine_fail(error, ENGINE_UNSUPPORTED,
				   "The model %s has no classifier, so it can describe but not name.",
				   gguf_name(model->file));
	if (count > total)
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "%zu classes were asked for; the model has %u.", count, total);
	r = encoder_run(context->encoder, image, NULL, &features, NULL, error);
	if (r)
		return r;
	for (unsigned i = 0; i < total; i++)
		order[i] = i;
	for (size_t i = 0; i < count; i++) {
		size_t best = i;
		unsigned chosen;

		for (size_t j = i + 1; j < total; j++)
			if (features->classes[order[j]] > features->classes[order[best]])
				best = j;
		chosen = order[best];
		order[best] = order[i];
		order[i] = chosen;
		ret_classes[i] = (struct engine_class){
			.label = model->labels ? model->labels[chosen] : "",
			.index = chosen,
			.probability = features->classes[chosen],
		};
	}
	return 0;
}
