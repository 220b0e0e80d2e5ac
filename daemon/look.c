/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * look.c: see look.h. Each ticket that waits for a picture has a taking: the
 * request to the source on one side, the ticket on the other. If the job has got
 * its picture from another ticket's taking, or has been cancelled, the queue
 * ignores what comes.
 */
#include "daemon/look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"

struct taking {
	struct look *look;
	struct taking *next;
	struct source_request *request;
	uint64_t ticket;
};

struct look {
	struct loop *loop;
	struct jobs *jobs;
	struct look_options options;
	const struct config *config;
	struct source *sources[CONFIG_CAMERAS];
	unsigned source_count;
	struct taking *takings;
};

json_t *look_layout(const struct frame *frame)
{
	if (frame->encoded)
		return NULL;
	return json_pack("{s:{s:i, s:i, s:i, s:I}}", "raw", "format", (int)frame->format, "width",
			 (int)frame->width, "height", (int)frame->height, "stride",
			 (json_int_t)frame->stride);
}

void look_failure(const struct source_error *error, struct failure *failure)
{
	static const enum failure_kind kinds[] = {
		[SOURCE_OK] = FAILURE_FAILED,
		[SOURCE_ABSENT] = FAILURE_NO_CAMERA,
		[SOURCE_BUSY] = FAILURE_NO_CAMERA,
		[SOURCE_LOST] = FAILURE_NO_CAMERA,
		[SOURCE_SILENT] = FAILURE_TIMEOUT,
		[SOURCE_DAMAGED] = FAILURE_BAD_IMAGE,
		[SOURCE_REFUSED] = FAILURE_NO_CAMERA,
	};

	failure_set(failure, kinds[error->status], "%s", error->message);
}

/* --- cameras -------------------------------------------------------------- */

static void arrived(void *data, const struct frame *frame, const char *name)
{
	struct look *look = data;

	look->options.on_arrival(look->options.data, frame, name);
}

static void noticed(void *data, const char *sentence)
{
	struct look *look = data;

	look->options.on_notice(look->options.data, sentence);
}

static void add_camera(struct look *look, const struct config_camera *camera)
{
	const struct source_settings settings = {
		.name = camera->name, .kind = (enum source_kind)camera->kind,
		.device = camera->device, .format = (enum source_format)camera->format,
		.width = camera->width, .height = camera->height, .command = camera->command,
		.shell = camera->shell, .folder = camera->folder, .url = camera->url,
		.files = camera->files, .warm_ms = camera->warm * 1000,
		.settle_frames = camera->settle, .open_ms = camera->open_timeout * 1000,
		.stall_ms = camera->stall_timeout * 1000,
		.picture_limit = (size_t)camera->limit << 20,
	};
	struct source_error error = { SOURCE_REFUSED, "Out of memory for a camera." };
	struct source *source;

	if (source_open(look->loop, &settings, &source, &error)) {
		log_error("%s", error.message);
		return;
	}
	source_on_notice(source, noticed, look);
	if (settings.kind == SOURCE_FOLDER && camera->announce &&
	    source_on_arrival(source, arrived, look, &error))
		log_error("%s", error.message);
	look->sources[look->source_count++] = source;
}

static void close_cameras(struct look *look)
{
	struct failure failure;

	failure_set(&failure, FAILURE_CANCELLED, "The cameras were configured anew.");
	while (look->takings) {
		struct taking *taking = look->takings;

		look->takings = taking->next;
		source_cancel(taking->request);
		if (look->jobs)
			jobs_fail(look->jobs, taking->ticket, &failure);
		free(taking);
	}
	while (look->source_count)
		source_free(look->sources[--look->source_count]);
}

void look_rest(struct look *look, const char *why)
{
	for (unsigned i = 0; i < look->source_count; i++)
		source_rest(look->sources[i], why);
}

int look_configure(struct look *look, const struct config *config)
{
	static const struct config_camera webcam = {
		.name = (char *)"webcam", .kind = SOURCE_V4L2, .device = (char *)"auto",
		.width = 1280, .height = 720, .warm = 10, .settle = 30, .open_timeout = 8,
		.stall_timeout = 3, .limit = 16,
	};

	close_cameras(look);
	look->config = config;
	for (unsigned i = 0; i < config->camera_count; i++)
		add_camera(look, &config->cameras[i]);
	if (!config->camera_count)
		add_camera(look, &webcam);
	return 0;
}

int look_open(struct loop *loop, struct jobs *jobs, const struct config *config,
	      const struct look_options *options, struct look **ret_look)
{
	struct look *look = calloc(1, sizeof(*look));

	if (!look)
		return -ENOMEM;
	look->loop = loop;
	look->jobs = jobs;
	look->options = *options;
	look_configure(look, config);
	*ret_look = look;
	return 0;
}

struct look *look_free(struct look *look)
{
	if (!look)
		return NULL;
	look->jobs = NULL;
	close_cameras(look);
	free(look);
	return NULL;
}

struct source *look_camera_at(struct look *look, unsigned i)
{
	return i < look->source_count ? look->sources[i] : NULL;
}

struct source *look_camera(struct look *look, const char *name, struct failure *failure)
{
	if (!name || !*name)
		name = look->config->look_camera;
	if (!name && look->source_count)
		return look->sources[0];
	for (unsigned i = 0; name && i < look->source_count; i++)
		if (!strcmp(source_settings(look->sources[i])->name, name))
			return look->sources[i];
	if (name)
		failure_set(failure, FAILURE_NO_CAMERA,
			    "No camera is configured under the name %.60s.", name);
	else
		failure_set(failure, FAILURE_NO_CAMERA,
			    "No camera is configured that can be used; the log says why.");
	return NULL;
}

void look_prepare(struct look *look)
{
	struct failure failure;
	struct source *source = look_camera(look, NULL, &failure);

	if (source)
		source_prepare(source);
}

/* --- requests ------------------------------------------------------------- */

static void forget(struct taking *taking)
{
	for (struct taking **t = &taking->look->takings; *t; t = &(*t)->next) {
		if (*t == taking) {
			*t = taking->next;
			break;
		}
	}
	free(taking);
}

static void provide(struct look *look, uint64_t ticket, const struct frame *frame)
{
	struct failure failure;
	json_t *layout;
	int fd, r;

	if (!jobs_wants_picture(look->jobs, ticket))
		return;
	look->options.on_taken(look->options.data);
	r = frame_to_memfd(frame, &fd);
	if (r) {
		failure_set(&failure, FAILURE_FAILED, "The picture cannot be stored: %s.",
			    strerror(-r));
		jobs_fail(look->jobs, ticket, &failure);
		return;
	}
	layout = look_layout(frame);
	jobs_provide(look->jobs, ticket, fd, layout);
	json_decref(layout);
}

static void taken(void *data, const struct frame *frame, const struct source_error *error)
{
	struct taking *taking = data;
	struct look *look = taking->look;
	uint64_t ticket = taking->ticket;
	struct failure failure;

	forget(taking);
	if (frame) {
		provide(look, ticket, frame);
		return;
	}
	look_failure(error, &failure);
	jobs_fail(look->jobs, ticket, &failure);
}

int look_request(struct look *look, const char *camera, uint64_t since_us,
		 struct job_request *job, uint64_t *ret_ticket, struct failure *failure)
{
	struct source *source = look_camera(look, camera, failure);
	struct taking *taking;
	char label[128];
	int r;

	if (!source)
		return 1;
	taking = calloc(1, sizeof(*taking));
	if (!taking)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	snprintf(label, sizeof(label), "camera:%.100s", source_settings(source)->name);
	job->source = label;
	job->picture = -1;
	r = jobs_submit(look->jobs, job, ret_ticket, failure);
	job->source = NULL;
	if (r || !jobs_wants_picture(look->jobs, *ret_ticket)) {
		free(taking);
		return r;
	}
	taking->look = look;
	taking->ticket = *ret_ticket;
	if (source_take(source, since_us, taken, taking, &taking->request)) {
		free(taking);
		failure_set(failure, FAILURE_BUSY, "Too many requests wait for the camera.");
		jobs_fail(look->jobs, *ret_ticket, failure);
		return 0;	/* the job's function tells the caller */
	}
	taking->next = look->takings;
	look->takings = taking;
	return 0;
}
