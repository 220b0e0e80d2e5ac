/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_model.c: whole models: what a damaged one answers, what the graph refuses,
 * that branches land in their concat, that nothing is allocated for a picture.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/context.h"
#include "engine/error.h"
#include "tests/unit/allocations.h"
#include "tests/unit/small_model.h"

#define DEFAULT_MODEL "engine/models/descry-en.gguf"

static int build(const void *bytes, size_t size, struct engine_model **ret_model,
		 struct engine_error *error)
{
	struct gguf *file;
	int r = gguf_open_memory(bytes, size, "test.gguf", &file, error);

	return r ? r : model_build(file, ret_model, error);
}

/* Opens and runs a model if it opens, for the sanitizers to watch. Returns whether
 * it did. */
static bool try_model(const void *bytes, size_t size)
{
	struct engine_error error = { "" };
	struct engine_model *model;
	int r = build(bytes, size, &model, &error);

	if (r) {
		assert_true(r == ENGINE_BAD_MODEL || r == ENGINE_UNSUPPORTED);
		assert_true(strlen(error.message) > 20);
		return false;
	}
	if (model->info.operation_count < 1000000) {
		struct engine_context_options options = { .threads = 1 };
		const struct engine_features *features;
		struct engine_context *context;
		size_t size_in = graph_shape_count(&model->graph->nodes[0].shape);
		uint8_t *rgb = calloc(size_in, 1);

		if (engine_context_open(model, &options, &context, &error) == 0) {
			encoder_run_pixels(context->encoder, rgb, NULL, &features, &error);
			engine_context_free(context);
		}
		free(rgb);
	}
	engine_model_free(model);
	return true;
}

/* Where the tensors' data begin: everything before is structure. */
static size_t structure_size(const struct small_model *model)
{
	struct engine_error error;
	const uint8_t *first = NULL;
	struct gguf *file;

	assert_int_equal(gguf_open_memory(model->bytes, model->size, "test", &file, &error), 0);
	for (size_t i = 0; i < gguf_tensor_count(file); i++) {
		const uint8_t *data = gguf_tensor_at(file, i)->data;

		if (!first || data < first)
			first = data;
	}
	gguf_free(file);
	return (size_t)(first - model->bytes);
}

static void damage_every_byte(struct small_model model)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	size_t structure = structure_size(&model);
	unsigned refused = 0;

	for (size_t i = 0; i < structure; i++) {
		uint8_t old = model.bytes[i];

		model.bytes[i] = values[i % sizeof(values)];
		refused += !try_model(model.bytes, model.size);
		model.bytes[i] = old ^ (uint8_t)(1u << i % 8);
		refused += !try_model(model.bytes, model.size);
		model.bytes[i] = old;
	}
	/* most of the structure is names, which may be any text as long as they fit
	 * together; the rest is numbers that must be right */
	assert_true(refused > structure / 4);
	assert_true(try_model(model.bytes, model.size));
	small_model_free(&model);
}

static void test_damage_to_every_byte_of_a_float_model(void **unused)
{
	(void)unused;
	damage_every_byte(small_model_all_operators());
}

static void test_damage_to_every_byte_of_a_quantised_model(void **unused)
{
	(void)unused;
	damage_every_byte(small_model_quantised());
}

static void test_damage_in_two_places(void **unused)
{
	struct small_model model = small_model_all_operators();
	size_t structure = structure_size(&model);
	uint64_t state = 3;

	(void)unused;
	for (unsigned i = 0; i < 2000; i++) {
		size_t places[2];
		uint8_t old[2];

		for (unsigned j = 0; j < 2; j++) {
			state = state * 6364136223846793005u + 1442695040888963407u;
			places[j] = (size_t)(state >> 33) % structure;
			old[j] = model.bytes[places[j]];
			model.bytes[places[j]] = (uint8_t)(state >> 25);
		}
		try_model(model.bytes, model.size);
		for (unsigned j = 2; j-- > 0;)
			model.bytes[places[j]] = old[j];
	}
	small_model_free(&model);
}

static uint64_t add_up(const uint8_t *bytes, size_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += bytes[i];
	return sum;
}

static void test_damage_to_the_default_model(void **unused)
{
	FILE *stream = fopen(DEFAULT_MODEL, "rb");
	struct engine_error error;
	struct engine_model *model;
	size_t size, structure;
	uint64_t state = 11, sum;
	uint8_t *bytes;
	unsigned refused = 0;

	(void)unused;
	if (!stream)
		skip();
	fseek(stream, 0, SEEK_END);
	size = (size_t)ftell(stream);
	rewind(stream);
	bytes = aligned_alloc(64, (size + 63) & ~(size_t)63);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, size, stream), size);
	fclose(stream);
	structure = structure_size(&(struct small_model){ bytes, size });
	/* weights that were packed are given back to the file, but memory is no file */
	sum = add_up(bytes, size);
	assert_int_equal(build(bytes, size, &model, &error), 0);
	engine_model_free(model);
	assert_true(add_up(bytes, size) == sum);
	for (unsigned i = 0; i < 120; i++) {
		size_t place;
		uint8_t old;

		state = state * 6364136223846793005u + 1442695040888963407u;
		place = (size_t)(state >> 24) % structure;
		old = bytes[place];
		bytes[place] ^= (uint8_t)(1u << (state >> 20) % 8);
		if (build(bytes, size, &model, &error) == 0)
			engine_model_free(model);
		else
			refused++;
		bytes[place] = old;
	}
	assert_true(refused > 0);
	for (unsigned i = 1; i <= 10; i++)
		assert_int_not_equal(build(bytes, size / 11 * i, &model, &error), 0);
	free(bytes);
}

/* A model with one key or tensor amended, or removed where `value` is 0 long. */
static void expect_refusal(const struct small_model *model,
			   void (*amend)(struct gguf_writer *writer), const char *word)
{
	struct engine_error error = { "" };
	struct gguf_writer *writer;
	struct engine_model *opened;
	struct gguf *file;
	uint8_t *aligned;
	FILE *stream;
	char *text;
	size_t size;

	assert_int_equal(gguf_open_memory(model->bytes, model->size, "sound", &file, &error), 0);
	assert_int_equal(gguf_writer_open(&writer, &error), 0);
	gguf_writer_copy(writer, file, "");
	amend(writer);
	stream = open_memstream(&text, &size);
	assert_int_equal(gguf_writer_write_stream(writer, stream, "memory", &error), 0);
	fclose(stream);
	aligned = aligned_alloc(64, (size + 63) & ~(size_t)63);
	memcpy(aligned, text, size);
	free(text);
	if (build(aligned, size, &opened, &error) == 0)
		fail_msg("The model was opened; \"%s\" was expected.", word);
	if (!strstr(error.message, word))
		fail_msg("\"%s\" is not in \"%s\"", word, error.message);
	free(aligned);
	gguf_writer_free(writer);
	gguf_free(file);
}

static void other_architecture(struct gguf_writer *writer)
{
	gguf_writer_set_string(writer, "general.architecture", "llama");
}

static void other_format(struct gguf_writer *writer)
{
	gguf_writer_set_u32(writer, "descry.format", 99);
}

static void no_names(struct gguf_writer *writer)
{
	gguf_writer_remove(writer, "descry.encoder.node.name");
}

static void cycle(struct gguf_writer *writer)
{
	const int32_t inputs[] = { 0, 3, 1, 3, 2, 4, 5, 6, 7, 8, 6, 9, 10, 5, 11, 12, 13 };

	gguf_writer_set_i32s(writer, "descry.encoder.node.inputs", inputs, 17);
}

static void no_such_output(struct gguf_writer *writer)
{
	gguf_writer_set_string(writer, "descry.encoder.output.pool", "nowhere");
}

static void no_weights(struct gguf_writer *writer)
{
	gguf_writer_remove_tensor(writer, "encoder.stem.weight");
}

static void flat_weights(struct gguf_writer *writer)
{
	static const float values[8 * 27];

	gguf_writer_add_tensor(writer, "encoder.stem.weight", GGUF_TENSOR_F32, 2,
			       (size_t[]){ 8, 27 }, values);
}

static void huge_input(struct gguf_writer *writer)
{
	gguf_writer_set_u32(writer, "descry.encoder.input.width", 100000);
}

static void large_input(struct gguf_writer *writer)
{
	gguf_writer_set_u32(writer, "descry.encoder.input.width", 4096);
	gguf_writer_set_u32(writer, "descry.encoder.input.height", 4096);
}

static void zero_std(struct gguf_writer *writer)
{
	gguf_writer_set_f32s(writer, "descry.encoder.input.std", (float[]){ 1, 0, 1 }, 3);
}

static void unknown_operator(struct gguf_writer *writer)
{
	const char *const operators[] = {
		"input", "conv2d", "max_pool", "average_pool", "conv2d", "concat", "gelu",
		"global_average_pool", "conv2d", "sigmoid", "multiply", "add", "clamp",
		"global_average_pool", "fully_connected",
	};

	gguf_writer_set_strings(writer, "descry.encoder.node.operator", operators, 15);
}

static void many_labels(struct gguf_writer *writer)
{
	gguf_writer_set_strings(writer, "descry.encoder.classes", (const char *[]){ "a", "b" }, 2);
}

static void test_faults_are_named(void **unused)
{
	struct small_model model = small_model_all_operators();

	(void)unused;
	expect_refusal(&model, other_architecture, "llama");
	expect_refusal(&model, other_format, "format 99");
	expect_refusal(&model, no_names, "descry.encoder.node.name");
	expect_refusal(&model, cycle, "cycle");
	expect_refusal(&model, no_such_output, "nowhere");
	expect_refusal(&model, no_weights, "stem");
	expect_refusal(&model, flat_weights, "stem");
	expect_refusal(&model, huge_input, "100000");
	expect_refusal(&model, large_input, "values between");
	expect_refusal(&model, zero_std, "normalisation");
	expect_refusal(&model, unknown_operator, "gelu");
	expect_refusal(&model, many_labels, "names 2 classes");
	small_model_free(&model);
}

/* Two branches of the graph above are read by their concat alone or are not
 * limited by it, so both lie in it. */
static void test_branches_lie_in_their_concat(void **unused)
{
	struct small_model bytes = small_model_all_operators();
	struct engine_error error;
	struct engine_model *model;
	const struct plan_value *values;

	(void)unused;
	assert_int_equal(build(bytes.bytes, bytes.size, &model, &error), 0);
	values = model->program->plan->values;
	assert_string_equal(model->graph->nodes[5].name, "join");
	assert_int_equal(values[2].slice_of, 5);
	assert_int_equal(values[4].slice_of, 5);
	assert_int_equal(values[2].offset, values[5].offset);
	assert_int_equal(values[4].offset, values[5].offset + 8 * sizeof(float));
	assert_int_equal(values[4].pixel_stride, 16);
	assert_int_equal(values[3].slice_of, -1);
	engine_model_free(model);
	small_model_free(&bytes);
}

/* No two values that live at the same time may overlap, in either type. */
static void test_values_do_not_overlap(void **unused)
{
	struct engine_error error;
	struct engine_model *model;
	struct plan *plan;

	(void)unused;
	if (engine_model_open(DEFAULT_MODEL, &model, &error))
		skip();
	for (unsigned type = KERNEL_F32; type <= KERNEL_Q8; type++) {
		const struct graph *graph = model->graph;
		size_t largest = 0;

		assert_int_equal(plan_open(graph, (enum kernel_type)type, &plan, &error), 0);
		for (unsigned i = 0; i < graph->node_count; i++) {
			size_t size = graph_shape_count(&graph->nodes[i].shape) *
				      kernel_type_size((enum kernel_type)type);

			if (size > largest)
				largest = size;
			for (unsigned j = 0; j < graph->nodes[i].input_count; j++) {
				unsigned input = graph->nodes[i].inputs[j];
				size_t a = plan->values[i].offset, b = plan->values[input].offset;
				size_t b_size = graph_shape_count(&graph->nodes[input].shape) *
						kernel_type_size((enum kernel_type)type);

				if (plan->values[input].slice_of != (int)i)
					assert_true(plan->values[i].slice_of >= 0 ||
						    plan->values[input].slice_of >= 0 ||
						    a + size <= b || b + b_size <= a);
			}
		}
		/* the two largest neighbours and little more */
		assert_true(plan->arena_size < 3 * largest);
		plan_free(plan);
	}
	engine_model_free(model);
}

/* The same values from plain C, from OpenBLAS, and from a plan without slices. */
static void test_paths_agree(void **unused)
{
	struct small_model bytes = small_model_all_operators();
	struct engine_error error;
	struct engine_model *model;
	uint8_t rgb[12 * 10 * 3];
	float classes[2][5], grid[2][6 * 5 * 16];

	(void)unused;
	for (size_t i = 0; i < sizeof(rgb); i++)
		rgb[i] = (uint8_t)(i * 37);
	assert_int_equal(build(bytes.bytes, bytes.size, &model, &error), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct engine_context_options options = {
			.threads = i + 1, .path = i ? ENGINE_PATH_BLAS : ENGINE_PATH_REFERENCE,
		};
		const struct engine_features *features;
		struct engine_context *context;

		assert_int_equal(engine_context_open(model, &options, &context, &error), 0);
		assert_int_equal(encoder_run_pixels(context->encoder, rgb, NULL, &features, &error), 0);
		memcpy(classes[i], features->classes, sizeof(classes[i]));
		memcpy(grid[i], features->grid, sizeof(grid[i]));
		engine_context_free(context);
	}
	for (size_t i = 0; i < 5; i++)
		assert_true(fabsf(classes[0][i] - classes[1][i]) < 1e-5f);
	for (size_t i = 0; i < 6 * 5 * 16; i++) {
		assert_true(fabsf(grid[0][i] - grid[1][i]) < 1e-4f);
		assert_true(grid[0][i] >= 0 && grid[0][i] <= 6);
	}
	engine_model_free(model);
	small_model_free(&bytes);
}

static void test_no_allocation_for_a_picture(void **unused)
{
	struct small_model bytes = small_model_quantised();
	const struct engine_features *features;
	struct engine_class classes[3];
	struct engine_context *context;
	struct engine_error error;
	struct engine_image *image;
	struct engine_model *model;
	uint8_t rgb[64 * 48 * 3];
	size_t before;

	(void)unused;
	memset(rgb, 100, sizeof(rgb));
	assert_int_equal(build(bytes.bytes, bytes.size, &model, &error), 0);
	assert_int_equal(engine_context_open(model, NULL, &context, &error), 0);
	assert_int_equal(engine_image_from_pixels(ENGINE_PIXELS_RGB, 64, 48, 64 * 3, rgb,
						  sizeof(rgb), &image, &error), 0);
	assert_int_equal(engine_encode(context, image, &features, &error), 0);
	before = allocations_count();
	assert_int_equal(engine_encode(context, image, &features, &error), 0);
	assert_int_equal(engine_classify(context, image, classes, 3, &error), 0);
	assert_int_equal(allocations_count(), before);
	assert_true(classes[0].probability >= classes[1].probability);
	assert_string_equal(classes[0].label, "");
	assert_int_equal(engine_classify(context, image, classes, 12, &error), ENGINE_BAD_OPTION);
	engine_image_free(image);
	engine_context_free(context);
	engine_model_free(model);
	small_model_free(&bytes);
}

static void test_cancelling(void **unused)
{
	struct small_model bytes = small_model_quantised();
	const struct engine_features *features;
	struct engine_context *context;
	struct engine_error error;
	struct engine_model *model;
	uint8_t rgb[20 * 16 * 3] = { 0 };
	atomic_bool cancel = true;

	(void)unused;
	assert_int_equal(build(bytes.bytes, bytes.size, &model, &error), 0);
	assert_int_equal(engine_context_open(model, NULL, &context, &error), 0);
	assert_int_equal(encoder_run_pixels(context->encoder, rgb, &cancel, &features, &error),
			 ENGINE_CANCELLED);
	cancel = false;
	assert_int_equal(encoder_run_pixels(context->encoder, rgb, &cancel, &features, &error), 0);
	engine_context_free(context);
	engine_model_free(model);
	small_model_free(&bytes);
}

/* Node by node, the 8-bit kernels against the 32-bit reference on the same inputs:
 * no further apart than the rounding to the node's own steps, and a little for the
 * rounding of a float bias. */
struct comparison {
	const struct program *program;
	float *expected, *found;
	unsigned compared;
};

static void compare_node(void *argument, const struct executor *executor, unsigned index)
{
	struct comparison *comparison = argument;
	const struct graph *graph = comparison->program->graph;
	const struct graph_node *node = &graph->nodes[index];
	const struct kernel_task *task = &comparison->program->plan->values[index].task;
	struct kernel_task plain_task = *task;
	struct kernel_view views[8], output;
	struct kernel_call call = { .task = &plain_task, .inputs = views };
	const struct kernel *kernel;
	struct engine_error error;
	void *prepared = NULL;
	size_t count = graph_shape_count(&node->shape);
	float *inputs[8];
	float own = node->quantisation.scale, stored = task->stored.scale;

	if (node->operator == GRAPH_INPUT)
		return;
	plain_task.type = KERNEL_F32;
	kernel = kernel_find(&plain_task, ENGINE_PATH_REFERENCE);
	assert_non_null(kernel);
	assert_true(node->input_count <= 8);
	for (unsigned i = 0; i < node->input_count; i++) {
		const struct graph_shape *shape = &graph->nodes[node->inputs[i]].shape;

		inputs[i] = malloc(graph_shape_count(shape) * sizeof(float));
		executor_read(executor, node->inputs[i], inputs[i]);
		views[i] = (struct kernel_view){
			inputs[i], *shape, shape->channels, (size_t)shape->width * shape->channels,
		};
	}
	output = (struct kernel_view){
		comparison->expected, node->shape, node->shape.channels,
		(size_t)node->shape.width * node->shape.channels,
	};
	call.output = output;
	if (kernel->prepare)
		assert_int_equal(kernel->prepare(&plain_task, NULL, &prepared, &error), 0);
	call.prepared = prepared;
	kernel->run(&call);
	if (kernel->release)
		kernel->release(prepared);
	executor_read(executor, index, comparison->found);
	for (size_t i = 0; i < count; i++)
		if (fabsf(comparison->found[i] - comparison->expected[i]) >
		    0.505f * own + (stored != own ? 0.505f * stored : 0))
			fail_msg("node %s, value %zu: %g where %g belongs, steps of %g and %g",
				 node->name, i, (double)comparison->found[i],
				 (double)comparison->expected[i], (double)own, (double)stored);
	for (unsigned i = 0; i < node->input_count; i++)
		free(inputs[i]);
	comparison->compared++;
}

static void compare_all(const struct engine_model *model, const uint8_t *pictures,
			unsigned picture_count)
{
	struct comparison comparison = { .program = model->program };
	const struct graph *graph = model->graph;
	struct engine_error error;
	struct executor *executor;
	size_t largest = 0;

	assert_true(graph->quantised);
	assert_int_equal(model->program->plan->type, KERNEL_Q8);
	for (unsigned i = 0; i < graph->node_count; i++)
		if (graph_shape_count(&graph->nodes[i].shape) > largest)
			largest = graph_shape_count(&graph->nodes[i].shape);
	comparison.expected = calloc(largest, sizeof(float));
	comparison.found = calloc(largest, sizeof(float));
	assert_int_equal(executor_open(model->program, NULL, &executor, &error), 0);
	executor_observe(executor, compare_node, &comparison);
	for (unsigned i = 0; i < picture_count; i++) {
		executor_load(executor, pictures + i * graph_shape_count(&graph->nodes[0].shape));
		assert_int_equal(executor_run(executor, NULL, &error), 0);
	}
	assert_int_equal(comparison.compared, picture_count * (graph->node_count - 1));
	executor_free(executor);
	free(comparison.expected);
	free(comparison.found);
}

static void test_eight_bits_round_once(void **unused)
{
	struct small_model bytes = small_model_quantised();
	struct engine_error error;
	struct engine_model *model;
	uint8_t rgb[20 * 20 * 16 * 3];
	uint64_t state = 5;

	(void)unused;
	assert_int_equal(build(bytes.bytes, bytes.size, &model, &error), 0);
	for (size_t i = 0; i < sizeof(rgb); i++)
		rgb[i] = (uint8_t)(128 + 127 * small_random(&state));
	compare_all(model, rgb, 20);
	engine_model_free(model);
	small_model_free(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damage_to_every_byte_of_a_float_model),
		cmocka_unit_test(test_damage_to_every_byte_of_a_quantised_model),
		cmocka_unit_test(test_damage_in_two_places),
		cmocka_unit_test(test_damage_to_the_default_model),
		cmocka_unit_test(test_faults_are_named),
		cmocka_unit_test(test_branches_lie_in_their_concat),
		cmocka_unit_test(test_values_do_not_overlap),
		cmocka_unit_test(test_paths_agree),
		cmocka_unit_test(test_no_allocation_for_a_picture),
		cmocka_unit_test(test_cancelling),
		cmocka_unit_test(test_eight_bits_round_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
