/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_generation.c: the searches against a second, plain search that keeps
 * whole sentences, sorts all candidates and runs the decoder again from the
 * first word for each; the rules of the sampler; captions as a caller gets them.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/caption.h"
#include "engine/generation.h"
#include "engine/vocabulary.h"
#include "tests/unit/allocations.h"
#include "tests/unit/small_decoder.h"

#define WORDS 30u

static const char *const vocabulary_words[WORDS] = {
	"<pad>", "<s>", "</s>", "<unk>", "a", "man", "woman", "dog", "cat", "wave", "on", "in",
	"the", "of", "with", "red", "blue", "table", "is", "riding", "surfboard", "beach", "ball",
	"tree", "tv", "'s", "hat", "two", "street", "car",
};

struct bench {
	struct small_decoder small;
	struct generation *generation;
	struct decoder_state *state;
	float *pool, *grid;
	struct engine_features features;
};

/* A decoder that says itself how it is searched. */
static void bench_open_for(struct bench *bench, enum decoder_kind kind, uint64_t seed,
			   const struct decoder_search *search)
{
	struct engine_error error;

	small_decoder_open(&bench->small, kind, 16, 1, WORDS, MATRIX_F32, seed);
	decoder_free(bench->small.decoder);
	bench->small.config.search = *search;
	assert_int_equal(decoder_open(&bench->small.config, &bench->small.decoder, &error), 0);
	small_features(&bench->small, seed + 1, &bench->pool, &bench->grid);
	bench->features = (struct engine_features){ .pool = bench->pool, .grid = bench->grid };
	assert_int_equal(generation_open(bench->small.decoder, &bench->generation, &error), 0);
	assert_int_equal(decoder_state_open(bench->small.decoder, 1, &bench->state, &error), 0);
}

static void bench_open(struct bench *bench, enum decoder_kind kind, uint64_t seed)
{
	bench_open_for(bench, kind, seed, &(struct decoder_search){ 0 });
}

static void bench_close(struct bench *bench)
{
	generation_free(bench->generation);
	decoder_state_free(bench->state);
	small_decoder_close(&bench->small);
	free(bench->pool);
	free(bench->grid);
}

/* A sentence of the plain search; the end mark counts among its words. */
struct plain {
	unsigned count, words[LIMIT_WORDS + 1];
	double score, lead;	/* by which it was ahead of the best that was dropped, at least */
	bool ended;
};

/* log-softmax over what may follow the words. */
static void plain_follow(struct bench *bench, const struct plain *plain, double *ret_scores)
{
	float logits[WORDS], attention[8];
	double sum = 0.0;

	decoder_state_begin(bench->state, &bench->features);
	for (unsigned i = 0; i <= plain->count; i++) {
		unsigned word = i == 0 ? VOCABULARY_START : plain->words[i - 1];

		decoder_state_step(bench->state, &word, &(unsigned){ 0 }, 1, logits, attention);
	}
	for (unsigned k = 0; k < WORDS; k++)
		sum += exp((double)logits[k]);
	for (unsigned k = 0; k < WORDS; k++)
		ret_scores[k] = (double)logits[k] - log(sum);
}

static int by_score(const void *a, const void *b)
{
	double first = ((const struct plain *)a)->score, second = ((const struct plain *)b)->score;

	return (first < second) - (first > second);
}

static double normalised(const struct bench *bench, const struct plain *plain)
{
	unsigned words = plain->count - plain->ended;

	double power = (double)bench->small.config.search.length_power;

	return plain->score / pow(words + 1, power > 0 ? power : 0.7);
}

static struct plain plain_search(struct bench *bench, size_t width)
{
	struct plain beams[LIMIT_BEAM] = {{ .lead = HUGE_VAL }};
	struct plain all[LIMIT_BEAM * WORDS + LIMIT_BEAM], best;
	size_t count = 1;

	for (unsigned step = 0; step < LIMIT_WORDS; step++) {
		size_t found = 0;

		for (size_t i = 0; i < count; i++) {
			double scores[WORDS];

			if (beams[i].ended) {
				all[found++] = beams[i];
				continue;
			}
			plain_follow(bench, &beams[i], scores);
			for (unsigned k = 2; k < WORDS; k++) {
				struct plain *next = &all[found];

				if (k == VOCABULARY_UNKNOWN || (k == VOCABULARY_END && step == 0) ||
				    (step > 0 && beams[i].words[step - 1] == k))
					continue;
				*next = beams[i];
				next->words[next->count++] = k;
				next->score += scores[k];
				next->ended = k == VOCABULARY_END;
				found++;
			}
		}
		qsort(all, found, sizeof(*all), by_score);
		count = found < width ? found : width;
		memcpy(beams, all, count * sizeof(*beams));
		for (size_t i = 0; i < count && found > width; i++)
			beams[i].lead = fmin(beams[i].lead, beams[i].score - all[width].score);
	}
	best = beams[0];
	for (size_t i = 1; i < count; i++) {
		if (normalised(bench, &beams[i]) > normalised(bench, &best))
			best = beams[i];
	}
	return best;
}

static void check_beam(enum decoder_kind kind, uint64_t seed, unsigned width,
		       const struct decoder_search *search)
{
	struct bench bench;
	struct engine_caption_options options = {
		.search = width == 1 ? ENGINE_SEARCH_GREEDY : ENGINE_SEARCH_BEAM, .beam = width,
	};
	const struct hypothesis *found;
	struct engine_error error;
	struct plain expected;
	size_t count;
	double sum = 0.0;

	bench_open_for(&bench, kind, seed, search);
	expected = plain_search(&bench, width);
	assert_int_equal(generation_run(bench.generation, &bench.features, &options, 0, &found,
					&count, &error), 0);
	assert_int_equal(found[0].ended, expected.ended);
	assert_int_equal(found[0].count, expected.count - expected.ended);
	assert_memory_equal(found[0].words, expected.words, found[0].count * sizeof(unsigned));
	assert_true(fabs((double)found[0].log_probability - expected.score) < 1e-3);
	assert_true(fabs((double)found[0].score - normalised(&bench, &expected)) < 1e-3);
	assert_true(fabs((double)found[0].lead - expected.lead) < 1e-3);
	for (unsigned i = 0; i < found[0].count; i++)
		sum += (double)found[0].log_probabilities[i];
	if (!found[0].ended)
		assert_true(fabs(sum - expected.score) < 1e-3);
	else
		assert_true(sum > expected.score);
	bench_close(&bench);
}

static void test_beam_against_plain_search(void **state)
{
	const struct decoder_search usual = { 0 }, own = { .sharpness = 1.7f, .length_power = 1.8f };

	(void)state;
	for (uint64_t seed = 0; seed < 12; seed++) {
		check_beam((enum decoder_kind)(seed % 3), seed, 1, &usual);
		check_beam((enum decoder_kind)(seed % 3), seed, 3, &usual);
		check_beam((enum decoder_kind)(seed % 3), seed, 3, &own);
	}
	check_beam(DECODER_LSTM_ATTENTION, 101, 10, &usual);
	check_beam(DECODER_GRU, 102, 7, &usual);
}

static void test_sharpness_multiplies_logits(void **state)
{
	struct bench usual, sharp;
	float logits[2][WORDS], attention[8];
	unsigned word = VOCABULARY_START;

	(void)state;
	bench_open(&usual, DECODER_LSTM_ATTENTION, 8);
	bench_open_for(&sharp, DECODER_LSTM_ATTENTION, 8,
		       &(struct decoder_search){ .sharpness = 1.5f });
	decoder_state_begin(usual.state, &usual.features);
	decoder_state_step(usual.state, &word, &(unsigned){ 0 }, 1, logits[0], attention);
	decoder_state_begin(sharp.state, &sharp.features);
	decoder_state_step(sharp.state, &word, &(unsigned){ 0 }, 1, logits[1], attention);
	for (unsigned k = 0; k < WORDS; k++)
		assert_true(fabsf(logits[1][k] - 1.5f * logits[0][k]) < 1e-5f);
	bench_close(&usual);
	bench_close(&sharp);
}

/* With groups, no sentence of any search has two words of one; without, some have. */
static void test_groups_exclude_one_another(void **state)
{
	static int32_t groups[WORDS];
	const struct decoder_search free_search = { 0 }, grouped = { .groups = groups };

	(void)state;
	for (unsigned k = VOCABULARY_FIRST_WORD; k < WORDS; k++)
		groups[k] = (int32_t)(k % 3 == 0 ? 0 : 1 + k / 2);
	for (unsigned with = 0; with < 2; with++) {
		size_t twice = 0;

		for (uint64_t seed = 0; seed < 9; seed++) {
			const struct engine_caption_options options = {
				.search = seed % 2 ? ENGINE_SEARCH_SAMPLE : ENGINE_SEARCH_BEAM, .beam = 4,
				.alternatives = 4, .seed = seed,
			};
			const struct hypothesis *found;
			struct engine_error error;
			struct bench bench;
			size_t count;

			bench_open_for(&bench, (enum decoder_kind)(seed % 3), seed,
				       with ? &grouped : &free_search);
			assert_int_equal(generation_run(bench.generation, &bench.features, &options, 2,
							&found, &count, &error), 0);
			for (size_t i = 0; i < count; i++)
				for (unsigned k = 1; k < found[i].count; k++)
					for (unsigned j = 0; j < k; j++)
						twice += groups[found[i].words[k]] != 0 &&
							groups[found[i].words[k]] == groups[found[i].words[j]];
			bench_close(&bench);
		}
		assert_int_equal(twice > 0, !with);
	}
}

static void test_impossible_searches_are_refused(void **state)
{
	const struct decoder_search wrong[] = {
		{ .sharpness = -1.0f }, { .sharpness = NAN }, { .length_power = 11.0f },
		{ .length_power = NAN },
	};
	struct bench bench;
	struct decoder *decoder;
	struct engine_error error;

	(void)state;
	bench_open(&bench, DECODER_GRU, 3);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		bench.small.config.search = wrong[i];
		assert_int_equal(decoder_open(&bench.small.config, &decoder, &error), ENGINE_BAD_MODEL);
	}
	bench_close(&bench);
}

/* The map of word i is the one the decoder gives after the words before it. */
static void test_attention_belongs_to_its_word(void **state)
{
	struct bench bench;
	struct engine_caption_options options = { .beam = 4 };
	const struct hypothesis *found;
	struct engine_error error;
	size_t count, cells;

	(void)state;
	bench_open(&bench, DECODER_LSTM_ATTENTION, 5);
	cells = decoder_cells(bench.small.decoder);
	assert_int_equal(generation_run(bench.generation, &bench.features, &options, 0, &found,
					&count, &error), 0);
	for (size_t k = 0; k < count; k++) {
		decoder_state_begin(bench.state, &bench.features);
		for (unsigned i = 0; i < found[k].count; i++) {
			unsigned word = i == 0 ? VOCABULARY_START : found[k].words[i - 1];
			float logits[WORDS], attention[8];

			decoder_state_step(bench.state, &word, &(unsigned){ 0 }, 1, logits, attention);
			for (size_t c = 0; c < cells; c++)
				assert_true(fabsf(attention[c] - found[k].attention[i * cells + c]) < 1e-4f);
		}
	}
	bench_close(&bench);
}

static bool same_words(const struct hypothesis *a, const struct hypothesis *b)
{
	return a->count == b->count && memcmp(a->words, b->words, a->count * sizeof(unsigned)) == 0;
}

static void test_alternatives_differ(void **state)
{
	static const enum engine_search searches[] = {
		ENGINE_SEARCH_BEAM, ENGINE_SEARCH_GREEDY, ENGINE_SEARCH_SAMPLE,
	};

	(void)state;
	for (size_t s = 0; s < 3; s++) {
		struct bench bench;
		struct engine_caption_options options = {
			.search = searches[s], .beam = 3, .alternatives = 10, .seed = 4,
		};
		const struct hypothesis *found;
		struct engine_error error;
		size_t count;

		bench_open(&bench, DECODER_LSTM, 30);
		assert_int_equal(generation_run(bench.generation, &bench.features, &options, 0, &found,
						&count, &error), 0);
		assert_true(count >= 10);
		for (size_t i = 0; i < count; i++) {
			for (size_t k = 0; k < i; k++)
				assert_false(same_words(&found[i], &found[k]));
		}
		bench_close(&bench);
	}
}

/* More captions leave the best as it was. */
static void test_first_stays_with_more_alternatives(void **state)
{
	struct bench bench;
	struct engine_caption_options options = { .beam = 2, .alternatives = 1 };
	const struct hypothesis *found;
	struct hypothesis alone;
	struct engine_error error;
	size_t count;

	(void)state;
	bench_open(&bench, DECODER_GRU, 61);
	assert_int_equal(generation_run(bench.generation, &bench.features, &options, 0, &found,
					&count, &error), 0);
	alone = found[0];
	options.alternatives = 8;
	assert_int_equal(generation_run(bench.generation, &bench.features, &options, 0, &found,
					&count, &error), 0);
	assert_true(same_words(&alone, &found[0]));
	bench_close(&bench);
}

/* The samples beside a beam change nothing about it, and each of them counts. */
static void test_crowd(void **state)
{
	struct bench bench;
	struct engine_caption_options options = { .beam = 3, .seed = 8 };
	const struct hypothesis *found;
	struct hypothesis alone[3];
	struct engine_error error;
	size_t count, votes = 0;

	(void)state;
	bench_open(&bench, DECODER_LSTM_ATTENTION, 62);
	assert_int_equal(generation_run(bench.generation, &bench.features, &options, 0, &found,
					&count, &error), 0);
	assert_int_equal(count, 3);
	memcpy(alone, found, sizeof(alone));
	assert_int_equal(generation_run(bench.generation, &bench.features, &options,
					GENERATION_CROWD, &found, &count, &error), 0);
	assert_true(count > 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(same_words(&alone[i], &found[i]));
	for (size_t i = 0; i < count; i++) {
		votes += found[i].votes;
		assert_true(i < 3 || found[i].votes > 0);
	}
	assert_int_equal(votes, GENERATION_CROWD);
	bench_close(&bench);
}

/* Every word stands among the 4, 2 or 1 likeliest that were allowed. */
static void check_sample(struct bench *bench, const struct hypothesis *sample)
{
	struct plain plain = {0};

	for (unsigned i = 0; i < sample->count; i++) {
		unsigned better = 0, most = i < 4 ? 4 : i < 7 ? 2 : 1;
		double scores[WORDS];

		plain_follow(bench, &plain, scores);
		for (unsigned k = 2; k < WORDS; k++) {
			if (k == VOCABULARY_UNKNOWN || (k == VOCABULARY_END && i == 0) ||
			    (i > 0 && sample->words[i - 1] == k))
				continue;
			better += scores[k] > scores[sample->words[i]] + 1e-4;
		}
		assert_true(better < most);
		assert_true(fabs(scores[sample->words[i]] -
				 (double)sample->log_probabilities[i]) < 1e-3);
		plain.words[plain.count++] = sample->words[i];
	}
}

static void test_sampler(void **state)
{
	struct bench bench;
	struct engine_caption_options options = {
		.search = ENGINE_SEARCH_SAMPLE, .alternatives = 10, .seed = 99, .temperature = 1.0f,
	};
	const struct hypothesis *found;
	struct hypothesis first[10];
	struct engine_error error;
	size_t count, differing = 0;

	(void)state;
	bench_open(&bench, DECODER_LSTM_ATTENTION, 70);
	assert_int_equal(generation_run(bench.generation, &bench.features, &options, 0, &found,
					&count, &error), 0);
	assert_true(count >= 10);
	memcpy(first, found, sizeof(first));
	for (size_t i = 0; i < 10; i++)
		check_sample(&bench, &first[i]);

	assert_int_equal(generation_run(bench.generation, &bench.features, &options, 0, &found,
					&count, &error), 0);
	for (size_t i = 0; i < 10; i++)
		assert_true(same_words(&first[i], &found[i]));

	options.seed = 100;
	assert_int_equal(generation_run(bench.generation, &bench.features, &options, 0, &found,
					&count, &error), 0);
	for (size_t i = 0; i < 10 && i < count; i++)
		differing += !same_words(&first[i], &found[i]);
	assert_true(differing > 0);
	bench_close(&bench);
}

/* A high power draws the likeliest word nearly always: the greedy sentence. */
static void test_high_power_is_greedy(void **state)
{
	struct bench bench;
	struct engine_caption_options options = {
		.search = ENGINE_SEARCH_SAMPLE, .alternatives = 1, .temperature = 1000.0f,
	};
	const struct hypothesis *found;
	struct hypothesis sample;
	struct engine_error error;
	size_t count;

	(void)state;
	bench_open(&bench, DECODER_GRU, 71);
	assert_int_equal(generation_run(bench.generation, &bench.features, &options, 0, &found,
					&count, &error), 0);
	sample = found[0];
	options = (struct engine_caption_options){ .search = ENGINE_SEARCH_GREEDY, .beam = 5 };
	assert_int_equal(generation_run(bench.generation, &bench.features, &options, 0, &found,
					&count, &error), 0);
	assert_true(same_words(&sample, &found[0]));
	bench_close(&bench);
}

static void test_cancelled(void **state)
{
	struct bench bench;
	atomic_bool cancel = true;
	struct engine_caption_options options = { .beam = 3, .cancel = &cancel };
	const struct hypothesis *found;
	struct engine_error error;
	size_t count;

	(void)state;
	bench_open(&bench, DECODER_LSTM, 80);
	assert_int_equal(generation_run(bench.generation, &bench.features, &options, 0, &found,
					&count, &error), ENGINE_CANCELLED);
	bench_close(&bench);
}

/* Weights that are not numbers give an error, not a sentence and not a crash. */
static void test_weights_not_numbers(void **state)
{
	struct bench bench;
	struct engine_error error;
	const struct hypothesis *found;
	size_t count;

	(void)state;
	bench_open(&bench, DECODER_LSTM, 81);
	for (size_t i = 0; i < WORDS; i++)
		bench.small.tensors[7].values[i] = NAN;
	assert_string_equal(bench.small.tensors[7].name, "output.bias");
	for (int search = ENGINE_SEARCH_BEAM; search <= ENGINE_SEARCH_SAMPLE; search++) {
		struct engine_caption_options options = {
			.search = (enum engine_search)search, .beam = 3,
		};

		assert_int_equal(generation_run(bench.generation, &bench.features, &options, 0,
						&found, &count, &error), ENGINE_BAD_MODEL);
	}
	bench_close(&bench);
}

static void test_captions(void **state)
{
	struct small_decoder small;
	struct vocabulary *vocabulary;
	struct caption_writer_config config = { .beam = 3 };
	struct caption_writer *writer;
	struct engine_caption_options options = { .alternatives = 4 };
	struct engine_features features;
	struct engine_result *result;
	struct engine_error error;
	float *pool, *grid;
	size_t before;

	(void)state;
	small_decoder_open(&small, DECODER_LSTM_ATTENTION, 16, 1, WORDS, MATRIX_I8, 90);
	small_features(&small, 91, &pool, &grid);
	features = (struct engine_features){ .pool = pool, .grid = grid };
	assert_int_equal(vocabulary_open(vocabulary_words, WORDS, &vocabulary, &error), 0);
	config.decoder = small.decoder;
	config.vocabulary = vocabulary;
	assert_int_equal(caption_writer_open(&config, &writer, &error), 0);
	assert_int_equal(caption_write(writer, &features, &options, &result, &error), 0);
	assert_int_equal(result->caption_count, 4);
	for (size_t i = 0; i < result->caption_count; i++) {
		const struct engine_caption *caption = &result->captions[i];
		size_t length = strlen(caption->sentence);

		assert_in_range(caption->word_count, 1, LIMIT_WORDS);
		assert_true(caption->sentence[0] < 'a' || caption->sentence[0] > 'z');
		assert_int_equal(caption->sentence[length - 1], '.');
		assert_true(isfinite(caption->score) && caption->score < 0.0f);
		for (size_t k = 0; k < caption->word_count; k++) {
			assert_true(vocabulary_find(vocabulary, caption->words[k].text) >=
				    VOCABULARY_FIRST_WORD);
			assert_true(k == 0 || caption->words[k].text != caption->words[k - 1].text);
			assert_non_null(caption->words[k].attention);
		}
	}
	assert_int_equal(caption_write(writer, &features, NULL, &result, &error), 0);
	assert_int_equal(result->caption_count, 1);

	before = allocations_count();
	assert_true(before > 0);
	for (int search = ENGINE_SEARCH_BEAM; search <= ENGINE_SEARCH_SAMPLE; search++) {
		options = (struct engine_caption_options){
			.search = (enum engine_search)search, .alternatives = 10,
		};
		assert_int_equal(caption_write(writer, &features, &options, &result, &error), 0);
	}
	assert_int_equal(allocations_count(), before);

	options = (struct engine_caption_options){ .beam = 11 };
	assert_int_equal(caption_write(writer, &features, &options, &result, &error), ENGINE_BAD_OPTION);
	assert_non_null(strstr(error.message, "10"));
	options = (struct engine_caption_options){ .alternatives = 11 };
	assert_int_equal(caption_write(writer, &features, &options, &result, &error), ENGINE_BAD_OPTION);
	options = (struct engine_caption_options){ .temperature = -1.0f };
	assert_int_equal(caption_write(writer, &features, &options, &result, &error), ENGINE_BAD_OPTION);
	options = (struct engine_caption_options){ .search = (enum engine_search)9 };
	assert_int_equal(caption_write(writer, &features, &options, &result, &error), ENGINE_BAD_OPTION);

	caption_writer_free(writer);
	vocabulary_free(vocabulary);
	small_decoder_close(&small);
	free(pool);
	free(grid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beam_against_plain_search),
		cmocka_unit_test(test_sharpness_multiplies_logits),
		cmocka_unit_test(test_impossible_searches_are_refused),
		cmocka_unit_test(test_groups_exclude_one_another),
		cmocka_unit_test(test_attention_belongs_to_its_word),
		cmocka_unit_test(test_alternatives_differ),
		cmocka_unit_test(test_first_stays_with_more_alternatives),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_sampler),
		cmocka_unit_test(test_high_power_is_greedy),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_weights_not_numbers),
		cmocka_unit_test(test_captions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
