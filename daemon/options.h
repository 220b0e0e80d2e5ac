/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * options.h: the a{sv} of options that methods take, read by tables of the same
 * form as the configuration's (config.h), so that ranges, choices and messages
 * are made in one place.
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <dbus/dbus.h>
#include <stddef.h>

#include "daemon/config.h"
#include "daemon/failure.h"

/* Reads the dictionary at `iter` into the struct at `base`, whose fields hold
 * their defaults already. An unknown option, a wrong type or a value out of
 * range is FAILURE_BAD_OPTION. Text fields are freed with config_free_values(). */
int options_read(DBusMessageIter *iter, const struct config_key *keys, size_t count,
		 void *base, struct failure *failure);

#endif
