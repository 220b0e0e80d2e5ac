/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * quantise.c: `descry model quantise`, also spelt quantize: a model in 8 bits. The
 * decoder needs nothing but its weights; the encoder needs photos to find the
 * ranges of its values with.
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/client/commands.h"
#include "engine/lab/lab.h"

#define PHOTOS_MAX 1000u

static const struct client_option quantise_options[] = {
	{ "output", "FILE", "Write the smaller model here.", 'o' },
	{ "photos", "FOLDER", "Bring a float encoder to 8 bits too, with the ranges these photos need.", 0 },
	{ "sharpness", "X", "Factor of the decoder's logits; 1 unless the model says else.", 0 },
	{ "length-power", "X", "Power of the length that a sentence's score is divided by; 0.7 unless the "
	  "model says else.", 0 },
	{ "nouns-once", NULL, "Forbid the search every noun that a sentence has, in all its forms.", 0 },
	{ "ranges", "FILE", "With --photos: write the ranges found for an encoder in 8 bits here, too. "
	  "Alone: give the encoder the ranges of this file.", 0 },
	{ "layers", NULL, "With --photos: the error of each layer.", 'l' },
};

struct photos {
	char *paths[PHOTOS_MAX];
	size_t count;
};

static int compare_paths(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static bool is_photo(const char *name)
{
	const char *end = strrchr(name, '.');

	return end && (strcasecmp(end, ".jpg") == 0 || strcasecmp(end, ".jpeg") == 0 ||
		       strcasecmp(end, ".png") == 0);
}

/* The photos of a folder in the order of their names. */
static int list_photos(const char *folder, struct photos *photos, struct failure *failure)
{
	struct dirent *entry;
	DIR *directory = opendir(folder);

	if (!directory)
		return failure_set(failure, FAILURE_BAD_OPTION, "The folder %s cannot be read.", folder);
	while (photos->count < PHOTOS_MAX && (entry = readdir(directory)))
		if (is_photo(entry->d_name) &&
		    asprintf(&photos->paths[photos->count], "%s/%s", folder, entry->d_name) >= 0)
			photos->count++;
	closedir(directory);
	qsort(photos->paths, photos->count, sizeof(photos->paths[0]), compare_paths);
	return 0;
}

static void free_photos(struct photos *photos)
{
	for (size_t i = 0; i < photos->count; i++)
		free(photos->paths[i]);
}

static json_t *encoder_json(const struct lab_quantisation *quantisation)
{
	json_t *layers = json_array();

	for (size_t i = 0; i < quantisation->layer_count; i++) {
		const struct lab_quantised_layer *layer = &quantisation->layers[i];

		json_array_append_new(layers, json_pack(
			"{s:s, s:s, s:f, s:i, s:f}", "name", layer->name, "operation",
			layer->operation, "scale", (double)layer->scale, "zero_point",
			(int)layer->zero_point, "relative_error", layer->error));
	}
	return json_pack("{s:I, s:f, s:b, s:o}", "photos", (json_int_t)quantisation->photo_count,
			 "features_relative_error", quantisation->pool_error, "eight_bits",
			 (int)quantisation->eight_bits, "layers", layers);
}

static void print_encoder(const struct client *client, const struct lab_quantisation *quantisation)
{
	printf("The encoder is in 8 bits now, with ranges from %zu photos. Relative error of the "
	       "features: %.4f\n", quantisation->photo_count, quantisation->pool_error);
	if (!quantisation->eight_bits)
		printf("A layer of it has no 8-bit kernel, so it is still computed in 32 bits.\n");
	for (size_t i = 0; client_has(client, "layers") && i < quantisation->layer_count; i++) {
		const struct lab_quantised_layer *layer = &quantisation->layers[i];

		printf("Layer %zu: %s, %s, scale %g, zero point %u, relative error %.4f\n", i,
		       layer->name, layer->operation, (double)layer->scale, layer->zero_point,
		       layer->error);
	}
}

static int quantise_encoder(const struct client *client, const char *input, const char *output,
			    struct lab_quantisation **ret_quantisation, struct failure *failure)
{
	struct photos photos = { .count = 0 };
	struct engine_error error = { "" };
	int r;

	if (list_photos(client_value(client, "photos"), &photos, failure))
		return 1;
	r = lab_quantise_encoder(input, (const char *const *)photos.paths, photos.count, output,
				 client_value(client, "ranges"), ret_quantisation, &error);
	free_photos(&photos);
	return r ? failure_from_engine(failure, r, error.message) : 0;
}

/* NAN where the option is not given. */
static int read_number(const struct client *client, const char *name, double *ret_value,
		       struct failure *failure)
{
	const char *text = client_value(client, name);
	char *end;

	*ret_value = NAN;
	if (text == NULL)
		return 0;
	*ret_value = strtod(text, &end);
	if (end == text || *end != '\0' || !(*ret_value >= 0 && *ret_value <= 100))
		return failure_set(failure, FAILURE_BAD_OPTION, "--%s: \"%s\" is no number from 0 to 100.",
				   name, text);
	return 0;
}

static int run_quantise(struct client *client, int argc, char **argv)
{
	const char *output = client_value(client, "output");
	struct lab_quantisation *quantisation = NULL;
	struct engine_error error = { "" };
	struct lab_search search = { .nouns_once = client_has(client, "nouns-once") };
	struct failure failure;
	json_t *object;
	size_t matrices = 0;
	double worst = 0;
	int r;

	if (argc != 1 || !output)
		return client_usage(client, "model quantise takes one model file and --output FILE.");
	if (read_number(client, "sharpness", &search.sharpness, &failure) ||
	    read_number(client, "length-power", &search.length_power, &failure))
		return client_fail(client, NULL, &failure);
	if (client_has(client, "ranges") && !client_has(client, "photos")) {
		r = lab_set_ranges(argv[0], client_value(client, "ranges"), output, &error);
		if (r) {
			failure_from_engine(&failure, r, error.message);
			return client_fail(client, NULL, &failure);
		}
		return 0;
	}
	if (client_has(client, "photos") &&
	    quantise_encoder(client, argv[0], output, &quantisation, &failure))
		return client_fail(client, NULL, &failure);
	r = lab_quantise_decoder(quantisation ? output : argv[0], output, &search, &worst, &matrices,
				 &error);
	/* an encoder alone is enough where that was asked for */
	if (r && !(quantisation && r == ENGINE_UNSUPPORTED)) {
		lab_quantisation_free(quantisation);
		failure_from_engine(&failure, r, error.message);
		return client_fail(client, NULL, &failure);
	}
	if (client->json) {
		object = json_pack("{s:I, s:f}", "matrices", (json_int_t)matrices,
				   "largest_relative_error", worst);
		if (quantisation)
			json_object_set_new(object, "encoder", encoder_json(quantisation));
		client_print_json(object);
	} else {
		if (quantisation)
			print_encoder(client, quantisation);
		if (matrices)
			printf("%zu matrices of the decoder are in 8 bits now. Largest relative error: %.4f\n",
			       matrices, worst);
	}
	lab_quantisation_free(quantisation);
	return 0;
}

#define QUANTISE(identifier, spelling, text) \
	const struct command identifier = { \
		.name = spelling, .arguments = "FILE", .help = text, \
		.options = quantise_options, \
		.option_count = sizeof(quantise_options) / sizeof(*quantise_options), \
		.run = run_quantise, \
	}

QUANTISE(command_model_quantise, "model quantise",
	 "Writes a model whose decoder has its weights in 8 bits, one scale a row: half the size "
	 "and several times the speed, nearly the same captions. With --photos the encoder of an "
	 "imported float network too: weights with one scale a channel, values with the ranges "
	 "that the photos call for; the error that arrives at each layer can be listed.");
QUANTISE(command_model_quantize, "model quantize", "Another spelling of model quantise.");
