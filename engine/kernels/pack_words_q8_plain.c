/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pack_words_q8_plain.c: words of sixteen rows brought side by side, in squares of one
 * cache line by sixteen rows, so that lines are read and written whole. Rows lie so far
 * apart that more of them would compete for the same places in the cache.
 */
#include <string.h>

#include "engine/kernels/isa.h"

void pack_words_q8_plain(const uint8_t *rows, size_t depth, uint32_t flips, uint8_t *ret_packed,
			 size_t stride)
{
	for (size_t k = 0; k < depth; k += 64) {
		size_t words = depth - k < 64 ? (depth - k) / 4 : 16;
		uint32_t square[16][16];

		for (size_t r = 0; r < 16; r++) {
			const uint8_t *row = rows + r * depth + k;

			/* far enough ahead for a fetch from memory */
			__builtin_prefetch(row + 512);
			for (size_t i = 0; i < words; i++) {
				uint32_t word;

				memcpy(&word, row + 4 * i, sizeof(word));
				square[i][r] = word ^ flips;
			}
		}
		for (size_t i = 0; i < words; i++)
			memcpy(ret_packed + (k / 4 + i) * stride, square[i], sizeof(square[i]));
	}
}
