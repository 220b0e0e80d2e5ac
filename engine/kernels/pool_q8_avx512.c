/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pool_q8_avx512.c: pools with AVX-512. */
#include <immintrin.h>

#include <stdint.h>

typedef uint16_t shorts __attribute__((vector_size(64)));

#define WIDTH 64
#define NAME(what) what##_avx512
#define SHORTS shorts
#define LARGER(a, b) ((bytes)_mm512_max_epu8((__m512i)(a), (__m512i)(b)))
#define WIDEN(p) ((shorts)_mm512_cvtepu8_epi16(_mm256_loadu_si256((const void *)(p))))
#define MULTIPLY_HIGH(a, m) \
	((shorts)_mm512_mulhi_epu16((__m512i)(a), _mm512_set1_epi16((int16_t)(m))))
#define NARROW_STORE(p, a) \
	_mm256_storeu_si256((void *)(p), _mm512_cvtusepi16_epi8((__m512i)(a)))
#include "engine/kernels/pool_q8_vector.h"
