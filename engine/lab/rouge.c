/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * rouge.c: ROUGE-L from the longest common subsequence, with the best precision
 * and the best recall over the references taken apart, as COCO's script does.
 */
#include <errno.h>
#include <stdlib.h>

#include "engine/lab/scores.h"

/* One row of the dynamic programme at a time. */
static int common_subsequence(struct sentence a, struct sentence b, size_t *ret_length)
{
	size_t *row = calloc(b.count + 1, sizeof(*row));

	if (row == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < a.count; i++) {
		size_t diagonal = 0;

		for (size_t j = 0; j < b.count; j++) {
			size_t above = row[j + 1];

			if (a.words[i] == b.words[j])
				row[j + 1] = diagonal + 1;
			else if (row[j] > above)
				row[j + 1] = row[j];
			diagonal = above;
		}
	}
	*ret_length = row[b.count];
	free(row);
	return 0;
}

int scores_rouge(const struct scored_caption *caption, double *ret_rouge)
{
	const double beta = 1.2;
	double precision = 0, recall = 0;

	for (size_t i = 0; i < caption->reference_count; i++) {
		size_t length;
		double p, q;
		int r = common_subsequence(caption->candidate, caption->references[i], &length);

		if (r < 0)
			return r;
		p = caption->candidate.count == 0 ? 0 : (double)length / (double)caption->candidate.count;
		q = caption->references[i].count == 0 ? 0 :
			(double)length / (double)caption->references[i].count;
		precision = p > precision ? p : precision;
		recall = q > recall ? q : recall;
	}
	*ret_rouge = precision == 0 || recall == 0 ? 0 :
		(1 + beta * beta) * precision * recall / (recall + beta * beta * precision);
	return 0;
}
