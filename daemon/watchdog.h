/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * watchdog.h: tells systemd's watchdog that the daemon is well, but only while
 * every part of it is: the loop (or this would not run), the threads of the
 * voice, and the process that describes pictures. When one stands still the
 * watchdog is left to bite, and systemd starts the daemon anew.
 */
#ifndef DAEMON_WATCHDOG_H
#define DAEMON_WATCHDOG_H

#include "daemon/service.h"

struct watchdog;

/* Where the environment asks for no watchdog, `ret_watchdog` is NULL. */
int watchdog_open(struct service *service, struct watchdog **ret_watchdog);
struct watchdog *watchdog_free(struct watchdog *watchdog);

#endif
