/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * program.h: the programs that stand beside this one, of which processes are made
 * that must not take it along when they crash. They are programs of their own so
 * that each loads the libraries of its own work alone: those of speech, sound,
 * pictures and network cameras are some eighty, each with pages that would be its
 * own in every process, and with code that hostile input could jump to.
 */
#ifndef DAEMON_PROGRAM_H
#define DAEMON_PROGRAM_H

#include <stdbool.h>

/* The file of this name in the folder of this program, as it is built, or where it is
 * installed; where it is neither, the path where it ought to be. To be freed; NULL
 * when there is no memory. */
char *program_find(const char *name);

/* Whether this process was started by another with its end of a socket pair at the
 * descriptor `socket`, and not by hand; if not, says so on standard error. */
bool program_is_started_well(const char *name, int socket);

#endif
