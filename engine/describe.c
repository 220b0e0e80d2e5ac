/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * describe.c: the public header's way from a picture to captions: the encoder's
 * features, then the context's caption writer. Where the words were chosen by so
 * little that the noise of 8 bits may have decided, the picture is looked at once
 * more in floats, so that the words are those of the network and not of its rounding.
 */
#include "engine/context.h"

#include "engine/error.h"
#include "engine/quality.h"

/* Runs the writer; `timings` are those of the steps before, or NULL. */
static int write_result(struct engine_context *context, const struct engine_features *features,
			const struct engine_caption_options *options,
			const struct engine_timings *timings,
			const struct engine_result **ret_result, struct engine_error *error)
{
	struct engine_result *result;
	int status = caption_write(context->writer, features, options, &result, error);

	if (status != 0)
		return status;
	if (timings) {
		result->timings.preprocess_ms = timings->preprocess_ms;
		result->timings.encode_ms = timings->encode_ms;
		result->timings.generate_ms += timings->generate_ms;
	}
	*ret_result = result;
	return 0;
}

static int check_decoder(const struct engine_context *context, struct engine_error *error)
{
	if (!context->writer)
		return engine_fail(error, ENGINE_UNSUPPORTED,
			"The model %s has no decoder, so it can name but not describe.",
			gguf_name(context->model->file));
	return 0;
}

int engine_describe(struct engine_context *context, const struct engine_image *image,
		    const struct engine_caption_options *options,
		    const struct engine_result **ret_result, struct engine_error *error)
{
	const struct engine_features *features;
	struct engine_timings timings = {0};
	int status = check_decoder(context, error);

	if (status == 0)
		status = encoder_run(context->encoder, image, options ? options->cancel : NULL,
				     &features, &timings, error);
	if (status != 0)
		return status;
	if (options && options->quality && options->quality_limits && context->model->info.judges_tilt) {
		quality_add_tilt(options->quality, features->pool, options->quality_limits);
		if (options->quality->verdict == ENGINE_QUALITY_REFUSE) {
			*ret_result = NULL;
			return 0;
		}
	}
	status = write_result(context, features, options, &timings, ret_result, error);
	if (status != 0 || !context->second_look || !caption_was_close(context->writer))
		return status;
	status = encoder_look_again(context->encoder, options ? options->cancel : NULL, &features,
				    &timings, error);
	/* what stands is good: no memory for a second look is no failure */
	if (status != 0)
		return status == ENGINE_CANCELLED ? status : 0;
	timings.generate_ms = (*ret_result)->timings.generate_ms;
	return write_result(context, features, options, &timings, ret_result, error);
}

int engine_generate(struct engine_context *context, const struct engine_features *features,
		    const struct engine_caption_options *options,
		    const struct engine_result **ret_result, struct engine_error *error)
{
	int status = check_decoder(context, error);

	if (status != 0)
		return status;
	if (!features->pool || (decoder_cells(context->model->decoder) > 0 && !features->grid))
		return engine_fail(error, ENGINE_BAD_OPTION,
			"The features lack what this model's decoder reads: pool, and grid where "
			"it has attention.");
	return write_result(context, features, options, NULL, ret_result, error);
}
