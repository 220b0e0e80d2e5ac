/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * failure.c: see failure.h.
 */
#include "daemon/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/engine.h"
#include "tts/tts.h"

static const struct failure_info table[FAILURE_COUNT] = {
	[FAILURE_NONE] = { "", 0, "All went well." },
	[FAILURE_FAILED] = { "Failed", 1, "Something failed that has no name of its own." },
	[FAILURE_USAGE] = { "Usage", 2, "The command line is wrong." },
	[FAILURE_NO_DAEMON] = { "NoDaemon", 3,
		"There is no message bus, or descryd does not answer on it." },
	[FAILURE_BAD_IMAGE] = { "BadImage", 4, "This is not a picture that can be read." },
	[FAILURE_TOO_LARGE] = { "TooLarge", 5, "The picture or text exceeds a limit." },
	[FAILURE_BUSY] = { "Busy", 6, "The queue is full; try again later." },
	[FAILURE_NO_CAMERA] = { "NoCamera", 7, "There is no camera, or it does not deliver." },
	[FAILURE_BAD_MODEL] = { "BadModel", 8, "The model file is missing or damaged." },
	[FAILURE_CANCELLED] = { "Cancelled", 9, "The request was cancelled." },
	[FAILURE_BAD_OPTION] = { "BadOption", 10, "An option is unknown or out of its range." },
	[FAILURE_NO_JOB] = { "NoJob", 11, "There is no such job, or it is somebody else's." },
	[FAILURE_NO_VOICE] = { "NoVoice", 12, "There is no such voice or language." },
	[FAILURE_NO_SOUND] = { "NoSound", 13, "There is no sound device." },
	[FAILURE_CRASHED] = { "Crashed", 14, "The describing process stopped on this picture." },
	[FAILURE_TIMEOUT] = { "Timeout", 15, "The answer took too long." },
	[FAILURE_NO_DATA] = { "NoData", 16, "There is nothing to work on." },
	[FAILURE_REFUSED] = { "Refused", 17, "The picture is not one to be described; "
		"the message says why." },
};

const struct failure_info *failure_info(enum failure_kind kind)
{
	return &table[(unsigned)kind < FAILURE_COUNT ? kind : FAILURE_FAILED];
}

enum failure_kind failure_from_name(const char *name)
{
	if (strncmp(name, FAILURE_DBUS_PREFIX, strlen(FAILURE_DBUS_PREFIX)) == 0)
		name += strlen(FAILURE_DBUS_PREFIX);
	for (unsigned i = 1; i < FAILURE_COUNT; i++)
		if (strcmp(table[i].name, name) == 0)
			return (enum failure_kind)i;
	return FAILURE_FAILED;
}

int failure_set(struct failure *failure, enum failure_kind kind, const char *format, ...)
{
	va_list arguments;

	if (!failure)
		return 1;
	failure->kind = kind;
	va_start(arguments, format);
	vsnprintf(failure->message, sizeof(failure->message), format, arguments);
	va_end(arguments);
	return 1;
}

/* A module may have been too short of memory to say anything. */
static const char *sentence(int status, const char *message)
{
	if (*message)
		return message;
	return status < 0 ? strerror(-status) : "It failed without a reason.";
}

int failure_from_engine(struct failure *failure, int status, const char *message)
{
	static const enum failure_kind kinds[] = {
		[ENGINE_BAD_IMAGE] = FAILURE_BAD_IMAGE,
		[ENGINE_TOO_LARGE] = FAILURE_TOO_LARGE,
		[ENGINE_BAD_MODEL] = FAILURE_BAD_MODEL,
		[ENGINE_UNSUPPORTED] = FAILURE_FAILED,
		[ENGINE_CANCELLED] = FAILURE_CANCELLED,
		[ENGINE_BAD_OPTION] = FAILURE_BAD_OPTION,
	};
	enum failure_kind kind = FAILURE_FAILED;

	if (status > 0 && (size_t)status < sizeof(kinds) / sizeof(*kinds))
		kind = kinds[status];
	return failure_set(failure, kind, "%s", sentence(status, message));
}

int failure_from_tts(struct failure *failure, int status, const char *message)
{
	static const enum failure_kind kinds[] = {
		[TTS_NO_DEVICE] = FAILURE_NO_SOUND,
		[TTS_NO_VOICE] = FAILURE_NO_VOICE,
		[TTS_OUT_OF_RANGE] = FAILURE_BAD_OPTION,
		[TTS_QUEUE_FULL] = FAILURE_BUSY,
		[TTS_TEXT_TOO_LONG] = FAILURE_TOO_LARGE,
		[TTS_NO_DATA] = FAILURE_NO_SOUND,
		[TTS_CRASHED] = FAILURE_CRASHED,
	};
	enum failure_kind kind = FAILURE_FAILED;

	if (status > 0 && (size_t)status < sizeof(kinds) / sizeof(*kinds))
		kind = kinds[status];
	return failure_set(failure, kind, "%s", sentence(status, message));
}
