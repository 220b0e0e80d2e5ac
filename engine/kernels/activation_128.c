/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * activation_128.c: the decoder's element-wise functions on vectors of 16 bytes.
 */
#define ACTIVATION_BYTES 16
#define ACTIVATION_SET activation_128
#include "engine/kernels/activation_vector.h"
