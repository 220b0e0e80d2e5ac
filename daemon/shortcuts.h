/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * shortcuts.h: keys that work everywhere on a desktop, Wayland included, by the
 * GlobalShortcuts portal where it is offered (KDE; GNOME from 48). The desktop
 * shows the user which keys are asked for and lets them be changed; nothing is
 * registered on a desktop without the portal, where the desktop's own settings
 * can run `descry focus` and its like instead.
 */
#ifndef DAEMON_SHORTCUTS_H
#define DAEMON_SHORTCUTS_H

#include <dbus/dbus.h>

#include "daemon/loop.h"

enum shortcut { SHORTCUT_FOCUS, SHORTCUT_CAMERA, SHORTCUT_REPEAT, SHORTCUT_STOP, SHORTCUTS };

struct shortcuts;

/* Asks for the keys, asynchronously, and again when the portal was started anew;
 * `pressed` is called for each press. The keys are of this connection: after the
 * bus was lost, open them on the new one. 0 or -ENOMEM. */
int shortcuts_open(DBusConnection *connection,
		   void (*pressed)(void *data, enum shortcut shortcut), void *data,
		   struct shortcuts **ret_shortcuts);
struct shortcuts *shortcuts_free(struct shortcuts *shortcuts);

#endif
