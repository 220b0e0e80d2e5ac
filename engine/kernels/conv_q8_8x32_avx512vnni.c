/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conv_q8_8x32_avx512vnni.c: 8 pixels by 32 channels with AVX-512 VNNI. */
#define ROWS 8
#define VECTORS 2
#define NAME conv_q8_8x32_avx512vnni
#include "engine/kernels/conv_q8_avx512vnni.h"
