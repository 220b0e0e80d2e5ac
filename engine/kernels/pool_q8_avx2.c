/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pool_q8_avx2.c: pools with AVX2. */
#include <immintrin.h>

#include <stdint.h>

typedef uint16_t shorts __attribute__((vector_size(32)));

static inline void narrow_store(uint8_t *p, __m256i a)
{
	_mm_storeu_si128((void *)p, _mm_packus_epi16(_mm256_castsi256_si128(a),
						     _mm256_extracti128_si256(a, 1)));
}

#define WIDTH 32
#define NAME(what) what##_avx2
#define SHORTS shorts
#define LARGER(a, b) ((bytes)_mm256_max_epu8((__m256i)(a), (__m256i)(b)))
#define WIDEN(p) ((shorts)_mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)(p))))
#define MULTIPLY_HIGH(a, m) \
	((shorts)_mm256_mulhi_epu16((__m256i)(a), _mm256_set1_epi16((int16_t)(m))))
#define NARROW_STORE(p, a) narrow_store(p, (__m256i)(a))
#include "engine/kernels/pool_q8_vector.h"
