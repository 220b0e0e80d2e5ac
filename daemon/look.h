/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * look.h: the cameras of the configuration, and looking through one: a picture
 * taken after the request, handed to the queue of jobs.
 *
 * Without a [camera] section there is one camera, "webcam": the first that works.
 */
#ifndef DAEMON_LOOK_H
#define DAEMON_LOOK_H

#include <stdint.h>

#include "daemon/config.h"
#include "daemon/failure.h"
#include "daemon/job.h"
#include "daemon/loop.h"
#include "daemon/source.h"

struct look;

struct look_options {
	/* A picture was taken for a request. */
	void (*on_taken)(void *data);
	/* a camera went away or came back between two pictures */
	void (*on_notice)(void *data, const char *sentence);
	/* A picture arrived in a folder that announces; the request is to be spoken. */
	void (*on_arrival)(void *data, const struct frame *frame, const char *camera);
	void *data;
};

/* Borrows `jobs`. A camera whose section is wrong is logged and left out. */
int look_open(struct loop *loop, struct jobs *jobs, const struct config *config,
	      const struct look_options *options, struct look **ret_look);
struct look *look_free(struct look *look);
/* Replaces the cameras; requests that wait for a picture fail. */
int look_configure(struct look *look, const struct config *config);

/* Closes all cameras until they are wanted; requests that wait for a picture fail. */
void look_rest(struct look *look, const char *why);

/* The camera of that name; NULL or "": the default. Sets the failure otherwise. */
struct source *look_camera(struct look *look, const char *name, struct failure *failure);
/* All of them: the `i`th, or NULL. */
struct source *look_camera_at(struct look *look, unsigned i);

/* Submits `job` with a picture that `camera` takes at `since_us` or later; sets
 * its source and picture. A request for the same camera joins one that has not
 * been answered. */
int look_request(struct look *look, const char *camera, uint64_t since_us,
		 struct job_request *job, uint64_t *ret_ticket, struct failure *failure);
/* A press of a key: the default camera opens in case it is wanted. */
void look_prepare(struct look *look);

/* What stopped a source, as a failure. */
void look_failure(const struct source_error *error, struct failure *failure);
/* The options with which the worker reads the frame; a new reference, NULL for
 * an encoded one or without memory. */
json_t *look_layout(const struct frame *frame);

#endif
