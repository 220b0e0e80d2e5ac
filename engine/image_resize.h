/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * image_resize.h: resizing without allocation, for contexts that caption one
 * picture after another. Private to the engine.
 */
#ifndef ENGINE_IMAGE_RESIZE_H
#define ENGINE_IMAGE_RESIZE_H

#include "engine/image.h"

struct image_resizer;

/* Allocates all that resizing any picture within limits.h to width × height
 * takes: about 0.7 MiB at 299 × 299. */
int image_resizer_open(unsigned width, unsigned height, struct image_resizer **ret_resizer,
		       struct engine_error *error);
struct image_resizer *image_resizer_free(struct image_resizer *resizer);

/* Fills `rgb`, width × height × 3 bytes. Neither allocates nor fails. */
void image_resizer_run(struct image_resizer *resizer, const struct engine_image *image,
		       uint8_t *rgb);

#endif
