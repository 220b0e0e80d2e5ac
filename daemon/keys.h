/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * keys.h: keyboards, button boxes and gpio-keys buttons, as evdev devices.
 *
 * Each [button] section names a device and what its presses do. Devices may be
 * plugged in and out at any time. Without such a section no device is opened and
 * nothing is watched. Only the codes of keys that are bound ever leave this
 * file: what is typed on a shared keyboard is neither kept nor logged.
 */
#ifndef DAEMON_KEYS_H
#define DAEMON_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/config.h"
#include "daemon/loop.h"

struct keys;

struct keys_options {
	/* A bound key went down, at `at_us` of frame_clock(). True: the press has
	 * been used (see gesture.h). */
	bool (*on_pressed)(void *data, const struct config_button *button, uint64_t at_us);
	/* `action` is an enum action; `at_us` the time of the press it began with. */
	void (*on_action)(void *data, unsigned action, uint64_t at_us);
	void *data;
};

/* Borrows `config` until keys_configure() or keys_free(). A button whose section
 * is wrong is logged and left out. */
int keys_open(struct loop *loop, const struct config *config, const struct keys_options *options,
	      struct keys **ret_keys);
struct keys *keys_free(struct keys *keys);
int keys_configure(struct keys *keys, const struct config *config);

/* Whether the button's device is there now. */
bool keys_present(const struct keys *keys, unsigned button);

/* The code of a key by its name in the configuration ("f9", "playpause", "a"),
 * or -1. */
int keys_code(const char *name);

/* For lists: every input device that has keys and may be opened. */
void keys_list(void (*function)(void *data, const char *path, const char *name), void *data);

#endif
