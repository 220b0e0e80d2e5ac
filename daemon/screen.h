/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * screen.h: looking at the screen without waiting for it. Programs, portals and
 * the X server are asked on a thread of their own (accessible.h, screenshot.h);
 * the loop gets the picture, or why there is none.
 */
#ifndef DAEMON_SCREEN_H
#define DAEMON_SCREEN_H

#include <jansson.h>

#include "daemon/failure.h"
#include "daemon/loop.h"

enum screen_subject { SCREEN_FOCUS, SCREEN_ALL, SCREEN_CLIPBOARD };

struct screen;

/* `picture` is the callee's, -1 with a failure. `options` are those under which
 * the worker reads it, with the key "about" for the answer's details; borrowed. */
typedef void screen_function(void *data, int picture, json_t *options,
			     const struct failure *failure);

int screen_open(struct loop *loop, struct screen **ret_screen);
/* A thread that has not come back is left to itself. */
struct screen *screen_free(struct screen *screen);

/* One at a time: FAILURE_BUSY otherwise. The function is called once, later. */
int screen_look(struct screen *screen, enum screen_subject subject, screen_function *function,
		void *data, struct failure *failure);

#endif
