/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * manual.h: help, manual page and completion, all written from the tables.
 */
#ifndef CLIENT_MANUAL_H
#define CLIENT_MANUAL_H

#include <stdio.h>

#include "daemon/client/command.h"

void manual_write_overview(FILE *out);
void manual_write_command(FILE *out, const struct command *command);
/* The sections COMMANDS and EXIT STATUS of descry(1), in mdoc. */
void manual_write_mdoc(FILE *out);
void manual_write_completion(FILE *out);

#endif
