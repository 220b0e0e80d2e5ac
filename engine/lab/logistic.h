/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * logistic.h: logistic regression on a handful of signals.
 */
#ifndef LAB_LOGISTIC_H
#define LAB_LOGISTIC_H

#include <stdbool.h>
#include <stddef.h>

#define LOGISTIC_SIGNALS_MAX 16u

/* Fits log-odds = Σ coefficient × signal + last coefficient by Newton's method
 * on the likelihood, with a ridge of one on the coefficients of the signals
 * scaled to unit spread. `signals` is rows × count. A row counts as often as `weights`
 * says, once if that is NULL. */
void logistic_fit(const float *signals, const bool *labels, const float *weights, size_t rows,
		  size_t count, float *ret_coefficients);

#endif
