/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * train.c: `descry train` and `descry train convert`. Options that are plain
 * numbers stand in one table with where they go.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/client/commands.h"
#include "daemon/client/stop.h"
#include "engine/lab/lab.h"

#define TEXTS_MAX 16u

static const struct client_option train_options[] = {
	{ "captions", "FILE", "Photos and what people say of them, in COCO's caption format.", 'c' },
	{ "images", "DIR", "The folder of the photos.", 'i' },
	{ "model", "FILE", "The model whose encoder is used; without it, the one that the "
	  "configuration names.", 'm' },
	{ "output", "FILE", "The model file to write.", 'o' },
	{ "val", "FILE", "Captions to measure progress with; without it every twentieth photo is "
	  "held out.", 0 },
	{ "val-images", "DIR", "Their folder, if it is another.", 0 },
	{ "cache", "DIR", "Where features are kept; the user's cache folder when not given.", 0 },
	{ "text", "FILES", "Captions without photos, for --language-epochs: lines of JSON, may be "
	  "gzipped; several with commas.", 0 },
	{ "init", NULL, "Start from the model's own decoder and add new words.", 0 },
	{ "keep-words", NULL, "With --init: add no words.", 0 },
	{ "preset", "NAME", "\"original\": 4 layers of 256 cells, plain cross-entropy.", 0 },
	{ "decoder", "KIND", "lstm-attention, lstm or gru.", 0 },
	{ "hidden", "N", "Cells of a layer; 512 when not given.", 0 },
	{ "layers", "N", "Layers, 1 to 8; attention has one.", 0 },
	{ "min-count", "N", "How often a word must occur to be learnt; 5 when not given.", 0 },
	{ "class-scores", NULL, "Let the decoder see the classes of the encoder's head.", 0 },
	{ "mirrored", NULL, "Train on photos with left and right exchanged too.", 0 },
	{ "epochs", "X", "Epochs of cross-entropy; 12 when not given.", 'e' },
	{ "language-epochs", "X", "Epochs on captions without photos, before; 0 when not given.", 0 },
	{ "reward-epochs", "X", "Epochs of self-critical training on CIDEr-D, after; 0 when not "
	  "given.", 0 },
	{ "rate", "X", "Learning rate of cross-entropy; 0.0004 when not given.", 0 },
	{ "language-rate", "X", "The same for the language.", 0 },
	{ "reward-rate", "X", "The same for the reward; 0.00005 when not given.", 0 },
	{ "final-rate", "X", "Share of the rate that is left at a phase's end; 0.05.", 0 },
	{ "warm-up", "N", "Steps over which the rate rises; 100.", 0 },
	{ "batch", "N", "Photos of a step; 32.", 0 },
	{ "text-batch", "N", "Captions of a step on text; 256.", 0 },
	{ "samples", "N", "Captions drawn of each photo for the reward; 5.", 0 },
	{ "sharpness", "X", "Power of the probabilities by which they are drawn; 1.5.", 0 },
	{ "repetition-penalty", "X", "Taken off the reward for each noun said again; 0.", 0 },
	{ "reward-captions", "X", "Weight of cross-entropy beside the reward; 0.", 0 },
	{ "smoothing", "X", "Label smoothing; 0.1.", 0 },
	{ "dropout", "X", "Share of values dropped; 0.3.", 0 },
	{ "feature-noise", "X", "Deviation of the noise on features; 0.", 0 },
	{ "weight-decay", "X", "Decoupled weight decay (AdamW); 0.", 0 },
	{ "clip", "X", "Largest norm of the gradient; 5. 0: any.", 0 },
	{ "average", "X", "Measure and save a running mean of the parameters that keeps this share "
	  "of itself in a step; 0: none.", 0 },
	{ "seed", "N", "The same seed and threads give the same run; 1.", 0 },
	{ "threads", "N", "Processor threads, 1 to 16.", 't' },
	{ "validations", "X", "Measurements of progress in an epoch; 1.", 0 },
	{ "patience", "N", "Measurements without progress before a phase ends; 6. 0: never.", 0 },
	{ "bad-entries", "X", "Share of unusable entries that is accepted; 0.01.", 0 },
	{ "checkpoint", "FILE", "Where the run is saved as it goes, and on Ctrl-C.", 0 },
	{ "checkpoint-minutes", "X", "How often; 5.", 0 },
	{ "resume", NULL, "Go on from the checkpoint.", 0 },
	{ "report", "FILE", "Write an HTML report with curves and samples.", 0 },
	{ "interval", "SECONDS", "Time between two lines of progress; 30.", 0 },
	{ "redraw", NULL, "On a terminal: rewrite one line instead.", 0 },
};

/* Numbers that go straight into the options. */
enum number_kind { WHOLE, REAL };

static const struct number_option {
	const char *name;
	enum number_kind kind;
	size_t offset;
} numbers[] = {
#define OPTION(name, kind, member) { name, kind, offsetof(struct lab_train_options, member) }
	OPTION("hidden", WHOLE, hidden), OPTION("layers", WHOLE, layers),
	OPTION("min-count", WHOLE, minimum_count), OPTION("epochs", REAL, caption_epochs),
	OPTION("language-epochs", REAL, language_epochs),
	OPTION("reward-epochs", REAL, reward_epochs), OPTION("rate", REAL, caption_rate),
	OPTION("language-rate", REAL, language_rate), OPTION("reward-rate", REAL, reward_rate),
	OPTION("final-rate", REAL, final_rate), OPTION("warm-up", WHOLE, warm_up),
	OPTION("batch", WHOLE, batch), OPTION("text-batch", WHOLE, text_batch),
	OPTION("samples", WHOLE, samples), OPTION("sharpness", REAL, sharpness),
	OPTION("repetition-penalty", REAL, repetition_penalty),
	OPTION("reward-captions", REAL, reward_captions), OPTION("average", REAL, average),
	OPTION("smoothing", REAL, smoothing), OPTION("dropout", REAL, dropout),
	OPTION("feature-noise", REAL, feature_noise), OPTION("weight-decay", REAL, weight_decay),
	OPTION("clip", REAL, clip), OPTION("threads", WHOLE, threads),
	OPTION("validations", REAL, validations), OPTION("patience", WHOLE, patience),
	OPTION("bad-entries", REAL, problem_share), OPTION("interval", REAL, progress_seconds),
#undef OPTION
};

static int read_numbers(const struct client *client, struct lab_train_options *options,
			struct failure *failure)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		const char *text = client_value(client, numbers[i].name);
		void *place = (char *)options + numbers[i].offset;
		double value;
		char *end;

		if (text == NULL)
			continue;
		errno = 0;
		value = strtod(text, &end);
		if (*text == '\0' || *end != '\0' || errno != 0 || !(value >= 0 && value <= 1e9) ||
		    (numbers[i].kind == WHOLE && value != (double)(unsigned)value))
			return failure_set(failure, FAILURE_BAD_OPTION, "--%s: \"%s\" is not %s.",
					   numbers[i].name, text, numbers[i].kind == WHOLE ?
					   "a whole number of 0 or more" : "a number of 0 or more");
		if (numbers[i].kind == WHOLE)
			*(unsigned *)place = (unsigned)value;
		else
			*(double *)place = value;
	}
	return 0;
}

static int read_decoder(const struct client *client, struct lab_train_options *options,
			struct failure *failure)
{
	static const char *const kinds[] = { "lstm-attention", "lstm", "gru" };
	const char *kind = client_value(client, "decoder");
	struct engine_error error;
	int r;

	if (client_has(client, "preset")) {
		r = lab_train_preset(client_value(client, "preset"), options, &error);
		if (r != 0)
			return failure_from_engine(failure, r, error.message);
	}
	if (kind == NULL)
		return 0;
	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(kinds[i], kind) == 0) {
			options->decoder = (enum lab_decoder)i;
			return 0;
		}
	}
	return failure_set(failure, FAILURE_BAD_OPTION,
			   "--decoder: \"%s\" is none of lstm-attention, lstm, gru.", kind);
}

/* Splits "a,b" in place. */
static size_t split(char *list, const char **ret_parts)
{
	size_t count = 0;
	char *position = NULL;

	for (char *part = strtok_r(list, ",", &position); part != NULL && count < TEXTS_MAX;
	     part = strtok_r(NULL, ",", &position))
		ret_parts[count++] = part;
	return count;
}

/* XDG_CACHE_HOME/descry/features */
static char *default_cache(void)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *path = NULL;
	int n;

	if (base != NULL && *base == '/')
		n = asprintf(&path, "%s/descry/features", base);
	else
		n = asprintf(&path, "%s/.cache/descry/features", home != NULL ? home : "");
	return n < 0 ? NULL : path;
}

static void print_time(double seconds)
{
	if (seconds >= 5400)
		fprintf(stderr, "%.1f hours", seconds / 3600);
	else if (seconds >= 90)
		fprintf(stderr, "%.0f minutes", seconds / 60);
	else
		fprintf(stderr, "%.0f seconds", seconds);
}

/* One line for each interval; a screen reader reads it as a sentence. */
static void print_progress(void *user, const struct lab_train_progress *p)
{
	const bool *redraw = user;

	if (p->note != NULL && !p->validated) {
		fprintf(stderr, "%s\n", p->note);
		return;
	}
	if (p->note != NULL) {
		fprintf(stderr, "%s CIDEr-D %.4f.\n", p->note, p->score);
		return;
	}
	fputs(*redraw ? "\r\033[K" : "", stderr);
	if (p->phase == LAB_PHASE_FEATURES) {
		fprintf(stderr, "Features: %zu of %zu photos, %.1f a second, ", p->step, p->steps,
			p->captions_per_second);
	} else {
		fprintf(stderr, "Phase %s: epoch %.2f, step %zu of %zu, ", lab_phase_name(p->phase),
			p->epoch, p->step, p->steps);
		if (p->phase == LAB_PHASE_REWARD)
			fprintf(stderr, "reward %.4f, ", p->reward);
		else
			fprintf(stderr, "loss %.4f, ", p->loss);
		if (p->validated)
			fprintf(stderr, "validation CIDEr-D %.4f (best %.4f), ", p->score, p->best_score);
		fprintf(stderr, "%.0f captions a second, ", p->captions_per_second);
	}
	print_time(p->seconds_left);
	fputs(*redraw ? " left." : " left.\n", stderr);
}

static void print_progress_json(void *user, const struct lab_train_progress *p)
{
	json_t *object = json_pack("{s:s}", "phase", lab_phase_name(p->phase));

	(void)user;
	if (p->note != NULL) {
		json_object_set_new(object, "note", json_string(p->note));
	} else {
		json_object_set_new(object, "step", json_integer((json_int_t)p->step));
		json_object_set_new(object, "steps", json_integer((json_int_t)p->steps));
		json_object_set_new(object, "epoch", json_real(p->epoch));
		json_object_set_new(object, "loss", json_real(p->loss));
		json_object_set_new(object, "reward", json_real(p->reward));
		json_object_set_new(object, "per_second", json_real(p->captions_per_second));
		json_object_set_new(object, "seconds", json_real(p->seconds));
		json_object_set_new(object, "seconds_left", json_real(p->seconds_left));
	}
	if (p->validated) {
		json_object_set_new(object, "score", json_real(p->score));
		json_object_set_new(object, "best_score", json_real(p->best_score));
	}
	client_print_json(object);
	fflush(stdout);
}

static int run_train(struct client *client, int argc, char **argv)
{
	const char *texts[TEXTS_MAX], *minutes = client_value(client, "checkpoint-minutes");
	char *text_list = NULL, *cache = default_cache();
	struct lab_train_options options;
	struct config *config = NULL;
	struct engine_error error = { "" };
	struct failure failure;
	bool redraw = client_has(client, "redraw");
	unsigned seed;
	int r = 1, status;

	if (argc > 0) {
		free(cache);
		return client_usage(client, "train takes no \"%s\".", argv[0]);
	}
	lab_train_defaults(&options);
	options.captions = client_value(client, "captions");
	options.images = client_value(client, "images");
	options.output = client_value(client, "output");
	options.model = client_value(client, "model");
	options.val_captions = client_value(client, "val");
	options.val_images = client_value(client, "val-images");
	options.cache = client_has(client, "cache") ? client_value(client, "cache") : cache;
	options.init = client_has(client, "init");
	options.freeze_words = client_has(client, "keep-words");
	options.class_scores = client_has(client, "class-scores");
	options.mirrored = client_has(client, "mirrored");
	options.checkpoint = client_value(client, "checkpoint");
	options.resume = client_has(client, "resume");
	options.report = client_value(client, "report");
	options.stop = stop_flag();
	options.progress = client->json ? print_progress_json : print_progress;
	options.user = &redraw;
	if (options.captions == NULL || options.images == NULL || options.output == NULL) {
		free(cache);
		return client_usage(client, "train needs --captions FILE, --images DIR and --output FILE.");
	}
	if (read_decoder(client, &options, &failure) || read_numbers(client, &options, &failure) ||
	    client_number(client, "seed", 0, UINT32_MAX, 1, &seed, &failure))
		goto out;
	options.seed = seed;
	if (minutes != NULL)
		options.checkpoint_seconds = 60 * strtod(minutes, NULL);
	if (client_has(client, "text")) {
		text_list = strdup(client_value(client, "text"));
		if (text_list == NULL) {
			failure_set(&failure, FAILURE_FAILED, "There is not enough memory.");
			goto out;
		}
		options.texts = texts;
		options.text_count = split(text_list, texts);
	}
	if (options.model == NULL) {
		if (client_config(client, &config, &failure))
			goto out;
		options.model = config_model_path(config);
	}
	r = lab_train(&options, &error);
	if (r != 0)
		failure_from_engine(&failure, r, error.message);
	else if (client->json)
		client_print_json(json_pack("{s:s}", "model", options.output));
	else
		printf("%s\n", options.output);
out:
	status = r == 0 ? 0 : client_fail(client, NULL, &failure);
	free(text_list);
	free(cache);
	config_free(config);
	return status;
}

const struct command command_train = {
	.name = "train", .arguments = "",
	.help = "Trains a decoder on photos and captions. The photos go through the model's encoder "
		"once; then words are learnt from text alone, from captions, and from the reward of "
		"good captions, for as many epochs as asked. Ctrl-C saves the run; --resume goes on "
		"with the same numbers as if it had not been stopped.",
	.options = train_options,
	.option_count = sizeof(train_options) / sizeof(*train_options),
	.run = run_train,
};

/* --- train convert ------------------------------------------------------------ */

static const struct client_option convert_options[] = {
	{ "output", "FILE", "The caption file to write.", 'o' },
	{ "source", "NAME", "What to call the photos' source.", 0 },
};

static int run_convert(struct client *client, int argc, char **argv)
{
	const char *output = client_value(client, "output");
	struct engine_error error = { "" };
	struct failure failure;
	size_t photos, captions;
	int r;

	if (argc != 1)
		return client_usage(client, "train convert takes one file.");
	if (output == NULL)
		return client_usage(client, "train convert needs --output FILE.");
	r = lab_convert(argv[0], client_value(client, "source"), output, &photos, &captions, &error);
	if (r != 0) {
		failure_from_engine(&failure, r, error.message);
		return client_fail(client, NULL, &failure);
	}
	if (client->json)
		client_print_json(json_pack("{s:s, s:I, s:I}", "captions", output, "photo_count",
					    (json_int_t)photos, "caption_count", (json_int_t)captions));
	else
		printf("%s: %zu photos, %zu captions\n", output, photos, captions);
	return 0;
}

const struct command command_train_convert = {
	.name = "train convert", .arguments = "FILE",
	.help = "Makes a caption file of another layout. Reads Flickr8k's token file (a photo's "
		"name, #, a number, a tab, a caption) and tables with commas or tabs whose first "
		"line names the columns \"image\" and \"caption\".",
	.options = convert_options,
	.option_count = sizeof(convert_options) / sizeof(*convert_options),
	.run = run_convert,
};
