/* SPDX-License-Identifier: GPL-3.0-or-later */
/* product_f32_8x8_neon.c: 8 rows by 8 columns with NEON. */
#define ROWS 8
#define VECTORS 2
#define WIDTH 4
#define NAME product_f32_8x8_neon
#include "engine/kernels/product_f32_vector.h"
