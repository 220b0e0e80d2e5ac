/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * quality.c: is this picture worth describing?
 *
 * Two layers. quality_measure takes two dozen plain measures of light, edges,
 * texture, colour and direction. Most come from a copy of at most 256 pixels a
 * side, since what is lost there the network does not see either; those that
 * tell screens and drawings from photos come from a sample of the picture
 * itself, where equal neighbours have not been blended yet. Then each kind of
 * trouble has a logistic model over the measures that bear on it
 * (quality_weights.h, fitted by tests/tools/fit_quality.py), so that every score
 * reads as a probability and one threshold a kind is enough.
 *
 * Sharpness is the height of the steepest step relative to the contrast of its
 * surroundings, along rows, columns and both diagonals: it gives the width of
 * edges in pixels whatever the light, and a motion shows as one direction that
 * is much softer than the others.
 */
#include "engine/quality.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/image_resize.h"
#include "engine/quality_weights.h"
#include "engine/tilt.h"

#define SMALL 256u		/* longest side of the copy */
#define WINDOW 16u		/* of pixels along a line, for sharpness */
#define CONTRAST 40		/* that a window needs to count as an edge */
#define BLOCK 8u
#define FLAT_DEVIATION 2.5f
#define SAMPLE_ROWS 96u		/* of the picture itself */
#define COLOURS 4096u		/* 4 bits a channel */
#define ANGLES 36u		/* of 2.5 degrees, folded to a quarter turn */
#define SURE_TILT 30.0f		/* beyond, the other axis may be the one meant */
#define MOTION_RATIO 1.8f	/* of the sharpest direction to the softest */

const char *const quality_feature_names[QUALITY_FEATURES] = {
	[QUALITY_MEAN] = "mean",
	[QUALITY_LOG_P98] = "log-p98",
	[QUALITY_LOG_P50] = "log-p50",
	[QUALITY_LOG_FROM_P02] = "log-from-p02",
	[QUALITY_LOG_FROM_P50] = "log-from-p50",
	[QUALITY_WHITE] = "white",
	[QUALITY_BLACK] = "black",
	[QUALITY_LOG_DEVIATION] = "log-deviation",
	[QUALITY_SHARP_LEAST] = "sharp-least",
	[QUALITY_SHARP_MOST] = "sharp-most",
	[QUALITY_STRUCTURED] = "structured",
	[QUALITY_FLAT] = "flat",
	[QUALITY_LOG_TEXTURE] = "log-texture",
	[QUALITY_CORRELATION] = "correlation",
	[QUALITY_EQUAL] = "equal",
	[QUALITY_STEPS] = "steps",
	[QUALITY_ENTROPY] = "entropy",
	[QUALITY_TOP_COLOUR] = "top-colour",
	[QUALITY_TOP_COLOURS] = "top-colours",
	[QUALITY_SATURATION] = "saturation",
	[QUALITY_REDNESS] = "redness",
	[QUALITY_LOG_COARSE] = "log-coarse",
	[QUALITY_UPRIGHT] = "upright",
	[QUALITY_TILT_PEAK] = "tilt-peak",
	[QUALITY_TILT_RATIO] = "tilt-ratio",
};

struct small {
	unsigned width, height;
	uint8_t rgb[SMALL * SMALL * 3];
	uint8_t luma[SMALL * SMALL];
	float deviations[SMALL / BLOCK * (SMALL / BLOCK)];
	unsigned colours[COLOURS];
};

static uint8_t luma_of(const uint8_t *rgb)
{
	return (uint8_t)((77 * rgb[0] + 150 * rgb[1] + 29 * rgb[2] + 128) >> 8);
}

static int make_small(const struct engine_image *image, struct small *small,
		      struct engine_error *error)
{
	unsigned longest = image->width > image->height ? image->width : image->height;
	int r;

	small->width = image->width;
	small->height = image->height;
	if (longest > SMALL) {
		small->width = (unsigned)((uint64_t)image->width * SMALL / longest);
		small->height = (unsigned)((uint64_t)image->height * SMALL / longest);
		small->width += small->width == 0;
		small->height += small->height == 0;
	}
	r = engine_image_resize(image, small->width, small->height, small->rgb, error);
	if (r)
		return r;
	for (size_t i = 0; i < (size_t)small->width * small->height; i++)
		small->luma[i] = luma_of(small->rgb + 3 * i);
	return 0;
}

/* --- Light -------------------------------------------------------------------- */

static unsigned percentile(const unsigned *histogram, unsigned total, unsigned percent)
{
	uint64_t below = 0, wanted = (uint64_t)total * percent / 100;

	for (unsigned value = 0; value < 256; value++) {
		below += histogram[value];
		if (below > wanted)
			return value;
	}
	return 255;
}

static void measure_light(const struct small *small, float *features)
{
	unsigned histogram[256] = { 0 }, total = small->width * small->height;
	unsigned white = 0, black = 0;
	double sum = 0, squares = 0, red = 0, saturation = 0;

	for (size_t i = 0; i < total; i++) {
		const uint8_t *p = small->rgb + 3 * i;
		int high = p[0] > p[1] ? p[0] : p[1], low = p[0] < p[1] ? p[0] : p[1];
		uint8_t luma = small->luma[i];

		high = p[2] > high ? p[2] : high;
		low = p[2] < low ? p[2] : low;
		saturation += high - low;
		red += p[0] - p[2];
		histogram[luma]++;
		white += luma >= 250;
		black += luma <= 5;
		sum += luma;
		squares += luma * luma;
	}
	sum /= total;
	squares = squares / total - sum * sum;
	features[QUALITY_MEAN] = (float)(sum / 255);
	features[QUALITY_LOG_P98] = logf(1 + (float)percentile(histogram, total, 98));
	features[QUALITY_LOG_P50] = logf(1 + (float)percentile(histogram, total, 50));
	features[QUALITY_LOG_FROM_P02] = logf(256 - (float)percentile(histogram, total, 2));
	features[QUALITY_LOG_FROM_P50] = logf(256 - (float)percentile(histogram, total, 50));
	features[QUALITY_WHITE] = (float)white / (float)total;
	features[QUALITY_BLACK] = (float)black / (float)total;
	features[QUALITY_LOG_DEVIATION] = logf(1 + sqrtf(squares > 0 ? (float)squares : 0));
	features[QUALITY_SATURATION] = (float)(saturation / total / 255);
	features[QUALITY_REDNESS] = (float)(red / total / 255);
}

/* --- Edges ---------------------------------------------------------------------- */

/* Sharpness of the windows of one direction: their ratios of steepest step to
 * contrast, in percent. */
struct ratios {
	unsigned count[101], edges, windows;
};

/* Windows along one line of `length` samples. */
static void add_line(struct ratios *ratios, const uint8_t *line, ptrdiff_t step, unsigned length)
{
	for (unsigned start = 0; start + WINDOW <= length; start += WINDOW / 2) {
		const uint8_t *p = line + (ptrdiff_t)start * step;
		int low = *p, high = *p, before = *p, steepest = 0;

		for (unsigned i = 1; i < WINDOW; i++) {
			int value, rise;

			p += step;
			value = *p;
			rise = value > before ? value - before : before - value;
			low = value < low ? value : low;
			high = value > high ? value : high;
			steepest = rise > steepest ? rise : steepest;
			before = value;
		}
		ratios->windows++;
		if (high - low < CONTRAST)
			continue;
		ratios->edges++;
		ratios->count[100 * steepest / (high - low)]++;
	}
}

/* The ratio that a tenth of the edges exceed, or -1 when there are too few. */
static float sharpness(const struct ratios *ratios)
{
	unsigned above = 0;

	if (ratios->edges < 12 || ratios->edges * 200 < ratios->windows)
		return -1;
	for (unsigned ratio = 101; ratio-- > 0;) {
		above += ratios->count[ratio];
		if (above * 10 >= ratios->edges)
			return (float)ratio / 100;
	}
	return 0;
}

static void measure_edges(const struct small *small, float *features)
{
	struct ratios ratios[4] = { 0 };
	unsigned width = small->width, height = small->height, edges = 0, windows = 0;
	ptrdiff_t stride = width;
	float least = 2, most = -1;

	for (unsigned y = 0; y < height; y += 2)
		add_line(&ratios[0], small->luma + y * stride, 1, width);
	for (unsigned x = 0; x < width; x += 2)
		add_line(&ratios[1], small->luma + x, stride, height);
	for (unsigned x = 0; x < width; x += 2) {
		unsigned right = width - x, left = x + 1;

		add_line(&ratios[2], small->luma + x, stride + 1, right < height ? right : height);
		add_line(&ratios[3], small->luma + x, stride - 1, left < height ? left : height);
	}
	for (unsigned y = 2; y < height; y += 2) {
		unsigned below = height - y, length = below < width ? below : width;

		add_line(&ratios[2], small->luma + y * stride, stride + 1, length);
		add_line(&ratios[3], small->luma + y * stride + width - 1, stride - 1, length);
	}
	for (int i = 0; i < 4; i++) {
		float value = sharpness(&ratios[i]);

		edges += ratios[i].edges;
		windows += ratios[i].windows;
		if (value < 0)
			continue;
		least = value < least ? value : least;
		most = value > most ? value : most;
	}
	/* no edge at all is as soft as can be */
	features[QUALITY_SHARP_LEAST] = most < 0 ? 0 : least;
	features[QUALITY_SHARP_MOST] = most < 0 ? 0 : most;
	features[QUALITY_STRUCTURED] = windows ? (float)edges / (float)windows : 0;
}

/* --- Texture -------------------------------------------------------------------- */

static int compare_floats(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void measure_texture(struct small *small, float *features)
{
	unsigned columns = small->width / BLOCK, rows = small->height / BLOCK;
	unsigned count = columns * rows, flat = 0;

	features[QUALITY_FLAT] = 1;
	features[QUALITY_LOG_TEXTURE] = 0;
	if (count == 0)
		return;
	for (unsigned b = 0; b < count; b++) {
		const uint8_t *p = small->luma + (size_t)(b / columns) * BLOCK * small->width +
				   b % columns * BLOCK;
		unsigned sum = 0, squares = 0;
		float mean, variance;

		for (unsigned y = 0; y < BLOCK; y++, p += small->width) {
			for (unsigned x = 0; x < BLOCK; x++) {
				sum += p[x];
				squares += (unsigned)p[x] * p[x];
			}
		}
		mean = (float)sum / (BLOCK * BLOCK);
		variance = (float)squares / (BLOCK * BLOCK) - mean * mean;
		small->deviations[b] = variance > 0 ? sqrtf(variance) : 0;
		flat += small->deviations[b] < FLAT_DEVIATION;
	}
	qsort(small->deviations, count, sizeof(float), compare_floats);
	features[QUALITY_FLAT] = (float)flat / (float)count;
	features[QUALITY_LOG_TEXTURE] = logf(1 + small->deviations[count / 2]);
}

/* One minus the variance of the difference of neighbours over twice their own. */
static void measure_correlation(const struct small *small, float *features)
{
	double differences = 0, deviation = expm1((double)features[QUALITY_LOG_DEVIATION]);
	size_t width = small->width, pairs = 0;

	for (size_t y = 0; y + 1 < small->height; y++) {
		const uint8_t *row = small->luma + y * width;

		for (size_t x = 0; x + 1 < width; x++) {
			int across = row[x] - row[x + 1], down = row[x] - row[x + width];

			differences += across * across + down * down;
			pairs += 2;
		}
	}
	features[QUALITY_CORRELATION] = pairs && deviation > 0.5 ?
		(float)(1 - differences / (double)pairs / (2 * deviation * deviation)) : 1;
}

static void measure_coarse(const struct small *small, float *features)
{
	float sum = 0, squares = 0;

	for (unsigned field = 0; field < 64; field++) {
		unsigned x0 = field % 8 * small->width / 8, x1 = (field % 8 + 1) * small->width / 8;
		unsigned y0 = field / 8 * small->height / 8;
		unsigned y1 = (field / 8 + 1) * small->height / 8;
		unsigned total = 0, count = 0;
		float mean;

		for (unsigned y = y0; y < y1; y++)
			for (unsigned x = x0; x < x1; x++, count++)
				total += small->luma[(size_t)y * small->width + x];
		mean = count ? (float)total / (float)count : 0;
		sum += mean / 64;
		squares += mean * mean / 64;
	}
	squares -= sum * sum;
	features[QUALITY_LOG_COARSE] = logf(1 + sqrtf(squares > 0 ? squares : 0));
}

/* --- Colour and pixels of the picture itself -------------------------------------- */

static void measure_pixels(const struct engine_image *image, float *features)
{
	unsigned rows = image->height < SAMPLE_ROWS ? image->height : SAMPLE_ROWS;
	unsigned equal = 0, pairs = 0, steps = 0, edges = 0;

	for (unsigned i = 0; i < rows; i++) {
		size_t y = (size_t)image->height * i / rows;
		/* a stretch of a wide picture, at another place in each row */
		unsigned length = image->width < 512 ? image->width : 512;
		size_t x0 = (size_t)(image->width - length) * (i * 37 % rows) / rows;
		const uint8_t *p = image->pixels + (y * image->width + x0) * 3;

		for (unsigned x = 0; x + 1 < length; x++, p += 3) {
			pairs++;
			equal += p[0] == p[3] && p[1] == p[4] && p[2] == p[5];
			if (x == 0 || x + 2 >= length)
				continue;
			/* a step is perfect when the pixels on both sides go on level */
			int before = luma_of(p - 3), left = luma_of(p), right = luma_of(p + 3);
			int after = luma_of(p + 6), rise = abs(right - left);

			if (rise < CONTRAST)
				continue;
			edges++;
			steps += abs(left - before) * 10 < rise && abs(after - right) * 10 < rise;
		}
	}
	features[QUALITY_EQUAL] = pairs ? (float)equal / (float)pairs : 1;
	features[QUALITY_STEPS] = (float)steps / (float)(edges + 20);
}

static void measure_colours(const struct engine_image *image, struct small *small,
			    float *features)
{
	size_t count = (size_t)image->width * image->height;
	size_t step = count > 65536 ? count / 65536 : 1, total = 0;
	unsigned top[4] = { 0 };
	double entropy = 0;

	/* odd, so that it does not fall on the same columns in every row */
	step |= 1;
	memset(small->colours, 0, sizeof(small->colours));
	for (size_t i = 0; i < count; i += step, total++) {
		const uint8_t *p = image->pixels + 3 * i;

		small->colours[(p[0] >> 4) << 8 | (p[1] >> 4) << 4 | p[2] >> 4]++;
	}
	for (unsigned i = 0; i < COLOURS; i++) {
		unsigned n = small->colours[i];

		if (n == 0)
			continue;
		entropy -= n * log2((double)n / (double)total);
		for (int k = 0; k < 4; k++) {
			if (n > top[k]) {
				memmove(top + k + 1, top + k, (size_t)(3 - k) * sizeof(*top));
				top[k] = n;
				break;
			}
		}
	}
	features[QUALITY_ENTROPY] = (float)(entropy / (double)total / 12);
	features[QUALITY_TOP_COLOUR] = (float)top[0] / (float)total;
	features[QUALITY_TOP_COLOURS] = (float)(top[0] + top[1] + top[2] + top[3]) / (float)total;
}

/* --- Direction -------------------------------------------------------------------- */

/* Horizons, walls and people give a photo gradients along its axes. When the
 * strongest direction lies elsewhere, the camera was probably turned. */
static void measure_tilt(const struct small *small, struct quality_measures *measures)
{
	float histogram[ANGLES] = { 0 }, smooth[ANGLES], total = 0, upright = 0;
	size_t width = small->width;
	unsigned peak = ANGLES;
	float *features = measures->features, axis;

	for (size_t y = 1; y + 1 < small->height; y++) {
		const uint8_t *row = small->luma + y * width;

		for (size_t x = 1; x + 1 < width; x++) {
			const uint8_t *p = row + x, *above = p - width, *below = p + width;
			int gx = above[1] + 2 * p[1] + below[1] - above[-1] - 2 * p[-1] - below[-1];
			int gy = below[-1] + 2 * below[0] + below[1] - above[-1] - 2 * above[0] -
				 above[1];
			int strength = abs(gx) + abs(gy);
			float angle;

			if (strength < 96)
				continue;
			/* folded to a quarter turn: 0 and ANGLES are the axes */
			angle = atan2f((float)gy, (float)gx) * (float)(2 / M_PI);
			angle -= floorf(angle);
			histogram[(unsigned)(angle * ANGLES + 0.5f) % ANGLES] +=
				strength > 400 ? 400 : (float)strength;
		}
	}
	for (unsigned i = 0; i < ANGLES; i++)
		total += histogram[i];
	features[QUALITY_UPRIGHT] = 9.0f / ANGLES;
	features[QUALITY_TILT_PEAK] = 3.0f / ANGLES;
	features[QUALITY_TILT_RATIO] = 0;
	measures->tilt = 0;
	if (total < 96 * 50)
		return;
	for (unsigned i = 0; i < ANGLES; i++)
		smooth[i] = (histogram[(i + ANGLES - 1) % ANGLES] + histogram[i] +
			     histogram[(i + 1) % ANGLES]) / total;
	for (unsigned i = 0; i < 5; i++)
		upright += (histogram[i] + (i ? histogram[ANGLES - i] : 0)) / total;
	for (unsigned i = 5; i <= ANGLES - 5; i++)
		if (peak == ANGLES || smooth[i] > smooth[peak])
			peak = i;
	axis = smooth[0] > smooth[1] ? smooth[0] : smooth[1];
	axis = smooth[ANGLES - 1] > axis ? smooth[ANGLES - 1] : axis;
	features[QUALITY_UPRIGHT] = upright;
	features[QUALITY_TILT_PEAK] = smooth[peak];
	features[QUALITY_TILT_RATIO] = logf((smooth[peak] + 0.01f) / (axis + 0.01f));
	measures->tilt = 90.0f / ANGLES * (float)(peak > ANGLES / 2 ? (int)peak - (int)ANGLES
								   : (int)peak);
}

int quality_measure(const struct engine_image *image, struct quality_measures *ret_measures,
		    struct engine_error *error)
{
	struct quality_measures measures = { 0 };
	struct small *small;
	int r;

	small = malloc(sizeof(*small));
	if (!small)
		return engine_fail_memory(error);
	r = make_small(image, small, error);
	if (r == 0) {
		measure_light(small, measures.features);
		measure_edges(small, measures.features);
		measure_texture(small, measures.features);
		measure_correlation(small, measures.features);
		measure_coarse(small, measures.features);
		measure_pixels(image, measures.features);
		measure_colours(image, small, measures.features);
		measure_tilt(small, &measures);
		*ret_measures = measures;
	}
	free(small);
	return r;
}

/* --- Verdicts --------------------------------------------------------------------- */

const struct engine_quality_limits engine_quality_defaults = {
	.doubt = {
		[ENGINE_QUALITY_DARK] = 0.25f,
		[ENGINE_QUALITY_BRIGHT] = 0.35f,
		[ENGINE_QUALITY_COVERED] = 0.3f,
		[ENGINE_QUALITY_BLURRED] = 0.35f,
		[ENGINE_QUALITY_TILTED] = 0.9f,
		[ENGINE_QUALITY_UNIFORM] = 0.2f,
		[ENGINE_QUALITY_NOT_PHOTO] = 0.5f,
	},
	.refuse = {
		[ENGINE_QUALITY_DARK] = 0.6f,
		[ENGINE_QUALITY_BRIGHT] = 0.6f,
		[ENGINE_QUALITY_COVERED] = 0.6f,
		[ENGINE_QUALITY_BLURRED] = 0.75f,
		[ENGINE_QUALITY_TILTED] = 0.94f,
		[ENGINE_QUALITY_UNIFORM] = 0.75f,
		[ENGINE_QUALITY_NOT_PHOTO] = 0.7f,
	},
};

const char *engine_quality_name(enum engine_quality_kind kind)
{
	static const char *const names[ENGINE_QUALITY_KINDS] = {
		[ENGINE_QUALITY_DARK] = "dark",
		[ENGINE_QUALITY_BRIGHT] = "bright",
		[ENGINE_QUALITY_COVERED] = "covered",
		[ENGINE_QUALITY_BLURRED] = "blurred",
		[ENGINE_QUALITY_TILTED] = "tilted",
		[ENGINE_QUALITY_UNIFORM] = "uniform",
		[ENGINE_QUALITY_NOT_PHOTO] = "not-photo",
	};

	return names[kind];
}

static float logistic(const float *weights, const float *features)
{
	float sum = weights[QUALITY_FEATURES];

	for (int i = 0; i < QUALITY_FEATURES; i++)
		sum += weights[i] * features[i];
	return 1 / (1 + expf(-sum));
}

static void judge(struct engine_quality *quality, const struct engine_quality_limits *limits)
{
	quality->verdict = ENGINE_QUALITY_FINE;
	for (int i = 0; i < ENGINE_QUALITY_KINDS; i++) {
		enum engine_quality_verdict verdict = ENGINE_QUALITY_FINE;

		if (quality->score[i] >= limits->refuse[i])
			verdict = ENGINE_QUALITY_REFUSE;
		else if (quality->score[i] >= limits->doubt[i])
			verdict = ENGINE_QUALITY_DOUBT;
		/* of several at fault the surest is named, but a tilt only alone: lines
		 * are counted in what little there is to see */
		if (verdict > quality->verdict ||
		    (verdict == quality->verdict && verdict != ENGINE_QUALITY_FINE &&
		     i != ENGINE_QUALITY_TILTED &&
		     (quality->kind == ENGINE_QUALITY_TILTED ||
		      quality->score[i] > quality->score[quality->kind]))) {
			quality->verdict = verdict;
			quality->kind = (enum engine_quality_kind)i;
		}
	}
}

int engine_quality_measure(const struct engine_image *image,
			   const struct engine_quality_limits *limits,
			   struct engine_quality *ret_quality, struct engine_error *error)
{
	struct engine_quality quality = { .verdict = ENGINE_QUALITY_FINE };
	struct quality_measures measures;
	int r;

	if (!limits)
		limits = &engine_quality_defaults;
	r = quality_measure(image, &measures, error);
	if (r)
		return r;
	for (int i = 0; i < ENGINE_QUALITY_KINDS; i++)
		quality.score[i] = logistic(quality_weights[i], measures.features);
	judge(&quality, limits);
	quality.motion = measures.features[QUALITY_SHARP_MOST] >
			 MOTION_RATIO * measures.features[QUALITY_SHARP_LEAST];
	if (quality.score[ENGINE_QUALITY_TILTED] >= 0.5f && fabsf(measures.tilt) <= SURE_TILT)
		quality.tilt = measures.tilt;
	*ret_quality = quality;
	return 0;
}

void quality_add_tilt(struct engine_quality *quality, const float *pool,
		      const struct engine_quality_limits *limits)
{
	quality->score[ENGINE_QUALITY_TILTED] =
		tilt_score(pool, quality->score[ENGINE_QUALITY_TILTED]);
	judge(quality, limits);
}
