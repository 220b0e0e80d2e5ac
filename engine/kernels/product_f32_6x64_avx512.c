/* SPDX-License-Identifier: GPL-3.0-or-later */
/* product_f32_6x64_avx512.c: 6 rows by 64 columns with AVX-512. */
#define ROWS 6
#define VECTORS 4
#define WIDTH 16
#define NAME product_f32_6x64_avx512
#include "engine/kernels/product_f32_vector.h"
