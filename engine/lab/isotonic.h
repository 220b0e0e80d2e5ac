/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * isotonic.h: isotonic regression: the non-decreasing steps that fit labels best, by
 * pooling neighbours that are out of order (Ayer and others 1955). What a logistic
 * model's confidences are compared with, since it can take any rising shape.
 */
#ifndef LAB_ISOTONIC_H
#define LAB_ISOTONIC_H

#include <stdbool.h>
#include <stddef.h>

struct isotonic;

/* Rows in any order; a row counts as often as `weights` says, once if that is NULL.
 * 0 or -ENOMEM. */
int isotonic_fit(const double *values, const bool *labels, const float *weights, size_t rows,
		 struct isotonic **ret_isotonic);
struct isotonic *isotonic_free(struct isotonic *isotonic);

/* The share of right labels among values like this one. */
double isotonic_value(const struct isotonic *isotonic, double value);
/* The number of steps. */
size_t isotonic_steps(const struct isotonic *isotonic);

#endif
