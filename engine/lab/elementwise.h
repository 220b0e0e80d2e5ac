/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * elementwise.h: the functions that a recurrent network applies to every value
 * (exponential, sigmoid, tanh, softmax), four at a time in GCC's vector
 * notation, which the compiler maps to whatever registers there are. Written
 * here because libm's scalar calls would take a fifth of the training time. The
 * exponential is a polynomial with a relative error below 3e-7. In double
 * precision (LAB_DOUBLE) libm does the work.
 */
#ifndef LAB_ELEMENTWISE_H
#define LAB_ELEMENTWISE_H

#include <math.h>
#include <string.h>

#include "engine/lab/network.h"

enum { LANES = 4 };

#ifdef LAB_DOUBLE

static inline void exponentials(double *values, size_t count, double scale)
{
	for (size_t i = 0; i < count; i++)
		values[i] = exp(scale * values[i]);
}

#else

typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t lanes_int __attribute__((vector_size(LANES * sizeof(int32_t))));

static inline lanes spread(float value)
{
	return (lanes){ value, value, value, value };
}

static inline lanes choose(lanes_int mask, lanes yes, lanes no)
{
	return (lanes)((mask & (lanes_int)yes) | (~mask & (lanes_int)no));
}

/* 2^n · e^r with |r| ≤ ln 2 / 2, the polynomial being e^r's Taylor series */
static inline lanes lanes_exp(lanes x)
{
	const lanes low = spread(-87), high = spread(88), magic = spread(12582912);
	lanes shifted, n, r, p;
	lanes_int exponent;

	x = choose(x < low, low, x);
	x = choose(x > high, high, x);
	shifted = x * 1.44269504f + magic;
	n = shifted - magic;
	r = x - n * 0.693359375f;
	r = r + n * 2.12194440e-4f;
	p = r * (1.0f / 5040) + 1.0f / 720;
	p = p * r + 1.0f / 120;
	p = p * r + 1.0f / 24;
	p = p * r + 1.0f / 6;
	p = p * r + 0.5f;
	p = p * r + 1;
	p = p * r + 1;
	exponent = ((lanes_int)shifted - (lanes_int)magic + 127) << 23;
	return p * (lanes)exponent;
}

/* values = e^(scale · values) */
static inline void exponentials(float *values, size_t count, float scale)
{
	size_t i = 0;

	for (; i + LANES <= count; i += LANES) {
		lanes x;

		memcpy(&x, values + i, sizeof(x));
		x = lanes_exp(x * scale);
		memcpy(values + i, &x, sizeof(x));
	}
	if (i < count) {
		lanes x = spread(0);

		memcpy(&x, values + i, (count - i) * sizeof(float));
		x = lanes_exp(x * scale);
		memcpy(values + i, &x, (count - i) * sizeof(float));
	}
}

#endif

static inline void sigmoids(real *values, size_t count)
{
	exponentials(values, count, -1);
	for (size_t i = 0; i < count; i++)
		values[i] = 1 / (1 + values[i]);
}

/* 2 σ(2x) − 1; the cancellation near 0 costs no more than float's own rounding
 * of the sums around it */
static inline void tangents(real *values, size_t count)
{
	exponentials(values, count, -2);
	for (size_t i = 0; i < count; i++)
		values[i] = 2 / (1 + values[i]) - 1;
}

enum { CHAINS = 8 };	/* independent sums, for the compiler to vectorise */

static inline real largest(const real *values, size_t count)
{
	real best[CHAINS];
	size_t i = 0;

	for (size_t k = 0; k < CHAINS; k++)
		best[k] = values[0];
	for (; i + CHAINS <= count; i += CHAINS)
		for (size_t k = 0; k < CHAINS; k++)
			best[k] = values[i + k] > best[k] ? values[i + k] : best[k];
	for (; i < count; i++)
		best[0] = values[i] > best[0] ? values[i] : best[0];
	for (size_t k = 1; k < CHAINS; k++)
		best[0] = best[k] > best[0] ? best[k] : best[0];
	return best[0];
}

static inline real sum_of(const real *values, size_t count)
{
	real sum[CHAINS] = { 0 };
	size_t i = 0;

	for (; i + CHAINS <= count; i += CHAINS)
		for (size_t k = 0; k < CHAINS; k++)
			sum[k] += values[i + k];
	for (; i < count; i++)
		sum[0] += values[i];
	for (size_t k = 1; k < CHAINS; k++)
		sum[0] += sum[k];
	return sum[0];
}

/* In place; returns the logarithm of the sum of exponentials. */
static inline real softmax(real *values, size_t count)
{
	real most = largest(values, count), sum;

	for (size_t i = 0; i < count; i++)
		values[i] -= most;
	exponentials(values, count, 1);
	sum = sum_of(values, count);
	for (size_t i = 0; i < count; i++)
		values[i] *= 1 / sum;
	return most + (real)log((double)sum);
}

#endif
