/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * calibration_scorer.c: see calibration_scorer.h.
 */
#include "engine/lab/calibration_scorer.h"

#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/lab/lexicon.h"

void calibration_scorer_close(struct calibration_scorer *scorer)
{
	for (size_t i = 0; i < LAB_EVAL_SOURCES_MAX; i++)
		cider_free(scorer->ciders[i]);
	for (size_t i = 0; i < scorer->count; i++)
		free(scorer->words[i]);
	free(scorer->words);
	free(scorer->sentences);
	free(scorer->numbers);
	lexicon_free(scorer->lexicon);
}

int calibration_scorer_open(struct calibration *calibration, struct calibration_scorer *scorer,
			    struct engine_error *error)
{
	const struct caption_set *set = calibration->photos;
	struct cider_photo *photos = calloc(set->photo_count + 1, sizeof(*photos));
	int r;

	*scorer = (struct calibration_scorer){0};
	scorer->sentences = calloc(set->caption_count + 1, sizeof(*scorer->sentences));
	scorer->words = calloc(set->caption_count + 1, sizeof(*scorer->words));
	scorer->numbers = calloc(set->photo_count + 1, sizeof(*scorer->numbers));
	r = lexicon_open(&scorer->lexicon);
	if (r != 0 || !photos || !scorer->sentences || !scorer->words || !scorer->numbers)
		goto fail;
	for (unsigned i = 0; r == 0 && i < vocabulary_size(calibration->model->vocabulary); i++) {
		const char *word = vocabulary_word(calibration->model->vocabulary, i);
		uint32_t index;

		r = lexicon_add(scorer->lexicon, word, strlen(word), &index);
	}
	for (size_t p = 0; r == 0 && p < set->photo_count; p++) {
		for (size_t c = 0; r == 0 && c < set->photos[p].caption_count; c++)
			r = lexicon_add_all(scorer->lexicon, set->photos[p].words[c]);
	}
	for (size_t s = 0; r == 0 && s < calibration->report->source_count; s++) {
		size_t count = 0;

		/* all photos, searched or not, so that n-grams weigh the same for any choice */
		for (size_t p = 0; r == 0 && p < set->photo_count; p++) {
			const struct captioned_photo *photo = &set->photos[p];

			if (calibration->records[p] == FEATURES_ABSENT ||
			    calibration_source(calibration, &(struct kept){ .photo = p }) != s)
				continue;
			scorer->numbers[p] = count;
			photos[count].references = &scorer->sentences[scorer->count];
			photos[count++].reference_count = photo->caption_count;
			for (size_t c = 0; r == 0 && c < photo->caption_count; c++) {
				struct sentence *sentence = &scorer->sentences[scorer->count];

				r = lexicon_encode(scorer->lexicon, photo->words[c], LEXICON_EXACT,
						   &scorer->words[scorer->count], &sentence->count);
				sentence->words = scorer->words[scorer->count];
				scorer->count += r == 0;
			}
		}
		if (r == 0)
			r = cider_open(photos, count, false, &scorer->ciders[s]);
	}
	free(photos);
	if (r == 0)
		return 0;
	calibration_scorer_close(scorer);
	return engine_fail_memory(error);
fail:
	free(photos);
	calibration_scorer_close(scorer);
	return engine_fail_memory(error);
}

double calibration_score(const struct calibration *calibration,
			 const struct calibration_scorer *scorer, size_t kept, unsigned candidate)
{
	size_t source = calibration_source(calibration, &calibration->kept[kept]);
	const struct hypothesis *hypothesis = &calibration->kept[kept].hypotheses[candidate];
	uint32_t words[LIMIT_WORDS];

	/* the lexicon took the vocabulary's words first, so numbers are the same */
	memcpy(words, hypothesis->words, hypothesis->count * sizeof(*words));
	return cider_score(scorer->ciders[source], scorer->numbers[calibration->kept[kept].photo],
			   (struct sentence){ words, hypothesis->count });
}

void calibration_count_words(const struct calibration *calibration, const struct kept *kept,
			     unsigned candidate, double *right, double *words)
{
	const struct hypothesis *hypothesis = &kept->hypotheses[candidate];
	unsigned content = 0;

	for (unsigned k = 0; k < hypothesis->count; k++)
		content += lexeme_is_content(vocabulary_lexeme(calibration->model->vocabulary,
							       hypothesis->words[k]));
	*right += __builtin_popcount(kept->supported[candidate][0]);
	*words += content;
}
