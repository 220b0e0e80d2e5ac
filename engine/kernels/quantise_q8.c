/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * quantise_q8.c: what the 8-bit matrix–vector products need on every processor:
 * vectors brought to 8 bits and sums of the weights by row. Vectors of the
 * compiler take the place of instruction sets here: four floats at a time, and
 * rounding by adding 1.5 · 2^23, which leaves the nearest integer, ties to even,
 * in the low bits of the mantissa.
 */
#include <math.h>
#include <string.h>

#include "engine/kernels/isa.h"

#define ROUNDER 12582912.0f

typedef float float4 __attribute__((vector_size(16)));
typedef int32_t int4 __attribute__((vector_size(16)));
typedef int8_t byte4 __attribute__((vector_size(4)));

static float largest(const float *x, size_t count)
{
	float4 most = {0};
	float result = 0;
	size_t i = 0;

	for (; i + 4 <= count; i += 4) {
		float4 v;
		int4 bits, greater;

		memcpy(&v, x + i, sizeof(v));
		memcpy(&bits, &v, sizeof(bits));
		bits &= 0x7fffffff;
		memcpy(&v, &bits, sizeof(v));
		greater = v > most;
		memcpy(&bits, &v, sizeof(bits));
		{
			int4 old;

			memcpy(&old, &most, sizeof(old));
			bits = (bits & greater) | (old & ~greater);
		}
		memcpy(&most, &bits, sizeof(most));
	}
	for (size_t lane = 0; lane < 4; lane++)
		result = most[lane] > result ? most[lane] : result;
	for (; i < count; i++)
		result = fabsf(x[i]) > result ? fabsf(x[i]) : result;
	return result;
}

static int8_t round_one(float x)
{
	float shifted = x + ROUNDER;
	int32_t bits;

	memcpy(&bits, &shifted, sizeof(bits));
	return (int8_t)(bits & 0xff);
}

void quantise_q8(const float *x, size_t count, int8_t *ret_q, float *ret_scale)
{
	float most = largest(x, count), inverse;
	size_t i = 0;

	if (!(most > 0) || !isfinite(127 / most)) {
		memset(ret_q, 0, count);
		*ret_scale = 1;
		return;
	}
	inverse = 127 / most;
	for (; i + 4 <= count; i += 4) {
		float4 v;
		int4 bits;
		byte4 bytes;

		memcpy(&v, x + i, sizeof(v));
		v = v * inverse + ROUNDER;
		memcpy(&bits, &v, sizeof(bits));
		bytes = __builtin_convertvector(bits, byte4);
		memcpy(ret_q + i, &bytes, sizeof(bytes));
	}
	for (; i < count; i++)
		ret_q[i] = round_one(x[i] * inverse);
	*ret_scale = most / 127;
}

void matvec_q8_sums(const int8_t *weights, size_t rows, size_t columns, int32_t *ret_sums)
{
	for (size_t r = 0; r < rows; r++) {
		const int8_t *row = weights + r * columns;
		int32_t sum = 0;

		for (size_t k = 0; k < columns; k++)
			sum += row[k];
		ret_sums[r] = sum;
	}
}
