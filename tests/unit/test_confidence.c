/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_confidence.c: signals, confidences and consensus on candidates made by
 * hand; parts of captions; the logistic fit.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/confidence.h"
#include "engine/lab/logistic.h"
#include "engine/part.h"
#include "engine/random.h"

#define POOL 8u

static const char *const words[] = {
	"<pad>", "<s>", "</s>", "<unk>", "a", "man", "in", "red", "shirt", "is", "standing", "on",
	"dog", "grass", "of", "group", "people", "girl", "person", "the", "street",
};
#define WORDS (sizeof(words) / sizeof(*words))

/* Everything a confidence needs; the detector knows dog, grass and man. */
struct bench {
	struct vocabulary *vocabulary;
	struct confidence_parameters parameters;
	struct confidence *confidence;
	struct confidence_view *view;
	float pool[POOL];
};

static const char *const stems[] = { "dog", "grass", "man" };
static const float zeros[WORDS], ones[POOL] = { 1, 1, 1, 1, 1, 1, 1, 1 };
static const float scales[] = { 0.01f, 0.01f, 0.01f }, bias[] = { 0.0f, 1.0f, -1.0f };
static const int8_t codes[3 * POOL] = { 100, 0, 0, 0, 0, 0, 0, 0, [POOL] = -100 };
static const float axes[POOL] = { 1.0f }, variances[] = { 4.0f, 1.0f };
static const float usual[CONFIDENCE_USUAL] = {
	0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1,
};
static float rarity[WORDS];

static void bench_open(struct bench *bench)
{
	struct engine_error error;

	memset(bench, 0, sizeof(*bench));
	for (size_t i = 0; i < WORDS; i++)
		rarity[i] = 1.0f;
	bench->parameters = (struct confidence_parameters){
		.stems = stems, .stem_count = 3, .pool_size = POOL, .mean = zeros,
		.deviation = ones, .bias = bias, .axis_count = 1, .axes = axes,
		.variances = variances, .rarity = rarity, .usual = usual, .distance_limit = 2.0f,
		.weight = { .type = MATRIX_I8, .rows = 3, .columns = POOL, .data = codes,
			    .scales = scales },
		.sure = 0.5f, .refused = 0.1f, .consensus_weight = 0.6f, .consensus_bound = 0.4f,
	};
	bench->parameters.word[CONFIDENCE_WORD_EVIDENCE] = 1.0f;
	bench->parameters.word[CONFIDENCE_WORD_AGREEMENT] = 2.0f;
	bench->parameters.caption[CONFIDENCE_SUM] = 1.0f;
	assert_int_equal(vocabulary_open(words, WORDS, &bench->vocabulary, &error), 0);
	assert_int_equal(confidence_open(&bench->parameters, bench->vocabulary,
					 &bench->confidence, &error), 0);
	assert_int_equal(confidence_view_open(bench->confidence, 0, &bench->view, &error), 0);
	bench->pool[0] = 2.0f;
	confidence_view_photo(bench->view, &(struct engine_features){ .pool = bench->pool }, 0,
			      NULL);
}

static void bench_close(struct bench *bench)
{
	confidence_view_free(bench->view);
	confidence_free(bench->confidence);
	vocabulary_free(bench->vocabulary);
}

/* Words of `text`, blank-separated. */
static struct hypothesis caption(const struct bench *bench, const char *text, float score,
				 unsigned votes)
{
	struct hypothesis hypothesis = { .score = score, .votes = votes, .ended = true };

	while (*text) {
		size_t length = strcspn(text, " ");
		char word[64];

		memcpy(word, text, length);
		word[length] = '\0';
		hypothesis.words[hypothesis.count] = vocabulary_find(bench->vocabulary, word);
		assert_true(hypothesis.words[hypothesis.count] >= VOCABULARY_FIRST_WORD);
		hypothesis.log_probabilities[hypothesis.count++] = -0.5f;
		text += length + (text[length] == ' ');
	}
	return hypothesis;
}

static void test_words(void **state)
{
	struct bench bench;
	struct hypothesis candidates[3];
	float signals[LIMIT_WORDS][CONFIDENCE_WORD_SIGNALS], confidences[LIMIT_WORDS];

	(void)state;
	bench_open(&bench);
	candidates[0] = caption(&bench, "a dog on the grass", -1.0f, 0);
	candidates[1] = caption(&bench, "a man on the street", -1.2f, 1);
	candidates[2] = caption(&bench, "a dog on the street", -1.4f, 3);
	confidence_view_candidates(bench.view, candidates, 3);
	assert_int_equal(confidence_view_word_signals(bench.view, 0, signals), 2);
	assert_true(fabsf(signals[0][CONFIDENCE_WORD_AGREEMENT] - 0.75f) < 1e-6f);
	assert_true(fabsf(signals[0][CONFIDENCE_WORD_EVIDENCE] - 2.0f) < 0.05f);
	assert_true(signals[0][CONFIDENCE_WORD_UNKNOWN] == 0.0f);
	assert_true(signals[1][CONFIDENCE_WORD_AGREEMENT] == 0.0f);
	assert_true(fabsf(signals[1][CONFIDENCE_WORD_EVIDENCE] + 1.0f) < 0.05f);
	confidence_view_words(bench.view, 0, confidences);
	assert_true(confidences[0] == -1.0f && confidences[2] == -1.0f);
	assert_true(fabs((double)confidences[1] - 1.0 / (1.0 + exp(-3.5))) < 0.01);
	/* the detector knows no street */
	confidence_view_word_signals(bench.view, 1, signals);
	assert_true(signals[1][CONFIDENCE_WORD_UNKNOWN] == 1.0f);
	bench_close(&bench);
}

/* A general word is agreed with by who says a kind of it; not the reverse. */
static void test_general_words(void **state)
{
	struct bench bench;
	struct hypothesis candidates[2];
	float signals[LIMIT_WORDS][CONFIDENCE_WORD_SIGNALS];

	(void)state;
	bench_open(&bench);
	candidates[0] = caption(&bench, "a person", -1.0f, 0);
	candidates[1] = caption(&bench, "a girl", -1.0f, 2);
	confidence_view_candidates(bench.view, candidates, 2);
	confidence_view_word_signals(bench.view, 0, signals);
	assert_true(signals[0][CONFIDENCE_WORD_AGREEMENT] == 1.0f);
	candidates[0] = caption(&bench, "a girl", -1.0f, 0);
	candidates[1] = caption(&bench, "a person", -1.0f, 2);
	confidence_view_candidates(bench.view, candidates, 2);
	confidence_view_word_signals(bench.view, 0, signals);
	assert_true(signals[0][CONFIDENCE_WORD_AGREEMENT] == 0.0f);
	bench_close(&bench);
}

/* What the samples agree on comes first, though another scores better. */
static void test_consensus(void **state)
{
	struct bench bench;
	struct hypothesis candidates[3];
	unsigned order[3];

	(void)state;
	bench_open(&bench);
	candidates[0] = caption(&bench, "a man in a red shirt", -1.0f, 0);
	candidates[1] = caption(&bench, "a dog on the street", -1.1f, 4);
	candidates[2] = caption(&bench, "a dog on the grass", -1.2f, 4);
	confidence_view_candidates(bench.view, candidates, 3);
	confidence_view_rank(bench.view, order);
	assert_int_not_equal(order[0], 0);
	assert_int_equal(order[2], 0);
	assert_int_equal(order[0] + order[1], 3);
	bench_close(&bench);
}

static void test_parts(void **state)
{
	struct bench bench;
	struct hypothesis hypothesis;
	part_words parts[PARTS_MAX], best;
	size_t count;
	bool found[3] = { false };
	float confidence = 0.0f;

	(void)state;
	bench_open(&bench);
	/* 0 a 1 man 2 in 3 a 4 red 5 shirt 6 is 7 standing 8 on 9 the 10 street */
	hypothesis = caption(&bench, "a man in a red shirt is standing on the street", -1.0f, 1);
	count = part_find(bench.vocabulary, &hypothesis, parts);
	for (size_t i = 0; i < count; i++) {
		assert_true(parts[i] < (1u << 11) - 1);
		found[0] |= parts[i] == 0x03;			/* a man */
		found[1] |= parts[i] == 0xc3;			/* a man is standing */
		found[2] |= parts[i] == (0x7ff & ~0x10);	/* without "red" */
	}
	assert_true(found[0] && found[1] && found[2]);

	confidence_view_candidates(bench.view, &hypothesis, 1);
	/* without the detector's word and agreement all confidences are the same, so
	 * the longest part that a bound allows is the one with fewest content words */
	best = confidence_view_sure_part(bench.view, 0, 0.0f, &confidence);
	assert_true(best != 0 && confidence > 0.0f);
	assert_int_equal(confidence_view_sure_part(bench.view, 0, 1.0f, &confidence), 0);
	hypothesis = caption(&bench, "a group of people", -1.0f, 1);
	assert_int_equal(part_find(bench.vocabulary, &hypothesis, parts), 0);
	bench_close(&bench);
}

static void test_distance(void **state)
{
	struct bench bench;
	float near, far;

	(void)state;
	bench_open(&bench);
	for (size_t i = 0; i < POOL; i++)
		bench.pool[i] = 1.0f;
	confidence_view_photo(bench.view, &(struct engine_features){ .pool = bench.pool }, 0, NULL);
	near = confidence_view_distance(bench.view);
	for (size_t i = 0; i < POOL; i++)
		bench.pool[i] = 50.0f;
	confidence_view_photo(bench.view, &(struct engine_features){ .pool = bench.pool }, 0, NULL);
	far = confidence_view_distance(bench.view);
	assert_true(isfinite(near) && isfinite(far) && far > 2.0f * near);
	bench_close(&bench);
}

/* The greatest of the distance and the probes counts. An unfamiliar picture lets a part
 * be told only where the words leave it open, a strange one not at all. */
static void test_unfamiliarity(void **state)
{
	static const float probes[2 * (POOL + 1)] = {
		0.0f, 1.0f, [POOL] = -0.5f,	/* the second feature, less a half */
		[POOL + 1 + POOL] = -1.0f,	/* never */
	};
	struct bench bench;

	(void)state;
	bench_open(&bench);
	bench.parameters.probe_count = 2;
	bench.parameters.probes = probes;
	bench.parameters.strange = 3.0f;
	bench.parameters.distance_limit = 1e6f;
	confidence_view_free(bench.view);
	confidence_free(bench.confidence);
	assert_int_equal(confidence_open(&bench.parameters, bench.vocabulary,
					 &bench.confidence, NULL), 0);
	assert_int_equal(confidence_view_open(bench.confidence, 0, &bench.view, NULL), 0);
	for (unsigned i = 0; i < 3; i++) {
		static const float seconds[] = { 1.0f, 2.5f, 5.0f };
		float expected = seconds[i] - 0.5f;

		bench.pool[1] = seconds[i];
		confidence_view_photo(bench.view, &(struct engine_features){ .pool = bench.pool }, 0,
				      NULL);
		assert_true(fabsf(confidence_view_probe(bench.view, 0) - expected) < 1e-5f);
		assert_true(confidence_view_probe(bench.view, 1) == -1.0f);
		assert_true(fabsf(confidence_view_unfamiliarity(bench.view) - expected) < 1e-5f);
		assert_int_equal(confidence_view_allows_part(bench.view, ENGINE_BAND_UNSURE), i == 0);
		assert_int_equal(confidence_view_allows_part(bench.view, ENGINE_BAND_REFUSED), i < 2);
	}
	bench_close(&bench);
}

/* Each cell is asked how much it speaks for a word. */
static void test_map(void **state)
{
	struct bench bench;
	float grid[2 * POOL] = { [0] = 1.0f, [POOL] = 3.0f }, map[2];
	struct confidence_view *view;

	(void)state;
	bench_open(&bench);
	assert_int_equal(confidence_view_open(bench.confidence, 2, &view, NULL), 0);
	assert_true(confidence_view_map(view, grid, vocabulary_find(bench.vocabulary, "dog"), map));
	assert_true(fabsf(map[0] - 1.0f) < 1e-5f && fabsf(map[1] - 3.0f) < 1e-5f);
	assert_false(confidence_view_map(view, grid, vocabulary_find(bench.vocabulary, "street"),
					 map));
	confidence_view_free(view);
	bench_close(&bench);
}

/* What only samples said comes after all that the search found. */
static void test_samples_last(void **state)
{
	struct bench bench;
	struct hypothesis candidates[3];
	unsigned order[3];

	(void)state;
	bench_open(&bench);
	candidates[0] = caption(&bench, "a man in a red shirt", -1.0f, 0);
	candidates[1] = caption(&bench, "a man on the street", -3.0f, 0);
	candidates[2] = caption(&bench, "a dog", -0.1f, 5);
	candidates[2].sampled = true;
	confidence_view_candidates(bench.view, candidates, 3);
	confidence_view_rank(bench.view, order);
	assert_int_equal(order[2], 2);
	bench_close(&bench);
}

static void test_bad_parameters(void **state)
{
	struct bench bench;
	struct confidence *confidence;
	struct engine_error error;
	static const char *const unsorted[] = { "man", "dog", "grass" };
	static const float bad[POOL] = { 0.0f };

	(void)state;
	bench_open(&bench);
	bench.parameters.stems = unsorted;
	assert_int_equal(confidence_open(&bench.parameters, bench.vocabulary, &confidence, &error),
			 ENGINE_BAD_MODEL);
	bench.parameters.stems = stems;
	bench.parameters.deviation = bad;
	assert_int_equal(confidence_open(&bench.parameters, bench.vocabulary, &confidence, &error),
			 ENGINE_BAD_MODEL);
	bench.parameters.deviation = ones;
	bench.parameters.distance_limit = NAN;
	assert_int_equal(confidence_open(&bench.parameters, bench.vocabulary, &confidence, &error),
			 ENGINE_BAD_MODEL);
	bench_close(&bench);
}

/* Labels drawn from a known model: the fit finds it again. */
static void test_logistic(void **state)
{
	enum { ROWS = 20000 };
	static float signals[ROWS * 3];
	static bool labels[ROWS];
	struct random random = { 5 };
	float coefficients[4];

	(void)state;
	for (size_t r = 0; r < ROWS; r++) {
		float *x = signals + r * 3;
		double odds;

		x[0] = (float)(4.0 * random_unit(&random) - 2.0);
		x[1] = (float)(20.0 * random_unit(&random));
		x[2] = 7.0f;	/* never changes: must not matter */
		odds = 1.5 * (double)x[0] - 0.2 * (double)x[1] + 1.0;
		labels[r] = random_unit(&random) < 1.0 / (1.0 + exp(-odds));
	}
	logistic_fit(signals, labels, NULL, ROWS, 3, coefficients);
	assert_true(fabsf(coefficients[0] - 1.5f) < 0.1f);
	assert_true(fabsf(coefficients[1] + 0.2f) < 0.02f);
	assert_true(coefficients[2] == 0.0f);
	assert_true(fabsf(coefficients[3] - 1.0f) < 0.15f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_general_words),
		cmocka_unit_test(test_consensus),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_unfamiliarity),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_samples_last),
		cmocka_unit_test(test_bad_parameters),
		cmocka_unit_test(test_logistic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
