/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * v4l2.c: the ioctl conversation with a camera, by memory-mapped buffers.
 *
 * Devices are found by trying /dev/video0 to /dev/video63, which needs neither
 * udev nor a directory listing, and asks each whether it captures: a webcam has
 * a second node for metadata, and codecs and scalers are video nodes too.
 *
 * Modes are ranked by distance from the wanted size, then by the order of the
 * table of formats. The best is tried first; drivers that advertise what they
 * then refuse exist, so the others follow.
 */
#include "daemon/v4l2.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/source_driver.h"

enum {
	device_count = 64,
	side_limit = 30000,	/* as the engine's */
	buffer_count = 4,
	candidate_limit = 128,
	format_limit = 64,	/* entries of a driver's list that are looked at */
	size_limit = 256,
};

struct pixel_format {
	uint32_t fourcc;
	enum source_format setting;
	bool encoded;
	enum engine_pixel_format engine;
};

/* In order of preference for the same size: a webcam's large raw modes are
 * slow over USB, so the compressed one comes first. */
static const struct pixel_format formats[] = {
	{ V4L2_PIX_FMT_MJPEG, SOURCE_FORMAT_MJPG, true, 0 },
	{ V4L2_PIX_FMT_JPEG, SOURCE_FORMAT_MJPG, true, 0 },
	{ V4L2_PIX_FMT_YUYV, SOURCE_FORMAT_YUYV, false, ENGINE_PIXELS_YUYV },
	{ V4L2_PIX_FMT_NV12, SOURCE_FORMAT_NV12, false, ENGINE_PIXELS_NV12 },
	{ V4L2_PIX_FMT_GREY, SOURCE_FORMAT_GREY, false, ENGINE_PIXELS_GREY },
};
enum { format_count = sizeof(formats) / sizeof(formats[0]) };

struct candidate {
	size_t format;
	unsigned width, height;
	double distance;
};

struct v4l2 {
	int fd;
	char description[160];
	const struct pixel_format *format;
	unsigned width, height;
	size_t stride, needed;
	struct {
		void *start;
		size_t length;
	} buffers[buffer_count];
	unsigned mapped;
	bool taken;	/* a buffer is out of the queue */
	struct v4l2_buffer buffer;
};

static int request(int fd, unsigned long number, void *argument)
{
	int r;

	do {
		r = ioctl(fd, number, argument);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static void name_fourcc(uint32_t fourcc, char ret_name[5])
{
	for (unsigned i = 0; i < 4; i++) {
		char c = (char)(fourcc >> (8 * i) & 0x7f);

		ret_name[i] = isprint((unsigned char)c) ? c : '?';
	}
	ret_name[4] = 0;
	if (fourcc == V4L2_PIX_FMT_MJPEG)
		memcpy(ret_name, "MJPG", 5);
}

/* --- what a camera offers ------------------------------------------------- */

typedef void mode_function(void *data, size_t format, unsigned width, unsigned height);

/* The end of a range that lies nearest `wanted`. */
static unsigned within(unsigned wanted, unsigned low, unsigned high, unsigned step)
{
	if (wanted <= low)
		return low;
	if (wanted >= high)
		return high;
	return step > 1 ? low + (wanted - low + step / 2) / step * step : wanted;
}

/* Drivers that list no sizes are asked for the wanted one. */
static void each_size(int fd, size_t format, unsigned width, unsigned height,
		      mode_function *function, void *data)
{
	unsigned found = 0;

	for (uint32_t i = 0; i < size_limit; i++) {
		struct v4l2_frmsizeenum size = { .index = i, .pixel_format = formats[format].fourcc };

		if (request(fd, VIDIOC_ENUM_FRAMESIZES, &size))
			break;
		found++;
		if (size.type == V4L2_FRMSIZE_TYPE_DISCRETE) {
			function(data, format, size.discrete.width, size.discrete.height);
			continue;
		}
		function(data, format,
			 within(width, size.stepwise.min_width, size.stepwise.max_width,
				size.stepwise.step_width),
			 within(height, size.stepwise.min_height, size.stepwise.max_height,
				size.stepwise.step_height));
		break;
	}
	if (!found)
		function(data, format, width, height);
}

/* Returns how many formats were passed over as unknown. */
static unsigned each_mode(int fd, unsigned width, unsigned height, mode_function *function,
			  void *data)
{
	unsigned unknown = 0;

	for (uint32_t i = 0; i < format_limit; i++) {
		struct v4l2_fmtdesc description = {
			.index = i, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		};
		size_t format = 0;

		if (request(fd, VIDIOC_ENUM_FMT, &description))
			break;
		while (format < format_count && formats[format].fourcc != description.pixelformat)
			format++;
		if (format < format_count)
			each_size(fd, format, width, height, function, data);
		else
			unknown++;
	}
	return unknown;
}

static bool captures(int fd, struct v4l2_capability *ret_capability)
{
	uint32_t flags;

	memset(ret_capability, 0, sizeof(*ret_capability));
	if (request(fd, VIDIOC_QUERYCAP, ret_capability))
		return false;
	ret_capability->card[sizeof(ret_capability->card) - 1] = 0;
	flags = ret_capability->capabilities & V4L2_CAP_DEVICE_CAPS ?
			ret_capability->device_caps : ret_capability->capabilities;
	return (flags & V4L2_CAP_VIDEO_CAPTURE) && (flags & V4L2_CAP_STREAMING);
}

static void list_mode(void *data, size_t format, unsigned width, unsigned height)
{
	struct v4l2_device *device = data;
	struct v4l2_mode *mode;

	if (device->mode_count == V4L2_MODES)
		return;
	mode = &device->modes[device->mode_count++];
	name_fourcc(formats[format].fourcc, mode->format);
	mode->width = width;
	mode->height = height;
}

void v4l2_list(void (*function)(void *data, const struct v4l2_device *device), void *data)
{
	for (unsigned i = 0; i < device_count; i++) {
		struct v4l2_device device = { 0 };
		struct v4l2_capability capability;
		int fd;

		snprintf(device.path, sizeof(device.path), "/dev/video%u", i);
		fd = open(device.path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0) {
			if (errno == EBUSY || errno == EACCES) {
				device.busy = errno == EBUSY;
				function(data, &device);
			}
			continue;
		}
		if (captures(fd, &capability)) {
			snprintf(device.card, sizeof(device.card), "%s", (char *)capability.card);
			device.other_formats = each_mode(fd, 1280, 720, list_mode, &device);
			function(data, &device);
		}
		close(fd);
	}
}

/* --- starting ------------------------------------------------------------- */

struct wish {
	const struct source_settings *settings;
	struct candidate candidates[candidate_limit];
	size_t count;
};

static void add_candidate(void *data, size_t format, unsigned width, unsigned height)
{
	struct wish *wish = data;
	const struct source_settings *settings = wish->settings;
	struct candidate *candidate;

	if (wish->count == candidate_limit || !width || !height)
		return;
	candidate = &wish->candidates[wish->count++];
	candidate->format = format;
	candidate->width = width;
	candidate->height = height;
	candidate->distance = fabs(log((double)width / settings->width)) +
			      fabs(log((double)height / settings->height));
	/* another format than the wanted one is worse than any size */
	if (settings->format != SOURCE_FORMAT_AUTO && formats[format].setting != settings->format)
		candidate->distance += 100;
}

static int compare_candidates(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	if (a->distance != b->distance)
		return a->distance < b->distance ? -1 : 1;
	return (a->format > b->format) - (a->format < b->format);
}

/* Whether the driver took the mode, or gave one that can be read as well. */
static bool set_mode(struct v4l2 *camera, const struct candidate *candidate, int *ret_error)
{
	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	struct v4l2_pix_format *pixels = &format.fmt.pix;
	size_t rows, width_bytes;

	pixels->width = candidate->width;
	pixels->height = candidate->height;
	pixels->pixelformat = formats[candidate->format].fourcc;
	pixels->field = V4L2_FIELD_ANY;
	*ret_error = request(camera->fd, VIDIOC_S_FMT, &format);
	if (*ret_error)
		return false;
	camera->format = NULL;
	for (size_t i = 0; i < format_count; i++)
		if (formats[i].fourcc == pixels->pixelformat)
			camera->format = &formats[i];
	if (!camera->format || !pixels->width || !pixels->height ||
	    pixels->width > side_limit || pixels->height > side_limit)
		return false;
	camera->width = pixels->width;
	camera->height = pixels->height;
	camera->stride = 0;
	camera->needed = 0;
	if (camera->format->encoded)
		return true;
	width_bytes = camera->width * (camera->format->engine == ENGINE_PIXELS_YUYV ? 2u : 1u);
	camera->stride = pixels->bytesperline ? pixels->bytesperline : width_bytes;
	rows = camera->height;
	if (camera->format->engine == ENGINE_PIXELS_NV12)
		rows += (rows + 1) / 2;
	return camera->stride >= width_bytes &&
	       !__builtin_mul_overflow(camera->stride, rows, &camera->needed);
}

static int map_buffers(struct v4l2 *camera)
{
	struct v4l2_requestbuffers wanted = {
		.count = buffer_count,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_MMAP,
	};
	int r = request(camera->fd, VIDIOC_REQBUFS, &wanted);

	if (r)
		return r;
	if (wanted.count < 2)
		return -ENOMEM;
	if (wanted.count > buffer_count)
		wanted.count = buffer_count;
	for (uint32_t i = 0; i < wanted.count; i++) {
		struct v4l2_buffer buffer = {
			.index = i,
			.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
			.memory = V4L2_MEMORY_MMAP,
		};
		void *start;

		r = request(camera->fd, VIDIOC_QUERYBUF, &buffer);
		if (r)
			return r;
		start = mmap(NULL, buffer.length, PROT_READ, MAP_SHARED, camera->fd,
			     (off_t)buffer.m.offset);
		if (start == MAP_FAILED)
			return -errno;
		camera->buffers[i].start = start;
		camera->buffers[i].length = buffer.length;
		camera->mapped++;
		r = request(camera->fd, VIDIOC_QBUF, &buffer);
		if (r)
			return r;
	}
	return 0;
}

static void unmap_buffers(struct v4l2 *camera)
{
	struct v4l2_requestbuffers none = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP,
	};

	for (unsigned i = 0; i < camera->mapped; i++)
		munmap(camera->buffers[i].start, camera->buffers[i].length);
	camera->mapped = 0;
	request(camera->fd, VIDIOC_REQBUFS, &none);
}

static int stream(struct v4l2 *camera, struct wish *wish)
{
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	int r = -EINVAL;

	for (size_t i = 0; i < wish->count; i++) {
		if (!set_mode(camera, &wish->candidates[i], &r)) {
			if (r == -EBUSY || r == -ENODEV)
				return r;
			continue;
		}
		r = map_buffers(camera);
		if (!r)
			r = request(camera->fd, VIDIOC_STREAMON, &type);
		if (!r)
			return 0;
		unmap_buffers(camera);
		if (r == -EBUSY || r == -ENODEV || r == -ENOMEM)
			return r;
	}
	return r ? r : -EINVAL;
}

struct v4l2 *v4l2_stop(struct v4l2 *camera)
{
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;

	if (!camera)
		return NULL;
	if (camera->fd >= 0) {
		if (camera->mapped)
			request(camera->fd, VIDIOC_STREAMOFF, &type);
		unmap_buffers(camera);
		close(camera->fd);
	}
	free(camera);
	return NULL;
}

/* Says in a sentence why `path` cannot be used. */
static int refuse(int r, const char *path, const char *card, unsigned other_formats,
		  struct source_error *error)
{
	const char *name = card && *card ? card : path;

	switch (r) {
	case -ENOMEM:
		return r;
	case -EBUSY:
		return source_fail(error, SOURCE_BUSY,
				   "The camera %s is in use by another program. Close that program.",
				   name);
	case -ENODEV:
	case -ENXIO:
	case -ENOENT:
		return source_fail(error, SOURCE_ABSENT,
				   "There is no camera at %s. Plug it in and try again.", path);
	case -EACCES:
	case -EPERM:
		return source_fail(error, SOURCE_REFUSED,
				   "The camera %s may not be opened. Add your user to the group video.",
				   name);
	case -EINVAL:
		return source_fail(error, SOURCE_REFUSED,
				   "The camera %s offers no picture format that Descry can read%s.",
				   name, other_formats ? "; use a command as the source instead" : "");
	default:
		return source_fail(error, SOURCE_REFUSED, "The camera %s does not start: %s.", name,
				   strerror(-r));
	}
}

/* With `part`, only a camera with that in its name. -ENOTTY: not a camera. */
static int try_device(const char *path, const char *part, const struct source_settings *settings,
		      struct v4l2 **ret_camera, struct source_error *error)
{
	struct v4l2_capability capability;
	struct v4l2 *camera = calloc(1, sizeof(*camera));
	struct wish *wish = calloc(1, sizeof(*wish));
	unsigned unknown = 0;
	char fourcc[5];
	int r = -ENOMEM;

	if (!camera || !wish)
		goto out;
	camera->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (camera->fd < 0) {
		r = refuse(-errno, path, NULL, 0, error);
		goto out;
	}
	if (!captures(camera->fd, &capability) ||
	    (part && !strcasestr((char *)capability.card, part))) {
		r = -ENOTTY;
		goto out;
	}
	wish->settings = settings;
	unknown = each_mode(camera->fd, settings->width, settings->height, add_candidate, wish);
	qsort(wish->candidates, wish->count, sizeof(wish->candidates[0]), compare_candidates);
	r = stream(camera, wish);
	if (r) {
		r = refuse(r, path, (char *)capability.card, unknown, error);
		goto out;
	}
	name_fourcc(camera->format->fourcc, fourcc);
	snprintf(camera->description, sizeof(camera->description), "%s (%s), %s %ux%u",
		 (char *)capability.card, path, fourcc, camera->width, camera->height);
	*ret_camera = camera;
	camera = NULL; /* handed over */
out:
	free(wish);
	v4l2_stop(camera);
	return r;
}

int v4l2_start(const struct source_settings *settings, struct v4l2 **ret_camera,
	       struct source_error *error)
{
	const char *device = settings->device && *settings->device ? settings->device : "auto";
	bool any = !strcmp(device, "auto");
	struct source_error first = { 0 };
	int r;

	if (*device == '/') {
		r = try_device(device, NULL, settings, ret_camera, error);
		if (r == -ENOTTY)
			r = source_fail(error, SOURCE_REFUSED,
					"%s is not a camera. The command descry devices lists them.",
					device);
		return r;
	}
	for (unsigned i = 0; i < device_count; i++) {
		struct source_error here = { 0 };
		char path[32];

		snprintf(path, sizeof(path), "/dev/video%u", i);
		r = try_device(path, any ? NULL : device, settings, ret_camera, &here);
		if (r == 0 || r == -ENOMEM)
			return r;
		/* a camera that is there but fails says more than an absent one */
		if (r > 0 && r != SOURCE_ABSENT && !first.status)
			first = here;
	}
	if (first.status) {
		if (error)
			*error = first;
		return (int)first.status;
	}
	if (any)
		return source_fail(error, SOURCE_ABSENT,
				   "No camera is connected. Plug one in and try again.");
	return source_fail(error, SOURCE_ABSENT,
			   "No camera named %s is connected. Plug it in and try again.", device);
}

int v4l2_fd(const struct v4l2 *camera)
{
	return camera->fd;
}

const char *v4l2_description(const struct v4l2 *camera)
{
	return camera->description;
}

/* --- frames --------------------------------------------------------------- */

int v4l2_requeue(struct v4l2 *camera)
{
	if (!camera->taken)
		return 0;
	camera->taken = false;
	return request(camera->fd, VIDIOC_QBUF, &camera->buffer);
}

int v4l2_next(struct v4l2 *camera, struct frame *ret_frame, struct source_error *error)
{
	struct v4l2_buffer *buffer = &camera->buffer;
	uint32_t clock;
	int r;

	v4l2_requeue(camera);
	memset(buffer, 0, sizeof(*buffer));
	buffer->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	buffer->memory = V4L2_MEMORY_MMAP;
	r = request(camera->fd, VIDIOC_DQBUF, buffer);
	if (r == -EAGAIN || r == -EIO)
		return r;
	if (r)
		return source_fail(error, SOURCE_LOST, "The camera was unplugged.");
	camera->taken = true;
	if (buffer->index >= camera->mapped ||
	    buffer->bytesused > camera->buffers[buffer->index].length)
		return source_fail(error, SOURCE_LOST, "The camera's driver gave a wrong buffer.");
	if (buffer->flags & V4L2_BUF_FLAG_ERROR || !buffer->bytesused ||
	    buffer->bytesused < camera->needed) {
		v4l2_requeue(camera);
		return -EIO;
	}
	clock = buffer->flags & V4L2_BUF_FLAG_TIMESTAMP_MASK;
	*ret_frame = (struct frame){
		.encoded = camera->format->encoded,
		.format = camera->format->engine,
		.width = camera->width,
		.height = camera->height,
		.stride = camera->stride,
		.data = camera->buffers[buffer->index].start,
		.size = buffer->bytesused,
		.taken_us = clock == V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC ?
				    (uint64_t)buffer->timestamp.tv_sec * 1000000 +
					    (uint64_t)buffer->timestamp.tv_usec :
				    frame_clock(),
	};
	return 0;
}
