/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * source.c: the life of a source, the same for every driver.
 *
 * A source is closed, pending (a request waits until it may be opened), open, or held
 * (open but idle). It has a list of requests and one timer, whose meaning
 * follows from the state: the back-off, the time-out of the oldest request, or
 * the end of the warm time. A camera that goes away while it is held is told of and
 * looked for until the warm time ends. Closing happens only from that timer, from a
 * failure or from a new request, never while a frame is being delivered, so no
 * driver is pulled down under its own feet.
 *
 * The exposure has settled when the mean brightness of three frames in a row
 * lies within two grey levels of its predecessor's; after `settle_frames` frames
 * the next one counts whatever its brightness. A frame that counts is decoded
 * small once, so a damaged one is dropped here, and a camera that sends only
 * damaged ones is reported as that.
 */
#include "daemon/source.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/source_driver.h"

enum {
	settle_width = 32,
	settle_height = 24,
	settle_run = 2,			/* quiet steps in a row */
	backoff_first_ms = 250,
	backoff_limit_ms = 2000,
	request_limit = 64,
};
static const double settle_step = 2.0;	/* grey levels of 255 */

enum state {
	CLOSED,
	PENDING,	/* a request waits for the next attempt to open */
	OPEN,		/* requests wait for frames, or it is being warmed up */
	HELD,		/* open, nobody needs frames */
};

struct source_request {
	struct source *source;
	struct source_request *next;
	uint64_t number;
	uint64_t since_us;
	uint64_t deadline_ms;
	source_taken_function *function;
	void *data;
};

struct source {
	struct loop *loop;
	const struct source_driver *driver;
	void *driver_state;
	struct source_settings settings;
	char *strings[6];
	struct loop_source *timer;
	enum state state;
	bool keep, delivered, settled, listening, still;
	bool lost;	/* told of, and looked for */
	struct source_error loss;	/* not told yet: whoever keeps it asks in a moment */
	unsigned seen, quiet, damaged, failures;
	double brightness;
	uint64_t warm_until_ms, retry_at_ms;
	struct source_request *requests;
	size_t request_count;
	uint64_t next_number;
	source_arrived_function *arrived;
	void *arrived_data;
	source_notice_function *notice;
	void *notice_data;
};

int source_fail(struct source_error *error, enum source_status status, const char *format, ...)
{
	va_list arguments;

	if (!error)
		return (int)status;
	error->status = status;
	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	return (int)status;
}

static const struct source_driver *find_driver(enum source_kind kind)
{
	switch (kind) {
	case SOURCE_V4L2:
		return &source_v4l2_driver;
	case SOURCE_COMMAND:
		return &source_command_driver;
	case SOURCE_FOLDER:
		return &source_folder_driver;
	case SOURCE_HTTP:
		return &source_http_driver;
	case SOURCE_FILES:
		return &source_files_driver;
	}
	return NULL;
}

const char *source_kind_name(enum source_kind kind)
{
	static const char *const names[] = { "v4l2", "command", "folder", "http", "files" };

	return names[kind];
}

const struct source_settings *source_settings(const struct source *source)
{
	return &source->settings;
}

struct loop *source_loop(struct source *source)
{
	return source->loop;
}

const char *source_state(const struct source *source)
{
	if (source->state == CLOSED)
		return "closed";
	if (source->state == HELD)
		return "warm";
	return source->delivered ? "running" : "opening";
}

/* --- the timer ------------------------------------------------------------ */

static uint64_t oldest_deadline(const struct source *source)
{
	uint64_t deadline = UINT64_MAX;

	for (const struct source_request *r = source->requests; r; r = r->next)
		if (r->deadline_ms < deadline)
			deadline = r->deadline_ms;
	return deadline;
}

static void arm(struct source *source)
{
	uint64_t at = UINT64_MAX, now = loop_now();

	switch (source->state) {
	case CLOSED:
		break;
	case PENDING:
		at = source->retry_at_ms;
		break;
	case OPEN:
	case HELD:
		at = source->requests ? oldest_deadline(source) :
		     source->keep     ? UINT64_MAX :
					source->warm_until_ms;
		break;
	}
	if (at == UINT64_MAX)
		loop_stop_timer(source->timer);
	else
		loop_start_timer(source->timer, at > now ? at - now : 0, 0);
}

/* --- opening and closing -------------------------------------------------- */

static void shut(struct source *source)
{
	if (source->state == OPEN || source->state == HELD)
		source->driver->close(source->driver_state);
	source->state = CLOSED;
}

/* The first request that was made before `number` and may have a frame of that
 * time. */
static struct source_request *find_request(const struct source *source, uint64_t number,
					   uint64_t taken_us)
{
	struct source_request *request = source->requests;

	/* whoever frees a request unlinks it first, and the list is searched anew */
	// NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
	while (request && (request->number >= number || request->since_us > taken_us))
		request = request->next;
	return request;
}

/* Answers those that wait now. A function may take the next picture at once or
 * cancel another request, so the list is searched anew each time. */
static void answer(struct source *source, const struct frame *frame,
		   const struct source_error *error)
{
	const uint64_t number = source->next_number;
	const uint64_t taken_us = frame ? frame->taken_us : UINT64_MAX;
	struct source_request *request;

	while ((request = find_request(source, number, taken_us))) {
		source_taken_function *function = request->function;
		void *data = request->data;

		source_cancel(request);
		function(data, frame, error);
	}
}

/* After a failure that no request was told of: a camera that was held is missed. */
static void miss(struct source *source, const struct source_error *error)
{
	if (!source->lost && error->status != SOURCE_LOST)
		return;
	if (source->keep) {
		source->loss = *error;
		return;
	}
	if (!source->lost && source->notice)
		source->notice(source->notice_data, error->message);
	source->lost = source->warm_until_ms > loop_now();
	if (source->lost && source->state == CLOSED)
		source->state = PENDING;
}

void source_failed(struct source *source, const struct source_error *error)
{
	bool awaited = source->requests != NULL;
	struct source_error copy =
		awaited && error->status == SOURCE_ABSENT && source->loss.status ? source->loss : *error;

	shut(source);
	if (source->failures < 16)
		source->failures++;
	if (awaited || !source->lost)
		log_info("camera %s: %s", source->settings.name, copy.message);
	if (source->driver->backs_off) {
		uint64_t delay = (uint64_t)backoff_first_ms << (source->failures - 1);

		source->retry_at_ms =
			loop_now() + (delay < backoff_limit_ms ? delay : backoff_limit_ms);
	}
	answer(source, NULL, &copy);
	if (awaited) {
		source->lost = false;
		source->loss.status = SOURCE_OK;
	} else {
		miss(source, &copy);
	}
	arm(source);
}

static void start(struct source *source)
{
	struct source_error error = { 0 };
	int r;

	if (source->driver->backs_off && loop_now() < source->retry_at_ms) {
		source->state = PENDING;
		return;
	}
	source->delivered = false;
	source->settled = !source->driver->settles || !source->settings.settle_frames;
	source->seen = source->quiet = source->damaged = 0;
	source->state = OPEN;
	r = source->driver->open(source->driver_state, &error);
	if (r < 0)
		source_fail(&error, SOURCE_ABSENT, "The camera %s cannot be opened: %s.",
			    source->settings.name, strerror(-r));
	if (r)
		source_failed(source, &error);
}

void source_ended(struct source *source)
{
	source->still = true;
	shut(source);
	if (source->requests)
		start(source);
	arm(source);
}

static void on_timer(void *data)
{
	struct source *source = data;
	uint64_t now = loop_now();

	if (source->state == PENDING) {
		start(source);
		arm(source);
		return;
	}
	if (source->requests && oldest_deadline(source) <= now) {
		struct source_error error;
		const char *name = source->settings.name;

		if (source->damaged)
			source_fail(&error, SOURCE_DAMAGED,
				    "The camera %s sends only damaged pictures.", name);
		else if (source->driver->waits)
			source_fail(&error, SOURCE_SILENT, "No new picture came from %s.", name);
		else if (source->delivered)
			source_fail(&error, SOURCE_SILENT,
				    "The camera %s stopped sending pictures.", name);
		else
			source_fail(&error, SOURCE_SILENT,
				    "The camera %s sent no picture in time.", name);
		source_failed(source, &error);
		return;
	}
	if (!source->requests && !source->keep && source->state != CLOSED &&
	    source->warm_until_ms <= now)
		shut(source);
	arm(source);
}

/* --- frames --------------------------------------------------------------- */

/* Whether the frame counts: whole, and taken with a settled exposure. */
static bool counts(struct source *source, const struct frame *frame)
{
	uint8_t grey[settle_width * settle_height];
	double brightness;
	bool quiet;

	if (frame_shrink(frame, settle_width, settle_height, grey)) {
		if (!source->damaged++)
			log_info("camera %s: a damaged picture was dropped", source->settings.name);
		return false;
	}
	if (source->settled)
		return true;
	brightness = frame_brightness(grey, sizeof(grey));
	quiet = source->seen && brightness - source->brightness <= settle_step &&
		source->brightness - brightness <= settle_step;
	source->quiet = quiet ? source->quiet + 1 : 0;
	source->brightness = brightness;
	source->seen++;
	if (source->quiet < settle_run && source->seen <= source->settings.settle_frames)
		return false;
	source->settled = true;
	log_debug("camera %s: settled after %u frames at brightness %.0f", source->settings.name,
		  source->seen, brightness);
	return true;
}

static bool wanted(const struct source *source, const struct frame *frame)
{
	return !source->settled || source->lost ||
	       find_request(source, UINT64_MAX, frame->taken_us);
}

static void rest(struct source *source)
{
	if (source->requests || source->state != OPEN || !source->settled)
		return;
	if (source->driver->hold) {
		source->driver->hold(source->driver_state);
		source->state = HELD;
	}
	arm(source);
}

void source_deliver(struct source *source, const struct frame *frame)
{
	if (source->state != OPEN)
		return;
	source->delivered = true;
	if (wanted(source, frame) && counts(source, frame)) {
		source->failures = 0;
		source->damaged = 0;
		source->warm_until_ms = loop_now() + source->settings.warm_ms;
		if (source->lost && !source->requests && source->notice)
			source->notice(source->notice_data, "The camera works again.");
		source->lost = false;
		source->loss.status = SOURCE_OK;
		answer(source, frame, NULL);
	}
	rest(source);
}

void source_arrived(struct source *source, const struct frame *frame, const char *name)
{
	if (source->arrived)
		source->arrived(source->arrived_data, frame, name);
	source_deliver(source, frame);
}

/* --- requests ------------------------------------------------------------- */

int source_take(struct source *source, uint64_t since_us, source_taken_function *function,
		void *data, struct source_request **ret_request)
{
	struct source_request *request, **end = &source->requests;
	bool running = source->state == HELD || (source->state == OPEN && source->delivered);

	if (source->request_count == request_limit)
		return -ENOMEM;
	request = calloc(1, sizeof(*request));
	if (!request)
		return -ENOMEM;
	request->source = source;
	request->number = source->next_number++;
	request->since_us = since_us;
	request->function = function;
	request->data = data;
	request->deadline_ms = loop_now() +
			       (running ? source->settings.stall_ms : source->settings.open_ms);
	while (*end)
		end = &(*end)->next;
	*end = request;
	source->request_count++;
	if (source->state == CLOSED) {
		/* from the timer, so that a failure is not reported from inside here */
		source->state = PENDING;
		if (!source->driver->backs_off || source->retry_at_ms < loop_now())
			source->retry_at_ms = loop_now();
	} else if (source->state == HELD) {
		source->state = OPEN;
		source->driver->resume(source->driver_state);
	}
	arm(source);
	if (ret_request)
		*ret_request = request;
	return 0;
}

struct source_request *source_cancel(struct source_request *request)
{
	struct source *source;

	if (!request)
		return NULL;
	source = request->source;
	for (struct source_request **r = &source->requests; *r; r = &(*r)->next) {
		if (*r == request) {
			*r = request->next;
			source->request_count--;
			break;
		}
	}
	free(request);
	if (!source->requests && source->state == PENDING) {
		source->state = CLOSED;
		source->lost = false;
	}
	return NULL;
}

void source_prepare(struct source *source)
{
	if (source->still || source->driver->waits)
		return;
	source->warm_until_ms = loop_now() + source->settings.warm_ms + source->settings.open_ms;
	if (source->state == CLOSED)
		start(source);
	arm(source);
}

void source_rest(struct source *source, const char *why)
{
	struct source_error error;

	source_fail(&error, SOURCE_LOST, "%s", why);
	shut(source);
	source->lost = false;
	source->loss.status = SOURCE_OK;
	source->failures = 0;
	source->retry_at_ms = 0;
	answer(source, NULL, &error);
	arm(source);
}

void source_keep(struct source *source, bool keep)
{
	source->keep = keep;
	if (!keep)
		source->warm_until_ms = loop_now() + source->settings.warm_ms;
	arm(source);
}

void source_on_notice(struct source *source, source_notice_function *function, void *data)
{
	source->notice = function;
	source->notice_data = data;
}

int source_on_arrival(struct source *source, source_arrived_function *function, void *data,
		      struct source_error *error)
{
	int r;

	if (!source->driver->listen)
		return -ENOTSUP;
	r = source->driver->listen(source->driver_state, function != NULL, error);
	if (r)
		return r;
	source->arrived = function;
	source->arrived_data = data;
	return 0;
}

/* --- life ----------------------------------------------------------------- */

static int copy_string(struct source *source, size_t i, const char **string)
{
	if (!*string)
		return 0;
	source->strings[i] = strdup(*string);
	*string = source->strings[i];
	return *string ? 0 : -ENOMEM;
}

int source_open(struct loop *loop, const struct source_settings *settings,
		struct source **ret_source, struct source_error *error)
{
	struct source *source = calloc(1, sizeof(*source));
	int r;

	if (!source)
		return -ENOMEM;
	source->loop = loop;
	source->settings = *settings;
	source->driver = find_driver(settings->kind);
	if ((r = copy_string(source, 0, &source->settings.name)) ||
	    (r = copy_string(source, 1, &source->settings.device)) ||
	    (r = copy_string(source, 2, &source->settings.command)) ||
	    (r = copy_string(source, 3, &source->settings.folder)) ||
	    (r = copy_string(source, 4, &source->settings.url)) ||
	    (r = copy_string(source, 5, &source->settings.files)) ||
	    (r = loop_add_timer(loop, on_timer, source, &source->timer)) ||
	    (r = source->driver->create(source, &source->settings, &source->driver_state, error))) {
		source_free(source);
		return r;
	}
	*ret_source = source;
	return 0;
}

struct source *source_free(struct source *source)
{
	if (!source)
		return NULL;
	while (source->requests)
		source_cancel(source->requests);
	if (source->driver_state) {
		shut(source);
		source->driver->destroy(source->driver_state);
	}
	loop_source_free(source->timer);
	for (size_t i = 0; i < sizeof(source->strings) / sizeof(source->strings[0]); i++)
		free(source->strings[i]);
	free(source);
	return NULL;
}
