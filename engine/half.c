/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * half.c: half precision by moving the fields of the number; no lookup table
 * and no reliance on the compiler's optional _Float16.
 */
#include "engine/half.h"

#include <string.h>

float half_to_float(uint16_t half)
{
	uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
	uint32_t exponent = (half >> 10) & 0x1fu;
	uint32_t mantissa = half & 0x3ffu;
	uint32_t bits;
	float value;

	if (exponent == 0x1fu) {
		bits = sign | 0x7f800000u | mantissa << 13;
	} else if (exponent) {
		bits = sign | (exponent + 112u) << 23 | mantissa << 13;
	} else if (!mantissa) {
		bits = sign;
	} else {
		/* subnormal: move the leading one to its place above the mantissa */
		unsigned shift = (unsigned)__builtin_clz(mantissa) - 21u;

		bits = sign | (113u - shift) << 23 | ((mantissa << shift) & 0x3ffu) << 13;
	}
	memcpy(&value, &bits, sizeof(value));
	return value;
}

uint16_t half_from_float(float value)
{
	uint32_t bits;
	uint32_t magnitude, mantissa, half, remainder, halfway;
	uint16_t sign;

	memcpy(&bits, &value, sizeof(bits));
	sign = (uint16_t)(bits >> 16 & 0x8000u);
	magnitude = bits & 0x7fffffffu;

	if (magnitude > 0x7f800000u)
		return sign | 0x7e00u;
	if (magnitude >= 0x477ff000u)	/* 65520 and above round to infinity */
		return sign | 0x7c00u;
	if (magnitude < 0x33000000u)	/* below half of the smallest subnormal */
		return sign;

	if (magnitude < 0x38800000u) {	/* subnormal in half precision */
		unsigned shift = 126u - (magnitude >> 23);

		mantissa = (magnitude & 0x7fffffu) | 0x800000u;
		half = mantissa >> shift;
		remainder = mantissa & ((1u << shift) - 1u);
		halfway = 1u << (shift - 1u);
	} else {
		half = (magnitude - 0x38000000u) >> 13;
		remainder = magnitude & 0x1fffu;
		halfway = 0x1000u;
	}
	if (remainder > halfway || (remainder == halfway && (half & 1u)))
		half++;
	return (uint16_t)(sign | half);
}

void half_to_floats(const uint16_t *halves, size_t count, float *ret_values)
{
	for (size_t i = 0; i < count; i++)
		ret_values[i] = half_to_float(halves[i]);
}
