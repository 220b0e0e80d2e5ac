/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * screenshot.h: the pixels of the screen, by the desktop's Screenshot portal, or
 * by X11 where there is no portal; and a picture on the clipboard, by X11. All of
 * it waits for other programs: for a thread of its own, never for the loop.
 */
#ifndef DAEMON_SCREENSHOT_H
#define DAEMON_SCREENSHOT_H

#include <dbus/dbus.h>
#include <stdbool.h>

#include "daemon/failure.h"
#include "engine/engine.h"

struct screenshot_area {
	int x, y, width, height;	/* width 0: the whole screen */
};

/* `ret_whole`: the area could not be cut out, so this is all of the screen. A
 * refusal by the portal stands: it is not gone around. */
int screenshot_take(DBusConnection *session, const struct screenshot_area *area,
		    struct engine_image **ret_image, bool *ret_whole, struct failure *failure);

/* A JPEG or PNG in a memfd. */
int screenshot_clipboard(int *ret_fd, struct failure *failure);

#endif
