/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * half.h: IEEE 754 half precision to and from single precision, in integer
 * arithmetic, so that the result is the same on every processor and at every
 * optimisation level. Exact to single; to half it rounds to nearest, ties to
 * even, and overflows to infinity.
 */
#ifndef ENGINE_HALF_H
#define ENGINE_HALF_H

#include <stddef.h>
#include <stdint.h>

float half_to_float(uint16_t half);
uint16_t half_from_float(float value);
void half_to_floats(const uint16_t *halves, size_t count, float *ret_values);

#endif
