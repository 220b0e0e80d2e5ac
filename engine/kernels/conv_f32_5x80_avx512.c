/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conv_f32_5x80_avx512.c: 5 pixels by 80 channels with AVX-512. */
#define ROWS 5
#define VECTORS 5
#define NAME conv_f32_5x80_avx512
#include "engine/kernels/conv_f32_avx512.h"
