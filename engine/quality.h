/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * quality.h: the measures behind the verdicts on a picture, for the program
 * that fits and calibrates them. Private to the engine.
 */
#ifndef ENGINE_QUALITY_H
#define ENGINE_QUALITY_H

#include "engine/engine.h"

enum quality_feature {
	QUALITY_MEAN,		/* of luma, 0 to 1 */
	QUALITY_LOG_P98,	/* logarithms of luma's percentiles, from black … */
	QUALITY_LOG_P50,
	QUALITY_LOG_FROM_P02,	/* … and from white */
	QUALITY_LOG_FROM_P50,
	QUALITY_WHITE,		/* share of pixels that are clipped */
	QUALITY_BLACK,
	QUALITY_LOG_DEVIATION,	/* of luma */
	QUALITY_SHARP_LEAST,	/* edge sharpness in the direction where it is least */
	QUALITY_SHARP_MOST,
	QUALITY_STRUCTURED,	/* share of windows that hold an edge */
	QUALITY_FLAT,		/* share of blocks without texture */
	QUALITY_LOG_TEXTURE,	/* median deviation within blocks */
	QUALITY_CORRELATION,	/* of neighbouring pixels */
	QUALITY_EQUAL,		/* share of neighbours of equal colour, in the picture itself */
	QUALITY_STEPS,		/* share of its edges that rise within one pixel */
	QUALITY_ENTROPY,	/* of colours, 0 to 1 */
	QUALITY_TOP_COLOUR,	/* share of the most frequent colour … */
	QUALITY_TOP_COLOURS,	/* … and of the four most frequent */
	QUALITY_SATURATION,
	QUALITY_REDNESS,
	QUALITY_LOG_COARSE,	/* deviation among the means of 8 × 8 fields */
	QUALITY_UPRIGHT,	/* share of gradients within 10 degrees of an axis */
	QUALITY_TILT_PEAK,	/* share of those about the strongest angle off the axes */
	QUALITY_TILT_RATIO,	/* logarithm of that peak over the one at the axes */
	QUALITY_FEATURES,
};

struct quality_measures {
	float features[QUALITY_FEATURES];
	float tilt;		/* degrees, of the strongest angle off the axes */
};

int quality_measure(const struct engine_image *image, struct quality_measures *ret_measures,
		    struct engine_error *error);

/* Once the encoder has run: its word on the tilt, and the verdict anew. */
void quality_add_tilt(struct engine_quality *quality, const float *pool,
		      const struct engine_quality_limits *limits);

extern const char *const quality_feature_names[QUALITY_FEATURES];

#endif
