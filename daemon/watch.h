/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * watch.h: watching a camera and telling what changes.
 *
 * While it is on, a glance is taken every so often and judged by scene.h. A
 * caption is asked for only when the view has come to rest and differs from the
 * one described last (or moves on and on), and spoken only when it means
 * something else than what was spoken last. While it is off, nothing runs.
 *
 * All processor time that the daemon and its worker use meanwhile is counted
 * against the configured duty; when that is used up, the next glance waits.
 */
#ifndef DAEMON_WATCH_H
#define DAEMON_WATCH_H

#include <jansson.h>
#include <stdbool.h>

#include "daemon/config.h"
#include "daemon/failure.h"
#include "daemon/job.h"
#include "daemon/look.h"
#include "daemon/loop.h"
#include "daemon/speech.h"

struct watch;

struct watch_options {
	struct loop *loop;
	struct look *look;
	struct jobs *jobs;
	struct speech *speech;
	/* The options of a caption's job; a new reference. */
	json_t *(*job_options)(void *data);
	/* It went on or off. */
	void (*on_changed)(void *data, bool watching);
	void *data;
};

int watch_open(const struct watch_options *options, const struct config *config,
	       struct watch **ret_watch);
struct watch *watch_free(struct watch *watch);
/* Around a change of the configuration, with which the cameras become others, and a
 * sleep of the machine: lets go of its camera, and goes on with the settings given. */
void watch_pause(struct watch *watch);
void watch_configure(struct watch *watch, const struct config *config);

/* `camera` NULL: the configured one; `pause` seconds between sentences, 0: as
 * configured. Started anew when it is on already. */
int watch_start(struct watch *watch, const char *camera, unsigned pause, struct failure *failure);
void watch_stop(struct watch *watch);
bool watch_on(const struct watch *watch);

/* Somebody asked for a description: the one at work for us is withdrawn. */
void watch_yield(struct watch *watch);

/* For Status: camera, glances, captions, sentences, seconds, duty used (per cent
 * of one core), covered, moving. A new reference. */
json_t *watch_status(const struct watch *watch);

#endif
