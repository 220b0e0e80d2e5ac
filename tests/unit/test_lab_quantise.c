/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_lab_quantise.c: a float encoder brought to 8 bits keeps its features, and
 * what cannot be brought there is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/lab/lab.h"
#include "engine/model.h"
#include "tests/unit/small_model.h"

static const char *const photos[] = {
	"tests/photos/coffee.png", "tests/photos/chelsea.png", "tests/photos/rocket.jpg",
};

static void write_file(const char *path, const struct small_model *model)
{
	FILE *stream = fopen(path, "wb");

	assert_non_null(stream);
	assert_int_equal(fwrite(model->bytes, 1, model->size, stream), model->size);
	fclose(stream);
}

static void test_a_float_encoder(void **unused)
{
	char folder[] = "/tmp/descry-quantise-XXXXXX", from[64], to[64];
	struct small_model bytes = small_model_all_operators();
	struct lab_quantisation *report;
	struct engine_error error = { "" };
	struct engine_model *model;

	(void)unused;
	assert_non_null(mkdtemp(folder));
	snprintf(from, sizeof(from), "%s/float.gguf", folder);
	snprintf(to, sizeof(to), "%s/eight.gguf", folder);
	write_file(from, &bytes);
	assert_int_equal(lab_quantise_encoder(from, photos, 3, to, NULL, &report, &error), 0);
	assert_true(report->eight_bits);
	assert_int_equal(report->photo_count, 3);
	assert_int_equal(report->layer_count, 15);
	assert_string_equal(report->layers[1].name, "stem");
	assert_true(report->layers[0].error < 0.01);
	for (size_t i = 0; i < report->layer_count; i++) {
		assert_true(report->layers[i].scale > 0);
		assert_true(report->layers[i].error < 0.05);
	}
	assert_true(report->pool_error > 0);
	assert_true(report->pool_error < 0.03);
	lab_quantisation_free(report);

	assert_int_equal(engine_model_open(to, &model, &error), 0);
	assert_true(model->graph->quantised);
	assert_int_equal(model->program->plan->type, KERNEL_Q8);
	/* one scale for each of the stem's channels */
	assert_int_equal(gguf_find_tensor(model->file, "encoder.stem.scale")->count, 8);
	engine_model_free(model);

	/* once more, the weights stay and ranges may only shrink */
	assert_int_equal(lab_quantise_encoder(to, photos, 3, from, NULL, &report, &error), 0);
	assert_true(report->eight_bits);
	assert_true(report->pool_error < 0.03);
	lab_quantisation_free(report);
	assert_int_equal(engine_model_open(from, &model, &error), 0);
	for (size_t i = 0; i < model->graph->node_count; i++) {
		const struct graph_node *node = &model->graph->nodes[i];

		assert_true(node->quantisation.scale <= node->file_scale);
		assert_true(node->quantisation.zero_point == 0 ||
			    node->quantisation.scale == node->file_scale);
	}
	engine_model_free(model);
	unlink(from);
	unlink(to);
	rmdir(folder);
	small_model_free(&bytes);
}

static void test_photos_that_are_none(void **unused)
{
	char folder[] = "/tmp/descry-quantise-XXXXXX", from[64], to[64];
	const char *const texts[] = { "tests/photos/LICENSES.md" };
	struct small_model bytes = small_model_all_operators();
	struct lab_quantisation *report;
	struct engine_error error = { "" };

	(void)unused;
	assert_non_null(mkdtemp(folder));
	snprintf(from, sizeof(from), "%s/float.gguf", folder);
	snprintf(to, sizeof(to), "%s/eight.gguf", folder);
	write_file(from, &bytes);
	assert_int_equal(lab_quantise_encoder(from, texts, 1, to, NULL, &report, &error),
			 ENGINE_BAD_IMAGE);
	assert_int_equal(lab_quantise_encoder(from, texts, 0, to, NULL, &report, &error),
			 ENGINE_BAD_OPTION);
	assert_int_not_equal(access(to, F_OK), 0);
	unlink(from);
	rmdir(folder);
	small_model_free(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_float_encoder),
		cmocka_unit_test(test_photos_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
