/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mdoc.c: mdoc takes a line that starts with a dot or an apostrophe for a request,
 * and a backslash for an escape; an ellipsis is written as three dots, since not
 * every terminal has the sign.
 */
#include "daemon/mdoc.h"

#include <stdbool.h>
#include <string.h>

void mdoc_write_text(FILE *out, const char *text)
{
	bool start = true;

	for (; *text; text++) {
		if (start && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		if (*text == '\\') {
			fputs("\\e", out);
		} else if (strncmp(text, "…", strlen("…")) == 0) {
			fputs("...", out);
			text += strlen("…") - 1;
		} else {
			fputc(*text, out);
		}
		start = *text == '.' && text[1] == ' ';
		if (start) {
			fputc('\n', out);
			text++;
		}
	}
	fputc('\n', out);
}
