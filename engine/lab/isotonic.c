/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * isotonic.c: rows are sorted, equal values are one step, and each step that is not above
 * the one before is pooled with it.
 */
#include "engine/lab/isotonic.h"

#include <errno.h>
#include <stdlib.h>

struct step {
	double least;		/* value from which on it holds */
	double weight, right;
};

struct isotonic {
	size_t count;
	struct step steps[];
};

static int ascending(const void *a, const void *b)
{
	double first = ((const struct step *)a)->least, second = ((const struct step *)b)->least;

	return (first > second) - (first < second);
}

static double mean(const struct step *step)
{
	return step->weight > 0.0 ? step->right / step->weight : 0.0;
}

int isotonic_fit(const double *values, const bool *labels, const float *weights, size_t rows,
		 struct isotonic **ret_isotonic)
{
	struct isotonic *isotonic = calloc(1, sizeof(*isotonic) + rows * sizeof(struct step));
	struct step *steps;
	size_t count = 0;

	if (!isotonic)
		return -ENOMEM;
	steps = isotonic->steps;
	for (size_t i = 0; i < rows; i++) {
		double weight = weights ? (double)weights[i] : 1.0;

		steps[i] = (struct step){ values[i], weight, labels[i] ? weight : 0.0 };
	}
	qsort(steps, rows, sizeof(*steps), ascending);
	for (size_t i = 0; i < rows;) {
		struct step next = steps[i];

		while (++i < rows && steps[i].least == next.least) {
			next.weight += steps[i].weight;
			next.right += steps[i].right;
		}
		while (count > 0 && mean(&steps[count - 1]) >= mean(&next)) {
			count--;
			next.least = steps[count].least;
			next.weight += steps[count].weight;
			next.right += steps[count].right;
		}
		steps[count++] = next;
	}
	isotonic->count = count;
	*ret_isotonic = isotonic;
	return 0;
}

struct isotonic *isotonic_free(struct isotonic *isotonic)
{
	free(isotonic);
	return NULL;
}

double isotonic_value(const struct isotonic *isotonic, double value)
{
	size_t at = 0;

	if (isotonic->count == 0)
		return 0.0;
	while (at + 1 < isotonic->count && isotonic->steps[at + 1].least <= value)
		at++;
	return mean(&isotonic->steps[at]);
}

size_t isotonic_steps(const struct isotonic *isotonic)
{
	return isotonic->count;
}
