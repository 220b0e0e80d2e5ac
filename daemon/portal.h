/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * portal.h: the desktop portal as all its interfaces share it. A call to it only
 * starts a request; what became of it comes later as the request's Response.
 */
#ifndef DAEMON_PORTAL_H
#define DAEMON_PORTAL_H

#include <dbus/dbus.h>
#include <stdbool.h>
#include <stddef.h>

#define PORTAL_NAME "org.freedesktop.portal.Desktop"
#define PORTAL_PATH "/org/freedesktop/portal/desktop"
#define PORTAL_REQUEST "org.freedesktop.portal.Request"

/* Reads a Response: its code (0: granted), and what it tells under `key`, a string
 * or, as some portals have it, an object path; "" if nothing. False if the signal is
 * no Response, and then nothing is written. Longer texts are cut to `size` bytes. */
bool portal_read_response(DBusMessage *signal, const char *key, dbus_uint32_t *ret_code,
			  char *ret_text, size_t size);

#endif
