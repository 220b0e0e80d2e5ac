/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mdoc.h: plain text for manual pages, which config_document.c and
 * client/manual.c write from the programs' tables.
 */
#ifndef DAEMON_MDOC_H
#define DAEMON_MDOC_H

#include <stdio.h>

/* One sentence a line, as mdoc(7) wants it, and a line's end behind the last. */
void mdoc_write_text(FILE *out, const char *text);

#endif
