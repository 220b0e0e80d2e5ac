/* SPDX-License-Identifier: GPL-3.0-or-later */
/* winograd_avx2.c: transforms of minimal filtering with AVX2 and FMA. */
#define WIDTH 8
#define NAME(what) what##_avx2
#include "engine/kernels/winograd_vector.h"
