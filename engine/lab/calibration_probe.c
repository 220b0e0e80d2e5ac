/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * calibration_probe.c: a logistic regression of the pooled features for each kind of
 * picture that is no photo (a folder each), photos and others counting the same,
 * with a ridge. A distance alone does not do: features of text pages or of photos
 * upside down lie no farther out than those of many photos, but elsewhere.
 *
 * Each probe is scaled so that the usual photo yields 0 and the bound is 1. The
 * bounds are the same quantile for each probe and the distance, so chosen that 95%
 * of the fitted photos of every source keep within all of them and look like photos by
 * their pixels.
 */
#include "engine/lab/calibration.h"

#include <cblas.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"

#define PHOTOS 3000u		/* of the training photos, spread evenly */
#define STEPS 300u
#define RATE 0.3f
#define RIDGE 1e-4f
#define ACCEPTED 0.95		/* of clean photos of every source are not doubted */
#define SPEAKABLE 0.99		/* of them are described, if with doubt, as far as pixels allow */

/* Names of a folder's entries, sorted. */
struct listing {
	struct dirent **entries;
	size_t count;
};

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int list(const char *folder, struct listing *ret_listing, struct engine_error *error)
{
	int count = scandir(folder, &ret_listing->entries, is_visible, alphasort);

	if (count < 0)
		return engine_fail(error, -errno, "The folder %s cannot be read.", folder);
	ret_listing->count = (size_t)count;
	return 0;
}

static void listing_clear(struct listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		free(listing->entries[i]);
	free(listing->entries);
}

/* The pictures of a folder and their records. */
struct pictures {
	struct listing listing;
	const char **names;
	uint32_t *records;
};

static void pictures_clear(struct pictures *pictures)
{
	listing_clear(&pictures->listing);
	free(pictures->names);
	free(pictures->records);
}

static int pictures_read(struct calibration *calibration, const char *folder,
			 struct pictures *pictures, struct engine_error *error)
{
	int r = list(folder, &pictures->listing, error);

	if (r)
		return r;
	pictures->names = calloc(pictures->listing.count + 1, sizeof(*pictures->names));
	pictures->records = calloc(pictures->listing.count + 1, sizeof(*pictures->records));
	if (!pictures->names || !pictures->records)
		return engine_fail_memory(error);
	for (size_t i = 0; i < pictures->listing.count; i++)
		pictures->names[i] = pictures->listing.entries[i]->d_name;
	return calibration_extract(calibration, folder, pictures->names, pictures->listing.count,
				   pictures->records, error);
}

bool calibration_looks_strange(const struct engine_quality *quality)
{
	return quality->verdict != ENGINE_QUALITY_FINE &&
		(quality->kind == ENGINE_QUALITY_NOT_PHOTO ||
		 quality->kind == ENGINE_QUALITY_UNIFORM || quality->kind == ENGINE_QUALITY_COVERED);
}

/* One row for each record that is there. */
static size_t take_rows(const struct calibration *calibration, const uint32_t *records,
			size_t count, size_t stride, float *x)
{
	const struct confidence_parameters *p = &calibration->parameters;
	size_t rows = 0;

	for (size_t i = 0; i < count; i += stride) {
		float *row = x + rows * p->pool_size;

		if (records[i] == FEATURES_ABSENT)
			continue;
		features_get(calibration->features, records[i], row, NULL, NULL);
		for (size_t k = 0; k < p->pool_size; k++)
			row[k] = (row[k] - p->mean[k]) / p->deviation[k];
		rows++;
	}
	return rows;
}

/* Adam on the whole of `x`, whose first `others` rows are no photos; `probe` starts
 * as zeros and has its constant last. */
static int fit_probe(const float *x, size_t others, size_t rows, size_t pool, float *probe,
		     struct engine_error *error)
{
	float *odds = calloc(rows, sizeof(float)), *gradient = calloc(pool, sizeof(float));
	float *mean = calloc(2 * pool, sizeof(float)), *square;

	if (!odds || !gradient || !mean) {
		free(odds);
		free(gradient);
		free(mean);
		return engine_fail_memory(error);
	}
	square = mean + pool;
	for (unsigned step = 1; step <= STEPS; step++) {
		float rate = RATE * (1.0f - (float)step / STEPS), constant = 0.0f;
		float mean_correction = 1.0f - powf(0.9f, (float)step);
		float square_correction = 1.0f - powf(0.99f, (float)step);

		cblas_sgemv(CblasRowMajor, CblasNoTrans, (blasint)rows, (blasint)pool, 1.0f, x,
			    (blasint)pool, probe, 1, 0.0f, odds, 1);
		for (size_t i = 0; i < rows; i++) {
			float probability = 1.0f / (1.0f + expf(-odds[i] - probe[pool]));

			odds[i] = 0.5f * (probability - (i < others)) /
				(float)(i < others ? others : rows - others);
			constant += odds[i];
		}
		memcpy(gradient, probe, pool * sizeof(float));
		cblas_sgemv(CblasRowMajor, CblasTrans, (blasint)rows, (blasint)pool, 1.0f, x,
			    (blasint)pool, odds, 1, RIDGE, gradient, 1);
		for (size_t k = 0; k < pool; k++) {
			mean[k] = 0.9f * mean[k] + 0.1f * gradient[k];
			square[k] = 0.99f * square[k] + 0.01f * gradient[k] * gradient[k];
			probe[k] -= rate * mean[k] / mean_correction /
				(sqrtf(square[k] / square_correction) + 1e-9f);
		}
		probe[pool] -= constant;
	}
	free(odds);
	free(gradient);
	free(mean);
	return 0;
}

static int fit_folder(struct calibration *calibration, const char *folder, float *probe,
		      struct engine_error *error)
{
	size_t pool = calibration->parameters.pool_size, photos = calibration->train->photo_count;
	size_t stride = photos / PHOTOS + 1, others, rows;
	struct pictures pictures = { .names = NULL };
	float *x = NULL;
	int r = pictures_read(calibration, folder, &pictures, error);

	if (r == 0) {
		x = calloc((pictures.listing.count + photos / stride + 2) * pool, sizeof(float));
		r = x ? 0 : engine_fail_memory(error);
	}
	if (r == 0) {
		others = take_rows(calibration, pictures.records, pictures.listing.count, 1, x);
		rows = others + take_rows(calibration, calibration->train_records, photos, stride,
					  x + others * pool);
		if (others == 0 || rows == others)
			r = engine_fail(error, ENGINE_BAD_OPTION,
				"The folder %s holds no picture that can be read.", folder);
		else
			r = fit_probe(x, others, rows, pool, probe, error);
	}
	free(x);
	pictures_clear(&pictures);
	return r;
}

static int ascending(const void *a, const void *b)
{
	float first = *(const float *)a, second = *(const float *)b;

	return (first > second) - (first < second);
}

static float quantile(const float *sorted, size_t count, double share)
{
	return sorted[(size_t)(share * (double)(count - 1))];
}

/* What is seen of the fitted photos: for each measure its values, as they come and
 * sorted. The distance is the last measure. */
struct bounds {
	size_t photos, measures;
	float *values, *sorted;
	bool *strange;			/* by pixels */
	size_t *sources;
};

/* The share of photos that keep within the quantile `share` of every measure, of the
 * source where that is least. */
static double accepted(const struct bounds *bounds, double share)
{
	size_t within[LAB_EVAL_SOURCES_MAX] = {0}, photos[LAB_EVAL_SOURCES_MAX] = {0};
	double least = 1.0;

	for (size_t j = 0; j < bounds->photos; j++) {
		bool fine = !bounds->strange[j];

		for (size_t k = 0; fine && k < bounds->measures; k++)
			fine = bounds->values[k * bounds->photos + j] <=
				quantile(bounds->sorted + k * bounds->photos, bounds->photos, share);
		within[bounds->sources[j]] += fine;
		photos[bounds->sources[j]]++;
	}
	for (size_t s = 0; s < LAB_EVAL_SOURCES_MAX; s++) {
		if (photos[s] > 0)
			least = fmin(least, (double)within[s] / (double)photos[s]);
	}
	return least;
}

static double find_share(const struct bounds *bounds, double wanted)
{
	double low = 0.5, high = 1.0;

	for (unsigned turn = 0; turn < 20; turn++) {
		double middle = 0.5 * (low + high);

		if (accepted(bounds, middle) < wanted)
			low = middle;
		else
			high = middle;
	}
	return high;
}

static void set_bounds(struct calibration *calibration, const struct bounds *bounds)
{
	struct confidence_parameters *p = &calibration->parameters;
	double share = find_share(bounds, ACCEPTED), last = find_share(bounds, SPEAKABLE);

	p->strange = 1.0f;
	for (size_t k = 0; k < bounds->measures; k++) {
		const float *sorted = bounds->sorted + k * bounds->photos;
		float limit = quantile(sorted, bounds->photos, share);
		float far = quantile(sorted, bounds->photos, last);

		if (k < p->probe_count) {
			float *probe = calibration->probes + k * (p->pool_size + 1);
			float middle = quantile(sorted, bounds->photos, 0.5);
			float scale = 1.0f / fmaxf(limit - middle, 1e-6f);

			probe[p->pool_size] -= middle;
			for (size_t i = 0; i <= p->pool_size; i++)
				probe[i] *= scale;
			far = (far - middle) * scale;
		} else {
			p->distance_limit = limit;
			far /= limit;
		}
		p->strange = fmaxf(p->strange, far);
	}
	/* the distance alone does not say that a picture is no photo */
	if (p->probe_count == 0)
		p->strange = 0.0f;
}

/* Looks at the fitted photos with the probes as they are. */
static int fit_bounds(struct calibration *calibration, struct engine_error *error)
{
	struct bounds bounds = { .measures = calibration->parameters.probe_count + 1 };
	size_t room = calibration->kept_count + 1, at = 0;
	int r = 0;

	for (size_t j = 0; j < calibration->kept_count; j++)
		bounds.photos += calibration_is_fitted(&calibration->kept[j]);
	bounds.values = calloc(room * bounds.measures, sizeof(float));
	bounds.sorted = calloc(room * bounds.measures, sizeof(float));
	bounds.strange = calloc(room, sizeof(bool));
	bounds.sources = calloc(room, sizeof(*bounds.sources));
	if (!bounds.values || !bounds.sorted || !bounds.strange || !bounds.sources) {
		r = engine_fail_memory(error);
		goto out;
	}
	for (size_t j = 0; j < calibration->kept_count; j++) {
		const struct kept *kept = &calibration->kept[j];

		if (!calibration_is_fitted(kept))
			continue;
		calibration_look(calibration, kept);
		for (unsigned k = 0; k + 1 < bounds.measures; k++)
			bounds.values[k * bounds.photos + at] =
				confidence_view_probe(calibration->view, k);
		bounds.values[(bounds.measures - 1) * bounds.photos + at] =
			confidence_view_distance(calibration->view);
		bounds.sources[at] = calibration_source(calibration, kept);
		bounds.strange[at++] = calibration_looks_strange(&kept->quality);
	}
	memcpy(bounds.sorted, bounds.values, bounds.photos * bounds.measures * sizeof(float));
	for (size_t k = 0; k < bounds.measures; k++)
		qsort(bounds.sorted + k * bounds.photos, bounds.photos, sizeof(float), ascending);
	set_bounds(calibration, &bounds);
out:
	free(bounds.values);
	free(bounds.sorted);
	free(bounds.strange);
	free(bounds.sources);
	return r;
}

int calibration_fit_probes(struct calibration *calibration, struct engine_error *error)
{
	const char *folder = calibration->options->non_photos;
	struct confidence_parameters *p = &calibration->parameters;
	struct listing listing = { .count = 0 };
	int r = folder ? list(folder, &listing, error) : 0;

	if (r == 0 && listing.count > CONFIDENCE_PROBES_MAX)
		r = engine_fail(error, ENGINE_BAD_OPTION,
			"The folder %s holds %zu folders; at most %u kinds can be told apart.",
			folder, listing.count, CONFIDENCE_PROBES_MAX);
	if (r == 0) {
		calibration->probes = calloc((listing.count + 1) * (p->pool_size + 1),
					     sizeof(float));
		r = calibration->probes ? 0 : engine_fail_memory(error);
	}
	for (size_t i = 0; r == 0 && i < listing.count; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", folder, listing.entries[i]->d_name);
		r = fit_folder(calibration, path, calibration->probes + i * (p->pool_size + 1),
			       error);
	}
	if (r == 0) {
		p->probes = calibration->probes;
		p->probe_count = (unsigned)listing.count;
		r = calibration_open_view(calibration, error);
	}
	if (r == 0)
		r = fit_bounds(calibration, error);
	listing_clear(&listing);
	return r ? r : calibration_open_view(calibration, error);
}

/* --- Judging ------------------------------------------------------------------- */

/* "upside-down" of "upside-down-007.png". */
static struct lab_calibration_kind *kind_of(struct lab_calibration_report *report,
					    const char *name)
{
	const char *dash = strrchr(name, '-');
	int length = dash ? (int)(dash - name) : (int)strlen(name);
	char kind[sizeof(report->kinds[0].kind)];
	size_t i = 0;

	snprintf(kind, sizeof(kind), "%.*s", length, name);
	while (i < report->kind_count && strcmp(report->kinds[i].kind, kind) != 0)
		i++;
	if (i == LAB_CALIBRATION_KINDS)
		return &report->kinds[i - 1];
	if (i == report->kind_count)
		memcpy(report->kinds[report->kind_count++].kind, kind, sizeof(kind));
	return &report->kinds[i];
}

static int judge_picture(struct calibration *calibration, const char *name, uint32_t record,
			 struct engine_error *error)
{
	struct lab_calibration_kind *kind = kind_of(calibration->report, name);
	const struct confidence_parameters *p = confidence_parameters(calibration->confidence);
	struct engine_features features = { calibration->pool, NULL, NULL };
	struct engine_thing things[CONFIDENCE_THINGS];
	struct engine_quality quality;
	float unfamiliarity;
	bool strange;
	int r = calibration_measure_quality(calibration->options->judged_non_photos, name, &quality,
					    error);

	if (r)
		return r;
	features_get(calibration->features, record, calibration->pool, NULL, NULL);
	confidence_view_photo(calibration->view, &features, 0, &quality);
	unfamiliarity = confidence_view_unfamiliarity(calibration->view);
	strange = calibration_looks_strange(&quality);
	kind->pictures++;
	kind->by_pixels += strange;
	kind->by_features += unfamiliarity > 1.0f;
	kind->doubted += strange || unfamiliarity > 1.0f;
	kind->named += quality.verdict != ENGINE_QUALITY_REFUSE && unfamiliarity <= 1.0f &&
		confidence_view_things(calibration->view, p->thing, things) > 0;
	kind->refused += quality.verdict == ENGINE_QUALITY_REFUSE ||
		(p->strange > 0.0f && unfamiliarity > p->strange);
	return 0;
}

int calibration_judge_probes(struct calibration *calibration, struct engine_error *error)
{
	struct pictures pictures = { .names = NULL };
	int r;

	if (!calibration->options->judged_non_photos)
		return 0;
	r = pictures_read(calibration, calibration->options->judged_non_photos, &pictures, error);
	for (size_t i = 0; r == 0 && i < pictures.listing.count; i++) {
		if (pictures.records[i] != FEATURES_ABSENT)
			r = judge_picture(calibration, pictures.names[i], pictures.records[i], error);
	}
	pictures_clear(&pictures);
	return r;
}
