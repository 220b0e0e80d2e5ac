/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * actions.h: what keys and desktop shortcuts can do. Every way to press
 * something ends here, so that each behaves the same.
 */
#ifndef DAEMON_ACTIONS_H
#define DAEMON_ACTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/config.h"
#include "daemon/service.h"

/* In the order of the configuration's choices. */
enum action {
	ACTION_NONE,
	ACTION_LOOK,
	ACTION_REPEAT,
	ACTION_STOP,
	ACTION_WATCH,
	ACTION_DETAIL,
	ACTION_STATUS,
	ACTION_COUNT
};
const char *action_name(enum action action);

/* A key went down: it is acknowledged by a sound at once, speech stops if the
 * button does that, and the camera begins to open. True: the press is used up. */
bool actions_pressed(struct service *service, bool stops);
/* `since_us`: when the press happened, frame_clock(). */
void actions_run(struct service *service, enum action action, uint64_t since_us);

#endif
