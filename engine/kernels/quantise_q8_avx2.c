/* SPDX-License-Identifier: GPL-3.0-or-later */
/* quantise_q8_avx2.c: vectors brought to 8 bits with AVX2. */
#define WIDTH 8
#define NAME(what) what##_avx2
#include "engine/kernels/quantise_q8_vector.h"
