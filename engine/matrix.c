/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * matrix.c: products of the decoder's weight matrices with a few vectors.
 * 32-bit matrices go through OpenBLAS. 8-bit ones are multiplied with vectors
 * that are themselves rounded to 8 bits, one scale a vector, chosen anew from
 * its largest magnitude each time: the state of a recurrent network is bounded,
 * so this costs less than a thousandth of the largest value, and sums of
 * products of integers are exact.
 */
#include "engine/matrix.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

static void encode(struct vectors *x, size_t count)
{
	for (; x->coded < count; x->coded++) {
		size_t start = x->coded * x->length;

		matrix_quantise_row(x->values + start, x->length, x->codes + start,
				    &x->scales[x->coded]);
	}
}

static int32_t dot(const int8_t *a, const int8_t *b, size_t length)
{
	int32_t sum = 0;

	for (size_t i = 0; i < length; i++)
		sum += a[i] * b[i];
	return sum;
}

static void multiply_codes(const struct matrix *matrix, struct vectors *x, size_t count,
			   float factor, bool add, float *y, size_t y_stride)
{
	const int8_t *weights = matrix->data;

	encode(x, count);
	for (size_t r = 0; r < matrix->rows; r++) {
		const int8_t *row = weights + r * matrix->columns;

		for (size_t j = 0; j < count; j++) {
			int32_t sum = dot(row, x->codes + j * x->length, matrix->columns);
			float product = factor * matrix->scales[r] * x->scales[j] * (float)sum;
			float *out = &y[j * y_stride + r];

			*out = add ? *out + product : product;
		}
	}
}

void matrix_multiply(const struct matrix *matrix, struct vectors *x, size_t count,
		     float factor, bool add, float *y, size_t y_stride)
{
	if (matrix->type == MATRIX_I8) {
		multiply_codes(matrix, x, count, factor, add, y, y_stride);
		return;
	}
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)count,
		    (blasint)matrix->rows, (blasint)matrix->columns, factor, x->values,
		    (blasint)x->length, matrix->data, (blasint)matrix->columns,
		    add ? 1.0f : 0.0f, y, (blasint)y_stride);
}

void matrix_row(const struct matrix *matrix, size_t row, float *ret_values)
{
	if (matrix->type == MATRIX_I8) {
		const int8_t *codes = (const int8_t *)matrix->data + row * matrix->columns;

		for (size_t i = 0; i < matrix->columns; i++)
			ret_values[i] = matrix->scales[row] * (float)codes[i];
		return;
	}
	memcpy(ret_values, (const float *)matrix->data + row * matrix->columns,
	       matrix->columns * sizeof(float));
}

void matrix_quantise_row(const float *values, size_t length, int8_t *ret_codes,
			 float *ret_scale)
{
	float largest = 0.0f, inverse;

	for (size_t i = 0; i < length; i++)
		largest = fmaxf(largest, fabsf(values[i]));
	if (!(largest > 0.0f) || !isfinite(largest)) {
		memset(ret_codes, 0, length);
		*ret_scale = 0.0f;
		return;
	}
	inverse = 127.0f / largest;
	for (size_t i = 0; i < length; i++) {
		/* the order of the bounds turns a NaN into one of them */
		float code = fminf(fmaxf(rintf(values[i] * inverse), -127.0f), 127.0f);

		ret_codes[i] = (int8_t)code;
	}
	*ret_scale = largest / 127.0f;
}
