/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pool_f32_128.c: pools in floats with the vectors of 128 bits that every processor has. */
#include <stdint.h>

#define WIDTH 4
#define NAME(what) what##_128
#include "engine/kernels/pool_f32_vector.h"
