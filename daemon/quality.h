/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * quality.h: a bad picture is said, not described. Joins the engine's measures
 * to the configuration, to the worker's options, to the details of an answer and
 * to the sentences that say what to do.
 *
 * In a job's options the key "quality" is either false (describe whatever it
 * looks like) or an object with two lists, "doubt" and "refuse", of limits in
 * the order of enum engine_quality_kind; without it the engine's own hold.
 */
#ifndef DAEMON_QUALITY_H
#define DAEMON_QUALITY_H

#include <jansson.h>
#include <stdbool.h>

#include "daemon/config.h"
#include "engine/engine.h"

/* The limits of the configuration, where 0 stands for the engine's own. */
void quality_limits(const struct config *config, struct engine_quality_limits *ret_limits);

/* The value of the key "quality" for them; a new reference. */
json_t *quality_option(const struct engine_quality_limits *limits);
/* Reads it; false: pictures are to be described whatever they look like. */
bool quality_read_option(json_t *option, struct engine_quality_limits *ret_limits);

/* { verdict: "fine", "doubt" or "refuse"; kind (unless fine); scores: { … };
 * motion, tilt where they apply }; a new reference. */
json_t *quality_details(const struct engine_quality *quality);

/* What is said instead of a description, or before one; NULL when all is fine. */
const char *quality_sentence(const struct engine_quality *quality);

#endif
