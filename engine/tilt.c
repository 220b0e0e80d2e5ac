/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tilt.c: a linear probe on the pooled features, joined with the score of the
 * picture's lines. The weights (tilt_weights.h, fitted by tests/tools/fit_tilt.py
 * on turned training photos) mean nothing to another encoder, so they are used
 * only where the first convolution is the one they were fitted on, byte by byte.
 */
#include "engine/tilt.h"

#include <math.h>

#include "engine/tilt_weights.h"

#define WEIGHTS (sizeof(tilt_weights) / sizeof(tilt_weights[0]))

uint64_t tilt_fingerprint(const struct gguf_tensor *tensor)
{
	const uint8_t *bytes = tensor->data;
	uint64_t hash = 0xcbf29ce484222325u;	/* FNV-1a */

	for (size_t i = 0; i < tensor->size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

bool tilt_fits(const struct gguf *file, size_t pool_size)
{
	const struct gguf_tensor *tensor = gguf_find_tensor(file, TILT_TENSOR);

	return pool_size == WEIGHTS && tensor && tensor->size < 1u << 16 &&
		tilt_fingerprint(tensor) == TILT_FINGERPRINT;
}

float tilt_score(const float *pool, float lines)
{
	float sum = 0, odds;

	for (size_t i = 0; i < WEIGHTS; i++)
		sum += (float)tilt_weights[i] * pool[i];
	lines = fminf(fmaxf(lines, 1e-6f), 1 - 1e-6f);
	odds = logf(lines / (1 - lines));
	return 1 / (1 + expf(-(TILT_SCALE * sum + TILT_LINES * odds + TILT_BIAS)));
}
