/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * details.c: see details.h. Text from a model file or a picture is checked to be
 * UTF-8 by jansson; what is not becomes an empty string rather than a failure.
 */
#include "daemon/details.h"

#include <math.h>

#include "daemon/quality.h"
#include "daemon/trust.h"

double details_confidence(const struct engine_caption *caption)
{
	if (caption->confidence >= 0.0f)
		return (double)caption->confidence;
	return exp((double)caption->log_probability / ((double)caption->word_count + 1.0));
}

static json_t *text(const char *string)
{
	json_t *value = json_string(string ? string : "");

	return value ? value : json_string("");
}

/* Three decimals are what a probability or a millisecond is known to. */
static json_t *rounded(double value)
{
	return json_real(isfinite(value) ? round(value * 1000.0) / 1000.0 : 0.0);
}

static json_t *words_of(const struct engine_caption *caption)
{
	json_t *words = json_array();

	for (size_t i = 0; i < caption->word_count; i++) {
		const struct engine_word *word = &caption->words[i];

		json_t *object = json_pack("{s:o, s:o}", "text", text(word->text), "probability",
					   rounded(exp((double)word->log_probability)));

		if (word->kind >= ENGINE_WORD_COLOUR)
			json_object_set_new(object, "stem", text(word->stem));
		if (word->confidence >= 0.0f)
			json_object_set_new(object, "confidence",
					    rounded((double)word->confidence));
		json_array_append_new(words, object);
	}
	return words;
}

static void set_list(json_t *object, const char *key, json_t *list)
{
	if (json_array_size(list) > 0)
		json_object_set_new(object, key, list);
	else
		json_decref(list);
}

static void add_captions(json_t *details, const struct engine_result *result)
{
	json_t *list = json_array();

	json_object_set_new(details, "confidence",
			    rounded(details_confidence(&result->captions[0])));
	trust_add_details(details, result);
	set_list(details, "words", words_of(&result->captions[0]));
	for (size_t i = 1; i < result->caption_count; i++) {
		const struct engine_caption *caption = &result->captions[i];
		json_t *other = json_pack("{s:o, s:o}", "caption", text(caption->sentence),
					  "confidence", rounded(details_confidence(caption)));

		set_list(other, "words", words_of(caption));
		json_array_append_new(list, other);
	}
	set_list(details, "alternatives", list);
}

static json_t *timings_of(const struct details_input *input)
{
	json_t *timings = json_pack("{s:o, s:o, s:o}", "decode", rounded(input->decode_ms),
				    "quality", rounded(input->quality_ms), "total",
				    rounded(input->total_ms));
	const struct engine_result *result = input->result;

	if (result) {
		json_object_set_new(timings, "preprocess", rounded(result->timings.preprocess_ms));
		json_object_set_new(timings, "encode", rounded(result->timings.encode_ms));
		json_object_set_new(timings, "generate", rounded(result->timings.generate_ms));
	}
	return timings;
}

json_t *details_build(const struct details_input *input)
{
	const char *warning = engine_image_warning(input->image);
	json_t *details = json_object(), *warnings = json_array();
	char model[256];

	if (input->result && input->result->caption_count > 0)
		add_captions(details, input->result);
	json_object_set_new(details, "timings", timings_of(input));
	if (warning)
		json_array_append_new(warnings, text(warning));
	if (input->quality->verdict == ENGINE_QUALITY_DOUBT)
		json_array_append_new(warnings, text(quality_sentence(input->quality)));
	set_list(details, "warnings", warnings);
	json_object_set_new(details, "quality", quality_details(input->quality));
	json_object_set_new(details, "width", json_integer(engine_image_width(input->image)));
	json_object_set_new(details, "height", json_integer(engine_image_height(input->image)));
	snprintf(model, sizeof(model), "%s %s", input->model->name, input->model->version);
	json_object_set_new(details, "model", text(model));
	return details;
}

json_t *details_model(const struct engine_model_info *info)
{
	json_t *model = json_object();

	json_object_set_new(model, "name", text(info->name));
	json_object_set_new(model, "version", text(info->version));
	json_object_set_new(model, "licence", text(info->licence));
	json_object_set_new(model, "provenance", text(info->provenance));
	json_object_set_new(model, "training_data", text(info->training_data));
	json_object_set_new(model, "language", text(info->language));
	json_object_set_new(model, "encoder", text(info->encoder_kind));
	json_object_set_new(model, "decoder", text(info->decoder_kind));
	json_object_set_new(model, "input_width", json_integer(info->input_width));
	json_object_set_new(model, "input_height", json_integer(info->input_height));
	json_object_set_new(model, "pool_size", json_integer(info->pool_size));
	json_object_set_new(model, "grid_width", json_integer(info->grid_width));
	json_object_set_new(model, "grid_height", json_integer(info->grid_height));
	json_object_set_new(model, "grid_channels", json_integer(info->grid_channels));
	json_object_set_new(model, "classes", json_integer(info->class_count));
	json_object_set_new(model, "vocabulary", json_integer(info->vocabulary_size));
	json_object_set_new(model, "hidden", json_integer(info->hidden_size));
	json_object_set_new(model, "layers", json_integer(info->layer_count));
	json_object_set_new(model, "bytes", json_integer((json_int_t)info->file_size));
	json_object_set_new(model, "operations", json_integer((json_int_t)info->operation_count));
	return model;
}
