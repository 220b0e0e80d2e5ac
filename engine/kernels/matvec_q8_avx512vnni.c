/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * matvec_q8_avx512vnni.c: 8-bit matrix–vector products with AVX-512 VNNI. The
 * instruction wants one unsigned factor, so 128 is added to the vectors and
 * 128 times the row's sum taken off again.
 */
#include <immintrin.h>

#include "engine/kernels/isa.h"

#define NAME matvec_q8_avx512vnni
#define ROWS 4
#define STEP 64
#define REGISTER(x) "+v"(x)

typedef __m512i sums, weights, vector;

static inline sums zero(void)
{
	return _mm512_setzero_si512();
}

static inline weights load_weights(const int8_t *bytes)
{
	return _mm512_loadu_si512(bytes);
}

static inline weights load_tail(const int8_t *bytes, size_t left)
{
	return _mm512_maskz_loadu_epi8(((__mmask64)1 << left) - 1, bytes);
}

static inline vector load_vector(const int8_t *bytes)
{
	return _mm512_xor_si512(_mm512_loadu_si512(bytes), _mm512_set1_epi8((char)0x80));
}

/* Not the intrinsic, with which GCC 12 copies every sum twice in every step. */
static inline void multiply_add(sums *s, vector v, weights w)
{
	__asm__("vpdpbusd %2, %1, %0" : "+v"(*s) : "v"(v), "v"(w));
}

/* The sums of four registers' lanes. */
static inline __m128i sum_lanes(const sums *s)
{
	__m256i halves[ROWS];
	__m256i pairs;

#pragma GCC unroll 4
	for (size_t r = 0; r < ROWS; r++)
		halves[r] = _mm256_add_epi32(_mm512_castsi512_si256(s[r]),
					     _mm512_extracti64x4_epi64(s[r], 1));
	pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(halves[0], halves[1]),
				  _mm256_hadd_epi32(halves[2], halves[3]));
	return _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
}

static inline void store(const sums *s, const struct matrix_q8 *matrix, size_t row, size_t rows,
			 float x_scale, float *y)
{
	__mmask8 stored = (__mmask8)((1u << rows) - 1);
	__m128i offsets = _mm_slli_epi32(_mm_maskz_loadu_epi32(stored, matrix->sums + row), 7);
	__m128 scale = _mm_mul_ps(_mm_maskz_loadu_ps(stored, matrix->scales + row),
				  _mm_set1_ps(x_scale));
	__m128i sum = _mm_sub_epi32(sum_lanes(s), offsets);

	_mm_mask_storeu_ps(y + row, stored, _mm_mul_ps(_mm_cvtepi32_ps(sum), scale));
}

#include "engine/kernels/matvec_q8_loop.h"
