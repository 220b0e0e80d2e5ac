/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * image_resize.h: resizing without allocation, for contexts that caption one
 * picture after another. Private to the engine.
 */
#ifndef ENGINE_IMAGE_RESIZE_H
#define ENGINE_IMAGE_RESIZE_H

#include "engine/image.h"
#include "engine/threadpool.h"

struct image_resizer;

/* Allocates all that resizing any picture within limits.h to width × height
 * takes with `threads` threads: about 0.3 MiB at 299 × 299, and 0.4 more a
 * thread, of which only what the picture needs is touched. */
int image_resizer_open(unsigned width, unsigned height, unsigned threads,
		       struct image_resizer **ret_resizer, struct engine_error *error);
struct image_resizer *image_resizer_free(struct image_resizer *resizer);

/* Fills `rgb`, width × height × 3 bytes. Neither allocates nor fails. `pool` has at
 * most the threads that the resizer was opened for; NULL: the caller's alone. */
void image_resizer_run(struct image_resizer *resizer, struct threadpool *pool,
		       const struct engine_image *image, uint8_t *rgb);

#endif
