/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * optimiser.h: Adam (Kingma and Ba 2015), with decoupled weight decay where it
 * is wanted (AdamW, Loshchilov and Hutter 2019), gradient clipping by the norm
 * of the whole gradient, and the learning rate's course: linear warm-up, then
 * half a cosine.
 */
#ifndef LAB_OPTIMISER_H
#define LAB_OPTIMISER_H

#include <stddef.h>
#include <stdint.h>

#include "engine/lab/network.h"
#include "engine/threadpool.h"

struct optimiser {
	float *mean, *square;	/* running means of the gradient and its square */
	uint64_t steps;
};

int optimiser_init(struct optimiser *ret_optimiser, size_t count);
void optimiser_clear(struct optimiser *optimiser);
/* Forgets the running means, as at the start of a phase. */
void optimiser_reset(struct optimiser *optimiser, size_t count);

struct optimiser_options {
	double rate, weight_decay;
	double clip;	/* largest norm; 0: no limit */
};

/* One step. Returns the gradient's norm before clipping; where that is not
 * finite nothing is changed. Weight decay spares vectors. */
double optimiser_step(struct optimiser *optimiser, const struct network *network,
		      float *parameters, const float *gradient,
		      const struct optimiser_options *options, struct threadpool *pool);

/* The learning rate at a step of `total`. */
double optimiser_rate(double rate, double final_share, uint64_t step, uint64_t warm_up,
		      uint64_t total);

#endif
