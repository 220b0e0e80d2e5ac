/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sleep.h: hears from logind when the machine goes to sleep and when it is awake.
 *
 * logind's signal is enough: nothing is held back to be done before the sleep. What
 * a process does not come to before is what it does first afterwards, because both
 * signals wait in its queue in their order; at most the sound card plays what it had
 * buffered. An inhibitor would make every sleep wait for this daemon instead.
 */
#ifndef DAEMON_SLEEP_H
#define DAEMON_SLEEP_H

#include "daemon/failure.h"
#include "daemon/loop.h"

struct sleep;

enum sleep_event {
	SLEEP_BEGINS,
	SLEEP_ENDS,
	SLEEP_OVER,	/* a moment later, in which devices come back */
};
typedef void sleep_function(void *data, enum sleep_event event);

/* Connects to the system bus, whichever bus the daemon serves. Fails where there is
 * none, as on a machine without logind: nobody tells of a sleep there. */
int sleep_open(struct loop *loop, sleep_function *function, void *data, struct sleep **ret_sleep,
	       struct failure *failure);
struct sleep *sleep_free(struct sleep *sleep);

#endif
