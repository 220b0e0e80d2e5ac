/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conv_q8_6x64_avx512vnni.c: 6 pixels by 64 channels with AVX-512 VNNI. */
#define ROWS 6
#define VECTORS 4
#define NAME conv_q8_6x64_avx512vnni
#include "engine/kernels/conv_q8_avx512vnni.h"
