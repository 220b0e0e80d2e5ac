/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_lab_network.c: every gradient of every decoder against finite
 * differences in double precision. The passes are compiled here a second time,
 * with real = double, so what is tested is the trainer's own code.
 */
#define LAB_DOUBLE
#include "engine/lab/network.c"
#include "engine/lab/network_backward.c"
#include "engine/lab/network_cells.c"
#include "engine/lab/network_forward.c"
#include "engine/lab/network_generation.c"
#include "engine/lab/network_packing.c"
#include "engine/lab/network_workspace.c"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PHOTOS = 3, SEQUENCES = 5 };

struct problem {
	struct network network;
	struct network_photos photos;
	struct network_sequence sequences[SEQUENCES];
	struct network_workspace *workspace;
	real *parameters, *gradient;
};

static real *random_values(struct random *random, size_t count, double scale)
{
	real *values = calloc(count + 1, sizeof(*values));

	assert_non_null(values);
	for (size_t i = 0; i < count; i++)
		values[i] = scale * random_normal(random);
	return values;
}

/* Three photos, the middle one without a caption; captions of different lengths,
 * one cut before its end, one empty, one with a negative weight. */
static void problem_open(struct problem *problem, enum network_kind kind, size_t layers,
			 size_t classes)
{
	static const uint32_t words[] = { 4, 5, 6, 7, 8, 9, 10, 3 };
	const struct network_shape shape = {
		.kind = kind, .hidden = 5, .layers = layers, .words = 11, .pool = 6,
		.cells = 4, .channels = 7, .classes = classes,
	};
	struct random random;

	random_seed(&random, 11 + kind);
	assert_int_equal(network_init(&problem->network, &shape), 0);
	problem->parameters = random_values(&random, problem->network.value_count, 0.5);
	problem->gradient = calloc(problem->network.value_count, sizeof(real));
	problem->photos = (struct network_photos){
		.count = PHOTOS,
		.pool = random_values(&random, PHOTOS * shape.pool, 1),
		.grid = random_values(&random, PHOTOS * shape.cells * shape.channels, 1),
		.classes = random_values(&random, PHOTOS * classes, 1),
	};
	problem->sequences[0] = (struct network_sequence){ 0, words, 4, true, 1 };
	problem->sequences[1] = (struct network_sequence){ 0, words + 2, 6, false, 0.5 };
	problem->sequences[2] = (struct network_sequence){ 0, words, 0, true, 2 };
	problem->sequences[3] = (struct network_sequence){ 2, words + 3, 1, true, -0.7 };
	problem->sequences[4] = (struct network_sequence){ 2, words + 1, 5, true, 1 };
	assert_int_equal(network_workspace_open(&problem->workspace), 0);
}

static void problem_clear(struct problem *problem)
{
	free(problem->parameters);
	free(problem->gradient);
	free((void *)problem->photos.pool);
	free((void *)problem->photos.grid);
	free((void *)problem->photos.classes);
	network_workspace_free(problem->workspace);
}

static double loss_of(struct problem *problem, const struct network_pass_options *options,
		      real *gradient)
{
	double loss;

	assert_int_equal(network_pass(&problem->network, problem->parameters, &problem->photos,
				      problem->sequences, SEQUENCES, options, problem->workspace,
				      gradient, &loss, NULL), 0);
	return loss;
}

static void check_gradients(enum network_kind kind, size_t layers, size_t classes)
{
	const struct network_pass_options options = { .smoothing = 0.1, .dropout = 0.3, .seed = 5,
						      .sharpness = 1.5 };
	const double step = 1e-5;
	struct problem problem;

	problem_open(&problem, kind, layers, classes);
	loss_of(&problem, &options, problem.gradient);
	for (size_t i = 0; i < problem.network.parameter_count; i++) {
		const struct network_parameter *parameter = &problem.network.parameters[i];
		double error = 0, size = 0;

		for (size_t k = 0; k < parameter->rows * parameter->columns; k++) {
			real *value = &problem.parameters[parameter->offset + k], kept = *value;
			double above, below, numeric, analytic = problem.gradient[parameter->offset + k];

			*value = kept + step;
			above = loss_of(&problem, &options, NULL);
			*value = kept - step;
			below = loss_of(&problem, &options, NULL);
			*value = kept;
			numeric = (above - below) / (2 * step);
			error += (numeric - analytic) * (numeric - analytic);
			size += numeric * numeric;
		}
		if (size == 0 || sqrt(error / size) > 1e-7)
			fail_msg("%s of %s: relative error %g of a gradient of norm %g", parameter->name,
				 network_kind_name(kind), sqrt(error / size), sqrt(size));
	}
	problem_clear(&problem);
}

static void attention_gradients_are_right(void **state)
{
	(void)state;
	check_gradients(NETWORK_ATTENTION, 1, 0);
}

static void class_score_gradients_are_right(void **state)
{
	(void)state;
	check_gradients(NETWORK_ATTENTION, 1, 3);
	check_gradients(NETWORK_LSTM, 1, 3);
}

static void lstm_gradients_are_right(void **state)
{
	(void)state;
	check_gradients(NETWORK_LSTM, 1, 0);
	check_gradients(NETWORK_LSTM, 3, 0);
}

static void gru_gradients_are_right(void **state)
{
	(void)state;
	check_gradients(NETWORK_GRU, 1, 0);
	check_gradients(NETWORK_GRU, 3, 0);
}

/* The same captions word by word as generation makes them. */
static void steps_agree_with_the_pass(void **state)
{
	static const enum network_kind kinds[] = { NETWORK_ATTENTION, NETWORK_LSTM, NETWORK_GRU };

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		const struct network_pass_options options = { 0 };
		const struct network_prepared *prepared = NULL;
		struct problem problem;
		double log_probabilities[SEQUENCES], loss, stepped[SEQUENCES] = { 0 };
		real *states, *logits;
		size_t size;

		problem_open(&problem, kinds[k], kinds[k] == NETWORK_ATTENTION ? 1 : 2, 2);
		assert_int_equal(network_pass(&problem.network, problem.parameters, &problem.photos,
					      problem.sequences, SEQUENCES, &options, problem.workspace,
					      NULL, &loss, log_probabilities), 0);
		assert_int_equal(network_prepare(&problem.network, problem.parameters, &problem.photos,
						 problem.workspace, &prepared), 0);
		size = network_state_size(&problem.network);
		states = calloc(SEQUENCES * size, sizeof(*states));
		logits = calloc(SEQUENCES * 11, sizeof(*logits));
		for (size_t i = 0; i < SEQUENCES; i++)
			network_first_state(&problem.network, prepared, problem.sequences[i].photo,
					    states + i * size);
		for (size_t t = 0; t < 7; t++) {
			size_t photos[SEQUENCES];
			uint32_t words[SEQUENCES];

			for (size_t i = 0; i < SEQUENCES; i++) {
				const struct network_sequence *s = &problem.sequences[i];

				photos[i] = s->photo;
				words[i] = t == 0 ? WORD_START : t <= s->count ? s->words[t - 1] : WORD_PADDING;
			}
			assert_int_equal(network_step(&problem.network, problem.parameters, prepared,
						      problem.workspace, SEQUENCES, photos, words, states,
						      logits), 0);
			for (size_t i = 0; i < SEQUENCES; i++) {
				const struct network_sequence *s = &problem.sequences[i];
				real *row = logits + i * 11;

				if (t >= length_of(s))
					continue;
				softmax(row, 11);
				stepped[i] += log(row[t < s->count ? s->words[t] : WORD_END]);
			}
		}
		for (size_t i = 0; i < SEQUENCES; i++)
			assert_true(fabs(stepped[i] - log_probabilities[i]) < 1e-9);
		free(states);
		free(logits);
		problem_clear(&problem);
	}
}

static void shapes_beyond_the_limits_are_refused(void **state)
{
	struct network network;
	struct network_shape shape = { .kind = NETWORK_LSTM, .hidden = 8, .layers = 9, .words = 20,
				       .pool = 4 };

	(void)state;
	assert_int_equal(network_init(&network, &shape), -EINVAL);
	shape.layers = 8;
	assert_int_equal(network_init(&network, &shape), 0);
	shape.words = 3;
	assert_int_equal(network_init(&network, &shape), -EINVAL);
	shape = (struct network_shape){ .kind = NETWORK_ATTENTION, .hidden = 8, .layers = 2,
					.words = 20, .pool = 4, .cells = 4, .channels = 4 };
	assert_int_equal(network_init(&network, &shape), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attention_gradients_are_right),
		cmocka_unit_test(class_score_gradients_are_right),
		cmocka_unit_test(lstm_gradients_are_right),
		cmocka_unit_test(gru_gradients_are_right),
		cmocka_unit_test(steps_agree_with_the_pass),
		cmocka_unit_test(shapes_beyond_the_limits_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
