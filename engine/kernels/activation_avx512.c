/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * activation_avx512.c: the decoder's element-wise functions on vectors of 64 bytes.
 */
#define ACTIVATION_BYTES 64
#define ACTIVATION_SET activation_avx512
#include "engine/kernels/activation_vector.h"
