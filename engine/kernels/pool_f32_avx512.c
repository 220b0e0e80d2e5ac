/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pool_f32_avx512.c: pools in floats with AVX-512. */
#include <stdint.h>

#define WIDTH 16
#define NAME(what) what##_avx512
#include "engine/kernels/pool_f32_vector.h"
