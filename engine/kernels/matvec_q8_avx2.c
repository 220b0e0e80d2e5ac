/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * matvec_q8_avx2.c: 8-bit matrix–vector products with AVX2. The product of
 * bytes wants one unsigned factor: |x| times w with the sign of x. Two products
 * of at most 127 · 127 fit 16 bits.
 */
#include <immintrin.h>
#include <string.h>

#include "engine/kernels/isa.h"

#define NAME matvec_q8_avx2
#define ROWS 2
#define STEP 32
#define REGISTER(x) "+x"(x)

typedef __m256i sums, weights, vector;

static inline sums zero(void)
{
	return _mm256_setzero_si256();
}

static inline weights load_weights(const int8_t *bytes)
{
	return _mm256_loadu_si256((const void *)bytes);
}

static inline weights load_tail(const int8_t *bytes, size_t left)
{
	int8_t tail[STEP] = {0};

	memcpy(tail, bytes, left);
	return load_weights(tail);
}

static inline vector load_vector(const int8_t *bytes)
{
	return _mm256_loadu_si256((const void *)bytes);
}

static inline void multiply_add(sums *s, vector v, weights w)
{
	__m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(v), _mm256_sign_epi8(w, v));

	*s = _mm256_add_epi32(*s, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

static inline int32_t sum_lanes(sums s)
{
	__m128i half = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));

	half = _mm_hadd_epi32(half, half);
	return _mm_cvtsi128_si32(_mm_hadd_epi32(half, half));
}

static inline void store(const sums *s, const struct matrix_q8 *matrix, size_t row, size_t rows,
			 float x_scale, float *y)
{
	for (size_t r = 0; r < rows; r++)
		y[row + r] = (float)sum_lanes(s[r]) * (matrix->scales[row + r] * x_scale);
}

#include "engine/kernels/matvec_q8_loop.h"
