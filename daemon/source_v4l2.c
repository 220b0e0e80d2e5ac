/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * source_v4l2.c: a V4L2 camera on the loop.
 *
 * Starting and stopping block, so each runs on a helper thread that lives for
 * one such call and reports through an eventfd. At most one helper exists: what
 * is asked for meanwhile is noted in `wanted`, and when the helper ends, the
 * next one is started if reality and wish still differ. So a key pressed while
 * the camera is just being closed gets it opened again, and never finds it busy
 * with ourselves.
 *
 * A held camera goes on streaming into buffers that nobody collects, which keeps
 * its exposure adapted; its descriptor then only reports errors, so it costs no
 * wake-ups. What lay in the buffers is too old for the next request and is
 * dropped by its time stamp.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/source_driver.h"
#include "daemon/v4l2.h"

enum { broken_run_limit = 30 };

struct driver {
	struct source *source;
	const struct source_settings *settings;
	struct v4l2 *camera;		/* streaming */
	struct loop_source *camera_source;
	bool wanted, held;
	unsigned broken_run;

	bool helping;
	pthread_t helper;
	int helper_fd;
	struct loop_source *helper_source;
	/* the helper's, until it has ended */
	struct v4l2 *helper_camera;
	int helper_result;
	struct source_error helper_error;
};

static void *run_start(void *data)
{
	struct driver *driver = data;

	driver->helper_result =
		v4l2_start(driver->settings, &driver->helper_camera, &driver->helper_error);
	eventfd_write(driver->helper_fd, 1);
	return NULL;
}

static void *run_stop(void *data)
{
	struct driver *driver = data;

	driver->helper_camera = v4l2_stop(driver->helper_camera);
	eventfd_write(driver->helper_fd, 1);
	return NULL;
}

static int help(struct driver *driver, void *(*function)(void *))
{
	int r = pthread_create(&driver->helper, NULL, function, driver);

	driver->helping = r == 0;
	return -r;
}

static void detach(struct driver *driver)
{
	driver->camera_source = loop_source_free(driver->camera_source);
	driver->helper_camera = driver->camera;
	driver->camera = NULL;
}

/* Starts a helper if there is something to do and none is at work. */
static void pursue(struct driver *driver)
{
	struct source_error error;
	int r;

	if (driver->helping || driver->wanted == (driver->camera != NULL))
		return;
	if (driver->wanted) {
		driver->helper_error = (struct source_error){ 0 };
		r = help(driver, run_start);
		if (r) {
			driver->wanted = false;
			source_fail(&error, SOURCE_REFUSED, "The camera cannot be opened: "
				    "the system has no thread left.");
			source_failed(driver->source, &error);
		}
		return;
	}
	detach(driver);
	if (help(driver, run_stop))
		driver->helper_camera = v4l2_stop(driver->helper_camera);
}

static void on_camera(void *data, uint32_t events)
{
	struct driver *driver = data;
	struct source_error error;
	struct frame frame;
	int r;

	(void)events;
	r = v4l2_next(driver->camera, &frame, &error);
	if (r == -EAGAIN && !(events & (EPOLLERR | EPOLLHUP)))
		return;
	if (r == -EIO && ++driver->broken_run < broken_run_limit)
		return;
	if (r) {
		driver->wanted = false;
		if (r == -EIO)
			source_fail(&error, SOURCE_DAMAGED,
				    "The camera %s sends only damaged pictures.",
				    driver->settings->name);
		else
			source_fail(&error, SOURCE_LOST,
				    "The camera %s was unplugged. Plug it in and try again.",
				    driver->settings->name);
		pursue(driver);
		source_failed(driver->source, &error);
		return;
	}
	driver->broken_run = 0;
	source_deliver(driver->source, &frame);
	if (driver->camera)
		v4l2_requeue(driver->camera);
}

static void adopt(struct driver *driver)
{
	struct source_error error;
	int r;

	driver->camera = driver->helper_camera;
	driver->helper_camera = NULL;
	driver->broken_run = 0;
	if (!driver->wanted) {
		pursue(driver);
		return;
	}
	log_debug("camera %s: %s", driver->settings->name, v4l2_description(driver->camera));
	r = loop_add_fd(source_loop(driver->source), v4l2_fd(driver->camera),
			driver->held ? 0 : EPOLLIN, on_camera, driver, &driver->camera_source);
	if (r) {
		driver->wanted = false;
		pursue(driver);
		source_fail(&error, SOURCE_REFUSED, "The camera %s cannot be watched.",
			    driver->settings->name);
		source_failed(driver->source, &error);
	}
}

static void on_helper(void *data, uint32_t events)
{
	struct driver *driver = data;
	struct source_error error;
	eventfd_t count;

	(void)events;
	eventfd_read(driver->helper_fd, &count);
	pthread_join(driver->helper, NULL);
	driver->helping = false;
	if (driver->helper_camera) {
		adopt(driver);
		return;
	}
	if (driver->helper_result) {
		error = driver->helper_error;
		if (driver->helper_result < 0)
			source_fail(&error, SOURCE_REFUSED, "Out of memory for the camera.");
		driver->helper_result = 0;
		if (driver->wanted) {
			driver->wanted = false;
			source_failed(driver->source, &error);
			return;
		}
	}
	pursue(driver);
}

static void *destroy(void *state)
{
	struct driver *driver = state;

	if (!driver)
		return NULL;
	if (driver->helping)
		pthread_join(driver->helper, NULL);
	loop_source_free(driver->camera_source);
	loop_source_free(driver->helper_source);
	v4l2_stop(driver->camera);
	v4l2_stop(driver->helper_camera);
	if (driver->helper_fd >= 0)
		close(driver->helper_fd);
	free(driver);
	return NULL;
}

static int create(struct source *source, const struct source_settings *settings,
		  void **ret_state, struct source_error *error)
{
	struct driver *driver = calloc(1, sizeof(*driver));
	int r;

	(void)error;
	if (!driver)
		return -ENOMEM;
	driver->source = source;
	driver->settings = settings;
	driver->helper_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = driver->helper_fd < 0 ? -errno :
	    loop_add_fd(source_loop(source), driver->helper_fd, EPOLLIN, on_helper, driver,
			&driver->helper_source);
	if (r) {
		destroy(driver);
		return r;
	}
	*ret_state = driver;
	return 0;
}

static int open_camera(void *state, struct source_error *error)
{
	struct driver *driver = state;

	(void)error;
	driver->wanted = true;
	driver->held = false;
	if (driver->camera && driver->camera_source)
		loop_set_events(driver->camera_source, EPOLLIN);
	pursue(driver);
	return 0;
}

static void close_camera(void *state)
{
	struct driver *driver = state;

	driver->wanted = false;
	pursue(driver);
}

static void hold(void *state)
{
	struct driver *driver = state;

	driver->held = true;
	if (driver->camera_source)
		loop_set_events(driver->camera_source, 0);
}

static void resume(void *state)
{
	struct driver *driver = state;

	driver->held = false;
	if (driver->camera_source)
		loop_set_events(driver->camera_source, EPOLLIN);
}

const struct source_driver source_v4l2_driver = {
	.create = create,
	.destroy = destroy,
	.open = open_camera,
	.close = close_camera,
	.hold = hold,
	.resume = resume,
	.settles = true,
};
