/* SPDX-License-Identifier: GPL-3.0-or-later */
/* quantise_q8_avx512.c: vectors brought to 8 bits with AVX-512. */
#define WIDTH 16
#define NAME(what) what##_avx512
#include "engine/kernels/quantise_q8_vector.h"
