/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Convolutions by minimal filtering, one process for each instruction set that
 * this processor has, against sums in double precision on every shape of
 * Inception V3 that they take, on random shapes, on slices of a concat and with
 * several threads; and where the rule takes them. The loops have a test of their
 * own, test_winograd_loops.c.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/kernels/f32.h"
#include "engine/kernels/isa.h"
#include "engine/threadpool.h"
#include "tests/unit/small_model.h"

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

/* --- The operator --------------------------------------------------------------- */

struct shape {
	unsigned height, width, channels, kernel_height, kernel_width, pad_y, pad_x, outputs;
};

/* Those of Inception V3 with stride 1. */
static const struct shape shapes[] = {
	{149, 149, 32, 3, 3, 0, 0, 32}, {147, 147, 32, 3, 3, 1, 1, 64},
	{73, 73, 80, 3, 3, 0, 0, 192}, {35, 35, 48, 5, 5, 2, 2, 64},
	{35, 35, 64, 3, 3, 1, 1, 96}, {35, 35, 96, 3, 3, 1, 1, 96},
	{17, 17, 128, 1, 7, 0, 3, 128}, {17, 17, 128, 7, 1, 3, 0, 192},
	{17, 17, 128, 7, 1, 3, 0, 128}, {17, 17, 128, 1, 7, 0, 3, 192},
	{17, 17, 160, 1, 7, 0, 3, 160}, {17, 17, 160, 7, 1, 3, 0, 192},
	{17, 17, 160, 7, 1, 3, 0, 160}, {17, 17, 160, 1, 7, 0, 3, 192},
	{17, 17, 192, 1, 7, 0, 3, 192}, {17, 17, 192, 7, 1, 3, 0, 192},
	{8, 8, 384, 1, 3, 0, 1, 384}, {8, 8, 384, 3, 1, 1, 0, 384},
	{8, 8, 448, 3, 3, 1, 1, 384},
};

/* A convolution with everything it points to. */
struct sample {
	struct graph graph;
	struct graph_node nodes[2];
	uint32_t input;
	struct gguf_tensor weight, bias;
	float *weights, *biases, *pixels;
	size_t pixel_stride;
	struct kernel_task task;
};

static void draw_sample(struct sample *s, const struct shape *shape, const struct gguf *file)
{
	size_t depth = (size_t)shape->kernel_height * shape->kernel_width * shape->channels;
	size_t pixels = (size_t)shape->height * shape->width;

	*s = (struct sample){0};
	s->nodes[0].shape = (struct graph_shape){shape->height, shape->width, shape->channels};
	s->nodes[1] = (struct graph_node){
		.name = "sample", .operator = GRAPH_CONVOLUTION, .index = 1, .inputs = &s->input,
		.input_count = 1,
		.shape = {shape->height + 2 * shape->pad_y - shape->kernel_height + 1,
			  shape->width + 2 * shape->pad_x - shape->kernel_width + 1, shape->outputs},
		.window = {shape->kernel_height, shape->kernel_width, 1, 1, 1, 1, shape->pad_y,
			   shape->pad_x, shape->pad_y, shape->pad_x},
		.groups = 1, .weight = &s->weight, .bias = &s->bias,
	};
	s->graph = (struct graph){.file = file, .nodes = s->nodes, .node_count = 2};
	s->pixel_stride = shape->channels + draw() % 3 * 16;
	s->weights = malloc(depth * shape->outputs * sizeof(float));
	s->biases = malloc(shape->outputs * sizeof(float));
	s->pixels = malloc(pixels * s->pixel_stride * sizeof(float) + KERNEL_OVERREAD);
	for (size_t i = 0; i < depth * shape->outputs; i++)
		s->weights[i] = draw_float();
	for (size_t i = 0; i < shape->outputs; i++)
		s->biases[i] = draw_float();
	/* as after a ReLU; what is no input is no number */
	for (size_t i = 0; i < pixels * s->pixel_stride + KERNEL_OVERREAD / sizeof(float); i++)
		s->pixels[i] = i / s->pixel_stride < pixels && i % s->pixel_stride < shape->channels
				       ? fmaxf(draw_float(), 0)
				       : NAN;
	s->weight = (struct gguf_tensor){
		.type = GGUF_TENSOR_F32, .rank = 4, .count = depth * shape->outputs,
		.size = depth * shape->outputs * sizeof(float), .data = s->weights,
	};
	s->bias = (struct gguf_tensor){
		.type = GGUF_TENSOR_F32, .rank = 1, .count = shape->outputs,
		.size = shape->outputs * sizeof(float), .data = s->biases,
	};
	s->task = (struct kernel_task){
		.graph = &s->graph, .node = &s->nodes[1], .type = KERNEL_F32,
		.minimum = draw() % 2 ? 0 : -INFINITY, .maximum = draw() % 2 ? 50 : INFINITY,
	};
}

static void free_sample(struct sample *s)
{
	free(s->weights);
	free(s->biases);
	free(s->pixels);
}

/* The root of the mean square that an output may be expected to have. */
static double size_of(const struct shape *shape)
{
	return sqrt((double)shape->kernel_height * shape->kernel_width * shape->channels);
}

static double exact(const struct sample *s, const struct shape *shape, unsigned y, unsigned x,
		    unsigned n)
{
	double sum = (double)s->biases[n];

	for (unsigned ky = 0; ky < shape->kernel_height; ky++)
		for (unsigned kx = 0; kx < shape->kernel_width; kx++) {
			unsigned iy = y + ky - shape->pad_y, ix = x + kx - shape->pad_x;
			const float *pixel = s->pixels + (iy * shape->width + ix) * s->pixel_stride;
			const float *tap = s->weights + ((n * shape->kernel_height + ky) *
								 shape->kernel_width + kx) *
								shape->channels;

			if (iy >= shape->height || ix >= shape->width)
				continue;
			for (unsigned c = 0; c < shape->channels; c++)
				sum += (double)pixel[c] * (double)tap[c];
		}
	return fmin(fmax(sum, (double)s->task.minimum), (double)s->task.maximum);
}

/* Every `step`-th output, the corners included; and that nothing is written
 * between the pixels. False when one is off by 10⁻⁴ of the outputs' size. */
static bool right(const struct sample *s, const struct shape *shape, const float *output,
		  size_t stride, size_t step)
{
	const struct graph_shape *out = &s->nodes[1].shape;
	size_t count = graph_shape_count(out);

	for (size_t p = 0; p < (size_t)out->height * out->width; p++)
		for (size_t n = out->channels; n < stride; n++)
			if (output[p * stride + n] != 777)
				return false;
	for (size_t i = 0; i < count + step; i += step) {
		size_t at = i < count ? i : count - 1, pixel = at / out->channels;
		unsigned n = (unsigned)(at % out->channels);
		double sum = exact(s, shape, (unsigned)(pixel / out->width),
				   (unsigned)(pixel % out->width), n);
		double got = (double)output[pixel * stride + n];

		if (!(fabs(got - sum) <= 1e-4 * size_of(shape))) {
			fprintf(stderr, "%s: %ux%ux%u by %ux%u to %u: pixel %zu channel %u is %g, not %g\n",
				isa_best()->name, shape->height, shape->width, shape->channels,
				shape->kernel_height, shape->kernel_width, shape->outputs, pixel, n,
				got, sum);
			return false;
		}
	}
	return true;
}

static bool compare(const struct shape *shape, const struct gguf *file, unsigned threads, size_t step)
{
	struct engine_error error;
	struct threadpool *pool = NULL;
	struct sample s;
	struct graph_shape *out = &s.nodes[1].shape;
	size_t stride = shape->outputs + draw() % 3 * 5, pixels, scratch;
	struct kernel_view input, view;
	struct kernel_call call;
	void *prepared;
	float *output;
	bool ok;

	draw_sample(&s, shape, file);
	if (!convolution_f32_winograd.fits(&s.task)) {
		free_sample(&s);
		return true;
	}
	pixels = (size_t)out->height * out->width;
	output = malloc(pixels * stride * sizeof(float));
	for (size_t i = 0; i < pixels * stride; i++)
		output[i] = 777;
	assert_int_equal(threadpool_open(threads, &pool, &error), 0);
	assert_int_equal(convolution_f32_winograd.prepare(&s.task, pool, &prepared, &error), 0);
	scratch = convolution_f32_winograd.scratch(&s.task, prepared, threads);
	input = (struct kernel_view){s.pixels, s.nodes[0].shape, s.pixel_stride,
				     s.pixel_stride * shape->width};
	view = (struct kernel_view){output, *out, stride, stride * out->width};
	call = (struct kernel_call){&s.task, prepared, &input, view,
				    aligned_alloc(64, (scratch + 63) / 64 * 64), pool};
	/* whatever was in the memory before */
	memset(call.scratch, 0xff, scratch);
	convolution_f32_winograd.run(&call);
	ok = right(&s, shape, output, stride, step);
	free(call.scratch);
	convolution_f32_winograd.release(prepared);
	threadpool_free(pool);
	free(output);
	free_sample(&s);
	return ok;
}

/* In a process of its own, because the choice of kernels is made once. */
static bool compare_all(const char *isa, const struct gguf *file)
{
	static const unsigned kernels[][2] = {{3, 3}, {5, 5}, {1, 3}, {3, 1}, {1, 7}, {7, 1}};
	bool all = true;

	setenv("DESCRY_KERNELS", isa, 1);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		for (unsigned threads = 1; threads <= 3; threads += 2)
			all = compare(&shapes[i], file, threads, 997) && all;
	for (unsigned n = 0; n < 300; n++) {
		const unsigned *kernel = kernels[draw() % 6];
		struct shape shape = {
			.kernel_height = kernel[0], .kernel_width = kernel[1],
			.pad_y = draw() % kernel[0], .pad_x = draw() % kernel[1],
			.channels = draw() % 100 + 1, .outputs = draw() % 200 + 1,
		};

		shape.height = kernel[0] + draw() % 30;
		shape.width = kernel[1] + draw() % 30;
		all = compare(&shape, file, draw() % 4 + 1, 37) && all;
	}
	return all;
}

static void operator_agrees_with_exact_sums(void **state)
{
	struct small_model model = small_model_all_operators();
	struct engine_error error;
	struct gguf *file;

	(void)state;
	assert_int_equal(gguf_open_memory(model.bytes, model.size, "test", &file, &error), 0);
	for (size_t i = 0; isa_at(i); i++) {
		pid_t child = fork();
		int status;

		assert_true(child >= 0);
		if (child == 0)
			_exit(compare_all(isa_at(i)->name, file) ? 0 : 1);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (status != 0)
			fail_msg("%s is not right", isa_at(i)->name);
	}
	gguf_free(file);
	small_model_free(&model);
}

/* --- The rule ------------------------------------------------------------------- */

static bool taken(struct shape shape, unsigned stride)
{
	struct sample s;
	bool fits;

	draw_sample(&s, &shape, NULL);
	s.nodes[1].window.stride_height = s.nodes[1].window.stride_width = stride;
	fits = convolution_f32_winograd.fits(&s.task);
	free_sample(&s);
	return fits;
}

static void rule_takes_what_it_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		assert_true(taken(shapes[i], 1));
	assert_false(taken((struct shape){35, 35, 64, 3, 3, 1, 1, 64}, 2));
	assert_false(taken((struct shape){35, 35, 64, 1, 1, 0, 0, 64}, 1));
	assert_false(taken((struct shape){35, 35, 64, 3, 5, 1, 2, 64}, 1));
	assert_false(taken((struct shape){35, 35, 64, 11, 11, 5, 5, 64}, 1));
	assert_false(taken((struct shape){20, 20, 5000, 3, 3, 1, 1, 8}, 1));
	/* a transform for so few channels costs more than it saves */
	assert_false(taken((struct shape){299, 299, 3, 3, 3, 1, 1, 8}, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operator_agrees_with_exact_sums),
		cmocka_unit_test(rule_takes_what_it_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
