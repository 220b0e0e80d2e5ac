/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * describe.c: see describe.h.
 */
#include "daemon/describe.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/details.h"
#include "daemon/limits.h"
#include "daemon/quality.h"

#define RAW_BYTES_MAX (128u << 20)

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1000.0 + (double)now.tv_nsec / 1e6;
}

#define NEVER 2.0f	/* a limit that no score reaches */

static int cancelled(struct failure *failure)
{
	return failure_set(failure, FAILURE_CANCELLED, "The description was cancelled.");
}

/* A file of raw pixels must hold exactly what its description says. */
static int read_raw(int fd, const struct describe_raw *raw, struct engine_image **ret_image,
		    struct failure *failure)
{
	struct engine_error error = { "" };
	struct stat st;
	char *data;
	size_t size, done = 0;
	int r;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    st.st_size > (off_t)RAW_BYTES_MAX)
		return failure_set(failure, FAILURE_BAD_IMAGE, "The pixels are not a file "
				   "of at most %u MiB.", RAW_BYTES_MAX >> 20);
	size = (size_t)st.st_size;
	data = malloc(size);
	if (!data)
		return failure_set(failure, FAILURE_FAILED, "Out of memory for the picture.");
	while (done < size) {
		ssize_t n = pread(fd, data + done, size - done, (off_t)done);

		if (n <= 0) {
			free(data);
			return failure_set(failure, FAILURE_BAD_IMAGE,
					   "The pixels end before their time.");
		}
		done += (size_t)n;
	}
	r = engine_image_from_pixels(raw->format, raw->width, raw->height, raw->stride, data,
				     size, ret_image, &error);
	free(data);
	return r ? failure_from_engine(failure, r, error.message) : 0;
}

int describe_read(int fd, const struct describe_raw *raw, unsigned width, unsigned height,
		  struct engine_image **ret_image, struct failure *failure)
{
	struct engine_image_options options = {
		.wanted_width = width, .wanted_height = height, .timeout_ms = LIMIT_PIPE_MS,
	};
	struct engine_error error = { "" };
	int r;

	if (raw && raw->width > 0)
		return read_raw(fd, raw, ret_image, failure);
	r = engine_image_read(fd, &options, ret_image, &error);
	return r ? failure_from_engine(failure, r, error.message) : 0;
}

int describe_picture(const struct engine_model *model, struct engine_context *context, int fd,
		     const struct describe_raw *raw, const struct describe_options *options,
		     const atomic_bool *cancel, json_t **ret_document, struct failure *failure)
{
	const struct engine_model_info *info = engine_model_info(model);
	struct engine_caption_options search = {
		.search = ENGINE_SEARCH_BEAM,
		.beam = options->beam,
		.alternatives = options->alternatives,
		.sure = options->trust.sure,
		.refused = options->trust.refused,
		.cancel = cancel,
	};
	char worded[TRUST_BYTES];
	const struct engine_result *result = NULL;
	struct engine_quality quality = { .verdict = ENGINE_QUALITY_FINE };
	struct engine_quality_limits limits = options->limits, first = options->limits;
	struct engine_error error = { "" };
	struct engine_image *image = NULL;
	double started = now_ms(), decoded, measured;
	const char *caption = NULL;
	json_t *document;
	int r;

	r = describe_read(fd, raw, info->input_width, info->input_height, &image, failure);
	if (r)
		return r;
	decoded = now_ms();
	/* lines alone are not to refuse where the features have a word in it, too */
	if (info->judges_tilt)
		first.doubt[ENGINE_QUALITY_TILTED] = first.refuse[ENGINE_QUALITY_TILTED] = NEVER;
	r = engine_quality_measure(image, &first, &quality, &error);
	measured = now_ms();
	if (options->anything)
		for (int i = 0; i < ENGINE_QUALITY_KINDS; i++)
			limits.refuse[i] = NEVER;
	if (r == 0 && engine_image_warning(image))	/* the missing part was judged as well */
		quality.verdict = ENGINE_QUALITY_FINE;
	else
		search.quality_limits = &limits;
	if (quality.verdict == ENGINE_QUALITY_REFUSE && options->anything)
		quality.verdict = ENGINE_QUALITY_DOUBT;
	if (r == 0 && quality.verdict == ENGINE_QUALITY_REFUSE) {
		caption = quality_sentence(&quality);
	} else if (r == 0) {
		search.quality = &quality;
		r = engine_describe(context, image, &search, &result, &error);
		if (r == 0) {
			if (result)
				trust_write(result, worded);
			caption = result ? worded : quality_sentence(&quality);
		}
	}
	if (r) {
		engine_image_free(image);
		return r == ENGINE_CANCELLED ? cancelled(failure)
					     : failure_from_engine(failure, r, error.message);
	}
	document = json_pack("{s:s, s:o}", "caption", caption, "details",
			     details_build(&(struct details_input){
				     .model = info, .image = image, .result = result,
				     .quality = &quality, .decode_ms = decoded - started,
				     .quality_ms = measured - decoded,
				     .total_ms = now_ms() - started }));
	engine_image_free(image);
	if (!document)
		return failure_set(failure, FAILURE_FAILED, "The answer cannot be put together.");
	*ret_document = document;
	return 0;
}
