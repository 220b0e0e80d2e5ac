/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pool_q8_128.c: pools with the vectors of 128 bits that every x86-64 and arm64
 * processor has; plain C elsewhere. */
#include <stdint.h>
#include <string.h>

#define WIDTH 16
#define NAME(what) what##_128
typedef uint16_t shorts __attribute__((vector_size(16)));
#define SHORTS shorts

#if defined(__x86_64__)
#include <immintrin.h>
#define LARGER(a, b) ((bytes)_mm_max_epu8((__m128i)(a), (__m128i)(b)))
#define WIDEN(p) \
	((shorts)_mm_unpacklo_epi8(_mm_loadl_epi64((const void *)(p)), _mm_setzero_si128()))
#define MULTIPLY_HIGH(a, m) ((shorts)_mm_mulhi_epu16((__m128i)(a), _mm_set1_epi16((int16_t)(m))))
#define NARROW_STORE(p, a) \
	_mm_storel_epi64((void *)(p), _mm_packus_epi16((__m128i)(a), (__m128i)(a)))
#elif defined(__aarch64__)
#include <arm_neon.h>

static inline shorts multiply_high(uint16x8_t a, uint16_t m)
{
	return (shorts)vcombine_u16(vshrn_n_u32(vmull_n_u16(vget_low_u16(a), m), 16),
				    vshrn_n_u32(vmull_high_n_u16(a, m), 16));
}

#define LARGER(a, b) ((bytes)vmaxq_u8((uint8x16_t)(a), (uint8x16_t)(b)))
#define WIDEN(p) ((shorts)vmovl_u8(vld1_u8(p)))
#define MULTIPLY_HIGH(a, m) multiply_high((uint16x8_t)(a), m)
#define NARROW_STORE(p, a) vst1_u8(p, vqmovn_u16((uint16x8_t)(a)))
#else
static inline shorts widen(const uint8_t *p)
{
	return (shorts){p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]};
}

static inline shorts multiply_high(shorts a, uint16_t m)
{
	for (int i = 0; i < 8; i++)
		a[i] = (uint16_t)((uint32_t)a[i] * m >> 16);
	return a;
}

static inline void narrow_store(uint8_t *p, shorts a)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(a[i] > 255 ? 255 : a[i]);
}

#define LARGER(a, b) (((a) & (bytes)((a) > (b))) | ((b) & ~(bytes)((a) > (b))))
#define WIDEN(p) widen(p)
#define MULTIPLY_HIGH(a, m) multiply_high(a, m)
#define NARROW_STORE(p, a) narrow_store(p, a)
#endif
#include "engine/kernels/pool_q8_vector.h"
