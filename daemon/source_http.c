/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * source_http.c: a network camera that answers with one JPEG or with a stream of
 * them (multipart/x-mixed-replace), by libcurl's multi interface on the loop.
 *
 * Exists only where the configuration names an address. Nothing else is ever
 * contacted: redirects are refused, proxies and .netrc are ignored, only http
 * and https are spoken. The parts' headers are not read: the pictures' own
 * markers say where each begins and ends.
 *
 * libcurl forbids taking a transfer down inside its callbacks. The core closes
 * a driver only from a timer or after source_failed() and source_ended(), which
 * are called here when libcurl has returned.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

#include "daemon/curl_library.h"
#include "daemon/log.h"
#include "daemon/mjpeg.h"
#include "daemon/source_driver.h"

enum { socket_limit = 8, connect_ms = 5000 };

struct driver {
	struct source *source;
	const struct source_settings *settings;
	const struct curl_library *curl;
	CURLM *multi;
	CURL *transfer;
	struct loop_source *timer;
	struct http_socket {
		struct driver *driver;
		curl_socket_t socket;
		struct loop_source *source;	/* NULL: the place is free */
	} sockets[socket_limit];
	struct mjpeg *mjpeg;
	bool checked;		/* the answer's status and type are right */
	unsigned delivered;
	struct source_error refusal;
};

static void take_picture(const void *data, size_t size, uint64_t started_us, void *user)
{
	struct driver *driver = user;
	struct frame frame = {
		.encoded = true, .data = data, .size = size, .taken_us = started_us,
	};

	driver->delivered++;
	source_deliver(driver->source, &frame);
}

/* Whether this answer can hold pictures; otherwise `refusal` says why not. */
static bool check_answer(struct driver *driver)
{
	const char *name = driver->settings->name;
	const char *type = NULL;
	long status = 0;

	driver->curl->easy_getinfo(driver->transfer, CURLINFO_RESPONSE_CODE, &status);
	driver->curl->easy_getinfo(driver->transfer, CURLINFO_CONTENT_TYPE, &type);
	if (status >= 300 && status < 400)
		source_fail(&driver->refusal, SOURCE_REFUSED,
			    "The camera %s answers with a redirect, which is not followed. "
			    "Set the key url to the address itself.", name);
	else if (status == 401 || status == 403)
		source_fail(&driver->refusal, SOURCE_REFUSED,
			    "The camera %s wants a user name and password, or refuses them.",
			    name);
	else if (status != 200)
		source_fail(&driver->refusal, SOURCE_REFUSED,
			    "The camera %s answers with HTTP status %ld.", name, status);
	else if (!type || (strncasecmp(type, "multipart/x-mixed-replace", 25) &&
			   strncasecmp(type, "image/jpeg", 10)))
		source_fail(&driver->refusal, SOURCE_REFUSED,
			    "The camera %s sends %.60s instead of pictures.", name,
			    type ? type : "something unnamed");
	else
		return true;
	return false;
}

static size_t take_bytes(char *bytes, size_t one, size_t size, void *data)
{
	struct driver *driver = data;

	(void)one;
	if (!driver->checked && !(driver->checked = check_answer(driver)))
		return 0;
	mjpeg_feed(driver->mjpeg, bytes, size, frame_clock(), take_picture, driver);
	if (mjpeg_counts(driver->mjpeg).too_large) {
		source_fail(&driver->refusal, SOURCE_DAMAGED,
			    "The camera %s sends pictures over the limit of %zu bytes.",
			    driver->settings->name, driver->settings->picture_limit);
		return 0;
	}
	return size;
}

/* --- libcurl on the loop -------------------------------------------------- */

static void end_transfer(struct driver *driver, CURLcode result)
{
	struct source_error error;

	if (driver->refusal.status) {
		error = driver->refusal;
	} else if (result == CURLE_OK && driver->delivered) {
		source_ended(driver->source);
		return;
	} else if (result == CURLE_OK && !driver->checked && !check_answer(driver)) {
		error = driver->refusal;
	} else if (result == CURLE_OK) {
		source_fail(&error, SOURCE_SILENT, "The camera %s answered without a picture.",
			    driver->settings->name);
	} else if (driver->delivered) {
		source_fail(&error, SOURCE_LOST, "The connection to the camera %s broke off.",
			    driver->settings->name);
	} else {
		source_fail(&error, SOURCE_ABSENT, "The camera %s cannot be reached: %s.",
			    driver->settings->name, driver->curl->easy_strerror(result));
	}
	source_failed(driver->source, &error);
}

static void run(struct driver *driver, curl_socket_t socket, int events)
{
	CURLMsg *message;
	int running, waiting;

	driver->curl->multi_socket_action(driver->multi, socket, events, &running);
	while ((message = driver->curl->multi_info_read(driver->multi, &waiting))) {
		if (message->msg == CURLMSG_DONE) {
			end_transfer(driver, message->data.result);
			return;
		}
	}
}

static void take_socket(void *data, uint32_t events)
{
	struct http_socket *socket = data;
	int flags = 0;

	if (events & (EPOLLERR | EPOLLHUP))
		flags |= CURL_CSELECT_ERR;
	if (events & EPOLLIN)
		flags |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		flags |= CURL_CSELECT_OUT;
	run(socket->driver, socket->socket, flags);
}

static void take_timer(void *data)
{
	run(data, CURL_SOCKET_TIMEOUT, 0);
}

static int watch_socket(CURL *transfer, curl_socket_t socket, int what, void *data, void *slot)
{
	struct driver *driver = data;
	size_t i = 0, unused = socket_limit;
	uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) |
			  (what & CURL_POLL_OUT ? EPOLLOUT : 0u);

	(void)transfer;
	(void)slot;
	for (; i < socket_limit; i++) {
		if (driver->sockets[i].source && driver->sockets[i].socket == socket)
			break;
		if (!driver->sockets[i].source)
			unused = i;
	}
	if (what == CURL_POLL_REMOVE) {
		if (i < socket_limit)
			driver->sockets[i].source = loop_source_free(driver->sockets[i].source);
		return 0;
	}
	if (i < socket_limit)
		return loop_set_events(driver->sockets[i].source, events) ? -1 : 0;
	if (unused == socket_limit)
		return -1;
	driver->sockets[unused].driver = driver;
	driver->sockets[unused].socket = socket;
	return loop_add_fd(source_loop(driver->source), socket, events, take_socket,
			   &driver->sockets[unused], &driver->sockets[unused].source) ? -1 : 0;
}

static int set_timer(CURLM *multi, long delay_ms, void *data)
{
	struct driver *driver = data;

	(void)multi;
	if (delay_ms < 0)
		loop_stop_timer(driver->timer);
	else
		loop_start_timer(driver->timer, (uint64_t)delay_ms, 0);
	return 0;
}

/* --- life ----------------------------------------------------------------- */

static void close_transfer(void *state)
{
	struct driver *driver = state;

	if (driver->transfer) {
		driver->curl->multi_remove_handle(driver->multi, driver->transfer);
		driver->curl->easy_cleanup(driver->transfer);
		driver->transfer = NULL;
	}
	for (size_t i = 0; i < socket_limit; i++)
		driver->sockets[i].source = loop_source_free(driver->sockets[i].source);
	loop_stop_timer(driver->timer);
}

static int open_transfer(void *state, struct source_error *error)
{
	struct driver *driver = state;
	CURL *transfer = driver->curl->easy_init();

	(void)error;
	if (!transfer)
		return -ENOMEM;
	driver->transfer = transfer;
	driver->checked = false;
	driver->delivered = 0;
	driver->refusal.status = SOURCE_OK;
	driver->mjpeg = mjpeg_free(driver->mjpeg);
	if (mjpeg_open(driver->settings->picture_limit, &driver->mjpeg) ||
	    driver->curl->easy_setopt(transfer, CURLOPT_URL, driver->settings->url) ||
	    driver->curl->easy_setopt(transfer, CURLOPT_PROTOCOLS_STR, "http,https") ||
	    driver->curl->easy_setopt(transfer, CURLOPT_FOLLOWLOCATION, 0L) ||
	    driver->curl->easy_setopt(transfer, CURLOPT_NOPROXY, "*") ||
	    driver->curl->easy_setopt(transfer, CURLOPT_NOSIGNAL, 1L) ||
	    driver->curl->easy_setopt(transfer, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms) ||
	    driver->curl->easy_setopt(transfer, CURLOPT_USERAGENT, "Descry/" DESCRY_VERSION) ||
	    driver->curl->easy_setopt(transfer, CURLOPT_WRITEFUNCTION, take_bytes) ||
	    driver->curl->easy_setopt(transfer, CURLOPT_WRITEDATA, driver) ||
	    driver->curl->multi_add_handle(driver->multi, transfer)) {
		close_transfer(driver);
		return -ENOMEM;
	}
	return 0;
}

static void *destroy(void *state)
{
	struct driver *driver = state;

	if (!driver)
		return NULL;
	if (driver->timer)
		close_transfer(driver);
	if (driver->multi)
		driver->curl->multi_cleanup(driver->multi);
	loop_source_free(driver->timer);
	mjpeg_free(driver->mjpeg);
	free(driver);
	return NULL;
}

static int create(struct source *source, const struct source_settings *settings,
		  void **ret_state, struct source_error *error)
{
	struct driver *driver;
	int r;

	if (!settings->url || (strncasecmp(settings->url, "http://", 7) &&
			       strncasecmp(settings->url, "https://", 8)))
		return source_fail(error, SOURCE_REFUSED,
				   "The camera %s needs an address that begins with http:// or "
				   "https:// in its key url.", settings->name);
	driver = calloc(1, sizeof(*driver));
	if (!driver)
		return -ENOMEM;
	driver->source = source;
	driver->settings = settings;
	driver->curl = curl_library_load();
	if (!driver->curl) {
		free(driver);
		return source_fail(error, SOURCE_REFUSED,
				   "The camera %s needs the library libcurl; install the package "
				   "libcurl4.", settings->name);
	}
	driver->multi = driver->curl->multi_init();
	r = driver->multi ? loop_add_timer(source_loop(source), take_timer, driver, &driver->timer)
			  : -ENOMEM;
	if (r) {
		destroy(driver);
		return r;
	}
	driver->curl->multi_setopt(driver->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	driver->curl->multi_setopt(driver->multi, CURLMOPT_SOCKETDATA, driver);
	driver->curl->multi_setopt(driver->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	driver->curl->multi_setopt(driver->multi, CURLMOPT_TIMERDATA, driver);
	*ret_state = driver;
	return 0;
}

const struct source_driver source_http_driver = {
	.create = create,
	.destroy = destroy,
	.open = open_transfer,
	.close = close_transfer,
	.backs_off = true,
};
