/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * error.h: how the engine's parts fill in the sentence that its callers get
 * with an error. Private to the engine and its laboratory.
 */
#ifndef ENGINE_ERROR_H
#define ENGINE_ERROR_H

#include <errno.h>

#include "engine/engine.h"

/* Writes the sentence, cut if it does not fit, unless `error` is NULL. */
void engine_error_set(struct engine_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same with `status` as its value, so that a failing function ends in one
 * line: return engine_fail(error, -EIO, "…"). A macro, so that the compiler sees
 * that the status is not 0. */
#define engine_fail(error, status, ...) (engine_error_set((error), __VA_ARGS__), (status))

/* The sentence for a failed allocation; -ENOMEM. */
#define engine_fail_memory(error) \
	engine_fail((error), -ENOMEM, \
		    "There is not enough memory. Close other programs and try again.")

#endif
