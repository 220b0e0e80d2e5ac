/* SPDX-License-Identifier: GPL-3.0-or-later */
/* quantise_q8_128.c: vectors brought to 8 bits with the vectors of 128 bits that every processor has. */
#define WIDTH 4
#define NAME(what) what##_128
#include "engine/kernels/quantise_q8_vector.h"
