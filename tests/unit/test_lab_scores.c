/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_lab_scores.c: BLEU, ROUGE-L and CIDEr-D against cases worked by hand.
 * The comparison with an independent implementation over many random captions
 * is in tests/integration/test_eval_scores.py.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/lab/scores.h"

#define NEAR(value, expected) assert_true(fabs((value) - (expected)) < 1e-9)
#define SENTENCE(...) ((struct sentence){ (const uint32_t[]){ __VA_ARGS__ }, \
			sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t) })

static void bleu_clips_and_penalises_brevity(void **state)
{
	/* candidate "1 1 2" against "1 2 3 4 5": unigrams 2 of 3, bigrams 1 of 2
	 * ("1 2"), trigrams 0 of 1; penalty exp(1 - 5/3) */
	const struct sentence reference = SENTENCE(1, 2, 3, 4, 5);
	const struct scored_caption caption = { SENTENCE(1, 1, 2), &reference, 1 };
	double bleu[4], penalty = exp(1 - 5.0 / 3);

	(void)state;
	assert_int_equal(scores_bleu(&caption, 1, bleu), 0);
	NEAR(bleu[0], 2.0 / 3 * penalty);
	NEAR(bleu[1], sqrt(2.0 / 3 * 1 / 2) * penalty);
	assert_true(bleu[2] < 1e-4);
}

static void bleu_takes_the_closest_reference_length(void **state)
{
	/* lengths 2 and 4 are equally close to 3: the shorter counts, no penalty */
	const struct sentence references[] = { SENTENCE(7, 8, 9, 10), SENTENCE(1, 2) };
	const struct scored_caption caption = { SENTENCE(1, 2, 3), references, 2 };
	double bleu[4];

	(void)state;
	assert_int_equal(scores_bleu(&caption, 1, bleu), 0);
	NEAR(bleu[0], 2.0 / 3);
}

static void rouge_takes_best_precision_and_recall_apart(void **state)
{
	/* candidate "1 2 3 4"; first reference "1 9 3": length 2, p 1/2, r 2/3;
	 * second "1 2 3 5 6 7": length 3, p 3/4, r 1/2 */
	const struct sentence references[] = { SENTENCE(1, 9, 3), SENTENCE(1, 2, 3, 5, 6, 7) };
	const struct scored_caption caption = { SENTENCE(1, 2, 3, 4), references, 2 };
	const struct scored_caption strange = { SENTENCE(40, 41), references, 2 };
	const struct scored_caption empty = { { NULL, 0 }, references, 2 };
	double rouge;

	(void)state;
	assert_int_equal(scores_rouge(&caption, &rouge), 0);
	NEAR(rouge, (1 + 1.44) * 0.75 * (2.0 / 3) / (2.0 / 3 + 1.44 * 0.75));
	assert_int_equal(scores_rouge(&strange, &rouge), 0);
	NEAR(rouge, 0);
	assert_int_equal(scores_rouge(&empty, &rouge), 0);
	NEAR(rouge, 0);
}

static void cider_of_a_perfect_caption_is_ten(void **state)
{
	const struct sentence first = SENTENCE(1, 2, 3, 4, 5), second = SENTENCE(6, 7, 8, 9, 10);
	const struct cider_photo photos[] = { { &first, 1 }, { &second, 1 } };
	struct cider *cider;

	(void)state;
	assert_int_equal(cider_open(photos, 2, false, &cider), 0);
	NEAR(cider_score(cider, 0, first), 10);
	NEAR(cider_score(cider, 1, first), 0);
	NEAR(cider_score(cider, 0, (struct sentence){ NULL, 0 }), 0);
	cider_free(cider);
}

static void cider_weighs_clips_and_penalises_length(void **state)
{
	/* Two photos, references "1 2" and "1 3". idf: 1 → 0, 2, 3 and the bigrams
	 * → ln 2. Candidate "1 2 2" for the first photo: unigram weights 2: 2·ln 2,
	 * clipped to ln 2, norms 2·ln 2 and ln 2 → 1/2; bigrams "1 2" and "2 2": dot
	 * ln²2, norms √2·ln 2 and ln 2 → 1/√2; lengths 2 and 1 bigrams → exp(-1/72). */
	const struct sentence first = SENTENCE(1, 2), second = SENTENCE(1, 3);
	const struct cider_photo photos[] = { { &first, 1 }, { &second, 1 } };
	struct cider *cider;

	(void)state;
	assert_int_equal(cider_open(photos, 2, false, &cider), 0);
	NEAR(cider_score(cider, 0, SENTENCE(1, 2, 2)), 10 * (0.5 + sqrt(0.5)) / 4 * exp(-1.0 / 72));
	cider_free(cider);
}

static void the_end_mark_tells_a_finished_caption(void **state)
{
	const struct sentence first = SENTENCE(1, 2, 3, 4), second = SENTENCE(5, 6);
	const struct cider_photo photos[] = { { &first, 1 }, { &second, 1 } };
	struct cider *plain, *ended;

	(void)state;
	assert_int_equal(cider_open(photos, 2, false, &plain), 0);
	assert_int_equal(cider_open(photos, 2, true, &ended), 0);
	/* "1 2 3" ends where the reference does not */
	assert_true(cider_score(ended, 0, SENTENCE(1, 2, 3)) < cider_score(plain, 0, SENTENCE(1, 2, 3)));
	NEAR(cider_score(ended, 0, first), 10);
	cider_free(plain);
	cider_free(ended);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bleu_clips_and_penalises_brevity),
		cmocka_unit_test(bleu_takes_the_closest_reference_length),
		cmocka_unit_test(rouge_takes_best_precision_and_recall_apart),
		cmocka_unit_test(cider_of_a_perfect_caption_is_ten),
		cmocka_unit_test(cider_weighs_clips_and_penalises_length),
		cmocka_unit_test(the_end_mark_tells_a_finished_caption),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
