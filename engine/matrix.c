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

#include "engine/kernels/isa.h"

#include <cblas.h>
#include <string.h>

/* A part of a product at a time, so that what is added to stays in the cache. */
#define TILE_ROWS 128u
#define TILE_VECTORS 64u
/* Threads take whole groups of rows as the kernels do them. */
#define SHARE_ROWS 16u

static void encode(struct vectors *x, size_t count)
{
	for (; x->coded < count; x->coded++) {
		size_t start = x->coded * x->length;

		quantise_q8(x->values + start, x->length, x->codes + start, &x->scales[x->coded]);
	}
}

static void multiply_tile(const struct matrix *matrix, size_t row, size_t rows,
			  const struct vectors *x, size_t vector, size_t count,
			  float factor, const float *start, bool add, float *y,
			  size_t y_stride)
{
	matvec_q8_function *matvec = isa_best()->matvec_q8;
	struct matrix_q8 part = {
		.weights = (const int8_t *)matrix->data + row * matrix->columns,
		.scales = matrix->scales + row, .sums = matrix->sums + row,
		.rows = rows, .columns = matrix->columns,
	};
	const struct matrix *next = matrix->next[row / TILE_ROWS % MATRIX_NEXT];
	const int8_t *codes = x->codes + vector * x->length;
	float products[TILE_VECTORS * TILE_ROWS];

	if (next && next->type == MATRIX_I8) {
		part.next = next->data;
		part.next_size = next->rows * next->columns;
	}
	y += vector * y_stride + row;
	if (!start && !add && factor == 1.0f) {
		matvec(&part, 0, rows, codes, x->scales + vector, count, x->length, y, y_stride);
		return;
	}
	matvec(&part, 0, rows, codes, x->scales + vector, count, x->length, products, TILE_ROWS);
	for (size_t j = 0; j < count; j++) {
		float *out = y + j * y_stride;
		const float *product = products + j * TILE_ROWS;
		const float *onto = start ? start + row : out;

		if (start || add)
			for (size_t r = 0; r < rows; r++)
				out[r] = onto[r] + factor * product[r];
		else
			for (size_t r = 0; r < rows; r++)
				out[r] = factor * product[r];
	}
}

struct product {
	const struct matrix *matrix;
	const struct vectors *x;
	size_t count;
	float factor;
	const float *start;	/* or NULL */
	bool add;
	float *y;
	size_t y_stride;
};

/* A thread's share of the rows. */
static void multiply_codes(void *argument, unsigned index, unsigned threads)
{
	const struct product *p = argument;
	size_t begin, end;

	threadpool_share(p->matrix->rows, SHARE_ROWS, index, threads, &begin, &end);
	for (size_t j = 0; j < p->count; j += TILE_VECTORS) {
		size_t vectors = p->count - j < TILE_VECTORS ? p->count - j : TILE_VECTORS;

		for (size_t r = begin; r < end; r += TILE_ROWS) {
			size_t rows = end - r < TILE_ROWS ? end - r : TILE_ROWS;

			multiply_tile(p->matrix, r, rows, p->x, j, vectors, p->factor,
				      p->start, p->add, p->y, p->y_stride);
		}
	}
}

void matrix_multiply_shared(const struct matrix *matrix, struct vectors *x, size_t count,
			    float factor, bool add, float *y, size_t y_stride,
			    struct threadpool *pool)
{
	if (matrix->type == MATRIX_I8) {
		struct product product = {matrix, x, count, factor, NULL, add, y, y_stride};

		encode(x, count);
		threadpool_run(pool, multiply_codes, &product);
		return;
	}
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)count,
		    (blasint)matrix->rows, (blasint)matrix->columns, factor, x->values,
		    (blasint)x->length, matrix->data, (blasint)matrix->columns,
		    add ? 1.0f : 0.0f, y, (blasint)y_stride);
}

void matrix_multiply_from(const float *start, const struct matrix *matrix, struct vectors *x,
			  size_t count, float *y, size_t y_stride, struct threadpool *pool)
{
	if (matrix->type == MATRIX_I8) {
		struct product product = {matrix, x, count, 1.0f, start, false, y, y_stride};

		encode(x, count);
		threadpool_run(pool, multiply_codes, &product);
		return;
	}
	for (size_t j = 0; j < count; j++)
		memcpy(y + j * y_stride, start, matrix->rows * sizeof(*start));
	matrix_multiply_shared(matrix, x, count, 1.0f, true, y, y_stride, pool);
}

void matrix_multiply(const struct matrix *matrix, struct vectors *x, size_t count,
		     float factor, bool add, float *y, size_t y_stride)
{
	matrix_multiply_shared(matrix, x, count, factor, add, y, y_stride, NULL);
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
