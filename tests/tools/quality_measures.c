/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * quality_measures: reads binary PPM pictures one after another from standard
 * input and prints, for each, one line of its quality scores, its tilt, whether
 * its blur has a direction, and its measures. `--names` prints their names
 * instead. fit_quality.py makes the pictures. With the
 * name of a model, each line is followed by the pooled features that its encoder
 * gives of the picture, as raw 32-bit floats.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/gguf.h"
#include "engine/quality.h"
#include "engine/tilt.h"

static int print_names(void)
{
	for (int i = 0; i < ENGINE_QUALITY_KINDS; i++)
		printf("%s ", engine_quality_name(i));
	printf("tilt motion");
	for (int i = 0; i < QUALITY_FEATURES; i++)
		printf(" %s", quality_feature_names[i]);
	printf("\n");
	return 0;
}

static struct engine_context *context;
static size_t pool_size;

static int print_features(const struct engine_image *image)
{
	const struct engine_features *features;
	struct engine_error error;

	if (engine_encode(context, image, &features, &error)) {
		fprintf(stderr, "%s\n", error.message);
		return 1;
	}
	fwrite(features->pool, sizeof(float), pool_size, stdout);
	return 0;
}

/* Of the tensor that names an encoder; see tilt.h. */
static int print_fingerprint(const char *path, const char *name)
{
	struct engine_error error;
	struct gguf *file;

	if (gguf_open(path, &file, &error)) {
		fprintf(stderr, "%s\n", error.message);
		return 1;
	}
	printf("0x%016llx\n", (unsigned long long)tilt_fingerprint(gguf_find_tensor(file, name)));
	gguf_free(file);
	return 0;
}

static int print_picture(unsigned width, unsigned height, uint8_t *rgb)
{
	size_t stride = (size_t)width * 3, size = stride * height;
	struct quality_measures measures;
	struct engine_quality quality;
	struct engine_image *image;
	struct engine_error error;

	if (fread(rgb, 1, size, stdin) != size) {
		fprintf(stderr, "the picture is cut short\n");
		return 1;
	}
	if (engine_image_from_pixels(ENGINE_PIXELS_RGB, width, height, stride, rgb, size, &image,
				     &error)) {
		fprintf(stderr, "%s\n", error.message);
		return 1;
	}
	if (engine_quality_measure(image, NULL, &quality, &error) ||
	    quality_measure(image, &measures, &error)) {
		fprintf(stderr, "%s\n", error.message);
		engine_image_free(image);
		return 1;
	}
	for (int i = 0; i < ENGINE_QUALITY_KINDS; i++)
		printf("%.5f ", (double)quality.score[i]);
	printf("%.1f %d", (double)quality.tilt, quality.motion);
	for (int i = 0; i < QUALITY_FEATURES; i++)
		printf(" %.6g", (double)measures.features[i]);
	printf("\n");
	if (context && print_features(image))
		return 1;
	fflush(stdout);
	engine_image_free(image);
	return 0;
}

int main(int argc, char **argv)
{
	struct engine_context_options options = { .threads = 1 };
	struct engine_model *model = NULL;
	struct engine_error error;
	unsigned width, height;

	if (argc > 1 && strcmp(argv[1], "--names") == 0)
		return print_names();
	if (argc > 3 && strcmp(argv[1], "--fingerprint") == 0)
		return print_fingerprint(argv[2], argv[3]);
	if (argc > 1 && (engine_model_open(argv[1], &model, &error) ||
			 engine_context_open(model, &options, &context, &error))) {
		fprintf(stderr, "%s\n", error.message);
		return 1;
	}
	if (model)
		pool_size = engine_model_info(model)->pool_size;
	while (scanf("P6 %u %u 255%*c", &width, &height) == 2) {
		uint8_t *rgb;
		int r;

		if (width > 4096 || height > 4096)
			return 1;
		rgb = malloc((size_t)width * height * 3 + 1);
		if (!rgb)
			return 1;
		r = print_picture(width, height, rgb);
		free(rgb);
		if (r)
			return r;
	}
	return 0;
}
