/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * failure.h: what can go wrong for a caller, in one table.
 *
 * A failure has a kind, which programs can act on, and one plain sentence, which
 * is for people and can be spoken as it is. The kind is an error name on D-Bus,
 * an "error" in a JSON document and an exit status of the client; the table
 * joins the three and is printed in the manual.
 */
#ifndef DAEMON_FAILURE_H
#define DAEMON_FAILURE_H

enum failure_kind {
	FAILURE_NONE,
	FAILURE_FAILED,
	FAILURE_USAGE,
	FAILURE_NO_DAEMON,
	FAILURE_BAD_IMAGE,
	FAILURE_TOO_LARGE,
	FAILURE_BUSY,
	FAILURE_NO_CAMERA,
	FAILURE_BAD_MODEL,
	FAILURE_CANCELLED,
	FAILURE_BAD_OPTION,
	FAILURE_NO_JOB,
	FAILURE_NO_VOICE,
	FAILURE_NO_SOUND,
	FAILURE_CRASHED,
	FAILURE_TIMEOUT,
	FAILURE_NO_DATA,
	FAILURE_REFUSED,
	FAILURE_COUNT
};

struct failure {
	enum failure_kind kind;
	char message[512];
};

struct failure_info {
	const char *name;	/* "BadImage" */
	int exit_status;	/* of the client */
	const char *meaning;	/* for the manual */
};
const struct failure_info *failure_info(enum failure_kind kind);
/* FAILURE_FAILED for an unknown name; with or without the D-Bus prefix. */
enum failure_kind failure_from_name(const char *name);

#define FAILURE_DBUS_PREFIX "org.descry.Error."

/* Sets the failure, unless it is NULL, and returns 1, for `return failure_set(…)`. */
int failure_set(struct failure *failure, enum failure_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* From what the engine or the speech module returned with its message. */
int failure_from_engine(struct failure *failure, int status, const char *message);
int failure_from_tts(struct failure *failure, int status, const char *message);

#endif
