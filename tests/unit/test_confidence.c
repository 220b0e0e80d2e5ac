/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_confidence.c: signals, confidences and consensus on candidates made by
 * hand, beside a plain reference; parts of captions; the logistic and isotonic fits.
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
#include "engine/lab/isotonic.h"
#include "engine/lab/logistic.h"
#include "engine/part.h"
#include "engine/random.h"

#define POOL 8u

static const char *const words[] = {
	"<pad>", "<s>", "</s>", "<unk>", "a", "man", "in", "red", "shirt", "is", "standing", "on",
	"dog", "grass", "of", "group", "people", "girl", "person", "the", "street", "child",
	"animal", "young",
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

static bool has_part(const struct part *parts, size_t count, struct part wanted)
{
	for (size_t i = 0; i < count; i++) {
		if (memcmp(&parts[i], &wanted, sizeof(wanted)) == 0)
			return true;
	}
	return false;
}

static void test_parts(void **state)
{
	struct bench bench;
	struct hypothesis hypothesis;
	struct part parts[PARTS_MAX], best;
	size_t count;
	float confidence = 0.0f;

	(void)state;
	bench_open(&bench);
	/* 0 a 1 man 2 in 3 a 4 red 5 shirt 6 is 7 standing 8 on 9 the 10 street */
	hypothesis = caption(&bench, "a man in a red shirt is standing on the street", -1.0f, 1);
	count = part_find(bench.vocabulary, NULL, &hypothesis, parts);
	for (size_t i = 0; i < count; i++) {
		assert_true(parts[i].words < (1u << 11) - 1);
		assert_int_equal(part_vagueness(&parts[i]), 0);
	}
	assert_true(has_part(parts, count, (struct part){ .words = 0x03 }));	/* a man */
	assert_true(has_part(parts, count, (struct part){ .words = 0xc3 }));	/* a man is standing */
	/* without "red" */
	assert_true(has_part(parts, count, (struct part){ .words = 0x7ff & ~0x10u }));

	confidence_view_candidates(bench.view, &hypothesis, 1);
	/* without the detector's word and agreement all confidences are the same, so
	 * the longest part that a bound allows is the one with fewest content words */
	assert_true(confidence_view_sure_part(bench.view, 0, 0.0f, &best, &confidence));
	assert_true(best.words != 0 && confidence > 0.0f);
	assert_false(confidence_view_sure_part(bench.view, 0, 1.0f, &best, &confidence));
	hypothesis = caption(&bench, "a group of people", -1.0f, 1);
	assert_int_equal(part_find(bench.vocabulary, NULL, &hypothesis, parts), 0);
	bench_close(&bench);
}

static part_generals generals[WORDS];

static void find_generals(const struct bench *bench)
{
	for (unsigned i = 0; i < WORDS; i++)
		part_generals_find(bench->vocabulary, i, generals[i]);
}

/* The part of the caption that reads so, or one without words. */
static struct part part_that_reads(const struct bench *bench, const char *text,
				   const char *wanted)
{
	struct hypothesis hypothesis = caption(bench, text, -1.0f, 0);
	struct part parts[PARTS_MAX], found = {0};
	size_t count = part_find(bench->vocabulary, (const part_generals *)generals, &hypothesis,
				 parts);

	for (size_t i = 0; i < count; i++) {
		const char *texts[LIMIT_WORDS];
		size_t words_of_it = part_texts(bench->vocabulary, (const part_generals *)generals,
						&hypothesis, &parts[i], texts);
		char read[256] = "";

		for (size_t k = 0; k < words_of_it; k++) {
			strcat(read, k > 0 ? " " : "");
			strcat(read, texts[k]);
		}
		if (strcmp(read, wanted) == 0)
			found = parts[i];
	}
	return found;
}

/* Nouns can be said more generally, in grammar that holds and nothing twice. */
static void test_general_parts(void **state)
{
	struct bench bench;
	struct part part;

	(void)state;
	bench_open(&bench);
	find_generals(&bench);
	part = part_that_reads(&bench, "a girl in a red shirt", "a child in a red shirt");
	assert_int_equal(part_vagueness(&part), 1);
	assert_int_equal(part_level(&part, 1), 1);
	part = part_that_reads(&bench, "a girl in a red shirt", "a person");
	assert_int_equal(part.words, 3);
	assert_int_equal(part_vagueness(&part), 2);
	assert_true(part_that_reads(&bench, "a red dog on the grass", "an animal on the grass").words);
	assert_true(part_that_reads(&bench, "a red dog on the grass", "a red animal").words);
	/* a man of the street, one thing; a street man is a person alone */
	assert_true(part_that_reads(&bench, "a street man on grass", "a person on grass").words);
	assert_false(part_that_reads(&bench, "a man street on grass", "a person street on grass").words);
	assert_true(part_that_reads(&bench, "a young girl on grass", "a person on grass").words);
	assert_false(part_that_reads(&bench, "a young girl on grass", "a young person").words);
	assert_true(part_that_reads(&bench, "a man on a dog", "a person on an animal").words);
	assert_false(part_that_reads(&bench, "a man on a girl", "a person on a girl").words);
	assert_false(part_that_reads(&bench, "a man on a girl", "a person on a person").words);
	assert_true(part_that_reads(&bench, "a man on a girl", "a man on a child").words);
	bench_close(&bench);
}

/* What a general word says is more certain, so it is what is left to say where the noun
 * itself is in doubt; a certain noun stands. */
static void test_sure_general_part(void **state)
{
	static const char *const known[] = { "animal", "dog", "person" };
	struct bench bench;
	struct hypothesis hypothesis;
	struct part part;
	float confidence, whole;

	(void)state;
	bench_open(&bench);
	bench.parameters.stems = known;
	confidence_free(bench.confidence);
	confidence_view_free(bench.view);
	assert_int_equal(confidence_open(&bench.parameters, bench.vocabulary, &bench.confidence,
					 &(struct engine_error){ "" }), 0);
	assert_int_equal(confidence_view_open(bench.confidence, 0, &bench.view,
					      &(struct engine_error){ "" }), 0);
	/* the detector sees an animal (2) and hardly a dog (1 − 2) */
	confidence_view_photo(bench.view, &(struct engine_features){ .pool = bench.pool }, 0, NULL);
	hypothesis = caption(&bench, "a dog", -1.0f, 0);
	confidence_view_candidates(bench.view, &hypothesis, 1);
	whole = confidence_view_caption(bench.view, 0, &PART_WHOLE);
	assert_true(confidence_view_sure_part(bench.view, 0, 0.4f, &part, &confidence));
	assert_int_equal(part.words, 3);
	assert_int_equal(part_level(&part, 1), 1);
	assert_true(confidence > 0.4f && whole < 0.4f);
	/* words that the detector does not know cannot be said for others */
	for (size_t i = 0; i < WORDS; i++) {
		for (size_t k = 0; k < LEXEME_GENERALS; k++) {
			uint32_t general = confidence_generals(bench.confidence)[i][k];

			assert_true(general == 0 || strcmp(words[general], "animal") == 0 ||
				    strcmp(words[general], "dog") == 0 ||
				    strcmp(words[general], "person") == 0 ||
				    strcmp(words[general], "people") == 0);
		}
	}
	bench_close(&bench);
}

/* Single words: likeliest first, from the bound on, none that another says already. */
static void test_things(void **state)
{
	static const char *const known[] = { "animal", "dog", "man" };
	struct bench bench;
	struct engine_thing things[CONFIDENCE_THINGS];

	(void)state;
	bench_open(&bench);
	bench.parameters.stems = known;
	bench.parameters.bias = (const float[]){ 0.0f, 4.5f, 0.5f };
	confidence_free(bench.confidence);
	confidence_view_free(bench.view);
	assert_int_equal(confidence_open(&bench.parameters, bench.vocabulary, &bench.confidence,
					 &(struct engine_error){ "" }), 0);
	assert_int_equal(confidence_view_open(bench.confidence, 0, &bench.view,
					      &(struct engine_error){ "" }), 0);
	/* logits 2 for an animal, 4.5 − 2 for a dog, 0.5 for a man */
	confidence_view_photo(bench.view, &(struct engine_features){ .pool = bench.pool }, 0, NULL);
	assert_int_equal(confidence_view_things(bench.view, 0.5f, things), 2);
	assert_string_equal(things[0].text, "dog");
	assert_string_equal(things[1].text, "man");
	assert_true(fabsf(things[1].probability - 1.0f / (1.0f + expf(-0.5f))) < 0.01f);
	assert_int_equal(confidence_view_things(bench.view, 0.7f, things), 1);
	assert_int_equal(confidence_view_things(bench.view, 0.95f, things), 0);
	bench_close(&bench);
}

/* CIDEr-D's likeness by its definition, one n-gram after the other. */
static double plain_likeness(const struct hypothesis *a, const struct hypothesis *b)
{
	double sum = 0.0, difference = (double)a->count - (double)b->count;

	for (unsigned n = 1; n <= 4; n++) {
		double common = 0.0, norms[2] = {0};

		for (unsigned turn = 0; turn < 2; turn++) {
			const struct hypothesis *one = turn ? b : a;

			for (unsigned i = 0; i + n <= one->count; i++) {
				double weights[2] = {0}, rare = 0.0;
				bool earlier = false;

				for (unsigned k = 0; k < i; k++)
					earlier |= memcmp(one->words + k, one->words + i,
							  n * sizeof(unsigned)) == 0;
				if (earlier)
					continue;
				for (unsigned k = 0; k < n; k++)
					rare += (double)rarity[one->words[i + k]];
				for (unsigned other = 0; other < 2; other++) {
					const struct hypothesis *in = other ? b : a;

					for (unsigned k = 0; k + n <= in->count; k++)
						weights[other] += memcmp(in->words + k, one->words + i,
							n * sizeof(unsigned)) == 0 ? rare : 0.0;
				}
				norms[turn] += weights[turn] * weights[turn];
				common += turn ? 0.0 : fmin(weights[0], weights[1]) * weights[1];
			}
		}
		if (norms[0] > 0.0 && norms[1] > 0.0)
			sum += common / sqrt(norms[0] * norms[1]);
	}
	return sum / 4.0 * exp(-difference * difference / 72.0);
}

/* The order by consensus is that of the sum which the header names, computed plainly. */
static void test_consensus_reference(void **state)
{
	static const char *const texts[] = {
		"a man in a red shirt", "a man is standing on the street", "a dog on the grass",
		"a dog on the street", "a person is standing on the grass", "a red dog",
	};
	enum { COUNT = sizeof(texts) / sizeof(*texts) };
	struct random random = { 11 };
	struct bench bench;

	(void)state;
	bench_open(&bench);
	for (size_t i = 0; i < WORDS; i++)
		rarity[i] = 0.5f + (float)(i % 5);
	bench.parameters.consensus_likeness = 0.7f;
	confidence_free(bench.confidence);
	confidence_view_free(bench.view);
	assert_int_equal(confidence_open(&bench.parameters, bench.vocabulary, &bench.confidence,
					 &(struct engine_error){ "" }), 0);
	assert_int_equal(confidence_view_open(bench.confidence, 0, &bench.view,
					      &(struct engine_error){ "" }), 0);
	confidence_view_photo(bench.view, &(struct engine_features){ .pool = bench.pool }, 0, NULL);
	for (unsigned round = 0; round < 50; round++) {
		struct hypothesis candidates[COUNT];
		double utilities[COUNT], weights[COUNT], total = 0.0, votes = 0.0, best = -INFINITY;
		unsigned order[COUNT];

		for (size_t i = 0; i < COUNT; i++) {
			candidates[i] = caption(&bench, texts[i], (float)(-2.0 * random_unit(&random)),
						i % 2 ? 1 : 2);
			candidates[i].log_probability = (float)(-8.0 * random_unit(&random));
			votes += candidates[i].votes;
			best = fmax(best, (double)candidates[i].log_probability /
				    (candidates[i].count + 1));
		}
		for (size_t i = 0; i < COUNT; i++) {
			weights[i] = exp(6.0 * ((double)candidates[i].log_probability /
						(candidates[i].count + 1) - best));
			total += weights[i];
		}
		confidence_view_candidates(bench.view, candidates, COUNT);
		confidence_view_rank(bench.view, order);
		for (size_t i = 0; i < COUNT; i++) {
			float confidences[LIMIT_WORDS];

			utilities[i] = (double)candidates[i].score;
			confidence_view_words(bench.view, i, confidences);
			for (unsigned k = 0; k < candidates[i].count; k++)
				utilities[i] += confidences[k] < 0.0f ? 0.0 :
					0.6 * ((double)confidences[k] - 0.4);
			for (size_t k = 0; k < COUNT; k++)
				utilities[i] += 0.7 * plain_likeness(&candidates[i], &candidates[k]) *
					(0.5 * weights[k] / total + 0.5 * candidates[k].votes / votes);
		}
		for (size_t i = 1; i < COUNT; i++)
			assert_true(utilities[order[i - 1]] >= utilities[order[i]] - 1e-4);
	}
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

/* Worked by hand: 0.1 and 0.2 are out of order and as good as the two of 0.3; 0.6, which
 * counts twice, pulls 0.4 and 0.5 down to the same. */
static void test_isotonic(void **state)
{
	const double values[] = { 0.6, 0.1, 0.2, 0.3, 0.5, 0.4, 0.3, 0.9 };
	const bool labels[] = { false, true, false, true, true, true, false, true };
	const float weights[] = { 2, 1, 1, 1, 1, 1, 1, 1 };
	struct isotonic *isotonic;
	struct random random = { 3 };
	static double drawn[4000];
	static bool right[4000];
	double last = 0.0;

	(void)state;
	assert_int_equal(isotonic_fit(values, labels, weights, 8, &isotonic), 0);
	assert_int_equal(isotonic_steps(isotonic), 2);
	assert_true(isotonic_value(isotonic, 0.0) == 0.5);
	assert_true(isotonic_value(isotonic, 0.35) == 0.5);
	assert_true(isotonic_value(isotonic, 0.6) == 0.5);
	assert_true(isotonic_value(isotonic, 0.95) == 1.0);
	isotonic_free(isotonic);
	/* a bent truth, which no logistic model has */
	for (size_t i = 0; i < 4000; i++) {
		drawn[i] = random_unit(&random);
		right[i] = random_unit(&random) < (drawn[i] < 0.5 ? 0.2 : 0.9);
	}
	assert_int_equal(isotonic_fit(drawn, right, NULL, 4000, &isotonic), 0);
	assert_true(fabs(isotonic_value(isotonic, 0.25) - 0.2) < 0.05);
	assert_true(fabs(isotonic_value(isotonic, 0.75) - 0.9) < 0.05);
	for (double value = 0.0; value < 1.0; value += 0.001) {
		assert_true(isotonic_value(isotonic, value) >= last);
		last = isotonic_value(isotonic, value);
	}
	isotonic_free(isotonic);
	assert_int_equal(isotonic_fit(NULL, NULL, NULL, 0, &isotonic), 0);
	assert_true(isotonic_value(isotonic, 0.5) == 0.0);
	isotonic_free(isotonic);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_general_words),
		cmocka_unit_test(test_consensus),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_general_parts),
		cmocka_unit_test(test_sure_general_part),
		cmocka_unit_test(test_things),
		cmocka_unit_test(test_consensus_reference),
		cmocka_unit_test(test_isotonic),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_unfamiliarity),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_samples_last),
		cmocka_unit_test(test_bad_parameters),
		cmocka_unit_test(test_logistic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
