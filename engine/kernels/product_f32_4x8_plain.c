/* SPDX-License-Identifier: GPL-3.0-or-later */
/* product_f32_4x8_plain.c: 4 rows by 8 columns with the vectors that every processor has. */
#define ROWS 4
#define VECTORS 2
#define WIDTH 4
#define NAME product_f32_4x8_plain
#include "engine/kernels/product_f32_vector.h"
