/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * matvec_q8_avx2.c: 8-bit matrix–vector products with AVX2. The product of
 * bytes wants one unsigned factor: |x| times w with the sign of x. Two products
 * of at most 127 · 127 fit 16 bits.
 */
#include <immintrin.h>
#include <string.h>

#include "engine/kernels/isa.h"

#define ROWS 2
#define VECTORS 4

static inline int32_t sum_lanes(__m256i sums)
{
	__m128i s = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));

	s = _mm_hadd_epi32(s, s);
	return _mm_cvtsi128_si32(_mm_hadd_epi32(s, s));
}

static inline __m256i load(const int8_t *bytes, size_t left)
{
	int8_t tail[32] = {0};

	if (left >= 32)
		return _mm256_loadu_si256((const void *)bytes);
	memcpy(tail, bytes, left);
	return _mm256_loadu_si256((const void *)tail);
}

static inline __attribute__((always_inline)) void
multiply(const struct matrix_q8 *matrix, size_t row, size_t rows, const int8_t *x,
	 const float *x_scales, size_t count, size_t x_stride, float *y, size_t y_stride)
{
	__m256i sums[VECTORS][ROWS];
	__m256i ones = _mm256_set1_epi16(1);
	const int8_t *weights[ROWS];
	size_t columns = matrix->columns;

#pragma GCC unroll 4
	for (size_t r = 0; r < ROWS; r++) {
		weights[r] = matrix->weights + (row + (r < rows ? r : rows - 1)) * columns;
#pragma GCC unroll 4
		for (size_t j = 0; j < count; j++)
			sums[j][r] = _mm256_setzero_si256();
	}
	for (size_t k = 0; k < columns; k += 32) {
		__m256i w[ROWS];

#pragma GCC unroll 4
		for (size_t r = 0; r < ROWS; r++)
			w[r] = load(weights[r] + k, columns - k);
#pragma GCC unroll 4
		for (size_t j = 0; j < count; j++) {
			__m256i v = _mm256_loadu_si256((const void *)(x + j * x_stride + k));
			__m256i size = _mm256_abs_epi8(v);

#pragma GCC unroll 4
			for (size_t r = 0; r < ROWS; r++) {
				__m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(w[r], v));

				sums[j][r] = _mm256_add_epi32(sums[j][r],
							      _mm256_madd_epi16(pairs, ones));
			}
		}
	}
	for (size_t j = 0; j < count; j++)
		for (size_t r = 0; r < rows; r++)
			y[j * y_stride + row + r] = (float)sum_lanes(sums[j][r]) *
						    (matrix->scales[row + r] * x_scales[j]);
}

void matvec_q8_avx2(const struct matrix_q8 *matrix, size_t row_begin, size_t row_end,
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
