/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The loops of minimal filtering of every instruction set this processor has
 * against direct sums: the transforms of each algorithm, over random channels and
 * their tails, and the products between them, over random depths and rows.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/kernels/isa.h"

static uint32_t seed = 11;

static uint32_t draw(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

static float draw_float(void)
{
	return ((float)(draw() % 20001) - 10000) / 5000;
}

/* --- Transforms --------------------------------------------------------------- */

#define CHANNELS_MAX 70u
#define ALIGNED 96u	/* CHANNELS_MAX in whole vectors, and one more */

/* One tile, channel by channel: what the transforms make of the products of
 * transformed inputs and weights is what the sums over the taps are. */
static void compare_transforms(const struct isa *isa, const struct winograd_kernel *kernel)
{
	static float pixels[WINOGRAD_TILE_MAX][ALIGNED], values[WINOGRAD_TILE_MAX][ALIGNED],
		outputs[WINOGRAD_TILE_MAX][ALIGNED];
	struct winograd_axis axis = winograd_axis(kernel->outputs, kernel->taps);
	bool both = kernel->directions == 2;
	unsigned points = axis.points, lines = both ? points : 1, rows = both ? kernel->outputs : 1;
	unsigned taps_y = both ? kernel->taps : 1;
	size_t channels = draw() % CHANNELS_MAX + 1;
	const float *in[WINOGRAD_TILE_MAX];
	float *out[WINOGRAD_TILE_MAX], weights[WINOGRAD_TAPS_MAX][WINOGRAD_TAPS_MAX];
	float bias[ALIGNED];
	struct winograd_store store = {bias, -20, 25, channels};

	for (unsigned i = 0; i < lines * points; i++) {
		in[i] = pixels[i];
		for (size_t c = 0; c < ALIGNED; c++)
			pixels[i][c] = draw_float();
	}
	for (unsigned i = 0; i < rows * kernel->outputs; i++) {
		out[i] = outputs[i];
		for (size_t c = 0; c < ALIGNED; c++)
			outputs[i][c] = 777;
	}
	for (size_t c = 0; c < ALIGNED; c++)
		bias[c] = draw_float();
	for (unsigned y = 0; y < taps_y; y++)
		for (unsigned x = 0; x < kernel->taps; x++)
			weights[y][x] = draw_float();
	kernel->input(&axis, in, channels, values[0], ALIGNED);
	for (unsigned v = 0; v < lines; v++)
		for (unsigned u = 0; u < points; u++) {
			double weight = 0;

			for (unsigned y = 0; y < taps_y; y++)
				for (unsigned x = 0; x < kernel->taps; x++)
					weight += (double)weights[y][x] * axis.weight[u][x] *
						  (both ? axis.weight[v][y] : 1);
			for (size_t c = 0; c < ALIGNED; c++)
				values[v * points + u][c] *= (float)weight;
		}
	kernel->output(&axis, values[0], ALIGNED, &store, out);
	for (unsigned i = 0; i < rows; i++)
		for (unsigned j = 0; j < kernel->outputs; j++)
			for (size_t c = 0; c < ALIGNED; c++) {
				double sum = (double)bias[c];

				for (unsigned y = 0; y < taps_y; y++)
					for (unsigned x = 0; x < kernel->taps; x++)
						sum += (double)weights[y][x] *
						       (double)pixels[(i + y) * points + j + x][c];
				sum = c < channels ? fmin(fmax(sum, -20), 25) : 777;
				if (fabs((double)outputs[i * kernel->outputs + j][c] - sum) > 2e-3)
					fail_msg("%s F(%u, %u) in %u directions: output %u %u channel %zu of %zu is %g, not %g",
						 isa->name, kernel->outputs, kernel->taps,
						 kernel->directions, i, j, c, channels,
						 (double)outputs[i * kernel->outputs + j][c], sum);
			}
}

static void transforms_agree_with_direct_sums(void **state)
{
	(void)state;
	for (size_t i = 0; isa_at(i); i++)
		for (size_t k = 0; k < WINOGRAD_KERNEL_COUNT; k++)
			for (unsigned n = 0; n < 50; n++)
				compare_transforms(isa_at(i), &isa_at(i)->winograd[k]);
}

/* --- Products ------------------------------------------------------------------- */

#define DEPTH_MAX 90u
#define ROWS_MAX 8u
#define COLUMNS_MAX 96u

static void compare_products(const struct isa *isa, const struct conv_kernel *kernel)
{
	static float values[ROWS_MAX][DEPTH_MAX + 7], weights[DEPTH_MAX * COLUMNS_MAX],
		products[ROWS_MAX][COLUMNS_MAX + 5];
	size_t rows = draw() % kernel->rows + 1, depth = draw() % DEPTH_MAX + 1;

	for (size_t r = 0; r < ROWS_MAX; r++) {
		for (size_t k = 0; k < DEPTH_MAX + 7; k++)
			values[r][k] = r < rows && k < depth ? draw_float() : NAN;
		for (size_t n = 0; n < COLUMNS_MAX + 5; n++)
			products[r][n] = 777;
	}
	for (size_t i = 0; i < depth * kernel->columns; i++)
		weights[i] = draw_float();
	kernel->product(rows, values[0], DEPTH_MAX + 7, depth, weights, products[0],
			COLUMNS_MAX + 5);
	for (size_t r = 0; r < ROWS_MAX; r++)
		for (size_t n = 0; n < COLUMNS_MAX + 5; n++) {
			bool inside = r < rows && n < kernel->columns;
			double sum = inside ? 0 : 777, size = 0;

			for (size_t k = 0; inside && k < depth; k++) {
				double product = (double)values[r][k] *
						 (double)weights[k * kernel->columns + n];

				sum += product;
				size += fabs(product);
			}
			if (!(fabs((double)products[r][n] - sum) <= 1e-6 * size))
				fail_msg("%s %ux%u: %zu rows of %zu: row %zu column %zu is %g, not %g",
					 isa->name, kernel->rows, kernel->columns, rows, depth, r, n,
					 (double)products[r][n], sum);
		}
}

static void products_agree_with_direct_sums(void **state)
{
	(void)state;
	for (size_t i = 0; isa_at(i); i++)
		for (size_t k = 0; k < isa_at(i)->conv_f32_count; k++)
			for (unsigned n = 0; n < 100; n++)
				compare_products(isa_at(i), &isa_at(i)->conv_f32[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transforms_agree_with_direct_sums),
		cmocka_unit_test(products_agree_with_direct_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
