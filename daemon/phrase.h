/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * phrase.h: what is spoken for the outcome of a job, as far as the user wants it
 * told. Every sentence the daemon makes up itself stands in phrase.c.
 */
#ifndef DAEMON_PHRASE_H
#define DAEMON_PHRASE_H

#include <jansson.h>
#include <stdbool.h>

#include "daemon/config.h"

/* The text to speak for a caption and its details; the caller frees. NULL when
 * out of memory. */
char *phrase_caption(const char *caption, json_t *details, enum config_verbosity verbosity);

/* What "more detail" says: the next different description, the first one for turn 0,
 * then where the named things are, then how sure each is; the caller frees. NULL
 * when out of memory. */
char *phrase_more(json_t *details, unsigned turn);

/* Whether the caption says why the picture is not described. */
bool phrase_refused(json_t *details);

/* What "say status" says; the caller frees. */
struct phrase_status {
	const char *camera, *camera_state;	/* NULL: none can be used */
	const char *model_trouble;		/* NULL: none */
	bool watching, busy;
};
char *phrase_status(const struct phrase_status *status);

#endif
