/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * stop.c: see stop.h. SA_RESETHAND gives the second signal its usual effect.
 */
#include "daemon/client/stop.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

static atomic_bool stopped;

static void on_signal(int number)
{
	(void)number;
	atomic_store(&stopped, true);
}

const atomic_bool *stop_flag(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return &stopped;
}
