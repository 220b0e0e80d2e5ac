/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * model.c: `descry model info`, `descry model import` and `descry classify`: what
 * can be done with a model file without the daemon.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/client/commands.h"
#include "daemon/client/picture.h"
#include "daemon/details.h"
#include "engine/lab/lab.h"

/* The file that was named, or the one of the configuration, which then must be
 * freed with config_free. */
static int find_model(const struct client *client, const char *named, struct config **ret_config,
		      const char **ret_path, struct failure *failure)
{
	if (named) {
		*ret_config = NULL;
		*ret_path = named;
		return 0;
	}
	if (client_config(client, ret_config, failure))
		return 1;
	*ret_path = config_model_path(*ret_config);
	return 0;
}

/* --- model info ---------------------------------------------------------- */

static const struct client_option info_options[] = {
	{ "layers", NULL, "List every layer of the encoder.", 'l' },
};

static json_t *layers_json(const struct lab_inspection *inspection)
{
	json_t *list = json_array();

	for (size_t i = 0; i < inspection->layer_count; i++) {
		const struct lab_layer *layer = &inspection->layers[i];

		json_array_append_new(list, json_pack(
			"{s:s, s:s, s:s, s:[i, i, i], s:I, s:I, s:I}", "name", layer->name,
			"operation", layer->operation, "kernel", layer->kernel, "shape",
			(int)layer->height, (int)layer->width, (int)layer->channels, "operations",
			(json_int_t)layer->operation_count, "weights",
			(json_int_t)layer->weight_count, "bytes", (json_int_t)layer->weight_bytes));
	}
	return list;
}

static void print_info_json(const struct client *client, const struct lab_inspection *inspection)
{
	json_t *object = details_model(inspection->info);

	json_object_update_new(object, json_pack(
		"{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "licence",
		inspection->info->licence, "provenance", inspection->info->provenance,
		"training_data", inspection->info->training_data, "encoder_weights",
		(json_int_t)inspection->weight_count, "encoder_bytes",
		(json_int_t)inspection->weight_bytes, "decoder_weights",
		(json_int_t)inspection->decoder_count, "decoder_bytes",
		(json_int_t)inspection->decoder_bytes, "operations",
		(json_int_t)inspection->info->operation_count, "arena_bytes",
		(json_int_t)inspection->arena_bytes, "quantised", (int)inspection->quantised));
	if (client_has(client, "layers"))
		json_object_set_new(object, "layers", layers_json(inspection));
	client_print_json(object);
}

static void print_text(const char *title, const char *text)
{
	if (*text)
		printf("%s: %s\n", title, text);
}

static double millions(uint64_t count)
{
	return (double)count / 1e6;
}

static void print_info(const struct client *client, const struct lab_inspection *inspection)
{
	const struct engine_model_info *info = inspection->info;

	print_text("Name", info->name);
	print_text("Version", info->version);
	print_text("Language", info->language);
	print_text("Licence", info->licence);
	print_text("Provenance", info->provenance);
	print_text("Training data", info->training_data);
	printf("File: %.1f MB\n", millions(info->file_size));
	printf("Encoder: %s, pictures of %u by %u, %.1f million weights in %.1f MB, %s bits, "
	       "%.2f thousand million multiply-accumulates a picture\n",
	       *info->encoder_kind ? info->encoder_kind : "unnamed", info->input_width,
	       info->input_height, millions(inspection->weight_count),
	       millions(inspection->weight_bytes), inspection->quantised ? "8" : "32",
	       (double)info->operation_count / 1e9);
	printf("Features: %u pooled", info->pool_size);
	if (info->grid_channels)
		printf(", a grid of %u by %u with %u channels", info->grid_height,
		       info->grid_width, info->grid_channels);
	if (info->class_count)
		printf(", %u classes", info->class_count);
	printf("\n");
	if (*info->decoder_kind)
		printf("Decoder: %s, %u hidden, %u layers, %u words, %.1f million weights in %.1f MB\n",
		       info->decoder_kind, info->hidden_size, info->layer_count,
		       info->vocabulary_size, millions(inspection->decoder_count),
		       millions(inspection->decoder_bytes));
	printf("Memory between the layers: %.1f MB\n", millions(inspection->arena_bytes));
	for (size_t i = 0; client_has(client, "layers") && i < inspection->layer_count; i++) {
		const struct lab_layer *layer = &inspection->layers[i];

		printf("Layer %zu: %s, %s, %u by %u by %u", i, layer->name, layer->operation,
		       layer->height, layer->width, layer->channels);
		if (layer->operation_count)
			printf(", %.2f million multiply-accumulates",
			       millions(layer->operation_count));
		if (layer->weight_count)
			printf(", %" PRIu64 " weights", layer->weight_count);
		if (*layer->kernel)
			printf(", %s", layer->kernel);
		printf("\n");
	}
}

static int run_info(struct client *client, int argc, char **argv)
{
	struct lab_inspection *inspection;
	struct config *config = NULL;
	struct engine_error error = { "" };
	struct failure failure;
	const char *path;
	int r;

	if (argc > 1)
		return client_usage(client, "model info takes one file.");
	if (find_model(client, argc ? argv[0] : NULL, &config, &path, &failure))
		return client_fail(client, NULL, &failure);
	r = lab_inspect(path, &inspection, &error);
	if (r) {
		failure_from_engine(&failure, r, error.message);
		config_free(config);
		return client_fail(client, NULL, &failure);
	}
	if (client->json)
		print_info_json(client, inspection);
	else
		print_info(client, inspection);
	lab_inspection_free(inspection);
	config_free(config);
	return 0;
}

const struct command command_model_info = {
	.name = "model info", .arguments = "[FILE]",
	.help = "Tells what a model file holds. Its name, origin, licence, sizes, operations and "
		"memory; with --layers every layer with its shape. Without FILE: the model that "
		"the configuration names.",
	.options = info_options,
	.option_count = sizeof(info_options) / sizeof(*info_options),
	.run = run_info,
};

/* --- model import ---------------------------------------------------------- */

static const struct client_option import_options[] = {
	{ "output", "FILE", "The model file to write.", 'o' },
	{ "metadata", "FILE", "JSON object of keys to write: name, licence, provenance.", 0 },
	{ "labels", "FILE", "Names of the classes, one a line.", 0 },
	{ "decoder", "FILE", "Decoder to add: a model file, or safetensors.", 0 },
	{ "vocabulary", "FILE", "The words of a decoder in safetensors: a JSON array.", 0 },
	{ "pool", "LAYER", "Layer of the pooled features, if not the one before the head.", 0 },
	{ "grid", "LAYER", "Layer of the grid, if not the one that is pooled.", 0 },
	{ "classes", "LAYER", "Layer of the classes, if not the last.", 0 },
	{ "mean", "R,G,B", "What is subtracted from the bytes of a pixel; one number or three.", 0 },
	{ "std", "R,G,B", "What they are then divided by; one number or three.", 0 },
	{ "bgr", NULL, "The network wants blue, green, red; mean and std are still given as R,G,B.", 0 },
};

/* "127.5" or "123.68,116.779,103.939" */
static bool parse_triple(const char *text, float *ret_values)
{
	char *end;

	for (unsigned i = 0; i < 3; i++) {
		ret_values[i] = strtof(text, &end);
		if (end == text)
			return false;
		if (!*end && i == 0) {
			ret_values[1] = ret_values[2] = ret_values[0];
			return true;
		}
		if (*end != (i < 2 ? ',' : '\0'))
			return false;
		text = end + 1;
	}
	return true;
}

static int run_import(struct client *client, int argc, char **argv)
{
	const char *output = client_value(client, "output");
	const char *mean = client_value(client, "mean"), *std = client_value(client, "std");
	struct lab_import_options options = {
		.metadata = client_value(client, "metadata"),
		.labels = client_value(client, "labels"),
		.decoder = client_value(client, "decoder"),
		.vocabulary = client_value(client, "vocabulary"),
		.pool = client_value(client, "pool"),
		.grid = client_value(client, "grid"),
		.classes = client_value(client, "classes"),
		.bgr = client_has(client, "bgr"),
	};
	struct engine_error error = { "" };
	struct failure failure;
	int r;

	if (argc != 1)
		return client_usage(client, "model import takes one network.");
	if (!output)
		return client_usage(client, "model import needs --output FILE.");
	if ((mean && !parse_triple(mean, options.mean)) || (std && !parse_triple(std, options.std)))
		return client_usage(client, "--mean and --std take one number or three with commas.");
	options.network = argv[0];
	r = lab_import(&options, output, &error);
	if (r) {
		failure_from_engine(&failure, r, error.message);
		return client_fail(client, NULL, &failure);
	}
	if (client->json)
		client_print_json(json_pack("{s:s}", "model", output));
	else
		printf("%s\n", output);
	return 0;
}

const struct command command_model_import = {
	.name = "model import", .arguments = "NETWORK",
	.help = "Makes a model file of another program's network. Reads TensorFlow Lite, ONNX and "
		"TensorFlow.js; a decoder can be added. The features are taken before the "
		"network's head unless layers are named.",
	.options = import_options,
	.option_count = sizeof(import_options) / sizeof(*import_options),
	.run = run_import,
};

/* --- classify -------------------------------------------------------------- */

#define CLASSES_MAX 100u

static const struct client_option classify_options[] = {
	{ "count", "N", "How many classes to name, 1 to 100; 5 when not given.", 'n' },
	{ "model", "FILE", "The model file.", 'm' },
	{ "threads", "N", "Processor threads, 1 to 16.", 't' },
	{ "features", NULL, "With --json: the pooled features too.", 0 },
	{ "plain", NULL, "Compute in 32 bits with OpenBLAS, to compare.", 0 },
};

/* All values to nine digits, which bring a float back as it was. */
static json_t *features_json(const float *values, unsigned count)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < count; i++)
		json_array_append_new(list, json_real((double)values[i]));
	return list;
}

static int classify_picture(struct client *client, struct engine_context *context,
			    const char *name, unsigned count, unsigned feature_count)
{
	const struct engine_features *features = NULL;
	struct engine_class classes[CLASSES_MAX];
	struct engine_error error = { "" };
	struct engine_image *image = NULL;
	struct failure failure;
	json_t *list, *object;
	int r, fd;

	if (picture_open(name, &fd, &failure))
		return client_fail(client, name, &failure);
	r = engine_image_read(fd, NULL, &image, &error);
	close(fd);
	if (r == 0)
		r = engine_classify(context, image, classes, count, &error);
	if (r == 0 && feature_count)
		r = engine_encode(context, image, &features, &error);
	engine_image_free(image);
	if (r) {
		failure_from_engine(&failure, r, error.message);
		return client_fail(client, name, &failure);
	}
	if (!client->json) {
		for (unsigned i = 0; i < count; i++)
			printf("%s: %s (%u), %.1f percent\n", name, classes[i].label,
			       classes[i].index, (double)classes[i].probability * 100);
		return 0;
	}
	list = json_array();
	for (unsigned i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:i, s:s, s:f}", "index",
						      (int)classes[i].index, "label",
						      classes[i].label, "probability",
						      (double)classes[i].probability));
	object = json_pack("{s:s, s:o}", "file", name, "classes", list);
	if (features)
		json_object_set_new(object, "features",
				    features_json(features->pool, feature_count));
	client_print_json(object);
	return 0;
}

static int run_classify(struct client *client, int argc, char **argv)
{
	struct engine_context_options options = {
		.path = client_has(client, "plain") ? ENGINE_PATH_BLAS : ENGINE_PATH_AUTO,
	};
	struct engine_context *context = NULL;
	struct engine_model *model = NULL;
	struct engine_error error = { "" };
	struct config *config = NULL;
	struct failure failure;
	const char *path;
	unsigned count;
	int r, status = 0;

	if (argc < 1)
		return client_usage(client, "classify needs a picture.");
	if (client_number(client, "count", 1, CLASSES_MAX, 5, &count, &failure) ||
	    client_number(client, "threads", 1, 16, 0, &options.threads, &failure) ||
	    find_model(client, client_value(client, "model"), &config, &path, &failure))
		return client_fail(client, NULL, &failure);
	r = engine_model_open(path, &model, &error);
	if (r == 0)
		r = engine_context_open(model, &options, &context, &error);
	if (r) {
		failure_from_engine(&failure, r, error.message);
		status = client_fail(client, NULL, &failure);
		goto out;
	}
	if (count > engine_model_info(model)->class_count && engine_model_info(model)->class_count)
		count = engine_model_info(model)->class_count;
	for (int i = 0; i < argc; i++) {
		int one = classify_picture(client, context, argv[i], count,
					   client->json && client_has(client, "features") ?
					   engine_model_info(model)->pool_size : 0);

		status = status ? status : one;
	}
out:
	engine_context_free(context);
	engine_model_free(model);
	config_free(config);
	return status;
}

const struct command command_classify = {
	.name = "classify", .arguments = "FILE...",
	.help = "Names what a picture shows, in the classes of the encoder's head. Shows whether "
		"an imported network works; for a description use describe.",
	.options = classify_options,
	.option_count = sizeof(classify_options) / sizeof(*classify_options),
	.run = run_classify,
};
