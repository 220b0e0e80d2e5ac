/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * program.h: this program's own file, for the processes that it starts of itself.
 */
#ifndef DAEMON_PROGRAM_H
#define DAEMON_PROGRAM_H

/* To be freed; NULL when there is no memory. Good even after an upgrade has replaced
 * the file. */
char *program_own_file(void);

#endif
