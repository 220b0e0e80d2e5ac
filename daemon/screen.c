/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * screen.c: see screen.h. The thread owns its task until it has written the
 * answer; then the loop does. A task that the loop no longer wants is freed by the
 * thread.
 */
#include "daemon/screen.h"

#include <dbus/dbus.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/accessible.h"
#include "daemon/frame.h"
#include "daemon/screenshot.h"

#define ICON_SIDE 64		/* smaller than this in both directions: an icon */

struct task {
	enum screen_subject subject;
	int event_fd;			/* a duplicate */
	atomic_int holders;
	/* the answer, the thread's until it is done */
	atomic_bool done;
	int picture;
	json_t *options;
	struct failure failure;		/* kind FAILURE_NONE: there is a picture */
};

struct screen {
	struct loop_source *source;
	int event_fd;
	struct task *task;		/* under way */
	screen_function *function;
	void *data;
};

static void task_release(struct task *task)
{
	if (atomic_fetch_sub(&task->holders, 1) > 1)
		return;
	if (task->picture >= 0)
		close(task->picture);
	if (task->event_fd >= 0)
		close(task->event_fd);
	json_decref(task->options);
	free(task);
}

/* --- The thread ------------------------------------------------------------------ */

static int store(struct task *task, const struct engine_image *image, struct failure *failure)
{
	struct frame frame = {
		.format = ENGINE_PIXELS_RGB,
		.width = engine_image_width(image), .height = engine_image_height(image),
		.stride = (size_t)engine_image_width(image) * 3,
		.data = engine_image_pixels(image),
	};
	int r;

	frame.size = frame.stride * frame.height;
	r = frame_to_memfd(&frame, &task->picture);
	if (r)
		return failure_set(failure, FAILURE_FAILED, "The picture cannot be stored: %s.",
				   strerror(-r));
	task->options = json_pack("{s:{s:i, s:i, s:i, s:I}}", "raw", "format", (int)frame.format,
				  "width", (int)frame.width, "height", (int)frame.height,
				  "stride", (json_int_t)frame.stride);
	return task->options ? 0 : failure_set(failure, FAILURE_FAILED, "Out of memory.");
}

static int refuse_icon(const struct accessible *accessible, struct failure *failure)
{
	const char *text = *accessible->description ? accessible->description : accessible->name;

	return failure_set(failure, FAILURE_REFUSED, *text ? "An icon: %s." : "An icon.", text);
}

/* What is known of the picture without looking at it. */
static json_t *about(const struct accessible *accessible, bool whole)
{
	json_t *object = json_pack("{s:b}", "screen", 1);

	if (accessible && *accessible->name)
		json_object_set_new(object, "name", json_string(accessible->name));
	if (accessible && *accessible->description)
		json_object_set_new(object, "description", json_string(accessible->description));
	if (whole)
		json_object_set_new(object, "whole_screen", json_true());
	return object;
}

static int look_at_screen(struct task *task, DBusConnection *session, struct failure *failure)
{
	struct accessible accessible = { 0 }, *focused = NULL;
	struct screenshot_area area = { 0 };
	struct engine_image *image;
	struct failure ignored;
	bool whole = false;
	int r;

	/* for the whole screen too: not while a password is being typed */
	r = accessible_focused(session, &accessible, task->subject == SCREEN_FOCUS ? failure
										   : &ignored);
	if (r == 0 && accessible.password)
		return failure_set(failure, FAILURE_REFUSED,
				   "A password field has the focus. It is not looked at.");
	if (task->subject == SCREEN_FOCUS) {
		if (r)
			return r;
		if (accessible.icon ||
		    (accessible.width < ICON_SIDE && accessible.height < ICON_SIDE))
			return refuse_icon(&accessible, failure);
		focused = &accessible;
		area = (struct screenshot_area){ accessible.x, accessible.y, accessible.width,
						 accessible.height };
	}
	r = screenshot_take(session, &area, &image, &whole, failure);
	if (r)
		return r;
	r = store(task, image, failure);
	engine_image_free(image);
	if (r == 0)
		json_object_set_new(task->options, "about", about(focused, whole));
	return r;
}

static int look(struct task *task, struct failure *failure)
{
	DBusConnection *session;
	int r;

	if (task->subject == SCREEN_CLIPBOARD) {
		r = screenshot_clipboard(&task->picture, failure);
		if (r == 0)
			task->options = json_pack("{s:{s:b}}", "about", "clipboard", 1);
		return r;
	}
	session = dbus_bus_get_private(DBUS_BUS_SESSION, NULL);
	if (!session)
		return failure_set(failure, FAILURE_NO_DATA, "There is no desktop session to look at.");
	dbus_connection_set_exit_on_disconnect(session, FALSE);
	r = look_at_screen(task, session, failure);
	dbus_connection_close(session);
	dbus_connection_unref(session);
	return r;
}

static void *thread_main(void *data)
{
	struct task *task = data;
	struct failure failure = { .kind = FAILURE_NONE };

	if (look(task, &failure))
		task->failure = failure;
	atomic_store(&task->done, true);
	eventfd_write(task->event_fd, 1);
	task_release(task);
	return NULL;
}

/* --- The loop's side ------------------------------------------------------------------ */

static void on_event(void *data, uint32_t events)
{
	struct screen *screen = data;
	struct task *task = screen->task;
	eventfd_t ignored;
	int picture;

	(void)events;
	if (eventfd_read(screen->event_fd, &ignored) < 0 || !task || !atomic_load(&task->done))
		return;
	screen->task = NULL;
	picture = task->picture;
	task->picture = -1;
	screen->function(screen->data, picture, task->options,
			 task->failure.kind == FAILURE_NONE ? NULL : &task->failure);
	task_release(task);
}

int screen_open(struct loop *loop, struct screen **ret_screen)
{
	struct screen *screen = calloc(1, sizeof(*screen));
	int r;

	if (!screen)
		return -ENOMEM;
	dbus_threads_init_default();
	screen->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = screen->event_fd < 0 ? -errno : 0;
	if (r == 0)
		r = loop_add_fd(loop, screen->event_fd, EPOLLIN, on_event, screen, &screen->source);
	if (r < 0) {
		screen_free(screen);
		return r;
	}
	*ret_screen = screen;
	return 0;
}

struct screen *screen_free(struct screen *screen)
{
	if (!screen)
		return NULL;
	if (screen->task)
		task_release(screen->task);
	loop_source_free(screen->source);
	if (screen->event_fd >= 0)
		close(screen->event_fd);
	free(screen);
	return NULL;
}

int screen_look(struct screen *screen, enum screen_subject subject, screen_function *function,
		void *data, struct failure *failure)
{
	sigset_t all, before;
	struct task *task;
	pthread_t thread;
	int r;

	if (screen->task)
		return failure_set(failure, FAILURE_BUSY,
				   "The screen is still being looked at. Try again in a moment.");
	task = calloc(1, sizeof(*task));
	if (!task)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	task->subject = subject;
	task->picture = -1;
	task->event_fd = fcntl(screen->event_fd, F_DUPFD_CLOEXEC, 3);
	atomic_init(&task->holders, 2);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = task->event_fd < 0 ? errno : pthread_create(&thread, NULL, thread_main, task);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		atomic_store(&task->holders, 1);
		task_release(task);
		return failure_set(failure, FAILURE_FAILED, "No thread for the screen: %s.",
				   strerror(r));
	}
	/* set, as pthread_create() succeeded */
	// NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage)
	pthread_detach(thread);
	screen->task = task;
	screen->function = function;
	screen->data = data;
	return 0;
}
