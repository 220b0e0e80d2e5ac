/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * familiarity.h: how far a picture's features lie from those of the photos that the model
 * learnt from: four measures, and Mahalanobis' distance of these from what they usually
 * are. One measure alone does not do: features of text pages lie close, but elsewhere.
 */
#ifndef ENGINE_FAMILIARITY_H
#define ENGINE_FAMILIARITY_H

#include "engine/confidence.h"

float familiarity_dot(const float *a, const float *b, size_t size);

/* Of the pooled features, `x` being the same less their mean and by their deviation, and
 * of the number of words that the detector expects. */
void familiarity_measure(const struct confidence_parameters *parameters, const float *x,
			 const float *pool, double expected,
			 float ret_measures[CONFIDENCE_MEASURES]);

float familiarity_distance(const struct confidence_parameters *parameters,
			   const float measures[CONFIDENCE_MEASURES]);

#endif
