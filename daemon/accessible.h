/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * accessible.h: what has the keyboard focus, as programs tell assistive
 * technology over AT-SPI. Everything here waits for other programs and therefore
 * runs on a thread of its own, never on the loop.
 */
#ifndef DAEMON_ACCESSIBLE_H
#define DAEMON_ACCESSIBLE_H

#include <dbus/dbus.h>
#include <stdbool.h>

#include "daemon/failure.h"

struct accessible {
	char name[256];		/* its label */
	char description[512];	/* what its program says of it: alternative text, or "" */
	bool password, icon;
	int x, y, width, height;	/* on the screen, as its program believes */
};

/* `session` is the session bus. Waits two seconds at most. */
int accessible_focused(DBusConnection *session, struct accessible *ret_accessible,
		       struct failure *failure);

#endif
