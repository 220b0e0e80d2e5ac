/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * decoding.h: pictures decoded or refused as a test wants it, and their pixels
 * looked at. Whatever is otherwise fails the test.
 */
#ifndef TESTS_DECODING_H
#define TESTS_DECODING_H

#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "tests/unit/pictures.h"

/* The caller frees it. */
struct engine_image *decoded(const struct bytes *bytes);

/* Refused with this status and a message in which this word occurs. */
void refused(const void *data, size_t size, int status, const char *word);

/* The mean difference of the image from RGB samples of the same size. */
double difference(const struct engine_image *image, const uint8_t *rgb);

void assert_pixel(const struct engine_image *image, unsigned x, unsigned y, int red, int green,
		  int blue, int tolerance);

#endif
