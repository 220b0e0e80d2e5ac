/* SPDX-License-Identifier: GPL-3.0-or-later */
/* winograd.c: the numbers, derived from the points, and the estimate. */
#include "engine/winograd.h"

#include <math.h>

/* Small fractions whose powers stay near 1; the first h of them are used. The
 * order keeps the error of every algorithm low (a relative 2·10⁻⁶ with two pairs
 * in two directions, 6·10⁻⁶ with five in one). */
static const double points[WINOGRAD_PAIRS_MAX] = {1, 2, 0.5, 1.5, 2.0 / 3};

/* Multiplies the polynomial in x² of `count` coefficients by (x² − square). */
static void multiply(double *coefficients, size_t count, double square)
{
	coefficients[count] = 0;
	for (size_t k = count + 1; k-- > 0;)
		coefficients[k] = (k > 0 ? coefficients[k - 1] : 0) - square * coefficients[k];
}

/* Π(x² − p²) over all pairs but `without`. */
static void product(unsigned pairs, unsigned without, float *ret_coefficients)
{
	double coefficients[WINOGRAD_PAIRS_MAX + 1] = {1};
	size_t count = 1;

	for (unsigned i = 0; i < pairs; i++)
		if (i != without)
			multiply(coefficients, count++, points[i] * points[i]);
	for (size_t k = 0; k + 1 < count; k++)
		ret_coefficients[k] = (float)coefficients[k];
}

/* N′(p), the product of the distances to the other points. */
static double slope(unsigned pairs, double p)
{
	double result = 1;

	if (p != 0)
		result *= p;
	for (unsigned i = 0; i < pairs; i++) {
		if (points[i] != p)
			result *= p - points[i];
		if (-points[i] != p)
			result *= p + points[i];
	}
	return result;
}

struct winograd_axis winograd_axis(unsigned outputs, unsigned taps)
{
	struct winograd_axis axis = {.outputs = outputs, .taps = taps};

	axis.points = outputs + taps - 1;
	if (axis.points == 1) {
		axis.weight[0][0] = 1;
		return axis;
	}
	axis.pairs = axis.points / 2 - 1;
	product(axis.pairs, axis.pairs, axis.all);
	for (unsigned i = 0; i < axis.pairs; i++) {
		axis.point[i] = (float)points[i];
		product(axis.pairs, i, axis.others[i]);
		for (unsigned j = 0; j < outputs; j++)
			axis.power[j][i] = (float)pow(points[i], j);
		for (unsigned t = 0; t < taps; t++) {
			axis.weight[2 * i + 1][t] = pow(points[i], t) / slope(axis.pairs, points[i]);
			axis.weight[2 * i + 2][t] = pow(-points[i], t) / slope(axis.pairs, -points[i]);
		}
	}
	axis.weight[0][0] = 1 / slope(axis.pairs, 0);
	axis.weight[axis.points - 1][taps - 1] = 1;
	return axis;
}

/* --- Where it pays ---------------------------------------------------------- */

/* Bytes of weights that come from memory in the time of one step. */
#define STREAM_BYTES 8

/* What a byte is held to be worth, in steps, that the weights take more than they
 * did. So it is the large pictures that get the large tiles, where little memory
 * saves much time. */
#define BYTE_WORTH 0.38

static size_t divide_up(size_t n, size_t by)
{
	return (n + by - 1) / by;
}

double winograd_plain_cost(const struct winograd_work *work)
{
	double products = (double)work->output_height * work->output_width * work->kernel_height *
			  work->kernel_width;

	return products * (double)work->input_channels *
	       (double)divide_up(work->output_channels, work->lanes);
}

double winograd_cost(const struct winograd_work *work, unsigned outputs)
{
	unsigned outputs_y = work->kernel_height > 1 ? outputs : 1;
	unsigned outputs_x = work->kernel_width > 1 ? outputs : 1;
	unsigned points_y = outputs_y + work->kernel_height - 1;
	unsigned points_x = outputs_x + work->kernel_width - 1;
	double tiles = (double)(divide_up(work->output_height, outputs_y) *
				divide_up(work->output_width, outputs_x));
	double inputs = (double)divide_up(work->input_channels, work->lanes);
	double columns = (double)divide_up(work->output_channels, work->lanes);
	double points_all = points_y * points_x;
	double products = tiles * points_all * (double)work->input_channels * columns;
	double bytes = (double)(work->input_channels * work->output_channels * sizeof(float));
	double stream = points_all * bytes / STREAM_BYTES;
	double more = (points_all - work->kernel_height * work->kernel_width) * bytes;
	/* a transform of n points takes about n²/2 steps, and a load and a store */
	double line_x = points_x > 1 ? points_x * (points_x / 2.0 + 2) : 0;
	double line_y = points_y > 1 ? points_y * (points_y / 2.0 + 2) : 0;
	double transforms = tiles * (inputs * (points_y * line_x + points_x * line_y) +
				     columns * (outputs_y * line_x + points_x * line_y));

	return (products > stream ? products : stream) + transforms + BYTE_WORTH * more;
}
