/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * command.h: what every command of `descry` is made of.
 *
 * A command is an entry of a table: its name (one word, or two as in "model
 * info"), its arguments, its options and a function. The table drives parsing,
 * --help, the manual page and the completion of the shell. To add commands, put
 * their file beside this one and their entries into commands.c.
 *
 * What was asked for goes to standard output, all else to standard error. With
 * --json every answer is one JSON object on a line, errors too. Exit statuses
 * are those of failure.h.
 */
#ifndef CLIENT_COMMAND_H
#define CLIENT_COMMAND_H

#include <dbus/dbus.h>
#include <jansson.h>
#include <stdbool.h>

#include "daemon/config.h"
#include "daemon/failure.h"

#define CLIENT_OPTIONS_MAX 64

struct client_option {
	const char *name;	/* "beam", for --beam */
	const char *argument;	/* "N"; NULL for a flag */
	const char *help;
	char letter;		/* 'b' for -b, or 0 */
};

struct client;

struct command {
	const char *name, *arguments;
	const char *help;	/* sentences; the first is the summary */
	const struct client_option *options;
	size_t option_count;
	/* The arguments that are no options, in order; returns the exit status. */
	int (*run)(struct client *client, int argc, char **argv);
};

extern const struct command *const commands[];	/* NULL-terminated */
extern const struct client_option client_global_options[];
extern const size_t client_global_option_count;

struct client {
	const struct command *command;
	/* By position in the command's table, then in the global one; "" for a flag. */
	const char *values[CLIENT_OPTIONS_MAX];
	DBusConnection *bus;
	bool json;
};

/* Whether the option was given, and its argument (NULL when not given). */
bool client_has(const struct client *client, const char *name);
const char *client_value(const struct client *client, const char *name);
/* A whole number; `initial` when not given. */
int client_number(const struct client *client, const char *name, unsigned minimum,
		  unsigned maximum, unsigned initial, unsigned *ret_value,
		  struct failure *failure);

/* Prints the failure where it belongs; `subject` (a file, or NULL) goes before
 * it. Returns its exit status. */
int client_fail(const struct client *client, const char *subject, const struct failure *failure);
int client_usage(const struct client *client, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Prints an object on one line and drops the reference. */
void client_print_json(json_t *object);

/* The configuration that the daemon would read, for commands that work alone. */
int client_config(const struct client *client, struct config **ret_config,
		  struct failure *failure);

/* --- The daemon ----------------------------------------------------------- */

/* A call to fill with arguments, or NULL when out of memory. */
DBusMessage *client_call_new(const char *method);
/* Appends an object as the options of a call. */
dbus_bool_t client_append_options(DBusMessage *call, json_t *options);
/* Takes `call` (NULL: out of memory); starts the daemon where that is possible
 * unless `start` is false. */
int client_call(struct client *client, DBusMessage *call, bool start, DBusMessage **ret_reply,
		struct failure *failure);

#endif
