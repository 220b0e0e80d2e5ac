/* SPDX-License-Identifier: GPL-3.0-or-later */
/* winograd_128.c: transforms of minimal filtering with the vectors of 128 bits that every processor has. */
#define WIDTH 4
#define NAME(what) what##_128
#include "engine/kernels/winograd_vector.h"
