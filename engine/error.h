/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * error.h: how the engine's parts fill in the sentence that its callers get
 * with an error. Private to the engine and its laboratory.
 */
#ifndef ENGINE_ERROR_H
#define ENGINE_ERROR_H

#include "engine/engine.h"

/* Writes the sentence if `error` is not NULL and returns `status`, so that a
 * failing function ends in one line: return engine_fail(error, -EIO, "…"). */
int engine_fail(struct engine_error *error, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The sentence for a failed allocation; returns -ENOMEM. */
int engine_fail_memory(struct engine_error *error);

#endif
