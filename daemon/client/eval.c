/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * eval.c: `descry eval`: how good a model's captions are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/client/commands.h"
#include "daemon/client/stop.h"
#include "daemon/client/trust.h"
#include "engine/lab/lab.h"

static const struct client_option eval_options[] = {
	{ "captions", "FILE", "Photos and what people say of them, in COCO's caption format.", 'c' },
	{ "images", "DIR", "The folder of the photos.", 'i' },
	{ "model", "FILE", "The model file; without it, the one that the configuration names.", 'm' },
	{ "results", "FILE", "Score these captions (JSON list of image_id and caption) instead of "
	  "running a model.", 0 },
	{ "cache", "DIR", "Keep the photos' features here for the next time; captions are then made "
	  "without a second look.", 0 },
	{ "floats", NULL, "Run an encoder of 8 bits in floats, to compare with.", 0 },
	{ "beam", "N", "Width of the search, 1 to 10; 1 is greedy.", 'b' },
	{ "plain", NULL, "Take the search's own first, without consensus among its candidates.", 0 },
	{ "sample", NULL, "Draw words by chance instead of searching.", 0 },
	{ "temperature", "X", "With --sample: the power that probabilities are raised to.", 0 },
	{ "seed", "N", "With --sample: the same seed gives the same captions.", 0 },
	{ "threads", "N", "Processor threads, 1 to 16.", 't' },
	{ "calibration", NULL, "Judge how far the model's confidence can be believed, on every second "
	  "photo, those that it was not fitted on. Needs --cache.", 0 },
	{ "judged-non-photos", "DIR", "With --calibration: pictures that are no photos, "
	  "KIND-NUMBER.png.", 0 },
	{ "report", "DIR", "With --calibration: write the report with its curves here.", 0 },
	{ "list", NULL, "Print every photo's caption with its score too.", 'l' },
};

static void print_progress(void *user, size_t done, size_t count)
{
	time_t *last = user, now = time(NULL);

	if (*last == 0)
		*last = now;
	if (now - *last < 20)
		return;
	*last = now;
	fprintf(stderr, "%zu of %zu photos described.\n", done, count);
}

static json_t *scores_json(const struct lab_eval_scores *s, bool calibrated)
{
	json_t *object = json_pack(
		"{s:s, s:I, s:[f, f, f, f], s:f, s:f, s:[f, f], s:f, s:I, s:f, s:f, s:I, s:f, s:f}",
		"source", s->source, "photos", (json_int_t)s->photos, "bleu", s->bleu[0], s->bleu[1],
		s->bleu[2], s->bleu[3], "rouge_l", s->rouge, "cider_d", s->cider, "distinct",
		s->distinct[0], s->distinct[1], "mean_length", s->length, "vocabulary_used",
		(json_int_t)s->vocabulary, "noun_twice", s->noun_twice, "common_openings",
		s->common_openings, "sure_photos", (json_int_t)s->sure_photos, "sure_named",
		s->sure_named, "sure_named_by_people", s->sure_named_by_people);
	json_t *bins = json_array();

	if (!calibrated) {
		json_decref(bins);
		return object;
	}
	for (size_t i = 0; i < LAB_EVAL_BINS; i++)
		if (s->bins[i].count > 0)
			json_array_append_new(bins, json_pack(
				"{s:I, s:f, s:f}", "captions", (json_int_t)s->bins[i].count, "confidence",
				s->bins[i].confidence, "right", s->bins[i].right));
	json_object_set_new(object, "reliability", bins);
	json_object_set_new(object, "expected_calibration_error", json_real(s->calibration_error));
	return object;
}

static void print_json(const struct client *client, const struct lab_eval_report *report,
		       bool calibrated)
{
	json_t *object = scores_json(&report->all, calibrated), *sources = json_array();
	json_t *captions = json_array();

	for (size_t i = 0; i < report->source_count; i++)
		json_array_append_new(sources, scores_json(&report->sources[i], calibrated));
	for (size_t i = 0; i < report->caption_count && client_has(client, "list"); i++) {
		const struct lab_eval_caption *caption = &report->captions[i];

		json_array_append_new(captions, json_pack(
			"{s:I, s:s, s:s, s:f, s:f}", "image_id", (json_int_t)caption->image_id,
			"file_name", caption->file_name, "caption", caption->caption, "confidence",
			caption->confidence, "cider_d", caption->cider));
	}
	json_object_set_new(object, "sources", sources);
	if (client_has(client, "list"))
		json_object_set(object, "captions", captions);
	json_decref(captions);
	json_object_set_new(object, "skipped", json_integer((json_int_t)report->skipped));
	json_object_set_new(object, "seconds", json_real(report->seconds));
	client_print_json(object);
}

static void print_scores(const struct lab_eval_scores *s, bool calibrated)
{
	printf("Photos of %s: %zu\n", *s->source ? s->source : "no named source", s->photos);
	printf("  CIDEr-D %.4f, BLEU-1 to 4 %.4f %.4f %.4f %.4f, ROUGE-L %.4f\n", s->cider, s->bleu[0],
	       s->bleu[1], s->bleu[2], s->bleu[3], s->rouge);
	printf("  Mean length %.2f words, %zu different words, distinct-1 %.4f, distinct-2 %.4f\n",
	       s->length, s->vocabulary, s->distinct[0], s->distinct[1]);
	printf("  A noun twice: %.1f%% of captions. Ten commonest openings: %.1f%%\n",
	       100 * s->noun_twice, 100 * s->common_openings);
	if (s->sure_photos > 0)
		printf("  Photos whose class is sure: %zu; named by the caption in %.1f%%, by people in %.1f%%\n",
		       s->sure_photos, 100 * s->sure_named, 100 * s->sure_named_by_people);
	if (!calibrated)
		return;
	printf("  Expected calibration error of the confidence: %.4f\n",
	       s->calibration_error);
	for (size_t i = 0; i < LAB_EVAL_BINS; i++)
		if (s->bins[i].count > 0)
			printf("    Confidence %.2f: %zu captions, %.2f right\n", s->bins[i].confidence,
			       s->bins[i].count, s->bins[i].right);
}

static void print_text(const struct client *client, const struct lab_eval_report *report,
		       bool calibrated)
{
	for (size_t i = 0; i < report->caption_count && client_has(client, "list"); i++)
		printf("%s: %s (%.3f)\n", report->captions[i].file_name, report->captions[i].caption,
		       report->captions[i].cider);
	print_scores(&report->all, calibrated);
	for (size_t i = 0; i < report->source_count; i++)
		print_scores(&report->sources[i], calibrated);
	if (report->skipped > 0)
		printf("Photos without a caption to score: %zu\n", report->skipped);
	printf("Time: %.1f s\n", report->seconds);
}

static int run_calibration(struct client *client, const struct lab_eval_options *eval)
{
	struct lab_calibrate_options options = {
		.model = eval->model, .captions = eval->captions, .images = eval->images,
		.cache = eval->cache, .threads = eval->threads, .seed = eval->seed,
		.judged_non_photos = client_value(client, "judged-non-photos"),
	};

	return trust_run(client, &options, NULL);
}

static int run_eval(struct client *client, int argc, char **argv)
{
	struct lab_eval_options options = {
		.captions = client_value(client, "captions"),
		.images = client_value(client, "images"),
		.model = client_value(client, "model"),
		.results = client_value(client, "results"),
		.cache = client_value(client, "cache"),
		.search = client_has(client, "sample") ? ENGINE_SEARCH_SAMPLE : ENGINE_SEARCH_BEAM,
		.plain = client_has(client, "plain"),
		.stop = stop_flag(),
		.path = client_has(client, "floats") ? ENGINE_PATH_FLOAT : ENGINE_PATH_AUTO,
	};
	struct lab_eval_report *report;
	struct config *config = NULL;
	struct engine_error error = { "" };
	struct failure failure;
	time_t last = 0;
	unsigned seed;
	int r;

	if (argc > 0)
		return client_usage(client, "eval takes no \"%s\".", argv[0]);
	if (options.captions == NULL)
		return client_usage(client, "eval needs --captions FILE.");
	if (options.images == NULL && options.results == NULL)
		return client_usage(client, "eval needs --images DIR or --results FILE.");
	if (client_number(client, "beam", 1, 10, 0, &options.beam, &failure) ||
	    client_number(client, "seed", 0, UINT32_MAX, 0, &seed, &failure) ||
	    client_number(client, "threads", 1, 16, 0, &options.threads, &failure))
		return client_fail(client, NULL, &failure);
	options.seed = seed;
	if (client_value(client, "temperature") != NULL) {
		char *end;

		options.temperature = strtof(client_value(client, "temperature"), &end);
		if (*end != '\0' || !(options.temperature > 0))
			return client_usage(client, "--temperature must be a number above 0.");
	}
	if (options.model == NULL && options.results == NULL) {
		if (client_config(client, &config, &failure))
			return client_fail(client, NULL, &failure);
		options.model = config_model_path(config);
	}
	if (client_has(client, "calibration")) {
		r = options.results != NULL || options.cache == NULL ?
			client_usage(client, "eval --calibration needs --cache DIR and a model.") :
			run_calibration(client, &options);
		config_free(config);
		return r;
	}
	if (!client->json) {
		options.progress = print_progress;
		options.user = &last;
	}
	r = lab_eval(&options, &report, &error);
	if (r != 0) {
		failure_from_engine(&failure, r, error.message);
		config_free(config);
		return client_fail(client, NULL, &failure);
	}
	if (client->json)
		print_json(client, report, options.model != NULL);
	else
		print_text(client, report, options.model != NULL);
	lab_eval_free(report);
	config_free(config);
	return 0;
}

const struct command command_eval = {
	.name = "eval", .arguments = "",
	.help = "Measures a model's captions against people's. Prints BLEU, ROUGE-L and CIDEr-D as "
		"the COCO caption evaluation defines them, and what the captions are like: length, "
		"variety, nouns said twice, how far the confidence can be believed. Each source of "
		"photos that the caption file names is scored apart too.",
	.options = eval_options,
	.option_count = sizeof(eval_options) / sizeof(*eval_options),
	.run = run_eval,
};
