/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * conv_q8_twin_avx512vnni.c: the AVX-VNNI convolution tile with its one
 * instruction in the encoding of AVX-512 VNNI, which computes the same, so that
 * the tile can be tested where only the latter is to be had.
 */
#if defined(__x86_64__)
#include <immintrin.h>

#define _mm256_dpbusd_avx_epi32 _mm256_dpbusd_epi32
#define conv_q8_6x16_avxvnni conv_q8_6x16_twin
#include "engine/kernels/conv_q8_6x16_avxvnni.c"
#endif
