/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a picture: decoded scaled and in full, then resized and measured,
 * so that every output pixel is read. Large but valid headers are cheap to write
 * and slow to decode; pictures over one megapixel end after the decoding.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static void use(const struct engine_image *image)
{
	static uint8_t rgb[40 * 30 * 3];
	unsigned width = engine_image_width(image), height = engine_image_height(image);
	struct engine_quality quality;
	struct engine_error error;

	require(width > 0 && height > 0);
	if ((uint64_t)width * height > 1000000)
		return;
	require(engine_image_resize(image, 40, 30, rgb, &error) == 0);
	require(engine_quality_measure(image, NULL, &quality, &error) == 0);
	for (int i = 0; i < ENGINE_QUALITY_KINDS; i++)
		require(quality.score[i] >= 0 && quality.score[i] <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct engine_image_options options[] = {
		{ .wanted_width = 299, .wanted_height = 299 }, { 0 },
	};

	for (size_t i = 0; i < 2; i++) {
		struct engine_image *image = NULL;
		struct engine_error error = { "" };
		int r = engine_image_decode(data, size, &options[i], &image, &error);

		/* refused with a sentence, or there */
		require(r ? error.message[0] != '\0' && !image : image != NULL);
		if (r)
			break;
		use(image);
		engine_image_free(image);
	}
	return 0;
}
