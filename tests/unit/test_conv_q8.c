/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * 8-bit convolutions of every instruction set this processor has, bit for bit
 * against a direct sum in 64 bits: every shape of Inception V3 (rows cut to a
 * few, which keeps every width, depth and tail), random shapes, joined
 * convolutions, output into slices, signed and unsigned weights, and several
 * threads.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/conv_q8.h"

#define JOINED_MAX 8

static uint32_t seed = 7;

static uint32_t draw(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

static uint32_t between(uint32_t low, uint32_t high)
{
	return low + draw() % (high - low + 1);
}

struct shape {
	unsigned height, width, channels, kernel_height, kernel_width, stride, outputs;
	bool same;
};

/* One convolution with everything it points to. */
struct sample {
	struct conv_q8_description d;
	uint8_t *weights;
	float *scales;
	int32_t *bias;
};

static void draw_sample(struct sample *s, const struct shape *shape, uint8_t input_zero,
			bool weights_signed)
{
	size_t depth = (size_t)shape->kernel_height * shape->kernel_width * shape->channels;
	struct conv_q8_description *d = &s->d;
	float typical;

	memset(s, 0, sizeof(*s));
	d->input_height = shape->height;
	d->input_width = shape->width;
	d->input_channels = shape->channels;
	d->kernel_height = shape->kernel_height;
	d->kernel_width = shape->kernel_width;
	d->stride_y = d->stride_x = shape->stride;
	if (shape->same) {
		d->output_height = (shape->height + shape->stride - 1) / shape->stride;
		d->output_width = (shape->width + shape->stride - 1) / shape->stride;
		d->pad_top = (shape->kernel_height - 1) / 2;
		d->pad_left = (shape->kernel_width - 1) / 2;
	} else {
		d->output_height = (shape->height - shape->kernel_height) / shape->stride + 1;
		d->output_width = (shape->width - shape->kernel_width) / shape->stride + 1;
	}
	d->output_channels = shape->outputs;
	s->weights = malloc(shape->outputs * depth);
	s->scales = malloc(shape->outputs * sizeof(float));
	s->bias = malloc(shape->outputs * sizeof(int32_t));
	/* never the lowest value, which the narrow kernels refuse */
	for (size_t i = 0; i < shape->outputs * depth; i++) {
		uint8_t w = (uint8_t)between(1, 255);

		s->weights[i] = weights_signed ? (uint8_t)(w - 128) : w;
	}
	d->weights = s->weights;
	d->weights_signed = weights_signed;
	d->weight_zero = weights_signed ? 0 : (int32_t)between(70, 180);
	d->input_scale = 0.03f;
	d->input_zero = input_zero;
	d->output_scale = 0.05f;
	d->output_zero = draw() % 3 ? 0 : (int32_t)between(0, 255);
	/* most sums then fall into the range, some beyond */
	typical = 60.0f / (74.0f * 74.0f * sqrtf((float)depth));
	d->weight_scale_count = weights_signed ? shape->outputs : 1;
	for (unsigned n = 0; n < shape->outputs; n++) {
		s->scales[n] = typical * d->output_scale / d->input_scale *
			       (0.5f + (float)(draw() % 1000) / 1000);
		s->bias[n] = (int32_t)between(0, 20000) - 10000;
	}
	d->weight_scales = s->scales;
	d->bias = draw() % 8 ? s->bias : NULL;
	d->minimum = 0;
	d->maximum = draw() % 3 ? 255 : 200;
}

static void free_sample(struct sample *s)
{
	free(s->weights);
	free(s->scales);
	free(s->bias);
}

static uint8_t expected(const struct conv_q8_description *d, const uint8_t *input, size_t stride,
			unsigned oy, unsigned ox, unsigned n)
{
	size_t depth = (size_t)d->kernel_height * d->kernel_width * d->input_channels;
	const uint8_t *weights = (const uint8_t *)d->weights + n * depth;
	float scale = d->weight_scales[d->weight_scale_count > 1 ? n : 0], value;
	int64_t sum = d->bias ? d->bias[n] : 0;
	int q;

	for (unsigned ky = 0; ky < d->kernel_height; ky++)
		for (unsigned kx = 0; kx < d->kernel_width; kx++) {
			long y = (long)(oy * d->stride_y + ky) - (long)d->pad_top;
			long x = (long)(ox * d->stride_x + kx) - (long)d->pad_left;
			const uint8_t *pixel;

			if (y < 0 || x < 0 || y >= (long)d->input_height || x >= (long)d->input_width)
				continue;
			pixel = input + ((size_t)y * d->input_width + (size_t)x) * stride;
			for (unsigned c = 0; c < d->input_channels; c++) {
				uint8_t byte = weights[(ky * d->kernel_width + kx) * d->input_channels + c];
				int32_t w = d->weights_signed ? (int8_t)byte : byte;

				sum += (w - d->weight_zero) * (pixel[c] - d->input_zero);
			}
		}
	value = (float)sum * (float)((double)d->input_scale * (double)scale /
				     (double)d->output_scale);
	q = (int)rintf(fminf(fmaxf(value, (float)(d->minimum - d->output_zero)),
			     (float)(d->maximum - d->output_zero)));
	return (uint8_t)(q + d->output_zero);
}

/* Runs `count` convolutions joined and compares every byte, those between the
 * slices included. */
static void compare(const struct isa *isa, const struct shape *shape, size_t count,
		    struct threadpool *pool)
{
	bool weights_signed = draw() % 2;
	uint8_t input_zero = draw() % 2 ? 0 : (uint8_t)between(0, 255);
	size_t stride = shape->channels + (draw() % 3 ? 0 : between(1, 20));
	size_t input_size = (size_t)shape->height * shape->width * stride + KERNEL_OVERREAD;
	uint8_t *input = malloc(input_size);
	struct sample samples[JOINED_MAX];
	struct conv_q8_description descriptions[JOINED_MAX];
	struct conv_q8_call calls[JOINED_MAX];
	uint8_t *outputs[JOINED_MAX];
	bool fixed = draw() % 2;
	size_t sizes[JOINED_MAX], gap = between(0, 9);
	struct conv_q8_set *set;
	void *scratch, *packed;

	for (size_t i = 0; i < input_size; i++)
		input[i] = (uint8_t)(draw() % 4 ? draw() : 255);
	for (size_t i = 0; i < count; i++) {
		struct shape one = *shape;

		one.outputs += (unsigned)(i * 13);
		draw_sample(&samples[i], &one, input_zero, weights_signed);
		samples[i].d.input_pixel_stride = fixed ? stride : 0;
		descriptions[i] = samples[i].d;
	}
	packed = aligned_alloc(64, conv_q8_set_size(descriptions, count, isa));
	assert_non_null(packed);
	memset(packed, 0xa5, conv_q8_set_size(descriptions, count, isa));
	assert_int_equal(conv_q8_set_open(descriptions, count, isa, pool, packed, &set, NULL), 0);
	for (size_t i = 0; i < count; i++) {
		calls[i].conv = conv_q8_set_at(set, i);
		assert_true(conv_q8_joinable(calls[0].conv, calls[i].conv));
		calls[i].output_pixel_stride = descriptions[i].output_channels + gap;
		sizes[i] = (size_t)descriptions[i].output_height * descriptions[i].output_width *
			   calls[i].output_pixel_stride;
		outputs[i] = malloc(sizes[i]);
		memset(outputs[i], 0xa5, sizes[i]);
		calls[i].output = outputs[i];
	}
	scratch = aligned_alloc(64, conv_q8_scratch_size(calls[0].conv));
	conv_q8_run(calls, count, input, stride, scratch, pool);
	for (size_t i = 0; i < count; i++) {
		const struct conv_q8_description *d = &descriptions[i];
		const uint8_t *out = outputs[i];

		unsigned pixels = d->output_height * d->output_width;

		for (unsigned oy = 0; oy < d->output_height; oy++)
			for (unsigned ox = 0; ox < d->output_width; ox++) {
				unsigned pixel = oy * d->output_width + ox;

				/* of many pixels the edges and a tenth of the rest */
				if (pixels > 81 && pixel >= 9 && pixel + 9 < pixels && draw() % 10) {
					out += d->output_channels + gap;
					continue;
				}
				for (unsigned n = 0; n < d->output_channels + gap; n++, out++) {
					uint8_t right = n < d->output_channels ?
						expected(d, input, stride, oy, ox, n) : 0xa5;

					if (*out != right)
						fail_msg("%s: %ux%ux%u, kernel %ux%u, stride %u, %u outputs: pixel %u,%u channel %u is %u, not %u",
							 isa->name, d->input_height, d->input_width,
							 d->input_channels, d->kernel_height,
							 d->kernel_width, d->stride_y,
							 d->output_channels, ox, oy, n, *out, right);
				}
			}
	}
	for (size_t i = 0; i < count; i++) {
		free_sample(&samples[i]);
		free(outputs[i]);
	}
	free(scratch);
	free(input);
	conv_q8_set_free(set);
	free(packed);
}

/* height, width, channels, kernel, stride, outputs, same; heights are cut. */
static const struct shape inception[] = {
	{9, 299, 3, 3, 3, 2, 32, false},  {5, 149, 32, 3, 3, 1, 32, false},
	{3, 147, 32, 3, 3, 1, 64, true},  {1, 73, 64, 1, 1, 1, 80, false},
	{4, 73, 80, 3, 3, 1, 192, false}, {1, 35, 192, 1, 1, 1, 64, false},
	{1, 35, 192, 1, 1, 1, 48, false}, {3, 35, 48, 5, 5, 1, 64, true},
	{3, 35, 64, 3, 3, 1, 96, true},	  {3, 35, 96, 3, 3, 1, 96, true},
	{1, 35, 192, 1, 1, 1, 32, false}, {1, 35, 256, 1, 1, 1, 64, false},
	{1, 35, 288, 1, 1, 1, 48, false}, {3, 35, 288, 3, 3, 2, 384, false},
	{5, 35, 96, 3, 3, 2, 96, false},  {1, 17, 768, 1, 1, 1, 192, false},
	{1, 17, 768, 1, 1, 1, 128, false}, {2, 17, 128, 1, 7, 1, 128, true},
	{7, 17, 128, 7, 1, 1, 192, true}, {1, 17, 768, 1, 1, 1, 160, false},
	{2, 17, 160, 1, 7, 1, 160, true}, {7, 17, 160, 7, 1, 1, 192, true},
	{2, 17, 192, 1, 7, 1, 192, true}, {7, 17, 192, 7, 1, 1, 192, true},
	{3, 17, 192, 3, 3, 2, 320, false}, {1, 8, 1280, 1, 1, 1, 320, false},
	{1, 8, 1280, 1, 1, 1, 448, false}, {2, 8, 384, 1, 3, 1, 384, true},
	{3, 8, 384, 3, 1, 1, 384, true},  {2, 8, 448, 3, 3, 1, 384, true},
	{1, 8, 2048, 1, 1, 1, 192, false}, {1, 1, 2048, 1, 1, 1, 1001, false},
};

static void every_shape_of_inception(void **state)
{
	(void)state;
	for (size_t i = 0; isa_at(i); i++)
		for (size_t s = 0; s < sizeof(inception) / sizeof(*inception); s++)
			compare(isa_at(i), &inception[s], 1, NULL);
}

static void random_shapes_and_tails(void **state)
{
	(void)state;
	for (size_t i = 0; isa_at(i); i++)
		for (unsigned n = 0; n < 150; n++) {
			struct shape shape = {
				.height = between(1, 9),
				.width = between(1, 9),
				.channels = between(1, 70),
				.kernel_height = between(1, 4),
				.kernel_width = between(1, 4),
				.stride = between(1, 3),
				.outputs = between(1, 110),
				.same = draw() % 2,
			};

			if (shape.kernel_height > shape.height)
				shape.kernel_height = shape.height;
			if (shape.kernel_width > shape.width)
				shape.kernel_width = shape.width;
			compare(isa_at(i), &shape, between(1, 3), NULL);
		}
}

#if defined(__x86_64__)
conv_q8_function conv_q8_6x16_twin;

static void the_avx_vnni_tile_by_its_twin(void **state)
{
	static const struct conv_kernel twin[] = {{6, 16, .q8 = conv_q8_6x16_twin}};
	const struct isa *other = isa_named("avx512vnni");
	struct isa isa;

	(void)state;
	if (!other)
		skip();
	isa = *other;
	isa.name = "avxvnni";
	isa.conv_q8.kernels = twin;
	isa.conv_q8.count = 1;
	for (size_t s = 0; s < sizeof(inception) / sizeof(*inception); s++)
		compare(&isa, &inception[s], 1, NULL);
	for (unsigned n = 0; n < 100; n++) {
		struct shape shape = {
			between(1, 9), between(1, 9), between(1, 70), 1, 1, between(1, 3),
			between(1, 110), false,
		};

		compare(&isa, &shape, between(1, 3), NULL);
	}
}
#endif

static void threads_give_the_same(void **state)
{
	(void)state;
	for (unsigned threads = 2; threads <= 5; threads++) {
		struct threadpool *pool;

		assert_int_equal(threadpool_open(threads, &pool, NULL), 0);
		for (unsigned n = 0; n < 30; n++) {
			struct shape shape = {
				between(1, 20), between(1, 20), between(1, 100), 1, 1, 1,
				between(1, 200), false,
			};

			if (shape.height > 3 && shape.width > 3)
				shape.kernel_height = shape.kernel_width = 3;
			shape.same = draw() % 2;
			compare(isa_at(0), &shape, between(1, JOINED_MAX), pool);
		}
		threadpool_free(pool);
	}
}

/* Word for word, and nothing between the words of sixteen rows and the next. */
static void words_are_packed_side_by_side(void **state)
{
	(void)state;
	for (size_t i = 0; isa_at(i); i++)
		for (unsigned n = 0; n < 300; n++) {
			size_t depth = 4 * (size_t)between(1, 100), stride = 64 + 4 * (size_t)(draw() % 9);
			uint32_t flips = draw() % 2 ? 0x80808080u : 0;
			/* exactly as long as promised, so that the sanitizer sees a read beyond */
			uint8_t *rows = malloc(16 * depth), *packed = malloc(depth / 4 * stride);

			for (size_t k = 0; k < 16 * depth; k++)
				rows[k] = (uint8_t)draw();
			memset(packed, 0xa5, depth / 4 * stride);
			isa_at(i)->pack_words_q8(rows, depth, flips, packed, stride);
			for (size_t k = 0; k < depth / 4 * stride; k++) {
				size_t word = k / stride, r = k % stride / 4;
				uint8_t right = r < 16 ? rows[r * depth + 4 * word + k % stride % 4] ^
							(uint8_t)flips : 0xa5;

				if (packed[k] != right)
					fail_msg("%s: byte %zu of depth %zu", isa_at(i)->name, k, depth);
			}
			free(rows);
			free(packed);
		}
}

static void impossible_convolutions_are_refused(void **state)
{
	struct shape shape = {4, 4, 8, 3, 3, 1, 8, true};
	struct sample sample;
	struct conv_q8_description bad;
	struct conv_q8_set *set = NULL;
	struct engine_error error;

	(void)state;
	draw_sample(&sample, &shape, 0, false);
	bad = sample.d;
	bad.output_channels = 0;
	assert_int_equal(conv_q8_set_open(&bad, 1, isa_at(0), NULL, NULL, &set, &error), ENGINE_BAD_MODEL);
	bad = sample.d;
	bad.output_scale = 0;
	assert_int_equal(conv_q8_set_open(&bad, 1, isa_at(0), NULL, NULL, &set, &error), ENGINE_BAD_MODEL);
	bad = sample.d;
	bad.weight_zero = 256;
	assert_int_equal(conv_q8_set_open(&bad, 1, isa_at(0), NULL, NULL, &set, &error), ENGINE_BAD_MODEL);
	bad = sample.d;
	bad.input_channels = 100000;
	assert_int_equal(conv_q8_set_open(&bad, 1, isa_at(0), NULL, NULL, &set, &error),
			 ENGINE_UNSUPPORTED);
	assert_null(set);
	free_sample(&sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_of_inception),
		cmocka_unit_test(random_shapes_and_tails),
#if defined(__x86_64__)
		cmocka_unit_test(the_avx_vnni_tile_by_its_twin),
#endif
		cmocka_unit_test(threads_give_the_same),
		cmocka_unit_test(words_are_packed_side_by_side),
		cmocka_unit_test(impossible_convolutions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
