/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * screenshot.c: see screenshot.h.
 *
 * The portal writes a file for each picture and leaves it to the caller: it is
 * removed as soon as it is open. Under Wayland programs do not know where their
 * windows are, so an area can be cut out only under X11; the whole screen is the
 * honest answer otherwise, and the caller says so.
 */
#include "daemon/screenshot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <xcb/xcb.h>

#include "daemon/portal.h"

#define PORTAL_SCREENSHOT "org.freedesktop.portal.Screenshot"
#define PROBE_MS 2000		/* the portal may have to be started */
#define ANSWER_MS 20000		/* the user may be asked */
#define SELECTION_MS 3000
#define CLIPBOARD_MAX (64u << 20)

static uint64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- The portal ------------------------------------------------------------------- */

static bool portal_offered(DBusConnection *session)
{
	const char *interface = PORTAL_SCREENSHOT, *property = "version";
	DBusMessage *message = dbus_message_new_method_call(PORTAL_NAME, PORTAL_PATH,
							    DBUS_INTERFACE_PROPERTIES, "Get");
	DBusMessage *reply = NULL;

	if (message && dbus_message_append_args(message, DBUS_TYPE_STRING, &interface,
						DBUS_TYPE_STRING, &property, DBUS_TYPE_INVALID))
		reply = dbus_connection_send_with_reply_and_block(session, message, PROBE_MS, NULL);
	if (message)
		dbus_message_unref(message);
	if (!reply)
		return false;
	dbus_message_unref(reply);
	return true;
}

static DBusMessage *portal_request(void)
{
	DBusMessage *message = dbus_message_new_method_call(PORTAL_NAME, PORTAL_PATH,
							    PORTAL_SCREENSHOT, "Screenshot");
	const char *parent = "", *key = "interactive";
	dbus_bool_t no = FALSE;
	DBusMessageIter iter, options, entry, value;

	if (!message)
		return NULL;
	dbus_message_iter_init_append(message, &iter);
	dbus_message_iter_append_basic(&iter, DBUS_TYPE_STRING, &parent);
	dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &options);
	dbus_message_iter_open_container(&options, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key);
	dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "b", &value);
	dbus_message_iter_append_basic(&value, DBUS_TYPE_BOOLEAN, &no);
	dbus_message_iter_close_container(&entry, &value);
	dbus_message_iter_close_container(&options, &entry);
	dbus_message_iter_close_container(&iter, &options);
	return message;
}

/* The signal is the portal's own, for this request: the file that it names is
 * deleted, which another program must not be able to ask for. */
static bool answers(DBusMessage *signal, DBusMessage *reply)
{
	const char *request, *path = dbus_message_get_path(signal),
		*portal = dbus_message_get_sender(reply);

	return dbus_message_is_signal(signal, PORTAL_REQUEST, "Response") &&
		dbus_message_get_args(reply, NULL, DBUS_TYPE_OBJECT_PATH, &request,
				      DBUS_TYPE_INVALID) &&
		path && strcmp(path, request) == 0 &&
		portal && dbus_message_has_sender(signal, portal);
}

/* The answer comes as a signal from the request's object, possibly before the
 * call has returned the object's path: libdbus keeps it until then. */
static int portal_answer(DBusConnection *session, DBusMessage *reply, char *ret_uri, size_t size,
			 struct failure *failure)
{
	uint64_t limit = milliseconds() + ANSWER_MS;
	dbus_uint32_t code;

	for (;;) {
		uint64_t now = milliseconds();
		DBusMessage *message = dbus_connection_pop_message(session);
		bool ours;

		if (!message) {
			if (now >= limit ||
			    !dbus_connection_read_write(session, (int)(limit - now)))
				return failure_set(failure, FAILURE_TIMEOUT,
						   "The desktop did not answer the request for a "
						   "picture of the screen.");
			continue;
		}
		ours = answers(message, reply) &&
		       portal_read_response(message, "uri", &code, ret_uri, size);
		dbus_message_unref(message);
		if (!ours)
			continue;
		if (code == 0 && *ret_uri)
			return 0;
		return failure_set(failure, FAILURE_REFUSED,
				   "The desktop does not allow a picture of the screen.");
	}
}

/* file:///a%20b: "/a b", in place. */
static char *file_of_uri(char *uri)
{
	char *from = uri + strlen("file://"), *to;
	unsigned byte;

	if (strncmp(uri, "file:///", 8) != 0)
		return NULL;
	for (to = uri; *from; to++) {
		/* set when sscanf() returns 1 */
		// NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Branch)
		if (*from == '%' && sscanf(from, "%%%2x", &byte) == 1 && byte) {
			*to = (char)byte;
			from += 3;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
	return uri;
}

static int portal_take(DBusConnection *session, struct engine_image **ret_image,
		       struct failure *failure)
{
	struct engine_error error = { "" };
	DBusMessage *message, *reply;
	char uri[4096] = "", *path;
	int fd, r;

	dbus_bus_add_match(session, "type='signal',interface='" PORTAL_REQUEST "',"
				    "member='Response'", NULL);
	message = portal_request();
	reply = message ? dbus_connection_send_with_reply_and_block(session, message, ANSWER_MS,
								    NULL) : NULL;
	if (message)
		dbus_message_unref(message);
	if (!reply)
		return failure_set(failure, FAILURE_REFUSED,
				   "The desktop does not allow a picture of the screen.");
	r = portal_answer(session, reply, uri, sizeof(uri), failure);
	dbus_message_unref(reply);
	if (r)
		return r;
	path = file_of_uri(uri);
	fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
	if (path)
		unlink(path);
	if (fd < 0)
		return failure_set(failure, FAILURE_BAD_IMAGE,
				   "The picture of the screen cannot be read.");
	r = engine_image_read(fd, NULL, ret_image, &error);
	close(fd);
	return r ? failure_from_engine(failure, r, error.message) : 0;
}

/* --- X11 --------------------------------------------------------------------------- */

struct x11 {
	xcb_connection_t *connection;
	const xcb_setup_t *setup;
	xcb_screen_t *screen;
};

static bool x11_open(struct x11 *x11)
{
	int number;

	x11->connection = xcb_connect(NULL, &number);
	if (!xcb_connection_has_error(x11->connection)) {
		xcb_screen_iterator_t screens;

		x11->setup = xcb_get_setup(x11->connection);
		screens = xcb_setup_roots_iterator(x11->setup);
		while (number-- > 0 && screens.rem > 1)
			xcb_screen_next(&screens);
		x11->screen = screens.data;
		return true;
	}
	xcb_disconnect(x11->connection);
	return false;
}

static bool under_wayland(void)
{
	const char *wayland = getenv("WAYLAND_DISPLAY");

	return wayland && *wayland;
}

/* Cuts the area down to what lies inside; false when nothing does. */
static bool clip(struct screenshot_area *area, int width, int height)
{
	int64_t right = (int64_t)area->x + area->width, bottom = (int64_t)area->y + area->height;

	if (area->x < 0)
		area->x = 0;
	if (area->y < 0)
		area->y = 0;
	right = right < width ? right : width;
	bottom = bottom < height ? bottom : height;
	if (right <= area->x || bottom <= area->y)
		return false;
	area->width = (int)(right - area->x);
	area->height = (int)(bottom - area->y);
	return true;
}

static int off_screen(struct failure *failure)
{
	return failure_set(failure, FAILURE_NO_DATA, "What has the focus is not on the screen.");
}

static int x11_take(struct x11 *x11, const struct screenshot_area *wanted,
		    struct engine_image **ret_image, struct failure *failure)
{
	struct screenshot_area area = *wanted;
	struct engine_error error = { "" };
	xcb_get_image_reply_t *reply;
	int r;

	if (!area.width)
		area = (struct screenshot_area){ 0, 0, x11->screen->width_in_pixels,
						 x11->screen->height_in_pixels };
	else if (!clip(&area, x11->screen->width_in_pixels, x11->screen->height_in_pixels))
		return off_screen(failure);
	reply = xcb_get_image_reply(x11->connection,
				    xcb_get_image(x11->connection, XCB_IMAGE_FORMAT_Z_PIXMAP,
						  x11->screen->root, (int16_t)area.x,
						  (int16_t)area.y, (uint16_t)area.width,
						  (uint16_t)area.height, UINT32_MAX), NULL);
	if (!reply)
		return failure_set(failure, FAILURE_REFUSED,
				   "The X server does not give a picture of the screen.");
	if ((reply->depth != 24 && reply->depth != 32) ||
	    x11->setup->image_byte_order != XCB_IMAGE_ORDER_LSB_FIRST ||
	    (size_t)xcb_get_image_data_length(reply) <
		    (size_t)area.width * (size_t)area.height * 4) {
		free(reply);
		return failure_set(failure, FAILURE_FAILED,
				   "The screen has a colour depth that Descry cannot read.");
	}
	r = engine_image_from_pixels(ENGINE_PIXELS_BGRX, (unsigned)area.width,
				     (unsigned)area.height, (size_t)area.width * 4,
				     xcb_get_image_data(reply),
				     (size_t)area.width * (size_t)area.height * 4, ret_image, &error);
	free(reply);
	return r ? failure_from_engine(failure, r, error.message) : 0;
}

static int crop(struct engine_image **image, const struct screenshot_area *wanted,
		struct failure *failure)
{
	struct screenshot_area area = *wanted;
	struct engine_error error = { "" };
	struct engine_image *part;
	size_t stride = (size_t)engine_image_width(*image) * 3;
	const uint8_t *first;
	int r;

	if (!clip(&area, (int)engine_image_width(*image), (int)engine_image_height(*image)))
		return off_screen(failure);
	first = engine_image_pixels(*image) + (size_t)area.y * stride + (size_t)area.x * 3;
	r = engine_image_from_pixels(ENGINE_PIXELS_RGB, (unsigned)area.width,
				     (unsigned)area.height, stride, first,
				     (size_t)(area.height - 1) * stride + (size_t)area.width * 3,
				     &part, &error);
	if (r)
		return failure_from_engine(failure, r, error.message);
	engine_image_free(*image);
	*image = part;
	return 0;
}

/* The portal's picture has the display's pixels, X11's coordinates may be others. */
static void scale(struct screenshot_area *area, const struct engine_image *image,
		  const struct x11 *x11)
{
	double factor = (double)engine_image_width(image) / x11->screen->width_in_pixels;

	area->x = (int)(area->x * factor);
	area->y = (int)(area->y * factor);
	area->width = (int)(area->width * factor);
	area->height = (int)(area->height * factor);
}

int screenshot_take(DBusConnection *session, const struct screenshot_area *area,
		    struct engine_image **ret_image, bool *ret_whole, struct failure *failure)
{
	bool placed = !under_wayland(), have_x11;
	struct screenshot_area part = *area;
	struct engine_image *image = NULL;
	struct x11 x11;
	int r;

	have_x11 = x11_open(&x11);
	if (portal_offered(session)) {
		r = portal_take(session, &image, failure);
		if (r == 0 && part.width && placed && have_x11) {
			scale(&part, image, &x11);
			r = crop(&image, &part, failure);
		}
		*ret_whole = part.width && !(placed && have_x11);
	} else if (have_x11 && placed) {
		r = x11_take(&x11, area, &image, failure);
		*ret_whole = false;
	} else {
		r = failure_set(failure, FAILURE_NO_DATA,
				"This desktop offers no picture of the screen.");
	}
	if (have_x11)
		xcb_disconnect(x11.connection);
	if (r) {
		engine_image_free(image);
		return r;
	}
	*ret_image = image;
	return 0;
}

/* --- The clipboard ------------------------------------------------------------------- */

struct clipboard {
	struct x11 x11;
	xcb_window_t window;
	xcb_atom_t selection, property, incremental;
	uint64_t limit;
	int fd;
	size_t size;
};

static xcb_atom_t atom(struct x11 *x11, const char *name)
{
	xcb_intern_atom_reply_t *reply = xcb_intern_atom_reply(
		x11->connection, xcb_intern_atom(x11->connection, 0, (uint16_t)strlen(name), name),
		NULL);
	xcb_atom_t result = reply ? reply->atom : XCB_ATOM_NONE;

	free(reply);
	return result;
}

/* NULL when none comes in time. */
static xcb_generic_event_t *next_event(struct clipboard *clipboard)
{
	xcb_connection_t *connection = clipboard->x11.connection;

	for (;;) {
		struct pollfd wait = { .fd = xcb_get_file_descriptor(connection),
				       .events = POLLIN };
		xcb_generic_event_t *event = xcb_poll_for_event(connection);
		uint64_t now = milliseconds();

		if (event)
			return event;
		if (now >= clipboard->limit || xcb_connection_has_error(connection))
			return NULL;
		poll(&wait, 1, (int)(clipboard->limit - now));
	}
}

/* Waits for an event of the kind that concerns us. */
static bool await_event(struct clipboard *clipboard, uint8_t kind, xcb_atom_t *ret_property)
{
	xcb_generic_event_t *event;

	while ((event = next_event(clipboard)) != NULL) {
		bool found = false;

		if ((event->response_type & 0x7f) == kind && kind == XCB_SELECTION_NOTIFY) {
			*ret_property = ((xcb_selection_notify_event_t *)event)->property;
			found = true;
		} else if ((event->response_type & 0x7f) == kind &&
			   kind == XCB_PROPERTY_NOTIFY) {
			xcb_property_notify_event_t *notify = (xcb_property_notify_event_t *)event;

			found = notify->atom == clipboard->property &&
				notify->state == XCB_PROPERTY_NEW_VALUE;
		}
		free(event);
		if (found)
			return true;
	}
	return false;
}

/* Reads and deletes the property; 1: its owner will send it in parts. -1: failed. */
static int read_part(struct clipboard *clipboard, size_t *ret_length)
{
	xcb_get_property_reply_t *reply = xcb_get_property_reply(
		clipboard->x11.connection,
		xcb_get_property(clipboard->x11.connection, 1, clipboard->window,
				 clipboard->property, XCB_GET_PROPERTY_TYPE_ANY, 0,
				 CLIPBOARD_MAX / 4), NULL);
	size_t length, done = 0;
	int r = 0;

	if (!reply)
		return -1;
	length = (size_t)xcb_get_property_value_length(reply);
	if (reply->type == clipboard->incremental)
		r = 1;
	else if (reply->bytes_after || length > CLIPBOARD_MAX - clipboard->size)
		r = -1;
	while (r == 0 && done < length) {
		ssize_t n = write(clipboard->fd, (char *)xcb_get_property_value(reply) + done,
				  length - done);

		if (n < 0 && errno != EINTR)
			r = -1;
		done += n > 0 ? (size_t)n : 0;
	}
	free(reply);
	clipboard->size += length;
	*ret_length = length;
	return r;
}

static bool fetch(struct clipboard *clipboard, const char *type)
{
	xcb_connection_t *connection = clipboard->x11.connection;
	xcb_atom_t property = XCB_ATOM_NONE;
	size_t length;
	int r;

	clipboard->limit = milliseconds() + SELECTION_MS;
	xcb_convert_selection(connection, clipboard->window, clipboard->selection,
			      atom(&clipboard->x11, type), clipboard->property, XCB_CURRENT_TIME);
	xcb_flush(connection);
	if (!await_event(clipboard, XCB_SELECTION_NOTIFY, &property) || property == XCB_ATOM_NONE)
		return false;
	r = read_part(clipboard, &length);
	if (r == 1) {
		clipboard->size = 0;
		do {
			clipboard->limit = milliseconds() + SELECTION_MS;
			xcb_flush(connection);
			if (!await_event(clipboard, XCB_PROPERTY_NOTIFY, &property))
				return false;
			r = read_part(clipboard, &length);
		} while (r == 0 && length > 0);
	}
	return r == 0 && clipboard->size > 0;
}

int screenshot_clipboard(int *ret_fd, struct failure *failure)
{
	static const char *const types[] = { "image/png", "image/jpeg" };
	uint32_t events = XCB_EVENT_MASK_PROPERTY_CHANGE;
	struct clipboard clipboard = { .fd = -1 };
	bool found = false;

	if (!x11_open(&clipboard.x11))
		return failure_set(failure, FAILURE_NO_DATA,
				   "The clipboard of this desktop cannot be read.");
	clipboard.window = xcb_generate_id(clipboard.x11.connection);
	xcb_create_window(clipboard.x11.connection, 0, clipboard.window,
			  clipboard.x11.screen->root, 0, 0, 1, 1, 0, XCB_WINDOW_CLASS_INPUT_ONLY,
			  XCB_COPY_FROM_PARENT, XCB_CW_EVENT_MASK, &events);
	clipboard.selection = atom(&clipboard.x11, "CLIPBOARD");
	clipboard.property = atom(&clipboard.x11, "DESCRY_CLIPBOARD");
	clipboard.incremental = atom(&clipboard.x11, "INCR");
	for (size_t i = 0; i < sizeof(types) / sizeof(*types) && !found; i++) {
		clipboard.fd = memfd_create("descry-clipboard", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (clipboard.fd < 0)
			break;
		clipboard.size = 0;
		found = fetch(&clipboard, types[i]);
		if (!found)
			close(clipboard.fd);
	}
	xcb_disconnect(clipboard.x11.connection);
	if (!found)
		return failure_set(failure, FAILURE_NO_DATA, "There is no picture on the clipboard.");
	fcntl(clipboard.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	*ret_fd = clipboard.fd;
	return 0;
}
