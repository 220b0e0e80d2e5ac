/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Both passes of the resize in every instruction set this processor has: byte for
 * byte as the plain twin, at the encoder's size, at random sizes and tails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/kernels/isa.h"

#define OVERREAD 64
#define TAPS_MAX 40
#define SIZE_MAX_TESTED 1000

static uint32_t seed = 1;

static uint32_t draw(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

/* Weights that sum to one, or to a little more, so that the clamp is met. */
static void draw_weights(size_t count, int32_t *ret_weights)
{
	uint32_t parts[TAPS_MAX], total = 0;

	for (size_t k = 0; k < count; k++)
		total += parts[k] = draw() % 1000 + 1;
	for (size_t k = 0; k < count; k++)
		ret_weights[k] = (int32_t)((uint64_t)parts[k] * (1u << RESIZE_FRACTION_BITS) / total +
					   draw() % 9);
}

static uint8_t draw_byte(void)
{
	return draw() % 3 == 0 ? 255 : (uint8_t)draw();
}

static void compare_rows(size_t size, size_t taps, size_t width)
{
	size_t stride = (taps + RESIZE_GROUP - 1) / RESIZE_GROUP * RESIZE_GROUP;
	unsigned *first = calloc(size, sizeof(*first)), *count = calloc(size, sizeof(*count));
	int32_t *weights = calloc(size * stride, sizeof(*weights));
	uint8_t *pixels = malloc(width * 3 + OVERREAD);
	uint8_t *expected = malloc(size * 3 + 1), *found = malloc(size * 3 + 1);
	struct resize_filter filter = {size, stride, first, count, weights};
	const struct isa *isa;

	assert_true(first && count && weights && pixels && expected && found);
	for (size_t i = 0; i < width * 3 + OVERREAD; i++)
		pixels[i] = draw_byte();
	for (size_t i = 0; i < size; i++) {
		count[i] = (unsigned)(draw() % taps + 1);
		if (count[i] > width)
			count[i] = (unsigned)width;
		first[i] = i + 1 == size ? (unsigned)(width - count[i])
					 : draw() % (unsigned)(width - count[i] + 1);
		draw_weights(count[i], weights + i * stride);
	}
	resize_row_plain(&filter, pixels, expected);
	for (size_t n = 0; (isa = isa_at(n)); n++) {
		memset(found, 0xaa, size * 3 + 1);
		isa->resize_row(&filter, pixels, found);
		if (memcmp(found, expected, size * 3) != 0)
			fail_msg("%s: a row of %zu pixels from %zu by %zu taps differs", isa->name,
				 size, width, taps);
	}
	free(first);
	free(count);
	free(weights);
	free(pixels);
	free(expected);
	free(found);
}

static void compare_columns(size_t size, size_t count)
{
	int32_t weights[TAPS_MAX];
	const uint8_t *rows[TAPS_MAX];
	uint8_t *memory = malloc(size * count), *expected = malloc(size), *found = malloc(size + 1);
	const struct isa *isa;

	assert_true(memory && expected && found);
	for (size_t i = 0; i < size * count; i++)
		memory[i] = draw_byte();
	for (size_t k = 0; k < count; k++)
		rows[k] = memory + k * size;
	draw_weights(count, weights);
	resize_column_plain(rows, weights, count, size, expected);
	for (size_t n = 0; (isa = isa_at(n)); n++) {
		memset(found, 0xaa, size + 1);
		isa->resize_column(rows, weights, count, size, found);
		if (memcmp(found, expected, size) != 0)
			fail_msg("%s: %zu bytes of %zu rows differ", isa->name, size, count);
		assert_int_equal(found[size], 0xaa);
	}
	free(memory);
	free(expected);
	free(found);
}

static void rows_equal_the_plain_twin(void **state)
{
	(void)state;
	compare_rows(299, 9, 1280);
	compare_rows(299, 3, 299);
	compare_rows(1, 1, 1);
	compare_rows(5, 3, 2);
	for (unsigned i = 0; i < 300; i++)
		compare_rows(draw() % 40 + 1, draw() % TAPS_MAX + 1, draw() % SIZE_MAX_TESTED + 1);
}

static void columns_equal_the_plain_twin(void **state)
{
	(void)state;
	compare_columns(299 * 3, 6);
	for (size_t size = 1; size < 70; size++)
		compare_columns(size, draw() % TAPS_MAX + 1);
	for (unsigned i = 0; i < 100; i++)
		compare_columns(draw() % SIZE_MAX_TESTED + 1, draw() % TAPS_MAX + 1);
}

/* White stays white though rounding lets the weights sum to more than one. */
static void sums_above_the_range_are_clamped(void **state)
{
	const unsigned first[] = {0, 0}, count[] = {2, 2};
	const int32_t weights[] = {3 << 20, (1 << 21) + 5, 0, 0, 1 << 21, 1 << 21, 0, 0};
	const struct resize_filter filter = {2, 4, first, count, weights};
	uint8_t pixels[6 + OVERREAD], found[7];
	const struct isa *isa;

	(void)state;
	memset(pixels, 255, sizeof(pixels));
	for (size_t n = 0; (isa = isa_at(n)); n++) {
		isa->resize_row(&filter, pixels, found);
		for (size_t i = 0; i < 6; i++)
			assert_int_equal(found[i], 255);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_equal_the_plain_twin),
		cmocka_unit_test(columns_equal_the_plain_twin),
		cmocka_unit_test(sums_above_the_range_are_clamped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
