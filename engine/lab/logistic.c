/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * logistic.c: Newton steps with a Cholesky solve in double precision. The ridge
 * makes the Hessian positive definite, so there is always a solution.
 */
#include "engine/lab/logistic.h"

#include <math.h>

#define SIZE (LOGISTIC_SIGNALS_MAX + 1)
#define STEPS 50u

/* Solves matrix · x = vector in place; matrix is symmetric, positive definite. */
static void solve(double matrix[SIZE][SIZE], double *vector, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		for (size_t k = 0; k <= i; k++) {
			double sum = matrix[i][k];

			for (size_t l = 0; l < k; l++)
				sum -= matrix[i][l] * matrix[k][l];
			matrix[i][k] = i == k ? sqrt(sum) : sum / matrix[k][k];
		}
	}
	for (size_t i = 0; i < size; i++) {
		for (size_t k = 0; k < i; k++)
			vector[i] -= matrix[i][k] * vector[k];
		vector[i] /= matrix[i][i];
	}
	for (size_t i = size; i-- > 0;) {
		for (size_t k = i + 1; k < size; k++)
			vector[i] -= matrix[k][i] * vector[k];
		vector[i] /= matrix[i][i];
	}
}

static void measure(const float *signals, size_t rows, size_t count, double *ret_mean,
		    double *ret_spread)
{
	for (size_t k = 0; k < count; k++) {
		double sum = 0.0, squares = 0.0;

		for (size_t r = 0; r < rows; r++)
			sum += (double)signals[r * count + k];
		ret_mean[k] = rows > 0 ? sum / (double)rows : 0.0;
		for (size_t r = 0; r < rows; r++)
			squares += pow((double)signals[r * count + k] - ret_mean[k], 2.0);
		ret_spread[k] = rows > 0 ? sqrt(squares / (double)rows) : 0.0;
		/* a signal that never changes tells nothing */
		if (ret_spread[k] < 1e-9)
			ret_spread[k] = INFINITY;
	}
}

void logistic_fit(const float *signals, const bool *labels, const float *weights_of_rows,
		  size_t rows, size_t count, float *ret_coefficients)
{
	double mean[SIZE], spread[SIZE], weights[SIZE] = {0}, bias;
	size_t size = count + 1;

	measure(signals, rows, count, mean, spread);
	for (unsigned step = 0; step < STEPS; step++) {
		double hessian[SIZE][SIZE] = {{0}}, gradient[SIZE] = {0}, most = 0.0;

		for (size_t i = 0; i < size; i++) {
			hessian[i][i] = i < count ? 1.0 : 1e-6;
			gradient[i] = -hessian[i][i] * weights[i];
		}
		for (size_t r = 0; r < rows; r++) {
			double weight = weights_of_rows ? (double)weights_of_rows[r] : 1.0;
			double x[SIZE], odds = 0.0, probability;

			for (size_t k = 0; k < count; k++)
				x[k] = ((double)signals[r * count + k] - mean[k]) / spread[k];
			x[count] = 1.0;
			for (size_t k = 0; k < size; k++)
				odds += weights[k] * x[k];
			probability = 1.0 / (1.0 + exp(-odds));
			for (size_t i = 0; i < size; i++) {
				gradient[i] += weight * (labels[r] - probability) * x[i];
				for (size_t k = 0; k <= i; k++)
					hessian[i][k] += weight * probability * (1.0 - probability) *
						x[i] * x[k];
			}
		}
		solve(hessian, gradient, size);
		for (size_t i = 0; i < size; i++) {
			weights[i] += gradient[i];
			most = fmax(most, fabs(gradient[i]));
		}
		if (most < 1e-8)
			break;
	}
	bias = weights[count];
	for (size_t k = 0; k < count; k++) {
		ret_coefficients[k] = (float)(weights[k] / spread[k]);
		bias -= weights[k] * mean[k] / spread[k];
	}
	ret_coefficients[count] = (float)bias;
}
