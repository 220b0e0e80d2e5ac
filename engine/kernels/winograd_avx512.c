/* SPDX-License-Identifier: GPL-3.0-or-later */
/* winograd_avx512.c: transforms of minimal filtering with AVX-512. */
#include <immintrin.h>

#define WIDTH 16
#define NAME(what) what##_avx512
#define LARGER(a, b) _mm512_max_ps(a, b)
#define SMALLER(a, b) _mm512_min_ps(a, b)
#include "engine/kernels/winograd_vector.h"
