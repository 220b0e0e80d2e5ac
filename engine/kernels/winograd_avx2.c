/* SPDX-License-Identifier: GPL-3.0-or-later */
/* winograd_avx2.c: transforms of minimal filtering with AVX2 and FMA. */
#include <immintrin.h>

#define WIDTH 8
#define NAME(what) what##_avx2
#define LARGER(a, b) _mm256_max_ps(a, b)
#define SMALLER(a, b) _mm256_min_ps(a, b)
#include "engine/kernels/winograd_vector.h"
