/* SPDX-License-Identifier: GPL-3.0-or-later */
/* product_f32_6x16_avx2.c: 6 rows by 16 columns with AVX2 and FMA. */
#define ROWS 6
#define VECTORS 2
#define WIDTH 8
#define NAME product_f32_6x16_avx2
#include "engine/kernels/product_f32_vector.h"
