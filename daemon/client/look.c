/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * look.c: `descry look`, `descry watch`, `descry press` and `descry devices`: the
 * camera and the keys. Desktops run the first and the third from their custom
 * shortcuts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/client/commands.h"
#include "daemon/keys.h"
#include "daemon/phrase.h"
#include "daemon/v4l2.h"
#include "daemon/variant.h"

static const struct client_option look_options[] = {
	{ "camera", "NAME", "The name of a configured camera.", 'c' },
	{ "quiet", NULL, "Do not speak. This is the default with --json.", 'q' },
	{ "speak", NULL, "Speak, with --json too.", 's' },
	{ "verbosity", "LEVEL", "brief, normal or full: how much is printed and spoken.", 'v' },
	{ "alternatives", "N", "Different sentences wanted, 1 to 10.", 'a' },
};

static int read_verbosity(const struct client *client, enum config_verbosity *ret_verbosity)
{
	const char *text = client_value(client, "verbosity");

	*ret_verbosity = VERBOSITY_NORMAL;
	for (unsigned i = 0; text && i < VERBOSITY_COUNT; i++) {
		if (!strcmp(config_verbosities[i], text)) {
			*ret_verbosity = (enum config_verbosity)i;
			return 0;
		}
	}
	return text ? client_usage(client, "The verbosity must be brief, normal or full.") : 0;
}

static int print_look(const struct client *client, DBusMessage *reply,
		      enum config_verbosity verbosity)
{
	json_t *caption, *details;
	DBusMessageIter iter;
	char *text;
	int status = 0;

	dbus_message_iter_init(reply, &iter);
	caption = variant_read(&iter);
	dbus_message_iter_next(&iter);
	details = variant_read(&iter);
	if (client->json) {
		client_print_json(json_pack("{s:O, s:O}", "caption", caption, "details", details));
	} else {
		text = phrase_caption(json_string_value(caption), details, verbosity);
		puts(text ? text : "");
		free(text);
	}
	if (phrase_refused(details))
		status = failure_info(FAILURE_REFUSED)->exit_status;
	json_decref(caption);
	json_decref(details);
	return status;
}

/* Asks for a picture to be taken and described, and prints what it shows. */
static int run_look(struct client *client, const char *method, int argc, char **argv)
{
	const char *camera = client_value(client, "camera");
	enum config_verbosity verbosity;
	struct failure failure;
	DBusMessage *call, *reply;
	unsigned alternatives;
	json_t *options;
	int r;

	if (argc > 0)
		return client_usage(client, "%s takes no \"%s\".", client->command->name,
				    argv[0]);
	r = read_verbosity(client, &verbosity);
	if (r)
		return r;
	if (client_number(client, "alternatives", 1, 10, 3, &alternatives, &failure))
		return client_fail(client, NULL, &failure);
	options = json_pack("{s:b, s:s, s:i}", "speak",
			    client_has(client, "speak") ||
				    (!client->json && !client_has(client, "quiet")),
			    "verbosity", config_verbosities[verbosity], "alternatives",
			    (int)alternatives);
	if (camera)
		json_object_set_new(options, "camera", json_string(camera));
	call = client_call_new(method);
	if (call)
		client_append_options(call, options);
	json_decref(options);
	if (client_call(client, call, true, &reply, &failure))
		return client_fail(client, NULL, &failure);
	r = print_look(client, reply, verbosity);
	dbus_message_unref(reply);
	return r;
}

static int run_camera(struct client *client, int argc, char **argv)
{
	return run_look(client, "Look", argc, argv);
}

static int run_focus(struct client *client, int argc, char **argv)
{
	return run_look(client, "DescribeFocus", argc, argv);
}

static int run_screen(struct client *client, int argc, char **argv)
{
	return run_look(client, "DescribeScreen", argc, argv);
}

static int run_clipboard(struct client *client, int argc, char **argv)
{
	return run_look(client, "DescribeClipboard", argc, argv);
}

const struct command command_look = {
	.name = "look", .arguments = "",
	.help = "Looks through the camera and says what is there. The picture is taken after the "
		"command was given. A picture that cannot be told from is answered with what to "
		"do about it, and exit status 17.",
	.options = look_options,
	.option_count = sizeof(look_options) / sizeof(*look_options),
	.run = run_camera,
};

/* the camera's options, but for the camera */
#define SCREEN_OPTIONS .options = look_options + 1, \
	.option_count = sizeof(look_options) / sizeof(*look_options) - 1

const struct command command_focus = {
	.name = "focus", .arguments = "",
	.help = "Describes what has the keyboard focus. Its own label is said first. Text, icons and "
		"blank areas are said as such, with exit status 17; password fields are not looked "
		"at.",
	SCREEN_OPTIONS, .run = run_focus,
};

const struct command command_screen = {
	.name = "screen", .arguments = "",
	.help = "Describes the whole screen. The desktop may ask for leave the first time.",
	SCREEN_OPTIONS, .run = run_screen,
};

const struct command command_clipboard = {
	.name = "clipboard", .arguments = "",
	.help = "Describes the picture on the clipboard.",
	SCREEN_OPTIONS, .run = run_clipboard,
};

static const struct client_option watch_options[] = {
	{ "camera", "NAME", "The name of a configured camera.", 'c' },
	{ "pause", "SECONDS", "At least so long between two sentences, 1 to 3600.", 'p' },
};

static int run_watch(struct client *client, int argc, char **argv)
{
	const char *camera = client_value(client, "camera");
	struct failure failure;
	dbus_bool_t on;
	DBusMessage *call;
	unsigned pause;
	json_t *options;
	int r;

	if (argc != 1 || (strcmp(argv[0], "on") && strcmp(argv[0], "off")))
		return client_usage(client, "watch needs the word on or off.");
	on = !strcmp(argv[0], "on");
	if (client_number(client, "pause", 1, 3600, 0, &pause, &failure))
		return client_fail(client, NULL, &failure);
	options = json_object();
	if (camera)
		json_object_set_new(options, "camera", json_string(camera));
	if (pause)
		json_object_set_new(options, "pause", json_integer(pause));
	call = client_call_new("Watch");
	if (call) {
		dbus_message_append_args(call, DBUS_TYPE_BOOLEAN, &on, DBUS_TYPE_INVALID);
		client_append_options(call, options);
	}
	json_decref(options);
	r = client_call(client, call, true, NULL, &failure);
	return r ? client_fail(client, NULL, &failure) : 0;
}

const struct command command_watch = {
	.name = "watch", .arguments = "on|off",
	.help = "Watches through the camera and says what changes, or ends that.",
	.options = watch_options,
	.option_count = sizeof(watch_options) / sizeof(*watch_options),
	.run = run_watch,
};

static int run_press(struct client *client, int argc, char **argv)
{
	struct failure failure;
	DBusMessage *call;

	if (argc != 1)
		return client_usage(client, "press needs one action.");
	call = client_call_new("Press");
	if (call)
		dbus_message_append_args(call, DBUS_TYPE_STRING, &argv[0], DBUS_TYPE_INVALID);
	if (client_call(client, call, true, NULL, &failure))
		return client_fail(client, NULL, &failure);
	return 0;
}

const struct command command_press = {
	.name = "press", .arguments = "look|repeat|stop|watch|detail|status",
	.help = "Does what a press of a key set to that action does, and returns at once. Made "
		"for the shortcuts of a desktop: look stops the voice while it speaks, watch "
		"turns watching on or off, detail tells more about the last picture.",
	.run = run_press,
};

/* --- devices -------------------------------------------------------------- */

struct listing {
	const struct client *client;
	json_t *cameras, *keys;
};

static void add_camera(void *data, const struct v4l2_device *device)
{
	struct listing *listing = data;
	json_t *modes = json_array();

	for (unsigned i = 0; i < device->mode_count; i++)
		json_array_append_new(modes, json_pack("{s:s, s:i, s:i}", "format",
						       device->modes[i].format, "width",
						       (int)device->modes[i].width, "height",
						       (int)device->modes[i].height));
	json_array_append_new(listing->cameras,
			      json_pack("{s:s, s:s, s:b, s:o, s:i}", "path", device->path, "name",
					device->card, "busy", device->busy, "modes", modes,
					"other_formats", (int)device->other_formats));
}

static void add_keys(void *data, const char *path, const char *name)
{
	struct listing *listing = data;

	json_array_append_new(listing->keys,
			      json_pack("{s:s, s:s}", "path", path, "name", name ? name : ""));
}

/* One line a format: "MJPG 640x480, 1280x720". */
static void print_modes(json_t *modes)
{
	const char *last = "";
	json_t *mode;
	size_t i;

	json_array_foreach(modes, i, mode) {
		const char *format = json_string_value(json_object_get(mode, "format"));

		if (strcmp(format, last))
			printf("%s  %s", *last ? "\n" : "", format);
		else
			printf(",");
		printf(" %dx%d", (int)json_integer_value(json_object_get(mode, "width")),
		       (int)json_integer_value(json_object_get(mode, "height")));
		last = format;
	}
	if (*last)
		puts("");
}

static void print_devices(const struct listing *listing)
{
	json_t *entry;
	size_t i;

	puts(json_array_size(listing->cameras) ? "Cameras:" : "Cameras: none was found.");
	json_array_foreach(listing->cameras, i, entry) {
		json_t *modes = json_object_get(entry, "modes");
		const char *name = json_string_value(json_object_get(entry, "name"));

		printf("%s: %s\n", json_string_value(json_object_get(entry, "path")),
		       json_is_true(json_object_get(entry, "busy")) ? "in use by another program" :
		       !*name ? "may not be opened; add your user to the group video" : name);
		print_modes(modes);
		if (!json_array_size(modes) && *name)
			puts("  no format that Descry can read");
	}
	puts(json_array_size(listing->keys) ?
		     "Keyboards and buttons:" :
		     "Keyboards and buttons: none may be opened; add your user to the group input.");
	json_array_foreach(listing->keys, i, entry)
		printf("%s: %s\n", json_string_value(json_object_get(entry, "path")),
		       json_string_value(json_object_get(entry, "name")));
}

/* What the daemon knows beside, if it runs: never worth an error here. */
static json_t *configured(struct client *client)
{
	struct failure failure;
	DBusMessageIter iter;
	DBusMessage *reply;
	json_t *sources;

	if (client_call(client, client_call_new("Sources"), false, &reply, &failure))
		return NULL;
	dbus_message_iter_init(reply, &iter);
	sources = variant_read(&iter);
	dbus_message_unref(reply);
	return sources;
}

static int run_devices(struct client *client, int argc, char **argv)
{
	struct listing listing = { client, json_array(), json_array() };
	json_t *sources, *entry;
	size_t i;

	if (argc > 0)
		return client_usage(client, "devices takes no \"%s\".", argv[0]);
	v4l2_list(add_camera, &listing);
	keys_list(add_keys, &listing);
	sources = configured(client);
	if (client->json) {
		client_print_json(json_pack("{s:O, s:O, s:o}", "cameras", listing.cameras, "keys",
					    listing.keys, "configured",
					    sources ? sources : json_array()));
	} else {
		print_devices(&listing);
		if (sources)
			puts("Configured in the daemon:");
		json_array_foreach(sources, i, entry)
			printf("%s: %s %s, %s%s\n",
			       json_string_value(json_object_get(entry, "name")),
			       json_string_value(json_object_get(entry, "kind")),
			       json_string_value(json_object_get(entry, "what")),
			       json_string_value(json_object_get(entry, "state")),
			       json_is_true(json_object_get(entry, "default")) ? ", default" : "");
		json_decref(sources);
	}
	json_decref(listing.cameras);
	json_decref(listing.keys);
	return 0;
}

const struct command command_devices = {
	.name = "devices", .arguments = "",
	.help = "Lists cameras with their formats, and keyboards and buttons. Their names can be "
		"used in the configuration.",
	.run = run_devices,
};
