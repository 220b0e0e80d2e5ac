/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conv_f32_8x16_avx512.c: 8 pixels by 16 channels with AVX-512. */
#define ROWS 8
#define VECTORS 1
#define NAME conv_f32_8x16_avx512
#include "engine/kernels/conv_f32_avx512.h"
