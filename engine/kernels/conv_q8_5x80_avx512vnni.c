/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conv_q8_5x80_avx512vnni.c: 5 pixels by 80 channels with AVX-512 VNNI. */
#define ROWS 5
#define VECTORS 5
#define NAME conv_q8_5x80_avx512vnni
#include "engine/kernels/conv_q8_avx512vnni.h"
