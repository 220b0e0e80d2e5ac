/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * error.c: the one place where error sentences are formatted.
 */
#include "engine/error.h"

#include <stdarg.h>
#include <stdio.h>

void engine_error_set(struct engine_error *error, const char *format, ...)
{
	va_list arguments;

	if (!error)
		return;
	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
}
