/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * winograd.h: minimal filtering after Winograd, as Lavin and Gray use it for
 * convolutions (Fast Algorithms for Convolutional Neural Networks, 2016,
 * arXiv:1509.09308): F(m, r) yields m outputs of r taps with m + r − 1 products
 * instead of m·r, and nested in both directions with the square of that. Here
 * are the numbers of such an algorithm and the rule that says where it pays; the
 * loops are in kernels/winograd_vector.h, the operator is
 * kernels/convolution_f32_winograd.c.
 *
 * The points of evaluation are 0, ±p₁ … ±p_h and infinity, so there is an even
 * number of them. Everything follows from N(x) = x·Π(x² − p²): the input's
 * transform at a point p are the coefficients of N(x)/(x − p), which for +p and
 * −p share an even and an odd part; at 0 those of N(x)/x, at infinity those of
 * N(x). Weights are evaluated at p as polynomials and divided by N′(p), once,
 * when the model is opened. Outputs are the transposed evaluation.
 */
#ifndef ENGINE_WINOGRAD_H
#define ENGINE_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>

#define WINOGRAD_PAIRS_MAX 5u
#define WINOGRAD_POINTS_MAX (2 * WINOGRAD_PAIRS_MAX + 2)
#define WINOGRAD_OUTPUTS_MAX 6u
#define WINOGRAD_TAPS_MAX 7u
/* of a tile in all, inputs or outputs */
#define WINOGRAD_TILE_MAX 64u

/* F(outputs, taps) along one direction. Values stand in the order 0, p₁, −p₁, …,
 * infinity. */
struct winograd_axis {
	unsigned outputs, taps, points, pairs;
	float point[WINOGRAD_PAIRS_MAX];
	/* Coefficients of Π(x² − p²) and, by pair, of the same without the pair's own
	 * factor, in x²; the highest, 1, is left out. */
	float all[WINOGRAD_PAIRS_MAX];
	float others[WINOGRAD_PAIRS_MAX][WINOGRAD_PAIRS_MAX];
	/* power[j][i] = p_i to the j-th */
	float power[WINOGRAD_OUTPUTS_MAX][WINOGRAD_PAIRS_MAX];
	/* What tap t weighs at a point. */
	double weight[WINOGRAD_POINTS_MAX][WINOGRAD_TAPS_MAX];
};

/* taps = outputs = 1 stands for a direction in which nothing is done. */
struct winograd_axis winograd_axis(unsigned outputs, unsigned taps);

/* The work of a convolution with stride 1, for the rule. */
struct winograd_work {
	unsigned output_height, output_width;
	unsigned kernel_height, kernel_width;
	size_t input_channels, output_channels;
	unsigned lanes;		/* floats in a vector */
};

/* An estimate of the time by F(outputs, taps) in each direction in which the
 * kernel is longer than 1, and by the sum of all products, in steps of one
 * multiplication of vectors; the former with what the larger weights are held to
 * cost besides. */
double winograd_cost(const struct winograd_work *work, unsigned outputs);
double winograd_plain_cost(const struct winograd_work *work);

#endif
