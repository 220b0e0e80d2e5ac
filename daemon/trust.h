/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * trust.h: how a caption is worded by how sure the engine is of it. Joins the
 * engine's confidence to the configuration, the worker's options, the answer's
 * details and the phrases that are said.
 *
 * In a job's options the key "trust" is a list of two numbers, the bounds of the
 * bands "sure" and "refused"; 0 stands for the model's own.
 */
#ifndef DAEMON_TRUST_H
#define DAEMON_TRUST_H

#include <jansson.h>
#include <stddef.h>

#include "daemon/config.h"
#include "engine/engine.h"

#define TRUST_BYTES 4096u

struct trust_bounds {
	float sure, refused;
};

struct trust_bounds trust_bounds(const struct config *config);
json_t *trust_option(struct trust_bounds bounds);
struct trust_bounds trust_read_option(json_t *option);

/* Every phrase that this adds to captions stands in one table by these names. */
enum trust_phrase {
	TRUST_MAY_BE_WRONG,	/* before a caption that is not sure */
	TRUST_CANNOT_TELL,	/* instead of one that is refused */
	TRUST_LOOKS_LIKE,	/* what is sure of it nevertheless */
	TRUST_MAY_SHOW,		/* likely things, if nothing of it is sure */
	TRUST_PHRASES,
};
const char *trust_phrase(enum trust_phrase phrase);

/* What is said of a result: the caption if it is sure or has no confidence; its
 * sure part and then the whole as a possible error if not; what can be said
 * instead if it is refused. Writes at most TRUST_BYTES. */
void trust_write(const struct engine_result *result, char ret_text[TRUST_BYTES]);

/* Adds to the details: confidence, band, reasons, sentence, sure_part, things.
 * Nothing for results without confidence. */
void trust_add_details(json_t *details, const struct engine_result *result);

/* "sure", "unsure", "refused" */
const char *trust_band_name(enum engine_band band);

#endif
