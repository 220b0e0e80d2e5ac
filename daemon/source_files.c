/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * source_files.c: a list of picture files as a camera, for tests and for trying
 * Descry without one. Each request takes the next file; after the last comes
 * the first again.
 */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/picture_file.h"
#include "daemon/source_driver.h"

struct driver {
	struct source *source;
	const struct source_settings *settings;
	glob_t paths;
	size_t next;
	struct loop_source *timer;
};

static void serve(void *data)
{
	struct driver *driver = data;
	const char *path = driver->paths.gl_pathv[driver->next];
	struct source_error error;
	struct frame frame;
	void *bytes;
	int r;

	driver->next = (driver->next + 1) % driver->paths.gl_pathc;
	r = picture_file_read(path, driver->settings->picture_limit, &bytes, &frame);
	if (r) {
		source_fail(&error, SOURCE_DAMAGED, "The file %s cannot be read as a picture: %s.",
			    path, picture_file_fault(r));
		source_failed(driver->source, &error);
		return;
	}
	/* the next one, unless this one satisfies everybody: then comes hold() */
	loop_start_timer(driver->timer, 0, 0);
	source_deliver(driver->source, &frame);
	free(bytes);
}

static void *destroy(void *state)
{
	struct driver *driver = state;

	if (!driver)
		return NULL;
	globfree(&driver->paths);
	loop_source_free(driver->timer);
	free(driver);
	return NULL;
}

static int create(struct source *source, const struct source_settings *settings,
		  void **ret_state, struct source_error *error)
{
	struct driver *driver = calloc(1, sizeof(*driver));
	char *list = strdup(settings->files ? settings->files : "");
	char *rest = list;
	int r = -ENOMEM;

	if (!driver || !list)
		goto out;
	driver->source = source;
	driver->settings = settings;
	for (char *pattern; (pattern = strsep(&rest, ":"));) {
		int flags = driver->paths.gl_pathc ? GLOB_APPEND : 0;

		if (*pattern && glob(pattern, flags, NULL, &driver->paths) == GLOB_NOSPACE)
			goto out;
	}
	if (!driver->paths.gl_pathc) {
		r = source_fail(error, SOURCE_ABSENT,
				"The camera %s finds no file. Set the key files to pictures.",
				settings->name);
		goto out;
	}
	r = loop_add_timer(source_loop(source), serve, driver, &driver->timer);
	if (r)
		goto out;
	*ret_state = driver;
	driver = NULL; /* handed over */
out:
	free(list);
	destroy(driver);
	return r;
}

static void resume(void *state)
{
	struct driver *driver = state;

	loop_start_timer(driver->timer, 0, 0);
}

static int open_files(void *state, struct source_error *error)
{
	(void)error;
	resume(state);
	return 0;
}

static void hold(void *state)
{
	struct driver *driver = state;

	loop_stop_timer(driver->timer);
}

const struct source_driver source_files_driver = {
	.create = create,
	.destroy = destroy,
	.open = open_files,
	.close = hold,
	.hold = hold,
	.resume = resume,
};
