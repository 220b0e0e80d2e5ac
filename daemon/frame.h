/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * frame.h: one picture as a source delivers it: an encoded file (JPEG or PNG)
 * or raw pixels with their layout. The bytes are borrowed; what has to outlive
 * the delivery is copied into a sealed memfd, which is also how a picture
 * reaches the inference worker.
 */
#ifndef DAEMON_FRAME_H
#define DAEMON_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

struct frame {
	bool encoded;			/* a JPEG or PNG; the layout below is then unset */
	enum engine_pixel_format format;
	unsigned width, height;
	size_t stride;			/* bytes of a row of the first plane */
	const void *data;
	size_t size;
	uint64_t taken_us;		/* when it was taken, frame_clock() */
};

/* Microseconds of CLOCK_MONOTONIC, which cameras and keys stamp their events with. */
uint64_t frame_clock(void);

/* Copies the bytes into a memfd sealed against every change. 0 or a negative errno. */
int frame_to_memfd(const struct frame *frame, int *ret_fd);

/* Shrinks the picture to width × height grey cells, each the mean of points
 * spread over its area; cheap enough for every frame of a camera. 0, a negative
 * errno, or the engine's positive code when the picture is damaged or cut short. */
int frame_shrink(const struct frame *frame, unsigned width, unsigned height, uint8_t *ret_grey);

/* Mean grey level of `count` cells. */
double frame_brightness(const uint8_t *grey, size_t count);

#endif
