/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pool_q8_vector.h: the body of the pools' inner loops. A file for each
 * instruction set defines WIDTH (bytes of a vector), NAME(what), SHORTS (a vector
 * of WIDTH / 2 16-bit words), LARGER(a, b) on bytes, WIDEN(pointer), MULTIPLY_HIGH
 * and NARROW_STORE(pointer, shorts), and includes it.
 */
#include <string.h>

#include "engine/kernels/isa.h"

typedef uint8_t bytes __attribute__((vector_size(WIDTH)));

void NAME(maximum_q8)(const uint8_t *const *pixels, size_t count, size_t channels,
		      uint8_t *ret_bytes)
{
	for (size_t c = 0; c < channels; c += WIDTH) {
		bytes most, v;

		memcpy(&most, pixels[0] + c, sizeof(most));
		for (size_t p = 1; p < count; p++) {
			memcpy(&v, pixels[p] + c, sizeof(v));
			most = LARGER(most, v);
		}
		if (channels - c >= WIDTH)
			memcpy(ret_bytes + c, &most, sizeof(most));
		else
			memcpy(ret_bytes + c, &most, channels - c);
	}
}

void NAME(average_q8)(const uint8_t *const *pixels, size_t count, size_t channels, uint16_t half,
		      uint16_t multiplier, uint8_t *ret_bytes)
{
	for (size_t c = 0; c < channels; c += WIDTH / 2) {
		SHORTS sums = WIDEN(pixels[0] + c) + half;

		for (size_t p = 1; p < count; p++)
			sums += WIDEN(pixels[p] + c);
		sums = MULTIPLY_HIGH(sums, multiplier);
		if (channels - c >= WIDTH / 2) {
			NARROW_STORE(ret_bytes + c, sums);
		} else {
			uint8_t rest[WIDTH / 2];

			NARROW_STORE(rest, sums);
			memcpy(ret_bytes + c, rest, channels - c);
		}
	}
}
