/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * v4l2.h: one Video4Linux camera, by blocking calls.
 *
 * Opening and stopping a USB camera may take half a second, so these functions
 * run on a helper thread (source_v4l2.c) or in the client (`descry devices`).
 * Only v4l2_next() and v4l2_requeue() are quick enough for the loop.
 */
#ifndef DAEMON_V4L2_H
#define DAEMON_V4L2_H

#include "daemon/source.h"

struct v4l2;

/* Opens the camera that `settings->device` names, chooses the offered format and
 * size nearest the wanted ones and starts streaming. "auto" takes the first
 * camera that streams. 0, -ENOMEM, or a code of enum source_status. */
int v4l2_start(const struct source_settings *settings, struct v4l2 **ret_camera,
	       struct source_error *error);
struct v4l2 *v4l2_stop(struct v4l2 *camera);

/* Readable when a picture waits. */
int v4l2_fd(const struct v4l2 *camera);
/* "USB Camera (/dev/video0), MJPG 1280x720" */
const char *v4l2_description(const struct v4l2 *camera);

/* The next picture that waits, borrowed until v4l2_requeue(); -EAGAIN when none
 * does, -EIO when the picture was marked or measured as broken (and has been
 * requeued), SOURCE_LOST when the camera is gone. */
int v4l2_next(struct v4l2 *camera, struct frame *ret_frame, struct source_error *error);
int v4l2_requeue(struct v4l2 *camera);

/* For lists. Formats that Descry cannot read are counted in `other_formats`. */
struct v4l2_mode {
	char format[5];
	unsigned width, height;
};
enum { V4L2_MODES = 64 };
struct v4l2_device {
	char path[32];
	char card[64];		/* the camera's name */
	bool busy;
	unsigned mode_count, other_formats;
	struct v4l2_mode modes[V4L2_MODES];
};
/* Calls `function` for every camera, in the order in which "auto" tries them. */
void v4l2_list(void (*function)(void *data, const struct v4l2_device *device), void *data);

#endif
