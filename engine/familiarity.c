/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * familiarity.c: see familiarity.h.
 */
#include "engine/familiarity.h"

#include <math.h>

float familiarity_dot(const float *a, const float *b, size_t size)
{
	float along[8] = {0}, sum = 0.0f;
	size_t i = 0;

	for (; i + 8 <= size; i += 8) {
		for (size_t lane = 0; lane < 8; lane++)
			along[lane] += a[i + lane] * b[i + lane];
	}
	for (; i < size; i++)
		sum += a[i] * b[i];
	for (size_t lane = 0; lane < 8; lane++)
		sum += along[lane];
	return sum;
}

void familiarity_measure(const struct confidence_parameters *parameters, const float *x,
			 const float *pool, double expected,
			 float ret_measures[CONFIDENCE_MEASURES])
{
	size_t size = parameters->pool_size, axes = parameters->axis_count;
	double along = 0.0, across = (double)familiarity_dot(x, x, size);

	for (size_t k = 0; k < axes; k++) {
		double sum = (double)familiarity_dot(parameters->axes + k * size, x, size);

		across -= sum * sum;
		along += sum * sum / (double)parameters->variances[k];
	}
	across = fmax(across, 0.0) / (double)parameters->variances[axes] / (double)(size - axes);
	ret_measures[0] = (float)log(fmax(along / fmax((double)axes, 1.0), 1e-6));
	ret_measures[1] = (float)log(fmax(across, 1e-6));
	ret_measures[2] = (float)log(fmax(expected, 1e-6));
	ret_measures[3] = logf(fmaxf(familiarity_dot(pool, pool, size), 1e-6f));
}

float familiarity_distance(const struct confidence_parameters *parameters,
			   const float measures[CONFIDENCE_MEASURES])
{
	const float *mean = parameters->usual, *inverse = mean + CONFIDENCE_MEASURES;
	float sum = 0.0f;

	for (size_t i = 0; i < CONFIDENCE_MEASURES; i++) {
		for (size_t k = 0; k < CONFIDENCE_MEASURES; k++)
			sum += (measures[i] - mean[i]) * (measures[k] - mean[k]) *
				inverse[i * CONFIDENCE_MEASURES + k];
	}
	return sqrtf(fmaxf(sum, 0.0f));
}
