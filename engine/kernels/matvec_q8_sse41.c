/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * matvec_q8_sse41.c: 8-bit matrix–vector products with SSE4.1. The product of
 * bytes wants one unsigned factor: |x| times w with the sign of x. Two products
 * of at most 127 · 127 fit 16 bits.
 */
#include <immintrin.h>
#include <string.h>

#include "engine/kernels/isa.h"

#define ROWS 2
#define VECTORS 4

static inline int32_t sum_lanes(__m128i sums)
{
	sums = _mm_hadd_epi32(sums, sums);
	return _mm_cvtsi128_si32(_mm_hadd_epi32(sums, sums));
}

static inline __m128i load(const int8_t *bytes, size_t left)
{
	int8_t tail[16] = {0};

	if (left >= 16)
		return _mm_loadu_si128((const void *)bytes);
	memcpy(tail, bytes, left);
	return _mm_loadu_si128((const void *)tail);
}

static inline __attribute__((always_inline)) void
multiply(const struct matrix_q8 *matrix, size_t row, size_t rows, const int8_t *x,
	 const float *x_scales, size_t count, size_t x_stride, float *y, size_t y_stride)
{
	__m128i sums[VECTORS][ROWS];
	__m128i ones = _mm_set1_epi16(1);
	const int8_t *weights[ROWS];
	size_t columns = matrix->columns;

#pragma GCC unroll 4
	for (size_t r = 0; r < ROWS; r++) {
		weights[r] = matrix->weights + (row + (r < rows ? r : rows - 1)) * columns;
#pragma GCC unroll 4
		for (size_t j = 0; j < count; j++)
			sums[j][r] = _mm_setzero_si128();
	}
	for (size_t k = 0; k < columns; k += 16) {
		__m128i w[ROWS];

#pragma GCC unroll 4
		for (size_t r = 0; r < ROWS; r++)
			w[r] = load(weights[r] + k, columns - k);
#pragma GCC unroll 4
		for (size_t j = 0; j < count; j++) {
			__m128i v = _mm_loadu_si128((const void *)(x + j * x_stride + k));
			__m128i size = _mm_abs_epi8(v);

#pragma GCC unroll 4
			for (size_t r = 0; r < ROWS; r++) {
				__m128i pairs = _mm_maddubs_epi16(size, _mm_sign_epi8(w[r], v));

				sums[j][r] = _mm_add_epi32(sums[j][r],
							      _mm_madd_epi16(pairs, ones));
			}
		}
	}
	for (size_t j = 0; j < count; j++)
		for (size_t r = 0; r < rows; r++)
			y[j * y_stride + row + r] = (float)sum_lanes(sums[j][r]) *
						    (matrix->scales[row + r] * x_scales[j]);
}

void matvec_q8_sse41(const struct matrix_q8 *matrix, size_t row_begin, size_t row_end,
		    const int8_t *x, const float *x_scales, size_t count, size_t x_stride,
		    float *y, size_t y_stride)
{
	for (size_t row = row_begin; row < row_end; row += ROWS) {
		size_t rows = row_end - row < ROWS ? row_end - row : ROWS;

		for (size_t j = 0; j < count; j += VECTORS) {
			const int8_t *xj = x + j * x_stride;
			float *yj = y + j * y_stride;

			switch (count - j) {
			case 1:
				multiply(matrix, row, rows, xj, x_scales + j, 1, x_stride, yj, y_stride);
				break;
			case 2:
				multiply(matrix, row, rows, xj, x_scales + j, 2, x_stride, yj, y_stride);
				break;
			case 3:
				multiply(matrix, row, rows, xj, x_scales + j, 3, x_stride, yj, y_stride);
				break;
			default:
				multiply(matrix, row, rows, xj, x_scales + j, 4, x_stride, yj, y_stride);
			}
		}
	}
}
