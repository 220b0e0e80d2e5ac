/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a camera's stream, in pieces whose sizes the first bytes choose.
 * What comes out must be the same however the stream is cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mjpeg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT 4096

struct seen {
	uint64_t pictures, hash;
};

static void on_picture(const void *data, size_t size, uint64_t started_us, void *user)
{
	const uint8_t *bytes = data;
	struct seen *seen = user;

	(void)started_us;
	if (size < 4 || size > LIMIT || bytes[0] != 0xff || bytes[1] != 0xd8 ||
	    bytes[size - 2] != 0xff || bytes[size - 1] != 0xd9)
		abort();
	seen->pictures++;
	for (size_t i = 0; i < size; i++)
		seen->hash = (seen->hash ^ bytes[i]) * 1099511628211u;
}

/* Feeds pieces of 1 to 256 bytes as `cuts` say, or all at once. */
static struct seen split(const uint8_t *cuts, const uint8_t *data, size_t size)
{
	struct seen seen = { 0 };
	struct mjpeg *mjpeg;

	if (mjpeg_open(LIMIT, &mjpeg))
		abort();
	for (size_t done = 0, i = 0; done < size; i++) {
		size_t piece = cuts ? cuts[i % 4] + 1u : size;

		if (piece > size - done)
			piece = size - done;
		if (mjpeg_feed(mjpeg, data + done, piece, done, on_picture, &seen))
			abort();
		done += piece;
	}
	if (mjpeg_counts(mjpeg).pictures != seen.pictures)
		abort();
	mjpeg_free(mjpeg);
	return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole, pieces;

	if (size < 4)
		return 0;
	whole = split(NULL, data + 4, size - 4);
	pieces = split(data, data + 4, size - 4);
	if (whole.pictures != pieces.pictures || whole.hash != pieces.hash)
		abort();
	return 0;
}
