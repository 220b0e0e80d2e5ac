/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_copies.c: channels that the 8-bit path stores more than once bring its values
 * nearer to those in floats, through every operator that they may pass, and change
 * nothing where they cannot; what they cannot pass is refused.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/executor.h"
#include "engine/gguf_writer.h"
#include "tests/unit/small_model.h"

/* All convolutions of small_model_copyable() and their channels. */
static const struct {
	const char *name;
	size_t channels;
} convolutions[] = { { "stem", 16 }, { "wide", 24 }, { "point", 8 }, { "last", 20 } };

#define CONVOLUTIONS (sizeof(convolutions) / sizeof(convolutions[0]))
#define NODES_MAX 32u
#define GRID 7u

/* A file with fineness for all nodes, and copies for all channels of each convolution,
 * or of one tensor alone. */
static void write_copies(const struct small_model *model, float fineness, int8_t copies,
			 const char *extra, size_t extra_count, char **ret_text, size_t *ret_size)
{
	struct engine_error error;
	struct gguf_writer *writer;
	struct gguf *file;
	FILE *stream = open_memstream(ret_text, ret_size);
	float values[NODES_MAX];
	const float *scales;
	size_t nodes;
	int8_t all[64];
	char name[64];

	assert_non_null(stream);
	assert_int_equal(gguf_open_memory(model->bytes, model->size, "small", &file, &error), 0);
	assert_int_equal(gguf_get_f32s(file, "descry.encoder.node.scale", &scales, &nodes, &error), 0);
	assert_true(nodes <= NODES_MAX);
	assert_int_equal(gguf_writer_open(&writer, &error), 0);
	gguf_writer_copy(writer, file, "");
	memset(all, copies, sizeof(all));
	for (size_t i = 0; i < nodes; i++)
		values[i] = i == 0 ? 1.0f : fineness;	/* the picture is what it is */
	gguf_writer_set_f32s(writer, "descry.encoder.node.fineness", values, nodes);
	for (size_t i = 0; i < CONVOLUTIONS && copies != 1 && !extra; i++) {
		snprintf(name, sizeof(name), "encoder.%s.copies", convolutions[i].name);
		gguf_writer_add_tensor(writer, name, GGUF_TENSOR_I8, 1, &convolutions[i].channels,
				       all);
	}
	if (extra)
		gguf_writer_add_tensor(writer, extra, GGUF_TENSOR_I8, 1, &extra_count, all);
	assert_int_equal(gguf_writer_write_stream(writer, stream, "memory", &error), 0);
	fclose(stream);
	gguf_writer_free(writer);
	gguf_free(file);
}

static int open_graph(const char *text, size_t size, uint8_t **ret_bytes, struct gguf **ret_file,
		      struct graph **ret_graph, struct engine_error *error)
{
	*ret_bytes = aligned_alloc(64, (size + 63) & ~(size_t)63);
	assert_non_null(*ret_bytes);
	memcpy(*ret_bytes, text, size);
	assert_int_equal(gguf_open_memory(*ret_bytes, size, "copies", ret_file, error), 0);
	return graph_open(*ret_file, ret_graph, error);
}

static float *run(const struct graph *graph, enum engine_path path, size_t *ret_count)
{
	const struct graph_shape *in = &graph->nodes[0].shape;
	const struct graph_shape *out = &graph->nodes[GRID].shape;
	uint8_t *rgb = malloc((size_t)in->height * in->width * 3);
	struct program *program;
	struct executor *executor;
	struct engine_error error;
	uint64_t state = 3;
	float *values;

	*ret_count = graph_shape_count(out);
	values = calloc(*ret_count, sizeof(*values));
	assert_non_null(rgb);
	assert_non_null(values);
	for (size_t i = 0; i < (size_t)in->height * in->width * 3; i++)
		rgb[i] = (uint8_t)(128 + 127 * small_random(&state));
	assert_int_equal(program_open(graph, path, NULL, &program, &error), 0);
	assert_int_equal(program->plan->type, path == ENGINE_PATH_AUTO ? KERNEL_Q8 : KERNEL_F32);
	assert_int_equal(executor_open(program, NULL, &executor, &error), 0);
	executor_load(executor, rgb);
	assert_int_equal(executor_run(executor, NULL, &error), 0);
	executor_read(executor, GRID, values);
	executor_free(executor);
	program_free(program);
	free(rgb);
	return values;
}

/* Relative error of the 8-bit path at the grid. */
static double error_with(float fineness, int8_t copies)
{
	struct small_model model = small_model_copyable();
	double squares = 0, errors = 0;
	struct engine_error error;
	struct graph *graph;
	struct gguf *file;
	uint8_t *bytes;
	size_t size, count;
	float *eight, *floats;
	char *text;

	write_copies(&model, fineness, copies, NULL, 0, &text, &size);
	assert_int_equal(open_graph(text, size, &bytes, &file, &graph, &error), 0);
	eight = run(graph, ENGINE_PATH_AUTO, &count);
	floats = run(graph, ENGINE_PATH_FLOAT, &count);
	for (size_t i = 0; i < count; i++) {
		double difference = (double)eight[i] - (double)floats[i];

		errors += difference * difference;
		squares += (double)floats[i] * (double)floats[i];
	}
	assert_true(squares > 0);
	free(eight);
	free(floats);
	graph_free(graph);
	gguf_free(file);
	free(bytes);
	free(text);
	small_model_free(&model);
	return sqrt(errors / squares);
}

static void test_stacked_copies(void **unused)
{
	double once = error_with(1, 1), four = error_with(4, 4);

	(void)unused;
	assert_true(once > 0.002);	/* there is something to gain */
	/* four times as fine, and none of the values cut off */
	assert_true(four < 0.4 * once);
	/* as fine, but most of them cut off */
	assert_true(error_with(4, 1) > 2 * once);
}

static void test_copies_that_are_not_needed(void **unused)
{
	(void)unused;
	/* a stack of which only the first is ever reached holds the same values */
	assert_true(fabs(error_with(1, 2) - error_with(1, 1)) < 1e-7);
}

static void test_split_copies(void **unused)
{
	double once = error_with(1, 1);

	(void)unused;
	assert_true(error_with(1, -2) < 0.75 * once);
	assert_true(error_with(1, -4) < 0.55 * once);
}

static void test_shares_of_weights(void **unused)
{
	(void)unused;
	for (int weight = -255; weight <= 255; weight++)
		for (uint8_t count = 1; count <= 16; count++) {
			int sum = 0;

			for (uint8_t i = 0; i < count; i++) {
				struct stored_channel split = {
					.index = i, .count = count, .split = true,
				};
				struct stored_channel stacked = { .index = i, .count = count };
				int share = stored_channel_weight(split, weight);

				assert_true(abs(share * count - weight) < count);
				assert_int_equal(stored_channel_weight(stacked, weight), weight);
				sum += share;
			}
			assert_int_equal(sum, weight);
		}
}

static void refuse(const struct small_model *model, float fineness, int8_t copies,
		   const char *tensor, size_t count, const char *message)
{
	struct engine_error error;
	struct graph *graph;
	struct gguf *file;
	uint8_t *bytes;
	size_t size;
	char *text;

	write_copies(model, fineness, copies, tensor, count, &text, &size);
	assert_int_equal(open_graph(text, size, &bytes, &file, &graph, &error), ENGINE_BAD_MODEL);
	assert_non_null(strstr(error.message, message));
	gguf_free(file);
	free(bytes);
	free(text);
}

static void test_what_is_refused(void **unused)
{
	struct small_model model = small_model_copyable();
	struct small_model other = small_model_depthwise(), below = small_model_quantised();

	(void)unused;
	refuse(&model, 1, 0, NULL, 0, "stores a channel an impossible number of times");
	refuse(&model, 1, 17, NULL, 0, "stores a channel an impossible number of times");
	refuse(&model, 1, -17, NULL, 0, "stores a channel an impossible number of times");
	refuse(&model, 1, 5, NULL, 0, "has too many copies");
	refuse(&model, 0.5f, 1, NULL, 0, "has a fineness that is not possible");
	refuse(&model, 17, 1, NULL, 0, "has a fineness that is not possible");
	refuse(&model, NAN, 1, NULL, 0, "has a fineness that is not possible");
	refuse(&model, 1, 1, "encoder.stem.copies", 15, "has copies of a wrong shape or type");
	/* values below 0, whose zero is not the first code */
	refuse(&below, 1, 1, "encoder.head.copies", 11, "is no convolution in 8 bits of values from 0");
	refuse(&other, 1, 2, "encoder.wide.copies", 24, "cannot read channels that are stored more than once");
	small_model_free(&model);
	small_model_free(&other);
	small_model_free(&below);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stacked_copies),
		cmocka_unit_test(test_copies_that_are_not_needed),
		cmocka_unit_test(test_split_copies),
		cmocka_unit_test(test_shares_of_weights),
		cmocka_unit_test(test_what_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
