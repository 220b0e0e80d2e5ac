/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * quantise_q8.c: what the 8-bit matrix–vector products need on every processor:
 * vectors brought to 8 bits and sums of the weights by row.
 */
#include "engine/kernels/isa.h"

void quantise_q8(const float *x, size_t count, int8_t *ret_q, float *ret_scale)
{
	isa_best()->quantise_q8(x, count, ret_q, ret_scale);
}

void matvec_q8_sums(const int8_t *weights, size_t rows, size_t columns, int32_t *ret_sums)
{
	isa_best()->row_sums_q8(weights, rows, columns, ret_sums);
}
