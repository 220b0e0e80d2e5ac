/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * confidence_parts.h: what a confidence holds, for the views of photos that rest on it.
 */
#ifndef ENGINE_CONFIDENCE_PARTS_H
#define ENGINE_CONFIDENCE_PARTS_H

#include "engine/confidence.h"

#define CONFIDENCE_NOT_DETECTED UINT32_MAX

struct confidence {
	struct confidence_parameters parameters;
	unsigned words;
	const struct vocabulary *vocabulary;
	uint32_t *stems;		/* by vocabulary word, a number for each different stem */
	bool *general;			/* whether other words support it */
	part_generals *generals;	/* what can be said for it */
	uint32_t *detected;		/* which stem of the detector, or CONFIDENCE_NOT_DETECTED */
	uint32_t *commonest;		/* word of each stem of the detector, or 0 */
	int32_t *sums;
};

#endif
