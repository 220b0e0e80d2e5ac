/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Convolution tiles in floats of every instruction set this processor has,
 * against sums in double precision, over random depths, taps, rows and columns;
 * pools in floats likewise; and the common ground of implicit GEMM: columns cover
 * all channels, shares cover all blocks, pointers point where the window lies.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/implicit_gemm.h"

#define ROWS 16
#define COLUMNS 96

static uint32_t seed = 3;

static uint32_t draw(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

static float draw_float(void)
{
	return ((float)(draw() % 20001) - 10000) / 5000;
}

static void compare(const struct isa *isa, const struct conv_kernel *kernel)
{
	size_t taps = draw() % 5 + 1, channels = draw() % 70 + 1;
	size_t rows = draw() % kernel->rows + 1, columns = draw() % kernel->columns + 1;
	size_t stride = columns + draw() % 7;
	float *input = malloc(taps * ROWS * channels * sizeof(float) + 64);
	float *weights = malloc(taps * channels * kernel->columns * sizeof(float));
	float bias[COLUMNS], *output = malloc(rows * stride * sizeof(float));
	const uint8_t *pointers[5 * ROWS];
	struct conv_f32_tile tile = {
		pointers, ROWS, taps, channels, rows, columns, weights, bias, -30, 40, output, stride,
	};

	for (size_t i = 0; i < taps * ROWS * channels + 16; i++)
		input[i] = draw_float();
	for (size_t i = 0; i < taps * channels * kernel->columns; i++)
		weights[i] = draw_float();
	for (size_t n = 0; n < kernel->columns; n++)
		bias[n] = draw_float();
	for (size_t i = 0; i < taps * ROWS; i++)
		pointers[i] = (const uint8_t *)(input + (draw() % (taps * ROWS)) * channels);
	for (size_t i = 0; i < rows * stride; i++)
		output[i] = 777;
	kernel->f32(&tile);
	for (size_t r = 0; r < rows; r++)
		for (size_t n = 0; n < stride; n++) {
			double sum = n < columns ? (double)bias[n] : 777, size = fabs(sum);
			float got = output[r * stride + n];

			for (size_t t = 0; n < columns && t < taps; t++)
				for (size_t k = 0; k < channels; k++) {
					const float *a = (const void *)pointers[t * ROWS + r];
					double product = (double)a[k] *
						(double)weights[(t * channels + k) * kernel->columns + n];

					sum += product;
					size += fabs(product);
				}
			if (n < columns)
				sum = fmin(fmax(sum, -30), 40);
			if (fabs((double)got - sum) > 1e-6 * size)
				fail_msg("%s %ux%u: row %zu column %zu is %g, not %g", isa->name,
					 kernel->rows, kernel->columns, r, n, (double)got, sum);
		}
	free(input);
	free(weights);
	free(output);
}

static void tiles_agree_with_exact_sums(void **state)
{
	(void)state;
	for (size_t i = 0; isa_at(i); i++)
		for (size_t k = 0; k < isa_at(i)->conv_f32_count; k++)
			for (unsigned n = 0; n < 200; n++)
				compare(isa_at(i), &isa_at(i)->conv_f32[k]);
}

static void columns_cover_all_channels_and_shares_all_blocks(void **state)
{
	(void)state;
	for (size_t i = 0; isa_at(i); i++)
		for (unsigned channels = 1; channels < 700; channels += channels < 130 ? 1 : 37) {
			const struct conv_q8_kernels *table = &isa_at(i)->conv_q8;
			size_t pixels = draw() % 300 + 1;
			size_t count = gemm_cut(table->kernels, table->count, pixels, channels, NULL);
			struct gemm_column *columns = calloc(count, sizeof(*columns));
			unsigned next = 0, threads = draw() % 6 + 1;
			size_t total;

			assert_int_equal(gemm_cut(table->kernels, table->count, pixels, channels, columns),
					 count);
			for (size_t c = 0; c < count; c++) {
				assert_int_equal(columns[c].begin, next);
				assert_true(columns[c].channels >= 1 &&
					    columns[c].channels <= columns[c].kernel->columns);
				next += columns[c].channels;
			}
			assert_int_equal(next, channels);
			total = gemm_cost(columns, count, pixels);
			for (size_t c = 0; c < count; c++) {
				size_t expected = 0, first, last;

				for (unsigned t = 0; t < threads; t++) {
					size_t at = gemm_cost(columns, c, pixels);

					gemm_blocks(&columns[c], pixels, total * t / threads,
						    total * (t + 1) / threads, &at, &first, &last);
					if (first >= last)
						continue;
					assert_int_equal(first, expected);
					expected = last;
				}
				assert_int_equal(expected, (pixels + columns[c].kernel->rows - 1) /
								   columns[c].kernel->rows);
			}
			free(columns);
		}
}

static void pointers_point_into_the_window(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 200; n++) {
		struct gemm_window w = {
			.input_height = draw() % 9 + 1, .input_width = draw() % 9 + 1,
			.kernel_height = draw() % 3 + 1, .kernel_width = draw() % 3 + 1,
			.stride_y = draw() % 2 + 1, .stride_x = draw() % 2 + 1,
		};
		static const uint8_t input[81 * 5], padding[1];
		const uint8_t **taps;
		size_t stride, cut;

		w.pad_top = draw() % w.kernel_height;
		w.pad_left = draw() % w.kernel_width;
		w.output_height = (w.input_height - 1) / w.stride_y + 1;
		w.output_width = (w.input_width - 1) / w.stride_x + 1;
		stride = gemm_tap_stride(&w);
		taps = calloc(stride * 9, sizeof(*taps));
		cut = draw() % (w.output_height + 1);
		gemm_point(&w, input, 5, padding, w.kernel_width, cut, w.output_height, taps);
		gemm_point(&w, input, 5, padding, w.kernel_width, 0, cut, taps);
		for (size_t t = 0; t < (size_t)w.kernel_height * w.kernel_width; t++)
			for (size_t p = 0; p < (size_t)w.output_height * w.output_width; p++) {
				long y = (long)(p / w.output_width * w.stride_y + t / w.kernel_width) -
					 (long)w.pad_top;
				long x = (long)(p % w.output_width * w.stride_x + t % w.kernel_width) -
					 (long)w.pad_left;
				const uint8_t *right = padding;

				if (y >= 0 && x >= 0 && y < (long)w.input_height &&
				    x < (long)w.input_width)
					right = input + (y * (long)w.input_width + x) * 5;
				assert_true(taps[t * stride + p] == right);
			}
		free(taps);
	}
}

static void pools_agree_with_plain_sums(void **state)
{
	(void)state;
	for (size_t i = 0; isa_at(i); i++)
		for (unsigned n = 0; n < 300; n++) {
			size_t channels = draw() % 70 + 1, count = draw() % 9 + 1;
			/* 64 bytes more may be read, none written */
			float *input = malloc(count * channels * sizeof(float) + 64);
			float *sums = malloc(channels * sizeof(float));
			float *most = malloc(channels * sizeof(float));
			const float *pixels[9];

			for (size_t k = 0; k < count * channels; k++)
				input[k] = draw_float();
			for (size_t p = 0; p < count; p++)
				pixels[p] = input + p * channels;
			isa_at(i)->average_f32(pixels, count, channels, 0.5f, -1, 2, sums);
			isa_at(i)->maximum_f32(pixels, count, channels, -0.5f, 1, most);
			for (size_t c = 0; c < channels; c++) {
				float sum = 0, largest = -INFINITY;

				for (size_t p = 0; p < count; p++) {
					sum += pixels[p][c];
					largest = fmaxf(largest, pixels[p][c]);
				}
				assert_true(most[c] == fminf(fmaxf(largest, -0.5f), 1));
				assert_true(fabsf(sums[c] - fminf(fmaxf(sum / 2, -1), 2)) <= 1e-5f);
			}
			free(input);
			free(sums);
			free(most);
		}
}

static void pools_in_8_bits_are_exact(void **state)
{
	(void)state;
	for (size_t i = 0; isa_at(i); i++)
		for (unsigned n = 0; n < 300; n++) {
			size_t channels = draw() % 200 + 1, count = draw() % 9 + 1;
			size_t size = count * channels;
			/* 64 bytes more may be read, none written */
			uint8_t *input = malloc(size + 64), most[200], mean[200], finer[200];
			const uint8_t *pixels[9];
			int32_t sums[9];
			uint16_t multiplier = (uint16_t)((65536 + count - 1) / count);
			/* as for an output of a finer scale, where sums reach beyond 255 */
			uint16_t larger = (uint16_t)(draw() % (65536 - multiplier) + multiplier);

			for (size_t k = 0; k < size + 64; k++)
				input[k] = (uint8_t)draw();
			for (size_t p = 0; p < count; p++)
				pixels[p] = input + p * channels;
			memset(most, 1, sizeof(most));
			memset(mean, 1, sizeof(mean));
			isa_at(i)->maximum_q8(pixels, count, channels, most);
			if (count > 1)
				isa_at(i)->average_q8(pixels, count, channels, (uint16_t)(count / 2),
						      multiplier, mean);
			memset(finer, 1, sizeof(finer));
			isa_at(i)->average_q8(pixels, count, channels, 1, larger, finer);
			isa_at(i)->pixel_sums_q8(input, count, channels, channels, sums);
			for (size_t c = 0; c < 200; c++) {
				unsigned sum = 0, largest = 0;

				for (size_t p = 0; c < channels && p < count; p++) {
					sum += pixels[p][c];
					largest = pixels[p][c] > largest ? pixels[p][c] : largest;
				}
				assert_int_equal(most[c], c < channels ? largest : 1);
				if (c < channels) {
					uint32_t scaled = (sum + 1) * larger >> 16;

					assert_int_equal(finer[c], scaled > 255 ? 255 : scaled);
				} else {
					assert_int_equal(finer[c], 1);
				}
				if (count > 1)
					assert_int_equal(mean[c], c < channels ? (sum + count / 2) / count
									       : 1);
			}
			for (size_t p = 0; p < count; p++) {
				int32_t sum = 0;

				for (size_t c = 0; c < channels; c++)
					sum += pixels[p][c];
				assert_int_equal(sums[p], sum);
			}
			free(input);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tiles_agree_with_exact_sums),
		cmocka_unit_test(columns_cover_all_channels_and_shares_all_blocks),
		cmocka_unit_test(pointers_point_into_the_window),
		cmocka_unit_test(pools_agree_with_plain_sums),
		cmocka_unit_test(pools_in_8_bits_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
