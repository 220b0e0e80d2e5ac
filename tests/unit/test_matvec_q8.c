/* SPDX-License-Identifier: GPL-3.0-or-later */
/* 8-bit matrix–vector products of every instruction set this processor has:
 * exact against a sum in 64 bits, at the decoder's sizes, at random sizes and
 * over parts of the rows. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/kernels/isa.h"

#define OVERREAD 64

static uint32_t seed = 1;

static uint32_t draw(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

static int8_t draw_q8(void)
{
	return (int8_t)(draw() % 4 == 0 ? (draw() % 2 ? 127 : -127) : (int)(draw() % 255) - 127);
}

static void compare(const struct isa *isa, size_t rows, size_t columns, size_t count)
{
	size_t x_stride = columns + draw() % 64, y_stride = rows + draw() % 5;
	/* exactly as long as promised, so that the sanitizer sees a read beyond */
	int8_t *weights = malloc(rows * columns);
	int8_t *x = malloc((count - 1) * x_stride + columns + OVERREAD);
	float *scales = malloc(rows * sizeof(float)), *x_scales = malloc(count * sizeof(float));
	int32_t *sums = malloc(rows * sizeof(int32_t));
	float *y = malloc(count * y_stride * sizeof(float));
	size_t begin = draw() % rows, end = begin + draw() % (rows - begin) + 1;
	struct matrix_q8 matrix = {
		.weights = weights, .scales = scales, .sums = sums,
		.rows = rows, .columns = columns,
		.next = weights, .next_size = rows * columns,
	};

	for (size_t i = 0; i < rows * columns; i++)
		weights[i] = draw_q8();
	for (size_t i = 0; i < (count - 1) * x_stride + columns + OVERREAD; i++)
		x[i] = draw_q8();
	for (size_t r = 0; r < rows; r++)
		scales[r] = (float)(draw() % 1000 + 1) / 7000;
	for (size_t j = 0; j < count; j++)
		x_scales[j] = (float)(draw() % 1000 + 1) / 3000;
	for (size_t i = 0; i < count * y_stride; i++)
		y[i] = -12345;
	matvec_q8_sums(weights, rows, columns, sums);
	isa->matvec_q8(&matrix, begin, end, x, x_scales, count, x_stride, y, y_stride);
	for (size_t j = 0; j < count; j++)
		for (size_t r = 0; r < y_stride; r++) {
			int64_t sum = 0;

			if (r < begin || r >= end) {
				assert_true(y[j * y_stride + r] == -12345);
				continue;
			}
			for (size_t k = 0; k < columns; k++)
				sum += weights[r * columns + k] * x[j * x_stride + k];
			if (y[j * y_stride + r] != (float)sum * (scales[r] * x_scales[j]))
				fail_msg("%s: %zu x %zu, row %zu of vector %zu: %g, not %g", isa->name,
					 rows, columns, r, j, (double)y[j * y_stride + r],
					 (double)((float)sum * (scales[r] * x_scales[j])));
		}
	free(weights);
	free(x);
	free(scales);
	free(x_scales);
	free(sums);
	free(y);
}

static void the_decoders_sizes(void **state)
{
	static const size_t sizes[][3] = {
		{512, 2048, 1}, {512, 2048, 64}, {2048, 512, 3}, {1024, 512, 1}, {512, 512, 10},
	};

	(void)state;
	for (size_t i = 0; isa_at(i); i++)
		for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++)
			compare(isa_at(i), sizes[s][0], sizes[s][1], sizes[s][2]);
}

static void random_sizes_and_tails(void **state)
{
	(void)state;
	for (size_t i = 0; isa_at(i); i++)
		for (unsigned n = 0; n < 300; n++)
			compare(isa_at(i), draw() % 40 + 1, draw() % 300 + 1, draw() % 12 + 1);
}

static void rows_are_summed(void **state)
{
	(void)state;
	for (size_t i = 0; isa_at(i); i++)
		for (unsigned n = 0; n < 200; n++) {
			size_t rows = draw() % 5 + 1, columns = draw() % 300 + 1;
			/* exactly as long as promised, so that the sanitizer sees a read beyond */
			int8_t *weights = malloc(rows * columns);
			int32_t sums[5];

			for (size_t k = 0; k < rows * columns; k++)
				weights[k] = n < 5 ? -128 : (int8_t)draw();
			isa_at(i)->row_sums_q8(weights, rows, columns, sums);
			for (size_t r = 0; r < rows; r++) {
				int32_t sum = 0;

				for (size_t k = 0; k < columns; k++)
					sum += weights[r * columns + k];
				assert_int_equal(sums[r], sum);
			}
			free(weights);
		}
}

static void vectors_are_rounded_to_the_nearest(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 200; n++) {
		size_t count = draw() % 70 + 1;
		float *x = malloc(count * sizeof(float));
		int8_t *q = malloc(count);
		float scale, most = 0;

		for (size_t i = 0; i < count; i++) {
			x[i] = ((float)(draw() % 20001) - 10000) / 317;
			most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
		}
		quantise_q8(x, count, q, &scale);
		assert_true(most == 0 || fabsf(scale - most / 127) <= 1e-6f * scale);
		for (size_t i = 0; i < count; i++)
			assert_true(fabsf((float)q[i] * scale - x[i]) <= 0.5001f * scale);
		free(x);
		free(q);
	}
}

/* Whatever the width of their vectors, and to the bit. */
static void instruction_sets_round_alike(void **state)
{
	const struct isa *isa;

	(void)state;
	for (unsigned n = 0; n < 300; n++) {
		size_t count = draw() % 300 + 1;
		float *x = malloc(count * sizeof(float));
		int8_t *q = malloc(count);
		float most = 0, scale;

		for (size_t i = 0; i < count; i++) {
			/* halves among them, which are ties where the largest is 127 */
			x[i] = n % 3 == 0 ? ((float)(draw() % 509) - 254) / 2 :
			       ((float)(draw() % 20001) - 10000) / 317;
			most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
		}
		if (most == 0)
			x[0] = most = 1;
		for (size_t set = 0; (isa = isa_at(set)) != NULL; set++) {
			isa->quantise_q8(x, count, q, &scale);
			assert_true(scale == most / 127);
			for (size_t i = 0; i < count; i++)
				assert_int_equal(q[i], (int)rintf(x[i] * (127 / most)));
		}
		free(x);
		free(q);
	}
}

static void a_vector_of_zeros_stays_zero(void **state)
{
	float x[7] = {0}, scale = 0;
	int8_t q[7] = {1, 1, 1, 1, 1, 1, 1};

	(void)state;
	quantise_q8(x, 7, q, &scale);
	assert_true(scale == 1);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(q[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_decoders_sizes),
		cmocka_unit_test(random_sizes_and_tails),
		cmocka_unit_test(rows_are_summed),
		cmocka_unit_test(vectors_are_rounded_to_the_nearest),
		cmocka_unit_test(instruction_sets_round_alike),
		cmocka_unit_test(a_vector_of_zeros_stays_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
