/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * activation_avx2.c: the decoder's element-wise functions on vectors of 32 bytes.
 */
#define ACTIVATION_BYTES 32
#define ACTIVATION_SET activation_avx2
#include "engine/kernels/activation_vector.h"
