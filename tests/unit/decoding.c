/* SPDX-License-Identifier: GPL-3.0-or-later */
/* decoding.c: what the tests of pictures ask of the decoder, each in one line. */
#include "tests/unit/decoding.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

struct engine_image *decoded(const struct bytes *bytes)
{
	struct engine_error error = { "" };
	struct engine_image *image = NULL;
	int r = engine_image_decode(bytes->data, bytes->size, NULL, &image, &error);

	if (r)
		fail_msg("%d, %s", r, error.message);
	return image;
}

void refused(const void *data, size_t size, int status, const char *word)
{
	struct engine_error error = { "" };
	struct engine_image *image = NULL;
	int r = engine_image_decode(data, size, NULL, &image, &error);

	if (r != status)
		fail_msg("%d instead of %d, %s", r, status, error.message);
	assert_null(image);
	if (!strstr(error.message, word))
		fail_msg("\"%s\" does not say \"%s\"", error.message, word);
}

double difference(const struct engine_image *image, const uint8_t *rgb)
{
	size_t count = (size_t)engine_image_width(image) * engine_image_height(image) * 3, sum = 0;
	const uint8_t *pixels = engine_image_pixels(image);

	for (size_t i = 0; i < count; i++)
		sum += (size_t)abs(pixels[i] - rgb[i]);
	return (double)sum / (double)count;
}

void assert_pixel(const struct engine_image *image, unsigned x, unsigned y, int red, int green,
		  int blue, int tolerance)
{
	const uint8_t *p = engine_image_pixels(image) +
			   ((size_t)y * engine_image_width(image) + x) * 3;

	if (abs(p[0] - red) > tolerance || abs(p[1] - green) > tolerance ||
	    abs(p[2] - blue) > tolerance)
		fail_msg("(%u, %u) is %u %u %u instead of %d %d %d", x, y, p[0], p[1], p[2], red,
			 green, blue);
}
