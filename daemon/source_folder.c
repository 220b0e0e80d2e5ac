/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * source_folder.c: a folder in which pictures arrive, watched by inotify.
 *
 * A file counts when its writer closes it or it is moved in, and only if it is
 * complete by content; an unfinished one counts when it is closed again. What
 * lay there before is not looked at. Hidden files are skipped: copying programs
 * use them for what is not finished. No descriptor of the folder itself is kept:
 * it would keep the news of its removal back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/picture_file.h"
#include "daemon/source_driver.h"

struct driver {
	struct source *source;
	const struct source_settings *settings;
	int inotify;
	struct loop_source *events;
	bool open, listening;
};

static void let_go(struct driver *driver)
{
	driver->events = loop_source_free(driver->events);
	if (driver->inotify >= 0)
		close(driver->inotify);
	driver->inotify = -1;
}

static void take_file(struct driver *driver, const char *name)
{
	struct frame frame;
	char *path;
	void *bytes;
	int r;

	if (*name == '.' || asprintf(&path, "%s/%s", driver->settings->folder, name) < 0)
		return;
	r = picture_file_read(path, driver->settings->picture_limit, &bytes, &frame);
	free(path);
	if (r) {
		if (r != -ENODATA && r != -EBADMSG && r != -ENOENT)
			log_info("camera %s: a file was passed over: %s", driver->settings->name,
				 picture_file_fault(r));
		return;
	}
	source_arrived(driver->source, &frame, name);
	free(bytes);
}

static void take_events(void *data, uint32_t epoll_events)
{
	struct driver *driver = data;
	union {
		struct inotify_event event;
		char bytes[16384];
	} buffer;
	struct source_error error;
	ssize_t size = read(driver->inotify, &buffer, sizeof(buffer));
	bool gone = false;

	(void)epoll_events;
	for (ssize_t at = 0; at < size;) {
		const struct inotify_event *event = (const void *)(buffer.bytes + at);

		at += (ssize_t)(sizeof(*event) + event->len);
		if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED))
			gone = true;
		else if (event->mask & IN_Q_OVERFLOW)
			log_warning("camera %s: too many files at once, some were missed",
				    driver->settings->name);
		else if (event->len && !(event->mask & IN_ISDIR))
			take_file(driver, event->name);
	}
	if (gone) {
		let_go(driver);
		source_fail(&error, SOURCE_LOST, "The folder %s is gone.",
			    driver->settings->folder);
		source_failed(driver->source, &error);
	}
}

static int watch(struct driver *driver, struct source_error *error)
{
	const char *path = driver->settings->folder;
	int r;

	if (driver->inotify >= 0)
		return 0;
	driver->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (driver->inotify < 0 ||
	    inotify_add_watch(driver->inotify, path,
			      IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF |
				      IN_ONLYDIR) < 0) {
		r = errno;
		let_go(driver);
		return source_fail(error, SOURCE_ABSENT, "The folder %s cannot be watched: %s.",
				   path, strerror(r));
	}
	r = loop_add_fd(source_loop(driver->source), driver->inotify, EPOLLIN, take_events, driver,
			&driver->events);
	if (r)
		let_go(driver);
	return r;
}

static int listen_folder(void *state, bool on, struct source_error *error)
{
	struct driver *driver = state;

	driver->listening = on;
	if (on)
		return watch(driver, error);
	if (!driver->open)
		let_go(driver);
	return 0;
}

static int open_folder(void *state, struct source_error *error)
{
	struct driver *driver = state;

	driver->open = true;
	return watch(driver, error);
}

static void close_folder(void *state)
{
	struct driver *driver = state;

	driver->open = false;
	if (!driver->listening)
		let_go(driver);
}

static void *destroy(void *state)
{
	struct driver *driver = state;

	if (driver) {
		let_go(driver);
		free(driver);
	}
	return NULL;
}

static int create(struct source *source, const struct source_settings *settings,
		  void **ret_state, struct source_error *error)
{
	struct driver *driver;

	if (!settings->folder)
		return source_fail(error, SOURCE_REFUSED,
				   "The camera %s has no folder. Set the key folder.",
				   settings->name);
	driver = calloc(1, sizeof(*driver));
	if (!driver)
		return -ENOMEM;
	driver->source = source;
	driver->settings = settings;
	driver->inotify = -1;
	*ret_state = driver;
	return 0;
}

const struct source_driver source_folder_driver = {
	.create = create,
	.destroy = destroy,
	.open = open_folder,
	.close = close_folder,
	.listen = listen_folder,
	.waits = true,
};
