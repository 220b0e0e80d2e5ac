/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tilt.h: whether the camera was tilted, by the features of the encoder. The
 * encoder has seen trees, faces and houses the right way up, and its features
 * know when they are not, where lines alone leave it open. Private to the engine.
 */
#ifndef ENGINE_TILT_H
#define ENGINE_TILT_H

#include "engine/gguf.h"

#include <stdbool.h>

uint64_t tilt_fingerprint(const struct gguf_tensor *tensor);
/* Whether the file holds the encoder that the probe was fitted on. */
bool tilt_fits(const struct gguf *file, size_t pool_size);
/* The probability that the camera was tilted by over 15 degrees, from its pooled
 * features and from the score that the picture's lines gave. */
float tilt_score(const float *pool, float lines);

#endif
