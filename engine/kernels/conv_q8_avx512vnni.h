/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * conv_q8_avx512vnni.h: the body of the AVX-512 VNNI convolution tiles. A file
 * for each tile defines ROWS and VECTORS (of 16 channels) and includes it.
 * Sums live in ROWS × VECTORS registers; each step loads VECTORS registers of
 * weights, 4 bytes deep, and broadcasts 4 activations of each row.
 */
#include <immintrin.h>
#include <string.h>

#include "engine/kernels/isa.h"

#define LANES 16
#define COLUMNS (VECTORS * LANES)

static inline __m512i broadcast(const uint8_t *bytes)
{
	int32_t word;

	memcpy(&word, bytes, sizeof(word));
	return _mm512_set1_epi32(word);
}

static inline __m128i requantise(__m512i sums, __m512 scale, const struct requantisation *r)
{
	__m512 x = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), scale);

	x = _mm512_max_ps(x, _mm512_set1_ps(r->low));
	x = _mm512_min_ps(x, _mm512_set1_ps(r->high));
	return _mm512_cvtepi32_epi8(
		_mm512_add_epi32(_mm512_cvtps_epi32(x), _mm512_set1_epi32(r->output_zero)));
}

static inline void store(uint8_t *output, __m128i q, ptrdiff_t columns)
{
	if (columns >= LANES)
		_mm_storeu_si128((void *)output, q);
	else if (columns > 0)
		_mm_mask_storeu_epi8(output, (__mmask16)((1u << columns) - 1), q);
}

static inline __m512i round_sums(const struct conv_q8_tile *tile, __m512i sums, size_t v)
{
	__m512 x = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_loadu_ps(tile->scale + v * LANES));

	return _mm512_add_epi32(_mm512_cvtps_epi32(x),
				_mm512_set1_epi32(tile->requantisation->output_zero));
}

/* Packs up to four vectors at a time to bytes; the packing mixes 128-bit lanes,
 * which the permutation puts right. */
static inline void store_saturated(const struct conv_q8_tile *tile, size_t r, const __m512i *sums)
{
	const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
	uint8_t *output = tile->output + r * tile->output_stride;

#pragma GCC unroll 16
	for (size_t v = 0; v < VECTORS; v += 4) {
		__m512i x[4], packed;

#pragma GCC unroll 4
		for (size_t i = 0; i < 4; i++)
			x[i] = v + i < VECTORS ? round_sums(tile, sums[v + i], v + i) : x[0];
		packed = _mm512_packus_epi16(_mm512_packs_epi32(x[0], x[1]),
					     _mm512_packs_epi32(x[2], x[3]));
		packed = _mm512_permutexvar_epi32(order, packed);
		switch (VECTORS - v) {
		case 1:
			_mm_storeu_si128((void *)(output + v * LANES),
					 _mm512_castsi512_si128(packed));
			break;
		case 2:
			_mm256_storeu_si256((void *)(output + v * LANES),
					    _mm512_castsi512_si256(packed));
			break;
		case 3:
			_mm512_mask_storeu_epi32(output + v * LANES, 0x0fff, packed);
			break;
		default:
			_mm512_storeu_si512(output + v * LANES, packed);
		}
	}
}

void NAME(const struct conv_q8_tile *tile)
{
	__m512i sums[ROWS][VECTORS];
	const int8_t *weights = tile->weights;
	const uint8_t *const *taps = tile->taps;

#pragma GCC unroll 16
	for (size_t r = 0; r < ROWS; r++) {
		__m512i term = _mm512_setzero_si512();

		if (tile->row_sums)
			term = _mm512_set1_epi32(tile->row_sums[r] * tile->row_factor);
#pragma GCC unroll 16
		for (size_t v = 0; v < VECTORS; v++)
			sums[r][v] = _mm512_add_epi32(term, _mm512_loadu_si512(tile->bias + v * LANES));
	}
	for (size_t t = 0; t < tile->tap_count; t++) {
		const uint8_t *a[ROWS];

#pragma GCC unroll 16
		for (size_t r = 0; r < ROWS; r++)
			a[r] = taps[r];
		for (size_t k = 0; k < tile->tap_bytes; k += 4) {
			__m512i w[VECTORS];

#pragma GCC unroll 16
			for (size_t v = 0; v < VECTORS; v++)
				w[v] = _mm512_loadu_si512(weights + v * 64);
			weights += VECTORS * 64;
#pragma GCC unroll 16
			for (size_t r = 0; r < ROWS; r++) {
				__m512i x = broadcast(a[r] + k);

#pragma GCC unroll 16
				for (size_t v = 0; v < VECTORS; v++)
					sums[r][v] = _mm512_dpbusd_epi32(sums[r][v], x, w[v]);
			}
		}
		taps += tile->tap_stride;
	}
	/* Rolled loops, so that the sums pass through the stack: while they stay
	 * in registers up to the stores, GCC 12 moves them about in every step. */
	if (tile->requantisation->saturating && tile->columns == COLUMNS) {
		for (size_t r = 0; r < tile->rows; r++)
			store_saturated(tile, r, sums[r]);
		return;
	}
	for (size_t r = 0; r < tile->rows; r++)
#pragma GCC unroll 16
		for (size_t v = 0; v < VECTORS; v++)
			store(tile->output + r * tile->output_stride + v * LANES,
			      requantise(sums[r][v], _mm512_loadu_ps(tile->scale + v * LANES),
					 tile->requantisation),
			      (ptrdiff_t)tile->columns - (ptrdiff_t)(v * LANES));
}
