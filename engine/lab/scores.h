/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * scores.h: BLEU-1 to 4, ROUGE-L and CIDEr-D, as the COCO caption evaluation
 * defines them (Papineni 2002 with the closest reference length; Lin 2004 with
 * beta 1.2; Vedantam 2015 in its D form: clipped counts, a length penalty with
 * sigma 6, times 10). Words are numbers of one lexicon; the words themselves
 * come from tokenizer.h, not from the Penn Treebank tokeniser that COCO's
 * script calls, so figures differ slightly from published ones.
 */
#ifndef LAB_SCORES_H
#define LAB_SCORES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCORES_ORDER 4		/* longest n-gram */

struct sentence {
	const uint32_t *words;
	size_t count;
};

struct scored_caption {
	struct sentence candidate;
	const struct sentence *references;
	size_t reference_count;	/* at least 1 */
};

/* BLEU over the whole corpus; -ENOMEM. */
int scores_bleu(const struct scored_caption *captions, size_t count, double ret_bleu[SCORES_ORDER]);

/* ROUGE-L of one caption; -ENOMEM. */
int scores_rouge(const struct scored_caption *caption, double *ret_rouge);

/* CIDEr-D needs the document frequencies of a whole set of photos. */
struct cider;

struct cider_photo {
	const struct sentence *references;
	size_t reference_count;
};

/* `end_mark` appends an end token to every sentence, here and when scoring:
 * a training reward that must see whether a sentence is finished needs it; the
 * reported score is without. */
int cider_open(const struct cider_photo *photos, size_t count, bool end_mark,
	       struct cider **ret_cider);
struct cider *cider_free(struct cider *cider);

/* The score of a caption for one photo of the set. Safe from many threads;
 * candidates are cut at CIDER_WORDS_MAX words. */
#define CIDER_WORDS_MAX 64
double cider_score(const struct cider *cider, size_t photo, struct sentence candidate);

#endif
