/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * child.h: a program run beside the daemon, its output read on the loop.
 *
 * The program is started without a shell, in a process group of its own, with
 * nothing open but its three standard descriptors: input is empty, output comes
 * to a function, and what it writes to the error stream goes line by line into
 * the log. It is waited for through a pidfd, so no signal handler is needed.
 */
#ifndef DAEMON_CHILD_H
#define DAEMON_CHILD_H

#include <stddef.h>

#include "daemon/loop.h"

struct child;

struct child_events {
	/* The next bytes of its output. */
	void (*output)(void *data, const void *bytes, size_t size);
	/* It has ended and its output has been read to the end. `status` is its exit
	 * status, or 128 + signal; `last_words` the last line of its error stream,
	 * or "". The child frees itself afterwards; do not call child_end(). */
	void (*ended)(void *data, int status, const char *last_words);
	void *data;
};

/* Splits a command line at blanks; quotes and backslashes group as in a shell,
 * nothing is expanded. NULL-terminated, to be freed by child_free_arguments().
 * 0, -ENOMEM or -EINVAL (a quote is not closed, or nothing stands there). */
int child_split(const char *command, char ***ret_arguments);
char **child_free_arguments(char **arguments);

/* `label` opens its log lines. 0 or a negative errno (-ENOENT: no such program). */
int child_start(struct loop *loop, const char *label, char *const *arguments,
		const struct child_events *events, struct child **ret_child);

/* Asks the group to end, kills it a second later, and calls no function any
 * more. The memory goes when the program has gone. Returns NULL. */
struct child *child_end(struct child *child);
/* For the end of the loop: kills and waits. The second does so with all that
 * were asked to end and have not. */
struct child *child_kill(struct child *child);
void child_kill_ending(void);

#endif
