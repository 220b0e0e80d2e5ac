/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * trust.c: `descry model calibrate`, which gives a model its confidence, and the
 * report that it shares with `descry eval --calibration`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/client/commands.h"
#include "daemon/client/trust.h"
#include "engine/lab/lab.h"

static const struct client_option calibrate_options[] = {
	{ "train", "FILE", "Captions of the photos to learn words from, in COCO's format.", 0 },
	{ "train-images", "DIR", "The folder of these photos; the same as --images if not given.", 0 },
	{ "captions", "FILE", "Captions of photos that no part of the model was trained on.", 'c' },
	{ "images", "DIR", "The folder of the photos.", 'i' },
	{ "non-photos", "DIR", "A folder of folders of pictures that are no photos, a kind each, to be "
	  "told from photos.", 0 },
	{ "judged-non-photos", "DIR", "Other such pictures, KIND-NUMBER.png, to judge that by.", 0 },
	{ "cache", "DIR", "Keep the photos' features here.", 0 },
	{ "output", "FILE", "Write the model with its confidence here.", 'o' },
	{ "report", "DIR", "Write the report with its curves here.", 0 },
	{ "seed", "N", "Of all that is drawn by chance.", 0 },
	{ "threads", "N", "Processor threads, 1 to 16.", 't' },
};

static void print_progress(void *user, const char *step, size_t done, size_t count)
{
	time_t *last = user, now = time(NULL);

	if (now - *last < 20 && done < count)
		return;
	if (done == count && now == *last)
		return;
	*last = now;
	fprintf(stderr, "%s: %zu of %zu.\n", step, done, count);
}

static json_t *calibration_json(const struct lab_calibration *c)
{
	json_t *object = json_pack("{s:I, s:f, s:f, s:f, s:f, s:f}", "captions",
		(json_int_t)c->captions, "right", c->right, "error_half", c->error_half,
		"expected_calibration_error", c->ece, "by_chance", c->chance, "risk_area",
		c->risk_area);
	json_t *bins = json_array(), *risk = json_array();

	for (size_t i = 1; i <= 20; i++)
		json_array_append_new(risk, json_real(c->risk[i]));
	json_object_set_new(object, "risk", risk);

	for (size_t b = 0; b < LAB_EVAL_BINS; b++) {
		if (c->bins[b].count > 0)
			json_array_append_new(bins, json_pack("{s:I, s:f, s:f}", "captions",
				(json_int_t)c->bins[b].count, "confidence", c->bins[b].confidence,
				"right", c->bins[b].right));
	}
	json_object_set_new(object, "reliability", bins);
	return object;
}

static void print_json(const struct lab_calibration_report *report)
{
	static const char *const bands[] = { "sure", "unsure", "refused" };
	json_t *sources = json_array(), *kinds = json_array(), *worst = json_array();

	for (size_t i = 0; i < report->source_count; i++) {
		const struct lab_calibration_source *s = &report->sources[i];

		json_array_append_new(sources, json_pack(
			"{s:s, s:o, s:o, s:o, s:o, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:[f, f], "
			"s:[f, f], s:[I, I, I], s:[f, f, f], s:f}",
			"source", s->source, "before", calibration_json(&s->before), "search",
			calibration_json(&s->search), "consensus", calibration_json(&s->consensus),
			"spoken", calibration_json(&s->spoken), "parts", s->parts, "part_words",
			s->part_words, "general_parts", s->general_parts, "statements",
			(json_int_t)s->statements, "statements_right",
			(json_int_t)s->statements_right, "named", (json_int_t)s->named, "things",
			(json_int_t)s->things, "things_right", (json_int_t)s->things_right,
			"word_precision", s->plain_precision, s->precision, "cider_d",
			s->plain_cider, s->cider, "bands", (json_int_t)s->bands[0],
			(json_int_t)s->bands[1], (json_int_t)s->bands[2], "band_right",
			s->band_right[0], s->band_right[1], s->band_right[2], "accepted",
			s->accepted));
		if (s->isotonic.captions > 0)
			json_object_set_new(json_array_get(sources, i), "isotonic",
					    calibration_json(&s->isotonic));
	}
	for (size_t i = 0; i < report->kind_count; i++) {
		const struct lab_calibration_kind *kind = &report->kinds[i];

		json_array_append_new(kinds, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "kind",
			kind->kind, "pictures", (json_int_t)kind->pictures, "by_pixels",
			(json_int_t)kind->by_pixels, "by_features", (json_int_t)kind->by_features,
			"doubted", (json_int_t)kind->doubted, "refused",
			(json_int_t)kind->refused, "named", (json_int_t)kind->named));
	}
	for (size_t i = 0; i < report->worst_count; i++) {
		const struct lab_calibration_caption *w = &report->worst[i];

		json_array_append_new(worst, json_pack("{s:s, s:s, s:f, s:s, s:s}", "file_name",
			w->file_name, "caption", w->sentence, "confidence", w->confidence, "band",
			bands[w->band], "sure_part", w->part));
	}
	client_print_json(json_pack("{s:o, s:o, s:o, s:f, s:f, s:f, s:f, s:f, s:I}", "sources", sources,
		"non_photos", kinds, "surest_wrong", worst, "sure", report->sure, "refused",
		report->refused, "thing", report->thing, "plain_ms", report->plain_ms, "trust_ms", report->trust_ms,
		"detector_words", (json_int_t)report->stems));
}

static void print_calibration(const char *what, const struct lab_calibration *c)
{
	printf("  %s: right %.3f, expected calibration error %.3f (by chance %.3f), error of the surer "
	       "half %.3f, area under risk and coverage %.3f\n", what, c->right, c->ece, c->chance,
	       c->error_half, c->risk_area);
	for (size_t b = 0; b < LAB_EVAL_BINS; b++) {
		if (c->bins[b].count > 0)
			printf("    said %.2f: %zu captions, right %.2f\n", c->bins[b].confidence,
			       c->bins[b].count, c->bins[b].right);
	}
}

static void print_text(const struct lab_calibration_report *report)
{
	for (size_t i = 0; i < report->source_count; i++) {
		const struct lab_calibration_source *s = &report->sources[i];

		printf("Photos of %s that were judged: %zu\n",
		       *s->source ? s->source : "no named source", s->consensus.captions);
		print_calibration("Before", &s->before);
		print_calibration("After, the search's captions", &s->search);
		print_calibration("After, chosen by consensus", &s->consensus);
		print_calibration("What is spoken", &s->spoken);
		if (s->isotonic.captions > 0)
			printf("  With isotonic regression on top: expected calibration error %.3f\n",
			       s->isotonic.ece);
		printf("  A sure part is spoken of %.3f, %.1f words on average, %.3f of all with a noun "
		       "said more generally\n", s->parts, s->part_words, s->general_parts);
		printf("  Said without a doubt: %zu, %zu of them right; single words for %zu photos: %zu, "
		       "%zu of them right\n", s->statements, s->statements_right, s->named, s->things,
		       s->things_right);
		printf("  Content words right: %.3f by the search, %.3f by consensus; CIDEr-D %.4f and "
		       "%.4f\n", s->plain_precision, s->precision, s->plain_cider, s->cider);
		printf("  Sure %zu (right %.2f), unsure %zu (%.2f), refused %zu (%.2f); not taken "
		       "for non-photos %.3f\n", s->bands[0], s->band_right[0], s->bands[1],
		       s->band_right[1], s->bands[2], s->band_right[2], s->accepted);
	}
	for (size_t i = 0; i < report->kind_count; i++) {
		const struct lab_calibration_kind *kind = &report->kinds[i];

		printf("Not a photo, %s: of %zu, %zu told by pixels, %zu by features, %zu by either, %zu "
		       "refused, %zu named\n", kind->kind, kind->pictures, kind->by_pixels,
		       kind->by_features, kind->doubted, kind->refused, kind->named);
	}
	printf("Sure from %.2f, refused below %.2f, single words from %.2f.\n", report->sure,
	       report->refused, report->thing);
	printf("The surest wrong captions:\n");
	for (size_t i = 0; i < report->worst_count; i++)
		printf("  %s: %s (%.2f)\n", report->worst[i].file_name, report->worst[i].sentence,
		       report->worst[i].confidence);
	printf("The detector knows %zu words. A caption takes %.1f ms from features, %.1f ms with "
	       "confidence and consensus.\n", report->stems, report->plain_ms, report->trust_ms);
}

int trust_run(struct client *client, struct lab_calibrate_options *options, const char *output)
{
	const char *folder = client_value(client, "report");
	struct lab_calibration_report *report;
	struct engine_error error = { "" };
	struct failure failure;
	time_t last = time(NULL);
	int r;

	if (!client->json) {
		options->progress = print_progress;
		options->user = &last;
	}
	r = lab_calibrate(options, output, &report, &error);
	options->user = NULL;
	if (r == 0 && folder)
		r = lab_calibration_write(report, folder, &error);
	if (r != 0) {
		failure_from_engine(&failure, r, error.message);
		return client_fail(client, NULL, &failure);
	}
	if (client->json)
		print_json(report);
	else
		print_text(report);
	lab_calibration_free(report);
	return 0;
}

static int run_calibrate(struct client *client, int argc, char **argv)
{
	struct lab_calibrate_options options = {
		.train = client_value(client, "train"),
		.train_images = client_value(client, "train-images"),
		.captions = client_value(client, "captions"),
		.images = client_value(client, "images"),
		.cache = client_value(client, "cache"),
		.non_photos = client_value(client, "non-photos"),
		.judged_non_photos = client_value(client, "judged-non-photos"),
	};
	struct failure failure;
	unsigned seed;

	if (argc != 1)
		return client_usage(client, "model calibrate takes one model file.");
	if (!options.train || !options.captions || !options.images || !options.cache)
		return client_usage(client, "model calibrate needs --train, --captions, --images and "
				    "--cache.");
	if (client_number(client, "seed", 0, UINT32_MAX, 0, &seed, &failure) ||
	    client_number(client, "threads", 1, 16, 0, &options.threads, &failure))
		return client_fail(client, NULL, &failure);
	options.model = argv[0];
	options.seed = seed;
	if (!options.train_images)
		options.train_images = options.images;
	return trust_run(client, &options, client_value(client, "output"));
}

const struct command command_model_calibrate = {
	.name = "model calibrate", .arguments = "FILE",
	.help = "Teaches a model how sure it may be. Learns which words people use for photos, fits "
		"the confidence of words and captions on every second photo of --captions and "
		"reports how it holds on the others. With --output the model is written with its "
		"confidence.",
	.options = calibrate_options,
	.option_count = sizeof(calibrate_options) / sizeof(*calibrate_options),
	.run = run_calibrate,
};
