/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pool_f32_avx2.c: pools in floats with AVX2. */
#include <stdint.h>

#define WIDTH 8
#define NAME(what) what##_avx2
#include "engine/kernels/pool_f32_vector.h"
