/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * watchdog.c: see watchdog.h. Three looks in each period, so that one answer
 * which is late in coming costs nothing.
 */
#include "daemon/watchdog.h"

#include <errno.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "daemon/log.h"
#include "daemon/worker.h"

#define LOOKS_PER_PERIOD 3

struct watchdog {
	struct service *service;
	struct loop_source *timer;
	bool complained;
};

static void on_timer(void *data)
{
	struct watchdog *watchdog = data;
	bool voice = speech_alive(watchdog->service->speech);
	bool worker = worker_ping(jobs_worker(watchdog->service->jobs));

	if (voice && worker) {
		watchdog->complained = false;
		sd_notify(0, "WATCHDOG=1");
		return;
	}
	if (!watchdog->complained)
		log_error("%s stands still; the watchdog is not fed.",
			  voice ? "The describing process" : "The voice");
	watchdog->complained = true;
}

int watchdog_open(struct service *service, struct watchdog **ret_watchdog)
{
	struct watchdog *watchdog;
	uint64_t period = 0;
	int r;

	if (sd_watchdog_enabled(0, &period) <= 0) {
		*ret_watchdog = NULL;
		return 0;
	}
	watchdog = calloc(1, sizeof(*watchdog));
	if (!watchdog)
		return -ENOMEM;
	watchdog->service = service;
	r = loop_add_timer(service->loop, on_timer, watchdog, &watchdog->timer);
	if (r < 0) {
		free(watchdog);
		return r;
	}
	period /= UINT64_C(1000) * LOOKS_PER_PERIOD;
	loop_start_timer(watchdog->timer, period, period);
	*ret_watchdog = watchdog;
	return 0;
}

struct watchdog *watchdog_free(struct watchdog *watchdog)
{
	if (!watchdog)
		return NULL;
	loop_source_free(watchdog->timer);
	free(watchdog);
	return NULL;
}
