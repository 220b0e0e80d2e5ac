/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * describe.h: one picture described with the engine, from a file descriptor to a
 * JSON document. The worker process and `descry describe --local` both run this,
 * so they cannot answer differently.
 */
#ifndef DAEMON_DESCRIBE_H
#define DAEMON_DESCRIBE_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "daemon/failure.h"
#include "daemon/trust.h"
#include "engine/engine.h"

struct describe_options {
	unsigned beam;		/* 0: the model's own */
	unsigned alternatives;	/* different captions in all; 0 counts as 1 */
	bool anything;		/* describe it whatever it looks like */
	struct engine_quality_limits limits;	/* of what is not described, otherwise */
	struct trust_bounds trust;	/* of how it is worded */
};

/* Pixels instead of a file: what a camera or screen delivers. `width` 0 means
 * that the descriptor holds a JPEG or PNG. */
struct describe_raw {
	enum engine_pixel_format format;
	unsigned width, height;
	size_t stride;
};

/* Describes the picture behind `fd`, which stays open. One that is too bad gets a
 * sentence that says what to do as its caption, and details.quality.verdict
 * "refuse". On success `ret_document`
 * is { caption, details }; the caller drops the reference. `cancel` may be NULL. */
int describe_picture(const struct engine_model *model, struct engine_context *context, int fd,
		     const struct describe_raw *raw, const struct describe_options *options,
		     const atomic_bool *cancel, json_t **ret_document, struct failure *failure);

/* Reads a picture; pipes are given LIMIT_PIPE_MS to deliver it. */
int describe_read(int fd, const struct describe_raw *raw, unsigned width, unsigned height,
		  struct engine_image **ret_image, struct failure *failure);

#endif
