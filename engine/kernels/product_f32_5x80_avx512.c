/* SPDX-License-Identifier: GPL-3.0-or-later */
/* product_f32_5x80_avx512.c: 5 rows by 80 columns with AVX-512. */
#define ROWS 5
#define VECTORS 5
#define WIDTH 16
#define NAME product_f32_5x80_avx512
#include "engine/kernels/product_f32_vector.h"
