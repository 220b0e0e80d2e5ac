/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * stop.h: long commands end in an orderly way on Ctrl-C and SIGTERM: the signal
 * sets a flag that the work polls. A second signal ends the program at once.
 */
#ifndef CLIENT_STOP_H
#define CLIENT_STOP_H

#include <stdatomic.h>

/* Installs the handlers and returns the flag. */
const atomic_bool *stop_flag(void);

#endif
