/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * keys.c: libevdev devices on the loop.
 *
 * New devices are noticed by inotify on /dev/input, which sleeps until something
 * is plugged in. udev sets the permissions of a new node and makes its links a
 * little after creating it, so an attribute change is looked at too, and once
 * more a second later.
 *
 * "any" as the key makes a whole device one button: each of its keys is reported
 * to the gestures under one code.
 */
#include "daemon/keys.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libevdev/libevdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "daemon/gesture.h"
#include "daemon/log.h"

static const char folder[] = "/dev/input";

enum {
	any_key = KEY_MAX + 1,
	rescan_ms = 1000,
	events_at_once = 64,
};

struct button {
	struct keys *keys;
	const struct config_button *config;
	struct gesture *gesture;
	struct loop_source *timer;
	bool any;
	uint64_t pressed_us;	/* the press with which the gesture at hand began */
	/* while its device is there */
	int fd;
	struct libevdev *device;
	struct loop_source *source;
	char path[64];
};

struct keys {
	struct loop *loop;
	struct keys_options options;
	struct button buttons[CONFIG_BUTTONS];
	unsigned count;
	int inotify;
	struct loop_source *folder_source, *rescan;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int keys_code(const char *name)
{
	char code[64] = "KEY_";
	int value;

	for (size_t i = 0; name[i] && i < sizeof(code) - 5; i++) {
		code[4 + i] = (char)toupper((unsigned char)name[i]);
		code[5 + i] = 0;
	}
	value = libevdev_event_code_from_name(EV_KEY, code);
	if (value < 0)
		value = libevdev_event_code_from_name(EV_KEY, code + 4);
	return value;
}

/* --- gestures ------------------------------------------------------------- */

static void arm(struct button *button)
{
	uint64_t deadline = gesture_deadline(button->gesture), now = now_ms();

	if (deadline == UINT64_MAX)
		loop_stop_timer(button->timer);
	else
		loop_start_timer(button->timer, deadline > now ? deadline - now : 0, 0);
}

static bool pressed(void *data, uint64_t at_ms)
{
	struct button *button = data;
	const struct keys_options *options = &button->keys->options;

	button->pressed_us = at_ms * 1000;
	return options->on_pressed(options->data, button->config, button->pressed_us);
}

static void acted(void *data, int action, uint64_t at_ms)
{
	struct button *button = data;
	const struct keys_options *options = &button->keys->options;

	(void)at_ms;
	if (action)
		options->on_action(options->data, (unsigned)action, button->pressed_us);
}

static void on_deadline(void *data)
{
	struct button *button = data;

	gesture_advance(button->gesture, now_ms());
	arm(button);
}

/* --- devices -------------------------------------------------------------- */

static void lose(struct button *button)
{
	if (button->fd < 0)
		return;
	button->source = loop_source_free(button->source);
	libevdev_free(button->device);
	button->device = NULL;
	close(button->fd);
	button->fd = -1;
	gesture_reset(button->gesture);
	loop_stop_timer(button->timer);
}

static void take_event(struct button *button, const struct input_event *event)
{
	uint64_t at = (uint64_t)event->input_event_sec * 1000 +
		      (uint64_t)event->input_event_usec / 1000;

	/* a value of 2 is the keyboard's repetition of a key that is held */
	if (event->type == EV_KEY && event->value <= 1)
		gesture_key(button->gesture, button->any ? any_key : event->code,
			    event->value == 1, at);
}

static void on_events(void *data, uint32_t ready)
{
	struct button *button = data;
	struct input_event event;
	unsigned mode = LIBEVDEV_READ_FLAG_NORMAL;
	int r = -EAGAIN;

	(void)ready;
	for (int i = 0; i < events_at_once; i++) {
		r = libevdev_next_event(button->device, mode, &event);
		if (r == LIBEVDEV_READ_STATUS_SYNC && mode == LIBEVDEV_READ_FLAG_NORMAL) {
			/* the kernel dropped events: what was held is not known any more */
			gesture_reset(button->gesture);
			mode = LIBEVDEV_READ_FLAG_SYNC;
		} else if (r == -EAGAIN && mode == LIBEVDEV_READ_FLAG_SYNC) {
			mode = LIBEVDEV_READ_FLAG_NORMAL;
		} else if (r < 0) {
			break;
		} else if (mode == LIBEVDEV_READ_FLAG_NORMAL) {
			take_event(button, &event);
		}
	}
	if (r < 0 && r != -EAGAIN) {
		log_info("button %s: its device has gone", button->config->name);
		lose(button);
		return;
	}
	arm(button);
}

static bool has_keys(const struct libevdev *device)
{
	return libevdev_has_event_type(device, EV_KEY);
}

static bool matches(const struct button *button, const char *path, const char *name)
{
	const char *wanted = button->config->device;
	char target[PATH_MAX];

	if (*wanted != '/')
		return strcasestr(name, wanted) != NULL;
	return realpath(wanted, target) && !strcmp(target, path);
}

static void adopt(struct button *button, const char *path, const char *name, int fd,
		  struct libevdev *device)
{
	int r;

	button->fd = fd;
	button->device = device;
	libevdev_set_clock_id(device, CLOCK_MONOTONIC);
	if (button->config->grab && libevdev_grab(device, LIBEVDEV_GRAB))
		log_warning("button %s: another program has grabbed %s", button->config->name, name);
	r = loop_add_fd(button->keys->loop, fd, EPOLLIN, on_events, button, &button->source);
	if (r) {
		lose(button);
		return;
	}
	snprintf(button->path, sizeof(button->path), "%s", path);
	log_info("button %s: %s at %s", button->config->name, name, path);
}

/* Opens the device if it has keys. */
static bool open_device(const char *path, int *ret_fd, struct libevdev **ret_device)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct libevdev *device = NULL;

	if (fd < 0)
		return false;
	if (libevdev_new_from_fd(fd, &device) < 0 || !has_keys(device)) {
		libevdev_free(device);
		close(fd);
		return false;
	}
	*ret_fd = fd;
	*ret_device = device;
	return true;
}

/* Every button that lacks its device and matches gets one of its own: two
 * buttons may be two keys of the same keyboard. */
static void try_device(struct keys *keys, const char *path)
{
	for (unsigned i = 0; i < keys->count; i++) {
		struct button *button = &keys->buttons[i];
		struct libevdev *device;
		int fd;

		if (button->fd >= 0 || !open_device(path, &fd, &device))
			continue;
		if (matches(button, path, libevdev_get_name(device))) {
			adopt(button, path, libevdev_get_name(device), fd, device);
		} else {
			libevdev_free(device);
			close(fd);
		}
	}
}

static bool something_missing(const struct keys *keys)
{
	for (unsigned i = 0; i < keys->count; i++)
		if (keys->buttons[i].fd < 0)
			return true;
	return false;
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
	return versionsort(a, b);
}

static int is_event(const struct dirent *entry)
{
	return !strncmp(entry->d_name, "event", 5);
}

static void each_path(void (*function)(void *data, const char *path), void *data)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, is_event, by_number);

	for (int i = 0; i < count; i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/%.40s", folder, entries[i]->d_name);
		function(data, path);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

static void try_path(void *data, const char *path)
{
	try_device(data, path);
}

static void scan(struct keys *keys)
{
	if (something_missing(keys))
		each_path(try_path, keys);
}

static void on_rescan(void *data)
{
	scan(data);
}

static void on_folder(void *data, uint32_t ready)
{
	struct keys *keys = data;
	char events[4096];

	(void)ready;
	while (read(keys->inotify, events, sizeof(events)) > 0)
		;
	if (!something_missing(keys))
		return;
	scan(keys);
	if (something_missing(keys))
		loop_start_timer(keys->rescan, rescan_ms, 0);
}

struct listing {
	void (*function)(void *data, const char *path, const char *name);
	void *data;
};

static void list_path(void *data, const char *path)
{
	struct listing *listing = data;
	struct libevdev *device;
	int fd;

	if (!open_device(path, &fd, &device))
		return;
	listing->function(listing->data, path, libevdev_get_name(device));
	libevdev_free(device);
	close(fd);
}

void keys_list(void (*function)(void *data, const char *path, const char *name), void *data)
{
	struct listing listing = { function, data };

	each_path(list_path, &listing);
}

/* --- configuration -------------------------------------------------------- */

/* "leftmeta+d"; returns how many keys, or 0 when it is wrong. */
static size_t parse_chord(const char *text, unsigned codes[GESTURE_CHORD_KEYS])
{
	char copy[128], *rest = copy, *word;
	size_t count = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((word = strsep(&rest, "+"))) {
		int code = keys_code(word);

		if (code < 0 || count == GESTURE_CHORD_KEYS)
			return 0;
		codes[count++] = (unsigned)code;
	}
	return count >= 2 ? count : 0;
}

static int make_gesture(struct button *button, const struct gesture_times *times)
{
	const struct config_button *config = button->config;
	const unsigned kinds[][2] = {
		{ GESTURE_SHORT, config->on_short },
		{ GESTURE_DOUBLE, config->on_double },
		{ GESTURE_LONG, config->on_long },
	};
	struct gesture_binding bindings[4] = { 0 };
	size_t count = 0;
	int code = any_key;

	button->any = !config->key || !strcasecmp(config->key, "any");
	if (!button->any)
		code = keys_code(config->key);
	if (code < 0) {
		log_error("button %s: there is no key named %s", config->name, config->key);
		return -EINVAL;
	}
	for (size_t i = 0; i < 3; i++) {
		if (!kinds[i][1])
			continue;
		bindings[count].kind = (enum gesture_kind)kinds[i][0];
		bindings[count].keys[0] = (unsigned)code;
		bindings[count].key_count = 1;
		bindings[count++].action = (int)kinds[i][1];
	}
	if (config->chord && config->on_chord) {
		bindings[count].kind = GESTURE_CHORD;
		bindings[count].key_count = parse_chord(config->chord, bindings[count].keys);
		bindings[count].action = (int)config->on_chord;
		if (!bindings[count].key_count || button->any) {
			log_error("button %s: the chord %s is not two to %d keys joined by +, or "
				  "the key is any", config->name, config->chord,
				  GESTURE_CHORD_KEYS);
			return -EINVAL;
		}
		count++;
	}
	return gesture_open(bindings, count, times, pressed, acted, button, &button->gesture);
}

static void close_buttons(struct keys *keys)
{
	for (unsigned i = 0; i < keys->count; i++) {
		struct button *button = &keys->buttons[i];

		lose(button);
		button->timer = loop_source_free(button->timer);
		button->gesture = gesture_free(button->gesture);
	}
	keys->count = 0;
	keys->folder_source = loop_source_free(keys->folder_source);
	if (keys->inotify >= 0)
		close(keys->inotify);
	keys->inotify = -1;
	loop_stop_timer(keys->rescan);
}

static int watch_folder(struct keys *keys)
{
	keys->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (keys->inotify < 0)
		return -errno;
	if (inotify_add_watch(keys->inotify, folder, IN_CREATE | IN_ATTRIB) < 0)
		log_warning("Buttons that are plugged in later will not be noticed: %s: %s.", folder,
			    strerror(errno));
	return loop_add_fd(keys->loop, keys->inotify, EPOLLIN, on_folder, keys,
			   &keys->folder_source);
}

int keys_configure(struct keys *keys, const struct config *config)
{
	const struct gesture_times times = {
		.double_ms = config->keys_double, .long_ms = config->keys_long,
	};

	close_buttons(keys);
	for (unsigned i = 0; i < config->button_count; i++) {
		struct button *button = &keys->buttons[keys->count];

		*button = (struct button){
			.keys = keys, .config = &config->buttons[i], .fd = -1,
		};
		if (!button->config->device) {
			log_error("button %s: set its key device", button->config->name);
			continue;
		}
		if (make_gesture(button, &times) ||
		    loop_add_timer(keys->loop, on_deadline, button, &button->timer)) {
			gesture_free(button->gesture);
			continue;
		}
		keys->count++;
	}
	if (!keys->count)
		return 0;
	scan(keys);
	for (unsigned i = 0; i < keys->count; i++)
		if (keys->buttons[i].fd < 0)
			log_info("button %s: waiting for %s", keys->buttons[i].config->name,
				 keys->buttons[i].config->device);
	return watch_folder(keys);
}

int keys_open(struct loop *loop, const struct config *config, const struct keys_options *options,
	      struct keys **ret_keys)
{
	struct keys *keys = calloc(1, sizeof(*keys));
	int r;

	if (!keys)
		return -ENOMEM;
	keys->loop = loop;
	keys->options = *options;
	keys->inotify = -1;
	r = loop_add_timer(loop, on_rescan, keys, &keys->rescan);
	if (!r)
		r = keys_configure(keys, config);
	if (r) {
		keys_free(keys);
		return r;
	}
	*ret_keys = keys;
	return 0;
}

struct keys *keys_free(struct keys *keys)
{
	if (!keys)
		return NULL;
	close_buttons(keys);
	loop_source_free(keys->rescan);
	free(keys);
	return NULL;
}

bool keys_present(const struct keys *keys, unsigned button)
{
	return button < keys->count && keys->buttons[button].fd >= 0;
}
