/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conv_f32_6x64_avx512.c: 6 pixels by 64 channels with AVX-512. */
#define ROWS 6
#define VECTORS 4
#define NAME conv_f32_6x64_avx512
#include "engine/kernels/conv_f32_avx512.h"
