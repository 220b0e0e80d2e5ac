/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * describe.c: see describe.h. A pipe or socket is read here and not by the
 * engine, because its other end belongs to somebody who may never finish; the
 * engine is given the bytes once they are complete.
 */
#include "daemon/describe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/details.h"
#include "daemon/limits.h"

#define PIPE_BYTES_MAX (64u << 20)	/* the engine's own limit for a file */
#define PIPE_STEP 65536u
#define POLL_STEP_MS 50

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1000.0 + (double)now.tv_nsec / 1e6;
}

static int cancelled(struct failure *failure)
{
	return failure_set(failure, FAILURE_CANCELLED, "The description was cancelled.");
}

/* Makes room for another step, doubling, up to one byte over the limit. */
static int grow(char **data, size_t *capacity, struct failure *failure)
{
	size_t larger = *capacity ? *capacity * 2 : PIPE_STEP;
	char *grown;

	if (*capacity > PIPE_BYTES_MAX)
		return failure_set(failure, FAILURE_TOO_LARGE,
				   "The picture has more than %u MiB. Send a smaller one.",
				   PIPE_BYTES_MAX >> 20);
	if (larger > PIPE_BYTES_MAX)
		larger = PIPE_BYTES_MAX + 1;
	grown = realloc(*data, larger);
	if (!grown)
		return failure_set(failure, FAILURE_FAILED, "Out of memory for the picture.");
	*data = grown;
	*capacity = larger;
	return 0;
}

static int read_pipe(int fd, const atomic_bool *cancel, char **ret_data, size_t *ret_size,
		     struct failure *failure)
{
	double deadline = now_ms() + LIMIT_PIPE_MS;
	size_t size = 0, capacity = 0;
	char *data = NULL;
	int r = 0;

	for (;;) {
		struct pollfd poller = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (size == capacity) {
			r = grow(&data, &capacity, failure);
			if (r)
				break;
		}
		if (cancel && atomic_load(cancel)) {
			r = cancelled(failure);
			break;
		}
		if (now_ms() > deadline) {
			r = failure_set(failure, FAILURE_BAD_IMAGE,
					"The picture did not arrive within %d seconds. "
					"Send it complete.", LIMIT_PIPE_MS / 1000);
			break;
		}
		if (poll(&poller, 1, POLL_STEP_MS) <= 0)
			continue;
		n = read(fd, data + size, capacity - size);
		if (n == 0) {
			*ret_data = data;
			*ret_size = size;
			return 0;
		}
		if (n > 0)
			size += (size_t)n;
		else if (errno != EINTR && errno != EAGAIN) {
			r = failure_set(failure, FAILURE_BAD_IMAGE,
					"The picture cannot be read: %s.", strerror(errno));
			break;
		}
	}
	free(data);
	return r;
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
	    st.st_size > (off_t)PIPE_BYTES_MAX)
		return failure_set(failure, FAILURE_BAD_IMAGE, "The pixels are not a file "
				   "of at most %u MiB.", PIPE_BYTES_MAX >> 20);
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
		  const atomic_bool *cancel, struct engine_image **ret_image,
		  struct failure *failure)
{
	struct engine_image_options options = { .wanted_width = width, .wanted_height = height };
	struct engine_error error = { "" };
	struct stat st;
	char *data = NULL;
	size_t size = 0;
	int r;

	if (raw && raw->width > 0)
		return read_raw(fd, raw, ret_image, failure);
	if (fstat(fd, &st) < 0)
		return failure_set(failure, FAILURE_BAD_IMAGE, "The picture cannot be read: %s.",
				   strerror(errno));
	if (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode)) {
		r = engine_image_read(fd, &options, ret_image, &error);
		return r ? failure_from_engine(failure, r, error.message) : 0;
	}
	r = read_pipe(fd, cancel, &data, &size, failure);
	if (r)
		return r;
	r = engine_image_decode(data, size, &options, ret_image, &error);
	free(data);
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
		.cancel = cancel,
	};
	const struct engine_result *result;
	struct engine_error error = { "" };
	struct engine_image *image = NULL;
	double started = now_ms(), decoded;
	json_t *document;
	int r;

	r = describe_read(fd, raw, info->input_width, info->input_height, cancel, &image, failure);
	if (r)
		return r;
	decoded = now_ms();
	r = engine_describe(context, image, &search, &result, &error);
	if (r) {
		engine_image_free(image);
		return r == ENGINE_CANCELLED ? cancelled(failure)
					     : failure_from_engine(failure, r, error.message);
	}
	document = json_pack("{s:s, s:o}", "caption",
			     result->caption_count ? result->captions[0].sentence : "", "details",
			     details_build(&(struct details_input){
				     .model = info, .image = image, .result = result,
				     .decode_ms = decoded - started,
				     .total_ms = now_ms() - started }));
	engine_image_free(image);
	if (!document)
		return failure_set(failure, FAILURE_FAILED, "The answer cannot be put together.");
	*ret_document = document;
	return 0;
}
