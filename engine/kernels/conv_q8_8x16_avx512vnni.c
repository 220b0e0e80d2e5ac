/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conv_q8_8x16_avx512vnni.c: 8 pixels by 16 channels with AVX-512 VNNI. */
#define ROWS 8
#define VECTORS 1
#define NAME conv_q8_8x16_avx512vnni
#include "engine/kernels/conv_q8_avx512vnni.h"
