/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * calibrate.c: the steps of a calibration in order, and the model file that
 * carries the result.
 */
#include "engine/lab/calibration.h"

#include <math.h>
#include <stdlib.h>

#include "engine/error.h"
#include "engine/gguf_writer.h"
#include "engine/lab/isotonic.h"

static int extract(struct calibration *calibration, struct caption_set *set, const char *folder,
		   uint32_t **ret_records, struct engine_error *error)
{
	const char **names = calloc(set->photo_count + 1, sizeof(*names));
	uint32_t *records = calloc(set->photo_count + 1, sizeof(*records));
	int r;

	if (!names || !records) {
		free(names);
		free(records);
		return engine_fail_memory(error);
	}
	for (size_t i = 0; i < set->photo_count; i++)
		names[i] = set->photos[i].file_name;
	r = calibration_extract(calibration, folder, names, set->photo_count, records, error);
	free(names);
	*ret_records = records;
	return r;
}

static int write_model(const struct calibration *calibration, const char *output,
		       struct engine_error *error)
{
	const struct confidence_parameters *p = &calibration->parameters;
	struct gguf_writer *writer;
	size_t stems = p->stem_count, axes = p->axis_count, pool = p->pool_size;
	int r = gguf_writer_open(&writer, error);

	if (r)
		return r;
	gguf_writer_copy(writer, calibration->model->file, "");
	gguf_writer_set_strings(writer, "descry.confidence.stems", p->stems, stems);
	gguf_writer_set_f32(writer, "descry.confidence.distance_limit", p->distance_limit);
	gguf_writer_set_f32(writer, "descry.confidence.sure", p->sure);
	gguf_writer_set_f32(writer, "descry.confidence.refused", p->refused);
	gguf_writer_set_f32(writer, "descry.confidence.consensus_weight", p->consensus_weight);
	gguf_writer_set_f32(writer, "descry.confidence.consensus_bound", p->consensus_bound);
	gguf_writer_set_f32(writer, "descry.confidence.consensus_likeness", p->consensus_likeness);
	gguf_writer_set_f32(writer, "descry.confidence.thing", p->thing);
	gguf_writer_add_tensor(writer, "confidence.mean", GGUF_TENSOR_F32, 1, &pool, p->mean);
	gguf_writer_add_tensor(writer, "confidence.deviation", GGUF_TENSOR_F32, 1, &pool,
			       p->deviation);
	gguf_writer_add_tensor(writer, "confidence.weight", GGUF_TENSOR_I8, 2,
			       (size_t[]){ stems, pool }, p->weight.data);
	gguf_writer_add_tensor(writer, "confidence.scale", GGUF_TENSOR_F32, 1, &stems,
			       p->weight.scales);
	gguf_writer_add_tensor(writer, "confidence.bias", GGUF_TENSOR_F32, 1, &stems, p->bias);
	gguf_writer_add_tensor(writer, "confidence.axes", GGUF_TENSOR_F32, 2,
			       (size_t[]){ axes, pool }, p->axes);
	gguf_writer_add_tensor(writer, "confidence.variance", GGUF_TENSOR_F32, 1,
			       (size_t[]){ axes + 1 }, p->variances);
	gguf_writer_add_tensor(writer, "confidence.rarity", GGUF_TENSOR_F32, 1,
			       (size_t[]){ vocabulary_size(calibration->model->vocabulary) },
			       p->rarity);
	gguf_writer_add_tensor(writer, "confidence.usual", GGUF_TENSOR_F32, 1,
			       (size_t[]){ CONFIDENCE_USUAL }, p->usual);
	gguf_writer_add_tensor(writer, "confidence.word", GGUF_TENSOR_F32, 1,
			       (size_t[]){ CONFIDENCE_WORD_SIGNALS + 1 }, p->word);
	gguf_writer_add_tensor(writer, "confidence.caption", GGUF_TENSOR_F32, 1,
			       (size_t[]){ CONFIDENCE_SIGNALS + 1 }, p->caption);
	if (p->probe_count > 0) {
		gguf_writer_set_f32(writer, "descry.confidence.strange", p->strange);
		gguf_writer_add_tensor(writer, "confidence.probes", GGUF_TENSOR_F32, 2,
				       (size_t[]){ p->probe_count, pool + 1 }, p->probes);
	}
	r = gguf_writer_write(writer, output, error);
	gguf_writer_free(writer);
	return r;
}

static void report_pass(void *user, unsigned pass, unsigned passes, double loss)
{
	(void)loss;
	calibration_progress(user, "detector", pass, passes);
}

static int prepare(struct calibration *calibration, struct engine_error *error)
{
	const struct lab_calibrate_options *options = calibration->options;
	const struct engine_model_info *info;
	int r = engine_model_open(options->model, &calibration->model, error);

	if (r)
		return r;
	info = &calibration->model->info;
	if (!calibration->model->decoder)
		return engine_fail(error, ENGINE_UNSUPPORTED,
			"The model %s has no decoder, so there are no captions to be sure of.",
			options->model);
	calibration->pool = calloc(info->pool_size, sizeof(float));
	calibration->grid = calloc((size_t)info->grid_width * info->grid_height *
				   info->grid_channels + 1, sizeof(float));
	calibration->classes = calloc(info->class_count + 1, sizeof(float));
	calibration->report = calloc(1, sizeof(*calibration->report));
	if (!calibration->pool || !calibration->grid || !calibration->classes ||
	    !calibration->report)
		return engine_fail_memory(error);
	r = generation_open(calibration->model->decoder, &calibration->generation, error);
	if (r == 0)
		r = captions_read(options->captions, &calibration->photos, error);
	if (r == 0)
		r = features_open(calibration->model, options->cache, &calibration->features, error);
	if (r == 0)
		r = extract(calibration, calibration->photos, options->images,
			    &calibration->records, error);
	if (r)
		return r;
	calibration->kept = calloc(calibration->photos->photo_count + 1,
				   sizeof(*calibration->kept));
	return calibration->kept ? 0 : engine_fail_memory(error);
}

/* What a fit needs beside. */
static int prepare_fit(struct calibration *calibration, struct engine_error *error)
{
	/* Rows for the content words of all candidates of half the photos, or for their
	 * captions and parts. */
	size_t rows = (calibration->photos->photo_count + 2) / 2 *
		((LIMIT_BEAM + CONFIDENCE_CROWD) * LIMIT_WORDS + PARTS_MAX + 2);
	int r = captions_read(calibration->options->train, &calibration->train, error);

	if (r == 0)
		r = extract(calibration, calibration->train, calibration->options->train_images,
			    &calibration->train_records, error);
	if (r)
		return r;
	calibration->rows = calloc(rows * CONFIDENCE_SIGNALS, sizeof(float));
	calibration->weights = calloc(rows, sizeof(float));
	calibration->labels = calloc(rows, sizeof(bool));
	return calibration->rows && calibration->weights && calibration->labels ? 0 :
		engine_fail_memory(error);
}

/* Detector, searches, fits and bounds. */
static int fit(struct calibration *calibration, struct engine_error *error)
{
	int r = prepare_fit(calibration, error);

	if (r == 0)
		r = detector_train(calibration->train, calibration->features,
				   calibration->train_records, calibration->model->info.pool_size,
				   calibration->model->vocabulary, &(struct detector_options){
				   calibration->options->seed, report_pass, calibration },
				   &calibration->detector, error);
	if (r == 0) {
		calibration->parameters = detector_parameters(calibration->detector);
		calibration->parameters.usual = calibration->usual;
		r = calibration_open_view(calibration, error);
	}
	if (r == 0)
		r = calibration_search(calibration, false, error);
	if (r == 0)
		r = calibration_fit_words(calibration, error);
	if (r == 0)
		r = calibration_fit_consensus(calibration, error);
	if (r == 0)
		r = calibration_fit_usual(calibration, error);
	if (r == 0)
		r = calibration_fit_captions(calibration, error);
	if (r == 0)
		r = calibration_fit_isotonic(calibration, error);
	if (r == 0)
		r = calibration_fit_probes(calibration, error);
	if (r == 0)
		r = calibration_choose_bounds(calibration, error);
	return r;
}

/* The model's own confidence, and searches of what is to be judged. */
static int take(struct calibration *calibration, struct engine_error *error)
{
	const struct engine_model *model = calibration->model;
	int r;

	if (!model->confidence)
		return engine_fail(error, ENGINE_UNSUPPORTED,
			"The model %s has no confidence; \"descry model calibrate\" gives it one.",
			calibration->options->model);
	calibration->parameters = *confidence_parameters(model->confidence);
	r = calibration_open_view(calibration, error);
	if (r == 0)
		r = calibration_search(calibration, true, error);
	return r;
}

static void calibration_clear(struct calibration *calibration)
{
	for (size_t j = 0; j < calibration->kept_count; j++) {
		free(calibration->kept[j].hypotheses);
		free(calibration->kept[j].attention);
		free(calibration->kept[j].supported);
	}
	free(calibration->kept);
	free(calibration->rows);
	free(calibration->weights);
	free(calibration->labels);
	free(calibration->probes);
	isotonic_free(calibration->isotonic);
	free(calibration->pool);
	free(calibration->grid);
	free(calibration->classes);
	free(calibration->train_records);
	free(calibration->records);
	generation_free(calibration->generation);
	confidence_view_free(calibration->view);
	confidence_free(calibration->confidence);
	detector_free(calibration->detector);
	features_free(calibration->features);
	captions_free(calibration->train);
	engine_model_free(calibration->model);
}

int lab_calibrate(const struct lab_calibrate_options *options, const char *output,
		  struct lab_calibration_report **ret_report, struct engine_error *error)
{
	struct calibration calibration = { .options = options };
	struct lab_calibration_report *report;
	int r = prepare(&calibration, error);

	if (r == 0)
		r = options->train ? fit(&calibration, error) : take(&calibration, error);
	if (r == 0)
		r = calibration_judge(&calibration, error);
	if (r == 0)
		r = calibration_judge_probes(&calibration, error);
	if (r == 0 && output)
		r = write_model(&calibration, output, error);
	report = calibration.report;
	if (r == 0) {
		report->stems = calibration.parameters.stem_count;
		report->sure = (double)calibration.parameters.sure;
		report->refused = (double)calibration.parameters.refused;
		report->thing = (double)calibration.parameters.thing;
		report->consensus[0] = (double)calibration.parameters.consensus_weight;
		report->consensus[1] = (double)calibration.parameters.consensus_bound;
		report->consensus[2] = (double)calibration.parameters.consensus_likeness;
		report->plain_ms = calibration.plain_ms / fmax((double)calibration.timed, 1.0);
		report->trust_ms = calibration.crowd_ms / fmax((double)calibration.kept_count, 1.0) +
			calibration.trust_ms / fmax((double)calibration.judged, 1.0);
		/* the report's file names live in it */
		report->memory = calibration.photos;
		*ret_report = report;
	} else {
		captions_free(calibration.photos);
		free(report);
	}
	calibration_clear(&calibration);
	return r;
}

struct lab_calibration_report *lab_calibration_free(struct lab_calibration_report *report)
{
	if (!report)
		return NULL;
	captions_free(report->memory);
	free(report);
	return NULL;
}
