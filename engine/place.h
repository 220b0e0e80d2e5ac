/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * place.h: where in the picture a word looks, from its attention map.
 */
#ifndef ENGINE_PLACE_H
#define ENGINE_PLACE_H

#include "engine/engine.h"

/* `attention` is height × width and sums to 1. */
struct engine_place place_of(const float *attention, unsigned width, unsigned height);

#endif
