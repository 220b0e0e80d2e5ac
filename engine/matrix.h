/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * matrix.h: the decoder's weight matrices and the vectors they are multiplied
 * with. A matrix stays in the type it has in the model file (32-bit floats, or
 * 8-bit codes with one scale a row); one call multiplies it with all vectors at
 * hand, so that the weights, which are far larger than the vectors, pass
 * through the cache once.
 */
#ifndef ENGINE_MATRIX_H
#define ENGINE_MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/threadpool.h"

enum matrix_type {
	MATRIX_F32,
	MATRIX_F16,	/* in files only: widened when a decoder is opened */
	MATRIX_I8,	/* weight = scales[row] × code, codes −127 … 127 */
};

#define MATRIX_NEXT 4u

/* Row-major, borrowed from whoever holds the weights. */
struct matrix {
	enum matrix_type type;
	size_t rows, columns;
	const void *data;
	const float *scales;	/* I8: one a row; otherwise NULL */
	const int32_t *sums;	/* I8: of each row's codes, which the kernels need */
	/* Matrices that will be read soon after products of this one with many vectors,
	 * which bring them into the caches; or NULL. */
	const struct matrix *next[MATRIX_NEXT];
};

#define VECTORS_OVERREAD 64u

/* A group of vectors of one length, each also as 8-bit codes once a product
 * asked for them. Memory belongs to the caller. */
struct vectors {
	float *values;		/* capacity × length */
	int8_t *codes;		/* capacity × length, VECTORS_OVERREAD more to read */
	float *scales;		/* capacity */
	size_t length, capacity;
	size_t coded;		/* how many of the first vectors have valid codes */
};

/* Call after writing to `values`. */
static inline void vectors_changed(struct vectors *vectors)
{
	vectors->coded = 0;
}

/* y[j × y_stride + r] = factor × Σ_k matrix[r][k] × x[j][k] for the first `count`
 * vectors, added to what stands there if `add`. Splits the products of 8-bit matrices
 * among the threads of `pool`, which may be NULL; the result is the same. */
void matrix_multiply_shared(const struct matrix *matrix, struct vectors *x, size_t count,
			    float factor, bool add, float *y, size_t y_stride,
			    struct threadpool *pool);

/* y[j × y_stride + r] = start[r] + Σ_k matrix[r][k] × x[j][k] likewise. */
void matrix_multiply_from(const float *start, const struct matrix *matrix, struct vectors *x,
			  size_t count, float *y, size_t y_stride, struct threadpool *pool);

/* The first by the caller alone. */
void matrix_multiply(const struct matrix *matrix, struct vectors *x, size_t count,
		     float factor, bool add, float *y, size_t y_stride);

/* Copies one row as floats. */
void matrix_row(const struct matrix *matrix, size_t row, float *ret_values);

#endif
