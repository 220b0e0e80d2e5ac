/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * place.h: where in the picture a thing is, from a map of what speaks for it.
 */
#ifndef ENGINE_PLACE_H
#define ENGINE_PLACE_H

#include "engine/engine.h"

/* `map` is height × width, in any unit. */
struct engine_place place_of(const float *map, unsigned width, unsigned height);

#endif
