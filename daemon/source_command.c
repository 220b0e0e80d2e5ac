/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * source_command.c: any program that writes JPEG pictures to its output.
 *
 * One that writes a single picture and ends is run anew for each request; one
 * that goes on writing is a stream, read without pause so that no old picture
 * waits in the pipe, and ended after the warm time. Which of the two it is shows
 * when it ends, so nobody has to say it in the configuration.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/child.h"
#include "daemon/log.h"
#include "daemon/mjpeg.h"
#include "daemon/source_driver.h"

struct driver {
	struct source *source;
	const struct source_settings *settings;
	char **arguments;
	char label[64];
	struct mjpeg *mjpeg;
	struct child *child;
	unsigned delivered;
};

static void take_picture(const void *data, size_t size, uint64_t started_us, void *user)
{
	struct driver *driver = user;
	struct frame frame = {
		.encoded = true, .data = data, .size = size, .taken_us = started_us,
	};

	driver->delivered++;
	source_deliver(driver->source, &frame);
}

static void take_output(void *data, const void *bytes, size_t size)
{
	struct driver *driver = data;

	mjpeg_feed(driver->mjpeg, bytes, size, frame_clock(), take_picture, driver);
}

static void take_end(void *data, int status, const char *last_words)
{
	struct driver *driver = data;
	struct source_error error;
	const char *program = driver->settings->shell ? "the command" : driver->arguments[0];

	driver->child = NULL;
	if (driver->delivered && !status) {
		source_ended(driver->source);
		return;
	}
	if (mjpeg_counts(driver->mjpeg).too_large)
		source_fail(&error, SOURCE_DAMAGED,
			    "The camera %s sends pictures over the limit of %zu bytes.",
			    driver->settings->name, driver->settings->picture_limit);
	else if (!status)
		source_fail(&error, SOURCE_SILENT, "The camera %s: %s ended without a picture.",
			    driver->settings->name, program);
	else if (*last_words)
		source_fail(&error, SOURCE_ABSENT, "The camera %s: %s failed: %s",
			    driver->settings->name, program, last_words);
	else
		source_fail(&error, SOURCE_ABSENT, "The camera %s: %s ended with status %d.",
			    driver->settings->name, program, status);
	source_failed(driver->source, &error);
}

static void *destroy(void *state)
{
	struct driver *driver = state;

	if (!driver)
		return NULL;
	child_kill(driver->child);
	child_kill_ending();
	mjpeg_free(driver->mjpeg);
	child_free_arguments(driver->arguments);
	free(driver);
	return NULL;
}

static int shell_arguments(const char *command, char ***ret_arguments)
{
	const char *const words[] = { "/bin/sh", "-c", command };
	char **arguments = calloc(4, sizeof(*arguments));

	for (size_t i = 0; arguments && i < 3; i++) {
		arguments[i] = strdup(words[i]);
		if (!arguments[i])
			arguments = child_free_arguments(arguments);
	}
	if (!arguments)
		return -ENOMEM;
	*ret_arguments = arguments;
	return 0;
}

static int create(struct source *source, const struct source_settings *settings,
		  void **ret_state, struct source_error *error)
{
	struct driver *driver;
	int r;

	if (!settings->command)
		return source_fail(error, SOURCE_REFUSED,
				   "The camera %s has no command. Set the key command.",
				   settings->name);
	driver = calloc(1, sizeof(*driver));
	if (!driver)
		return -ENOMEM;
	driver->source = source;
	driver->settings = settings;
	snprintf(driver->label, sizeof(driver->label), "camera %s", settings->name);
	r = settings->shell ? shell_arguments(settings->command, &driver->arguments) :
			      child_split(settings->command, &driver->arguments);
	if (r == -EINVAL)
		r = source_fail(error, SOURCE_REFUSED,
				"The command of the camera %s has a quote that is not closed.",
				settings->name);
	if (!r)
		r = mjpeg_open(settings->picture_limit, &driver->mjpeg);
	if (r) {
		destroy(driver);
		return r;
	}
	*ret_state = driver;
	return 0;
}

static int open_command(void *state, struct source_error *error)
{
	struct driver *driver = state;
	const struct child_events events = {
		.output = take_output, .ended = take_end, .data = driver,
	};
	int r;

	driver->delivered = 0;
	mjpeg_reset(driver->mjpeg);
	r = child_start(source_loop(driver->source), driver->label, driver->arguments, &events,
			&driver->child);
	if (r == -ENOENT)
		return source_fail(error, SOURCE_ABSENT,
				   "The camera %s: the program %s is not installed.",
				   driver->settings->name, driver->arguments[0]);
	return r;
}

static void close_command(void *state)
{
	struct driver *driver = state;

	driver->child = child_end(driver->child);
}

const struct source_driver source_command_driver = {
	.create = create,
	.destroy = destroy,
	.open = open_command,
	.close = close_command,
	.settles = true,
	.backs_off = true,
};
