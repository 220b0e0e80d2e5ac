/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * matvec_q8_avx512vnni.c: 8-bit matrix–vector products with AVX-512 VNNI. The
 * instruction wants one unsigned factor, so 128 is added to the vectors and
 * 128 times the row's sum taken off again. Four rows by up to four vectors at a
 * time; further vectors find the rows in the first-level cache.
 */
#include <immintrin.h>

#include "engine/kernels/isa.h"

#define ROWS 4
#define VECTORS 4

/* The sums of four registers' lanes. */
static inline __m128i sum_lanes(const __m512i *sums)
{
	__m256i halves[ROWS];
	__m256i pairs;

#pragma GCC unroll 4
	for (size_t r = 0; r < ROWS; r++)
		halves[r] = _mm256_add_epi32(_mm512_castsi512_si256(sums[r]),
					     _mm512_extracti64x4_epi64(sums[r], 1));
	pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(halves[0], halves[1]),
				  _mm256_hadd_epi32(halves[2], halves[3]));
	return _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
}

/* `rows` rows from `row` on; missing ones repeat the last. */
static inline __attribute__((always_inline)) void
multiply(const struct matrix_q8 *matrix, size_t row, size_t rows, const int8_t *x,
	 const float *x_scales, size_t count, size_t x_stride, float *y, size_t y_stride)
{
	__m512i sums[VECTORS][ROWS];
	__m512i flip = _mm512_set1_epi8((char)0x80);
	const int8_t *weights[ROWS];
	size_t columns = matrix->columns;
	__mmask8 stored = (__mmask8)((1u << rows) - 1);
	__m128 scales = _mm_maskz_loadu_ps(stored, matrix->scales + row);
	__m128i offsets = _mm_slli_epi32(_mm_maskz_loadu_epi32(stored, matrix->sums + row), 7);

#pragma GCC unroll 4
	for (size_t r = 0; r < ROWS; r++) {
		weights[r] = matrix->weights + (row + (r < rows ? r : rows - 1)) * columns;
#pragma GCC unroll 4
		for (size_t j = 0; j < count; j++)
			sums[j][r] = _mm512_setzero_si512();
	}
	for (size_t k = 0; k < columns; k += 64) {
		__m512i w[ROWS];
		__mmask64 mask = columns - k >= 64 ? ~(__mmask64)0
						   : ((__mmask64)1 << (columns - k)) - 1;

#pragma GCC unroll 4
		for (size_t r = 0; r < ROWS; r++)
			w[r] = _mm512_maskz_loadu_epi8(mask, weights[r] + k);
#pragma GCC unroll 4
		for (size_t j = 0; j < count; j++) {
			__m512i v = _mm512_xor_si512(_mm512_loadu_si512(x + j * x_stride + k), flip);

#pragma GCC unroll 4
			for (size_t r = 0; r < ROWS; r++)
				sums[j][r] = _mm512_dpbusd_epi32(sums[j][r], v, w[r]);
		}
	}
#pragma GCC unroll 4
	for (size_t j = 0; j < count; j++) {
		__m128i sum = _mm_sub_epi32(sum_lanes(sums[j]), offsets);
		__m128 scale = _mm_mul_ps(scales, _mm_set1_ps(x_scales[j]));

		_mm_mask_storeu_ps(y + j * y_stride + row, stored,
				   _mm_mul_ps(_mm_cvtepi32_ps(sum), scale));
	}
}

void matvec_q8_avx512vnni(const struct matrix_q8 *matrix, size_t row_begin, size_t row_end,
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
