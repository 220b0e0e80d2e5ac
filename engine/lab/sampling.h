/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sampling.h: captions from the trainer's own network, greedily or by chance,
 * for many photos at once. Greedy captions are those of the engine's greedy
 * search: padding, start, unknown and the word just said are never chosen.
 */
#ifndef LAB_SAMPLING_H
#define LAB_SAMPLING_H

#include "engine/lab/network.h"
#include "engine/lab/random.h"
#include "engine/limits.h"

struct sampled_caption {
	uint32_t words[LIMIT_WORDS];
	size_t count;
	bool ended;
};

/* `each` captions of every photo, those of a photo side by side; with `random`
 * NULL the greedy one (`each` is then 1). `sharpness` multiplies the logits
 * before a word is drawn. Returns 0 or -ENOMEM. */
int sampling_run(const struct network *network, const real *parameters,
		 const struct network_photos *photos, size_t each, struct random *random,
		 real sharpness, struct network_workspace *workspace, struct sampled_caption *ret_captions);

#endif
