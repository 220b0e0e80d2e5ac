/* SPDX-License-Identifier: GPL-3.0-or-later */
/* product_f32_8x16_avx512.c: 8 rows by 16 columns with AVX-512. */
#define ROWS 8
#define VECTORS 1
#define WIDTH 16
#define NAME product_f32_8x16_avx512
#include "engine/kernels/product_f32_vector.h"
