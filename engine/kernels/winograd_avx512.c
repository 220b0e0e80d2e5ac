/* SPDX-License-Identifier: GPL-3.0-or-later */
/* winograd_avx512.c: transforms of minimal filtering with AVX-512. */
#define WIDTH 16
#define NAME(what) what##_avx512
#include "engine/kernels/winograd_vector.h"
