/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * matvec_q8_loop.h: the body of the 8-bit matrix–vector kernels: ROWS rows by up
 * to four vectors at a time, STEP columns deep; further vectors find the rows in
 * the first-level cache. A file for each instruction set defines NAME, ROWS, STEP,
 * the types `sums`, `weights` and `vector`, and
 *   zero()                    sums of nothing
 *   load_weights(bytes)       STEP codes of a row
 *   load_tail(bytes, left)    fewer of them, zeros behind
 *   load_vector(bytes)        STEP codes of a vector
 *   multiply_add(&s, v, w)    adds their products
 *   store(s, matrix, row, rows, x_scale, y)
 *                             writes y[row] and so on from the sums of `rows` rows
 * and includes it.
 *
 * Between two pictures the encoder drives the decoder's weights out of the caches.
 * They are read once a step, front to back, but ROWS rows at a time, which the
 * hardware does not recognise as one stream: on a Zen 4 the first step after the
 * encoder took 0.7 ms, where reading its 5.7 MB takes 0.2. So the loop asks for what
 * it will need AHEAD bytes later. Where there are more than four vectors, the rows
 * stay in the cache and memory has nothing to do: then the loop asks for what the
 * caller will read next.
 */
#include "engine/kernels/isa.h"

#define VECTORS 4
#define AHEAD 4096u
#define LINE 64u

/* Asking for what lies behind the matrix does no harm. */
static inline void fetch(const int8_t *from, size_t column)
{
	for (size_t byte = 0; byte < (size_t)ROWS * STEP; byte += LINE)
		__builtin_prefetch((const void *)((uintptr_t)from + ROWS * column + byte));
}

/* `rows` rows from `row` on; missing ones repeat the last. Along the way as many
 * bytes as these rows have are fetched from `ahead` on. */
static inline __attribute__((always_inline)) void
multiply(const struct matrix_q8 *matrix, size_t row, size_t rows, const int8_t *x,
	 const float *x_scales, size_t count, size_t x_stride, float *y, size_t y_stride,
	 const int8_t *ahead)
{
	size_t columns = matrix->columns, k = 0;
	const int8_t *group = matrix->weights + row * columns, *first[ROWS];
	sums s[VECTORS][ROWS];

#pragma GCC unroll 4
	for (size_t r = 0; r < ROWS; r++) {
		first[r] = group + (r < rows ? r : rows - 1) * columns;
#pragma GCC unroll 4
		for (size_t j = 0; j < count; j++)
			s[j][r] = zero();
	}
	for (; k + STEP <= columns; k += STEP) {
		weights w[ROWS];

		fetch(ahead, k);
#pragma GCC unroll 4
		for (size_t r = 0; r < ROWS; r++) {
			w[r] = load_weights(first[r] + k);
			/* else GCC 12 loads them anew for each vector */
			__asm__("" : REGISTER(w[r]));
		}
#pragma GCC unroll 4
		for (size_t j = 0; j < count; j++) {
			vector v = load_vector(x + j * x_stride + k);

#pragma GCC unroll 4
			for (size_t r = 0; r < ROWS; r++)
				multiply_add(&s[j][r], v, w[r]);
		}
	}
	if (k < columns) {
#pragma GCC unroll 4
		for (size_t r = 0; r < ROWS; r++) {
			weights w = load_tail(first[r] + k, columns - k);

#pragma GCC unroll 4
			for (size_t j = 0; j < count; j++)
				multiply_add(&s[j][r], load_vector(x + j * x_stride + k), w);
		}
	}
#pragma GCC unroll 4
	for (size_t j = 0; j < count; j++)
		store(s[j], matrix, row, rows, x_scales[j], y + j * y_stride);
}

void NAME(const struct matrix_q8 *matrix, size_t row_begin, size_t row_end, const int8_t *x,
	  const float *x_scales, size_t count, size_t x_stride, float *y, size_t y_stride)
{
	size_t group = ROWS * matrix->columns, next = 0;

	for (size_t row = row_begin; row < row_end; row += ROWS) {
		size_t rows = row_end - row < ROWS ? row_end - row : ROWS;
		/* the last rows' lies behind the matrix */
		const int8_t *ahead = (const int8_t *)((uintptr_t)matrix->weights +
						       row * matrix->columns + AHEAD);

		for (size_t j = 0; j < count; j += VECTORS) {
			const int8_t *xj = x + j * x_stride;
			float *yj = y + j * y_stride;

			switch (count - j) {
			case 1:
				multiply(matrix, row, rows, xj, x_scales + j, 1, x_stride, yj, y_stride,
					 ahead);
				break;
			case 2:
				multiply(matrix, row, rows, xj, x_scales + j, 2, x_stride, yj, y_stride,
					 ahead);
				break;
			case 3:
				multiply(matrix, row, rows, xj, x_scales + j, 3, x_stride, yj, y_stride,
					 ahead);
				break;
			default:
				multiply(matrix, row, rows, xj, x_scales + j, 4, x_stride, yj, y_stride,
					 ahead);
			}
			if (next < matrix->next_size) {
				ahead = matrix->next + next;
				next += group;
			}
		}
	}
}
