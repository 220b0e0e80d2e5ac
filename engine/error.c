/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * error.c: the one place where error sentences are formatted. A sentence that
 * does not fit is cut, never overrun.
 */
#include "engine/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int engine_fail(struct engine_error *error, int status, const char *format, ...)
{
	if (error) {
		va_list arguments;

		va_start(arguments, format);
		vsnprintf(error->message, sizeof(error->message), format, arguments);
		va_end(arguments);
	}
	return status;
}

int engine_fail_memory(struct engine_error *error)
{
	return engine_fail(error, -ENOMEM,
			   "There is not enough memory. Close other programs and try again.");
}
