/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * place.c: of a map only what rises above its mean counts. Its centre of mass says
 * where, its spread about that whether it says so at all: what is everywhere has its
 * centre in the middle of the picture, which would be a claim. Across and down are
 * judged apart, for a horizon is at one height and at no side.
 */
#include "engine/place.h"

#include <math.h>

#define FIRST 0.4f
#define LAST 0.6f
/* Standard deviation, in shares of the picture, of a map that is peaked. A flat map
 * has 0.29; up to 0.17 the side was right in 94% of collages (tests/tools/collages.py). */
#define PEAKED 0.17f

/* The mean and deviation along one side. */
static enum engine_side side_of(const float *map, float mean_value, unsigned count,
				unsigned stride, unsigned others, unsigned other_stride, float *ret_spread)
{
	float sum = 0.0f, first = 0.0f, second = 0.0f, mean;

	for (unsigned i = 0; i < count; i++) {
		float at = ((float)i + 0.5f) / (float)count, mass = 0.0f;

		for (unsigned k = 0; k < others; k++)
			mass += fmaxf(map[i * stride + k * other_stride] - mean_value, 0.0f);
		sum += mass;
		first += mass * at;
		second += mass * at * at;
	}
	if (!(sum > 0.0f)) {
		*ret_spread = INFINITY;
		return ENGINE_SIDE_UNKNOWN;
	}
	mean = first / sum;
	*ret_spread = sqrtf(fmaxf(second / sum - mean * mean, 0.0f));
	if (*ret_spread > PEAKED)
		return ENGINE_SIDE_UNKNOWN;
	return mean < FIRST ? ENGINE_SIDE_FIRST :
		mean > LAST ? ENGINE_SIDE_LAST : ENGINE_SIDE_MIDDLE;
}

struct engine_place place_of(const float *map, unsigned width, unsigned height)
{
	struct engine_place place;
	float across, down, mean = 0.0f;

	for (unsigned i = 0; i < width * height; i++)
		mean += map[i] / (float)(width * height);
	place.across = side_of(map, mean, width, 1, height, width, &across);
	place.down = side_of(map, mean, height, width, width, 1, &down);
	place.spread = fminf(fmaxf(across, down), 1.0f);
	return place;
}
