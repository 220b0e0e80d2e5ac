/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * config.c: see config.h. The INI syntax is libinih's; lines are fed to it one
 * at a time, so that each error can name its line. A value is parsed by its
 * key's type alone: the defaults pass through the same parser as the file.
 */
#include "daemon/config.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/route.h"

#define CONFIG_BYTES_MAX (1u << 20)
#define LINE_BYTES_MAX 190	/* what libinih takes in one piece */
#define TEXT_BYTES_MAX 160
#define SYSTEM_FILE "/etc/descry/descry.conf"
#define INSTALLED_MODEL DESCRY_PREFIX "/share/descry/models/descry-en.gguf"

const char *const config_verbosities[] = { "brief", "normal", "full", NULL };
static const char *const log_levels[] = { "error", "warning", "info", "debug", NULL };

#define AT(member) offsetof(struct config, member)
#define TEXT(name, member, initial, help) \
	{ name, CONFIG_TEXT, AT(member), initial, 0, TEXT_BYTES_MAX, NULL, help }
#define PATH(name, member, initial, help) \
	{ name, CONFIG_PATH, AT(member), initial, 0, TEXT_BYTES_MAX, NULL, help }
#define NUMBER(name, member, initial, minimum, maximum, help) \
	{ name, CONFIG_NUMBER, AT(member), initial, minimum, maximum, NULL, help }
#define BOOL(name, member, initial, help) \
	{ name, CONFIG_BOOL, AT(member), initial, 0, 0, NULL, help }
#define CHOICE(name, member, initial, choices, help) \
	{ name, CONFIG_CHOICE, AT(member), initial, 0, 0, choices, help }

#define REAL(name, member, initial, minimum, maximum, help) \
	{ name, CONFIG_REAL, AT(member), initial, minimum, maximum, NULL, help }

static const struct config_key model_keys[] = {
	PATH("path", model_path, "", "The model file. Empty: the one that was installed."),
	NUMBER("threads", model_threads, "0", 0, 16,
	       "Processor threads that describe a picture. 0: one per physical core, at most 4."),
};

static const struct config_key caption_keys[] = {
	NUMBER("beam", caption_beam, "0", 0, 10,
	       "How many sentences are weighed side by side. More is slower and seldom better. "
	       "0: what the model asks for."),
	CHOICE("verbosity", caption_verbosity, "normal", config_verbosities,
	       "What is spoken. brief: the sentence alone; normal: warnings too; full: also how "
	       "sure it is, and other sentences that were asked for."),
	REAL("sure", trust_sure, "0", 0, 1,
	     "The confidence from which on a caption is said as it is; below, what is said says "
	     "that it may be wrong. 0: as the model was calibrated."),
	REAL("refused", trust_refused, "0", 0, 1,
	     "The confidence below which a caption is not said; only what of it is sure. 0: as "
	     "the model was calibrated."),
	NUMBER("timeout", caption_timeout, "30", 1, 600,
	       "Seconds after which a description that does not end is given up."),
};

static const struct config_key speech_keys[] = {
	TEXT("voice", speech_voice, "en",
	     "An eSpeak NG voice or language; `descry voices` lists them."),
	NUMBER("rate", speech_rate, "175", 80, 900, "Words a minute."),
	NUMBER("pitch", speech_pitch, "50", 0, 100, "50 is the voice's own pitch."),
	NUMBER("volume", speech_volume, "100", 0, 200, "Per cent of the voice's own loudness."),
	TEXT("device", speech_device, "",
	     "The sound device, or part of its name. Empty: the system's default."),
	CHOICE("route", speech_route, "auto", route_choices,
	       "Whose voice is used. auto: the screen reader's where one runs, else Descry's own; "
	       "orca and speech-dispatcher: that one, and Descry's own if it fails; own: Descry's."),
	NUMBER("route-timeout", speech_route_timeout, "280", 100, 10000,
	       "Milliseconds that a screen reader has to take a text before the next voice is "
	       "tried. More helps where Orca is slow."),
	PATH("wav", speech_wav, "",
	     "Write what would be played into this WAV file instead of playing it."),
};

static const struct config_key sounds_keys[] = {
	BOOL("tick", sounds_tick, "yes", "A soft tick while a description takes its time."),
	NUMBER("tick-after", sounds_tick_after, "400", 100, 10000,
	       "Milliseconds before the first tick."),
	BOOL("shutter", sounds_shutter, "yes", "A click when the camera has taken a picture."),
	BOOL("error", sounds_error, "yes", "A low sound before an error is spoken."),
	BOOL("press", sounds_press, "yes", "A short sound when a key press was noticed."),
	BOOL("cover", sounds_cover, "yes",
	     "A sound each when the lens is covered and uncovered in watch mode."),
};

/* In the order of enum source_kind, enum source_format and enum action. */
static const char *const camera_kinds[] = { "v4l2", "command", "folder", "http", "files", NULL };
static const char *const camera_formats[] = { "auto", "mjpg", "yuyv", "nv12", "grey", NULL };
static const char *const actions[] = { "none", "look", "repeat", "stop", "watch", "detail",
				       "status", NULL };

#define IN(type, name, kind, member, initial, minimum, maximum, choices, help) \
	{ name, kind, offsetof(struct type, member), initial, minimum, maximum, choices, help }
#define CAMERA(name, kind, member, initial, minimum, maximum, choices, help) \
	IN(config_camera, name, kind, member, initial, minimum, maximum, choices, help)
#define BUTTON(name, kind, member, initial, minimum, maximum, choices, help) \
	IN(config_button, name, kind, member, initial, minimum, maximum, choices, help)

static const struct config_key camera_keys[] = {
	CAMERA("kind", CONFIG_CHOICE, kind, "v4l2", 0, 0, camera_kinds,
	       "Where the pictures come from. v4l2: a webcam; command: a program that writes JPEG; "
	       "folder: files as they arrive; http: a network camera; files: a list, for tests."),
	CAMERA("device", CONFIG_TEXT, device, "auto", 0, TEXT_BYTES_MAX, NULL,
	       "For v4l2. A path, part of the camera's name, or auto for the first that works; "
	       "`descry devices` lists them."),
	CAMERA("format", CONFIG_CHOICE, format, "auto", 0, 0, camera_formats,
	       "For v4l2. The pixel format to prefer."),
	CAMERA("width", CONFIG_NUMBER, width, "1280", 16, 30000, NULL,
	       "For v4l2. The nearest size that the camera offers is used."),
	CAMERA("height", CONFIG_NUMBER, height, "720", 16, 30000, NULL, "See width."),
	CAMERA("command", CONFIG_TEXT, command, "", 0, TEXT_BYTES_MAX, NULL,
	       "For command. A program with its arguments that writes one JPEG or a stream of "
	       "them to its standard output."),
	CAMERA("shell", CONFIG_BOOL, shell, "no", 0, 0, NULL,
	       "For command. Let /bin/sh interpret the line."),
	CAMERA("folder", CONFIG_PATH, folder, "", 0, TEXT_BYTES_MAX, NULL,
	       "For folder. Complete JPEG and PNG files that arrive in it are used."),
	CAMERA("announce", CONFIG_BOOL, announce, "yes", 0, 0, NULL,
	       "For folder. Describe each picture when it arrives; no: only when asked to look."),
	CAMERA("url", CONFIG_TEXT, url, "", 0, TEXT_BYTES_MAX, NULL,
	       "For http. An address that answers with a JPEG or an MJPEG stream."),
	CAMERA("files", CONFIG_TEXT, files, "", 0, TEXT_BYTES_MAX, NULL,
	       "For files. Paths or patterns, separated by colons; each look takes the next."),
	CAMERA("warm", CONFIG_NUMBER, warm, "10", 0, 3600, NULL,
	       "Seconds for which the camera stays open after a picture, so that the next one "
	       "comes at once."),
	CAMERA("settle", CONFIG_NUMBER, settle, "30", 0, 300, NULL,
	       "The most pictures that are dropped after opening, until the brightness is steady."),
	CAMERA("open-timeout", CONFIG_NUMBER, open_timeout, "8", 1, 120, NULL,
	       "Seconds to wait for the first picture."),
	CAMERA("stall-timeout", CONFIG_NUMBER, stall_timeout, "3", 1, 120, NULL,
	       "Seconds to wait for another picture once the camera runs."),
	CAMERA("limit", CONFIG_NUMBER, limit, "16", 1, 64, NULL,
	       "The most MiB that one JPEG may have."),
};

static const struct config_key look_keys[] = {
	TEXT("camera", look_camera, "",
	     "The name of the camera to look through. Empty: the first one configured, or the "
	     "first webcam that works when none is."),
};

static const struct config_key watch_keys[] = {
	TEXT("camera", watch_camera, "", "The camera to watch. Empty: the one to look through."),
	NUMBER("check", watch_check, "250", 50, 60000,
	       "Milliseconds between two glances at the view."),
	NUMBER("pause", watch_pause, "6", 1, 3600,
	       "At least so many seconds pass between two sentences."),
	NUMBER("duty", watch_duty, "25", 1, 400,
	       "The most processor time that watching may take, in per cent of one core."),
	REAL("motion", watch_motion, "0.03", 0, 1,
	     "The share of the view that must change between two glances to count as motion."),
	REAL("change", watch_change, "0.12", 0, 1,
	     "The share of the view that must differ from what was described last."),
	NUMBER("settle", watch_settle, "700", 0, 60000,
	       "Milliseconds without motion after which the view is at rest."),
	NUMBER("moving", watch_moving, "4000", 500, 600000,
	       "Milliseconds of motion after which it is described in few words all the same."),
	REAL("similarity", watch_similarity, "0.6", 0, 1,
	     "How alike two descriptions must be in meaning for the second not to be spoken."),
	REAL("cover-brightness", watch_cover_brightness, "28", 0, 255,
	     "A covered lens is darker than this, of 255."),
	REAL("cover-contrast", watch_cover_contrast, "9", 0, 255,
	     "A covered lens has less contrast than this standard deviation, of 255."),
	NUMBER("cover", watch_cover, "400", 0, 10000,
	       "Milliseconds for which the lens must be covered or uncovered to count."),
};

static const struct config_key quality_keys[] = {
	REAL("dark-doubt", quality_doubt[0], "0", 0, 2,
	     "The score from which on a picture that is dark is described with a doubt."),
	REAL("dark-refuse", quality_refuse[0], "0", 0, 2,
	     "The score from which on it is not described."),
	REAL("bright-doubt", quality_doubt[1], "0", 0, 2,
	     "The score from which on a picture that is too bright is described with a doubt."),
	REAL("bright-refuse", quality_refuse[1], "0", 0, 2,
	     "The score from which on it is not described."),
	REAL("covered-doubt", quality_doubt[2], "0", 0, 2,
	     "The score from which on a picture before whose lens something is is "
	     "described with a doubt."),
	REAL("covered-refuse", quality_refuse[2], "0", 0, 2,
	     "The score from which on it is not described."),
	REAL("blurred-doubt", quality_doubt[3], "0", 0, 2,
	     "The score from which on a picture that is blurred is described with a doubt."),
	REAL("blurred-refuse", quality_refuse[3], "0", 0, 2,
	     "The score from which on it is not described."),
	REAL("tilted-doubt", quality_doubt[4], "0", 0, 2,
	     "The score from which on a picture that is tilted is described with a doubt."),
	REAL("tilted-refuse", quality_refuse[4], "0", 0, 2,
	     "The score from which on it is not described."),
	REAL("uniform-doubt", quality_doubt[5], "0", 0, 2,
	     "The score from which on a picture that shows an even surface is "
	     "described with a doubt."),
	REAL("uniform-refuse", quality_refuse[5], "0", 0, 2,
	     "The score from which on it is not described."),
	REAL("not-photo-doubt", quality_doubt[6], "0", 0, 2,
	     "The score from which on a picture that is not a photo but a screen, text "
	     "or drawing is described with a doubt."),
	REAL("not-photo-refuse", quality_refuse[6], "0", 0, 2,
	     "The score from which on it is not described."),
};

static const struct config_key button_keys[] = {
	BUTTON("device", CONFIG_TEXT, device, "", 0, TEXT_BYTES_MAX, NULL,
	       "A path below /dev/input, or part of the name of a keyboard or button; "
	       "`descry devices` lists them."),
	BUTTON("key", CONFIG_TEXT, key, "any", 0, TEXT_BYTES_MAX, NULL,
	       "The key, as f9 or playpause; any: every key of the device is the same button."),
	BUTTON("short", CONFIG_CHOICE, on_short, "look", 0, 0, actions, "What a short press does."),
	BUTTON("double", CONFIG_CHOICE, on_double, "repeat", 0, 0, actions,
	       "What two presses in quick succession do."),
	BUTTON("long", CONFIG_CHOICE, on_long, "watch", 0, 0, actions, "What a long press does."),
	BUTTON("stops", CONFIG_BOOL, stops, "yes", 0, 0, NULL,
	       "While something is spoken, a press stops it at once instead of its short action."),
	BUTTON("chord", CONFIG_TEXT, chord, "", 0, TEXT_BYTES_MAX, NULL,
	       "Keys held together, as leftmeta+d."),
	BUTTON("chord-action", CONFIG_CHOICE, on_chord, "look", 0, 0, actions,
	       "What the chord does."),
	BUTTON("grab", CONFIG_BOOL, grab, "no", 0, 0, NULL,
	       "Take the device for Descry alone, so that its keys do nothing else."),
};

static const struct config_key keys_keys[] = {
	NUMBER("double", keys_double, "300", 50, 2000,
	       "Milliseconds within which a second press makes a double press."),
	NUMBER("long", keys_long, "600", 100, 5000, "Milliseconds that make a press long."),
};

static const struct config_key log_keys[] = {
	CHOICE("level", log_level, "info", log_levels,
	       "How much is logged. Captions are logged at debug only."),
};

#define SECTION(name, help, keys) \
	{ name, help, keys, sizeof(keys) / sizeof(*(keys)), 0, 0, 0, 0 }

static const struct config_section sections[] = {
	SECTION("model", "The neural network.", model_keys),
	SECTION("caption", "How pictures are described.", caption_keys),
	SECTION("speech", "The voice.", speech_keys),
	SECTION("sounds", "Short sounds.", sounds_keys),
	{ "camera", "A camera or another source of pictures, under a name of your choice.",
	  camera_keys, sizeof(camera_keys) / sizeof(*camera_keys), CONFIG_CAMERAS,
	  sizeof(struct config_camera), AT(cameras), AT(camera_count) },
	SECTION("look", "What a press of the key looks through.", look_keys),
	SECTION("watch", "Watching a camera and telling what changes.", watch_keys),
	SECTION("quality", "When a picture is too bad to be described. Scores go from 0 to 1; "
		"0 as a value: as calibrated; 2: never.", quality_keys),
	{ "button", "A key, button or keyboard, under a name of your choice.", button_keys,
	  sizeof(button_keys) / sizeof(*button_keys), CONFIG_BUTTONS,
	  sizeof(struct config_button), AT(buttons), AT(button_count) },
	SECTION("keys", "The rhythm of presses.", keys_keys),
	SECTION("log", "The log, on standard error or in the journal.", log_keys),
};
#define SECTION_COUNT (sizeof(sections) / sizeof(*sections))

const struct config_section *config_sections(size_t *ret_count)
{
	*ret_count = SECTION_COUNT;
	return sections;
}

/* --- Values -------------------------------------------------------------- */

void config_describe_key(const struct config_key *key, char *ret_text, size_t size)
{
	size_t used;

	switch (key->type) {
	case CONFIG_BOOL:
		snprintf(ret_text, size, "yes or no");
		break;
	case CONFIG_NUMBER:
		snprintf(ret_text, size, "a whole number from %.0f to %.0f", key->minimum,
			 key->maximum);
		break;
	case CONFIG_REAL:
		snprintf(ret_text, size, "a number from %g to %g", key->minimum, key->maximum);
		break;
	case CONFIG_TEXT:
		snprintf(ret_text, size, "at most %.0f bytes of text", key->maximum);
		break;
	case CONFIG_PATH:
		snprintf(ret_text, size, "a path that starts with / or ~/, or nothing");
		break;
	case CONFIG_CHOICE:
		used = (size_t)snprintf(ret_text, size, "one of:");
		for (size_t i = 0; key->choices[i] && used < size; i++)
			used += (size_t)snprintf(ret_text + used, size - used, "%s %s",
						 i ? "," : "", key->choices[i]);
		break;
	}
}

static bool parse_bool(const char *text, bool *ret_value)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(text, words[i]) == 0) {
			*ret_value = i % 2 == 1;
			return true;
		}
	}
	return false;
}

static bool parse_real(const struct config_key *key, const char *text, double *ret_value)
{
	char *end;
	double value;

	if (*text == '\0' || strspn(text, "+-.0123456789eE") != strlen(text))
		return false;
	value = strtod(text, &end);
	if (*end || !isfinite(value) || value < key->minimum || value > key->maximum)
		return false;
	*ret_value = value;
	return true;
}

static bool parse_number(const struct config_key *key, const char *text, unsigned *ret_value)
{
	double value;

	if (*text == '\0' || strspn(text, "0123456789") != strlen(text) ||
	    !parse_real(key, text, &value))
		return false;
	*ret_value = (unsigned)value;
	return true;
}

static int parse_text(const struct config_key *key, const char *text, char **field)
{
	const char *home = getenv("HOME");
	char *value = NULL;

	if (strlen(text) > (size_t)key->maximum)
		return 1;
	if (key->type == CONFIG_PATH && strncmp(text, "~/", 2) == 0) {
		if (!home || asprintf(&value, "%s%s", home, text + 1) < 0)
			return home ? -ENOMEM : 1;
	} else if (key->type == CONFIG_PATH && *text && *text != '/') {
		return 1;
	} else if (*text) {
		value = strdup(text);
		if (!value)
			return -ENOMEM;
	}
	free(*field);
	*field = value;
	return 0;
}

int config_set_value(void *base, const struct config_key *key, const char *text)
{
	void *field = (char *)base + key->offset;

	switch (key->type) {
	case CONFIG_BOOL:
		return parse_bool(text, field) ? 0 : 1;
	case CONFIG_NUMBER:
		return parse_number(key, text, field) ? 0 : 1;
	case CONFIG_REAL:
		return parse_real(key, text, field) ? 0 : 1;
	case CONFIG_TEXT:
	case CONFIG_PATH:
		return parse_text(key, text, field);
	case CONFIG_CHOICE:
		for (unsigned i = 0; key->choices[i]; i++) {
			if (strcmp(key->choices[i], text) == 0) {
				*(unsigned *)field = i;
				return 0;
			}
		}
		return 1;
	}
	return 1;
}

static int set_defaults(void *base, const struct config_section *section)
{
	for (size_t i = 0; i < section->key_count; i++) {
		int r = config_set_value(base, &section->keys[i], section->keys[i].initial);

		if (r)
			return r < 0 ? r : -EINVAL;
	}
	return 0;
}

void config_free_values(void *base, const struct config_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char **field = (char **)(void *)((char *)base + keys[i].offset);

		if (keys[i].type == CONFIG_TEXT || keys[i].type == CONFIG_PATH) {
			free(*field);
			*field = NULL;
		}
	}
}

/* --- Reading ------------------------------------------------------------- */

struct reader {
	const char *path;	/* for messages; NULL while overrides are applied */
	FILE *file;
	unsigned line;
	size_t bytes;
	struct config *config;
	struct config_error *error;
	int status;
	bool usable;		/* mistakes in the file are noted, and reading goes on */
	bool lost;		/* in a section whose name could not be read */
	/* what was set already: section instance and key, to refuse a second time */
	struct seen {
		const void *base;
		const struct config_key *key;
	} *seen;
	size_t seen_count;
};

/* Remembers the first failure only: libinih reads on after one. A mistake that
 * costs only its key is not the load's status. */
__attribute__((format(printf, 3, 4)))
static int fail(struct reader *reader, int status, const char *format, ...)
{
	char *message = reader->error->message;
	size_t size = sizeof(reader->error->message), used = 0;
	va_list arguments;

	if (reader->status)
		return reader->status;
	if (!reader->usable || !reader->path || status < 0)
		reader->status = status;
	else if (*message)
		return status;
	reader->error->line = reader->path ? reader->line : 0;
	if (reader->path)
		used = (size_t)snprintf(message, size, "%s, line %u: ", reader->path, reader->line);
	if (used < size) {
		va_start(arguments, format);
		vsnprintf(message + used, size - used, format, arguments);
		va_end(arguments);
	}
	return status;
}

static unsigned *instance_count(struct config *config, const struct config_section *section)
{
	return (unsigned *)(void *)((char *)config + section->count);
}

static void *instance_at(struct config *config, const struct config_section *section, unsigned i)
{
	return (char *)config + section->instances + i * section->size;
}

/* Finds or adds [kind NAME]; on success `ret_base` is what its keys' offsets
 * count from. */
static int find_instance(struct reader *reader, const struct config_section *section,
			 const char *name, void **ret_base)
{
	unsigned *count = instance_count(reader->config, section);
	void *base;
	int r;

	for (unsigned i = 0; i < *count; i++) {
		base = instance_at(reader->config, section, i);
		if (strcmp(*(char **)base, name) == 0) {
			*ret_base = base;
			return 0;
		}
	}
	if (*count == section->most)
		return fail(reader, 1, "There can be at most %zu sections [%s NAME].",
			    section->most, section->name);
	base = instance_at(reader->config, section, *count);
	*(char **)base = strdup(name);
	if (!*(char **)base)
		return fail(reader, -ENOMEM, "Out of memory.");
	++*count;
	r = set_defaults(base, section);
	if (r < 0)
		return fail(reader, r, "Out of memory.");
	*ret_base = base;
	return 0;
}

static int find_section(struct reader *reader, const char *text,
			const struct config_section **ret_section, void **ret_base)
{
	char list[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < SECTION_COUNT; i++) {
		const struct config_section *section = &sections[i];
		size_t length = strlen(section->name);

		if (section->most == 0 && strcmp(section->name, text) == 0) {
			*ret_section = section;
			*ret_base = reader->config;
			return 0;
		}
		if (section->most > 0 && strncmp(section->name, text, length) == 0 &&
		    text[length] == ' ' && text[length + 1]) {
			*ret_section = section;
			return find_instance(reader, section, text + length + 1, ret_base);
		}
		if (used < sizeof(list))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s [%s%s]",
						 i ? "," : "", section->name,
						 section->most ? " NAME" : "");
	}
	if (!*text)
		return fail(reader, 1, "A key stands before the first section. The sections are:%s.",
			    list);
	return fail(reader, 1, "There is no section [%s]. The sections are:%s.", text, list);
}

static int find_key(struct reader *reader, const struct config_section *section,
		    const char *name, const struct config_key **ret_key)
{
	char list[384] = "";
	size_t used = 0;

	for (size_t i = 0; i < section->key_count; i++) {
		if (strcmp(section->keys[i].name, name) == 0) {
			*ret_key = &section->keys[i];
			return 0;
		}
		if (used < sizeof(list))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s %s",
						 i ? "," : "", section->keys[i].name);
	}
	return fail(reader, 1, "Section [%s] has no key \"%s\". Its keys are:%s.", section->name,
		    name, list);
}

static int mark_seen(struct reader *reader, const void *base, const struct config_key *key)
{
	struct seen *grown;

	for (size_t i = 0; i < reader->seen_count; i++)
		if (reader->seen[i].base == base && reader->seen[i].key == key)
			return fail(reader, 1, "The key \"%s\" is set twice.", key->name);
	grown = reallocarray(reader->seen, reader->seen_count + 1, sizeof(*grown));
	if (!grown)
		return fail(reader, -ENOMEM, "Out of memory.");
	reader->seen = grown;
	grown[reader->seen_count++] = (struct seen){ base, key };
	return 0;
}

static int set_key(struct reader *reader, const char *section_name, const char *name,
		   const char *value, bool once)
{
	const struct config_section *section = NULL;
	const struct config_key *key = NULL;
	char allowed[256];
	void *base = NULL;
	int r;

	r = find_section(reader, section_name, &section, &base);
	if (r == 0)
		r = find_key(reader, section, name, &key);
	if (r == 0 && once)
		r = mark_seen(reader, base, key);
	if (r)
		return r;
	r = config_set_value(base, key, value);
	if (r < 0)
		return fail(reader, r, "Out of memory.");
	if (r > 0) {
		config_describe_key(key, allowed, sizeof(allowed));
		return fail(reader, 1, "%s.%s is \"%.80s\", but must be %s.", section_name, name,
			    value, allowed);
	}
	return 0;
}

/* Called by libinih for each key. Its result marks the line as wrong, which only
 * lines that libinih cannot read are to be when mistakes are passed over. */
static int on_key(void *user, const char *section, const char *name, const char *value)
{
	struct reader *reader = user;

	if (reader->lost) {
		fail(reader, 1, "This stands below a heading that cannot be read.");
		return 1;
	}
	return set_key(reader, section, name, value ? value : "", true) == 0 || reader->usable;
}

/* libinih leaves the keys after a heading that it cannot read to the section
 * before it, where they may mean something else. */
static void note_heading(struct reader *reader, const char *line)
{
	size_t blanks = strspn(line, " \t\v\f\r");
	bool closed = false;

	if (line[blanks] != '[')
		return;
	for (const char *p = line + blanks + 1; *p && !closed; p++) {
		if (*p == ';' && strchr(" \t\v\f\r", p[-1]))
			break;
		closed = *p == ']';
	}
	/* an indented one may go on with the value above it */
	if (!closed)
		reader->lost = reader->usable;
	else if (blanks == 0)
		reader->lost = false;
}

static char *read_line(char *buffer, int size, void *user)
{
	struct reader *reader = user;
	size_t length;
	char *line;

	if (reader->status)
		return NULL;
	line = fgets(buffer, size, reader->file);
	if (!line)
		return NULL;
	reader->line++;
	length = strlen(line);
	reader->bytes += length;
	if (reader->bytes > CONFIG_BYTES_MAX) {
		fail(reader, 1, "The file is larger than %u bytes.", CONFIG_BYTES_MAX);
		return NULL;
	}
	if (length > LINE_BYTES_MAX || (length + 1 < (size_t)size && length > 0 &&
					line[length - 1] != '\n' && !feof(reader->file))) {
		fail(reader, 1, "The line is longer than %d bytes or holds a zero byte.",
		     LINE_BYTES_MAX);
		return NULL;
	}
	note_heading(reader, line);
	return line;
}

static int open_file(const char *path, FILE **ret_file, struct config_error *error)
{
	struct stat st;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		r = -errno;
	} else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		r = -EINVAL;
		snprintf(error->message, sizeof(error->message),
			 "The configuration %s is not a regular file.", path);
		close(fd);
		return r;
	} else {
		*ret_file = fdopen(fd, "re");
		if (*ret_file)
			return 0;
		r = -errno;
		close(fd);
	}
	snprintf(error->message, sizeof(error->message),
		 "The configuration %s cannot be read: %s.", path, strerror(-r));
	return r;
}

static int read_file(struct reader *reader, const char *path)
{
	int line, r;

	r = open_file(path, &reader->file, reader->error);
	if (r)
		return reader->status = r;
	reader->path = path;
	line = ini_parse_stream(read_line, reader, on_key, reader);
	if (line == -2)
		fail(reader, -ENOMEM, "Out of memory.");
	else if (line > 0 && !reader->status &&
		 (!reader->error->line || (unsigned)line < reader->error->line)) {
		reader->error->message[0] = '\0';
		reader->line = (unsigned)line;
		fail(reader, 1, "This is neither a [section], nor a key = value, nor a comment.");
	}
	if (!reader->status && ferror(reader->file))
		fail(reader, -EIO, "The file cannot be read.");
	fclose(reader->file);
	reader->path = NULL;
	return reader->status;
}

static int apply_override(struct reader *reader, const char *text)
{
	const char *equals = strchr(text, '='), *dot = NULL;
	char *section, *name;
	int r;

	for (const char *p = text; equals && p < equals; p++)
		if (*p == '.')
			dot = p;
	if (!dot)
		return fail(reader, 1, "\"%.80s\" is not of the form section.key=value.", text);
	section = strndup(text, (size_t)(dot - text));
	name = strndup(dot + 1, (size_t)(equals - dot - 1));
	r = section && name ? set_key(reader, section, name, equals + 1, false)
			    : fail(reader, -ENOMEM, "Out of memory.");
	free(section);
	free(name);
	return r;
}

static int load(const char *path, const char *const *overrides, size_t count, bool usable,
		struct config **ret_config, struct config_error *error)
{
	struct config_error ignored;
	struct reader reader = { .error = error ? error : &ignored, .usable = usable };

	*reader.error = (struct config_error){ 0 };
	reader.config = calloc(1, sizeof(*reader.config));
	if (!reader.config)
		return fail(&reader, -ENOMEM, "Out of memory.");
	for (size_t i = 0; i < SECTION_COUNT && !reader.status; i++)
		if (sections[i].most == 0 && set_defaults(reader.config, &sections[i]) < 0)
			fail(&reader, -ENOMEM, "Out of memory.");
	if (!reader.status && path)
		read_file(&reader, path);
	for (size_t i = 0; i < count && !reader.status; i++)
		apply_override(&reader, overrides[i]);
	free(reader.seen);
	if (reader.status) {
		config_free(reader.config);
		return reader.status;
	}
	*ret_config = reader.config;
	return 0;
}

int config_load(const char *path, const char *const *overrides, size_t count,
		struct config **ret_config, struct config_error *error)
{
	return load(path, overrides, count, false, ret_config, error);
}

int config_load_usable(const char *path, const char *const *overrides, size_t count,
		       struct config **ret_config, struct config_error *error)
{
	return load(path, overrides, count, true, ret_config, error);
}

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		const struct config_section *section = &sections[i];

		if (section->most == 0) {
			config_free_values(config, section->keys, section->key_count);
			continue;
		}
		for (unsigned j = 0; j < *instance_count(config, section); j++) {
			void *base = instance_at(config, section, j);

			free(*(char **)base);
			config_free_values(base, section->keys, section->key_count);
		}
	}
	free(config);
	return NULL;
}

char *config_find(bool system)
{
	const char *home = getenv("HOME"), *base = getenv("XDG_CONFIG_HOME");
	char *path = NULL;
	int r = -1;

	if (!system && base && *base == '/')
		r = asprintf(&path, "%s/descry/descry.conf", base);
	else if (!system && home)
		r = asprintf(&path, "%s/.config/descry/descry.conf", home);
	if (r >= 0 && access(path, F_OK) == 0)
		return path;
	if (r >= 0)
		free(path);
	return access(SYSTEM_FILE, F_OK) == 0 ? strdup(SYSTEM_FILE) : NULL;
}

const char *config_model_path(const struct config *config)
{
	return config->model_path ? config->model_path : INSTALLED_MODEL;
}

/* --- The file and the manual --------------------------------------------- */

/* Writes text as comment lines of at most 78 columns. */
static void write_comment(FILE *out, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t length = strcspn(text, " ");

		if (column == 0 || column + 1 + length > 78) {
			fputs(column ? "\n#" : "#", out);
			column = 1;
		}
		fprintf(out, " %.*s", (int)length, text);
		column += 1 + length;
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

void config_write_file(FILE *out)
{
	char allowed[256], line[512];

	fputs("# Descry's configuration: every key with its default. A key that is commented\n"
	      "# out has the default. `systemctl --user reload descry` makes a change hold;\n"
	      "# a mistake is named with its line, and the old configuration stays.\n", out);
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		const struct config_section *section = &sections[i];
		const char *mark = section->most ? "#" : "";

		fputc('\n', out);
		write_comment(out, section->help);
		fprintf(out, "%s[%s%s]\n", mark, section->name, section->most ? " NAME" : "");
		for (size_t j = 0; j < section->key_count; j++) {
			const struct config_key *key = &section->keys[j];

			config_describe_key(key, allowed, sizeof(allowed));
			snprintf(line, sizeof(line), "%s Allowed: %s.", key->help, allowed);
			fputc('\n', out);
			write_comment(out, line);
			fprintf(out, "#%s =%s%s\n", key->name, *key->initial ? " " : "",
				key->initial);
		}
	}
}

/* mdoc takes a line that starts with a dot or an apostrophe for a request, and a
 * backslash for an escape. */
static void write_mdoc(FILE *out, const char *text)
{
	bool start = true;

	for (; *text; text++) {
		if (start && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		if (*text == '\\')
			fputs("\\e", out);
		else
			fputc(*text, out);
		/* one sentence a line, as mdoc wants it */
		start = *text == '.' && text[1] == ' ';
		if (start) {
			fputc('\n', out);
			text++;
		}
	}
	fputc('\n', out);
}

void config_write_manual(FILE *out)
{
	char allowed[256];

	for (size_t i = 0; i < SECTION_COUNT; i++) {
		const struct config_section *section = &sections[i];

		fprintf(out, ".Ss [%s%s]\n", section->name, section->most ? " NAME" : "");
		write_mdoc(out, section->help);
		if (section->most)
			fprintf(out, "Up to %zu such sections can stand in the file.\n",
				section->most);
		fputs(".Bl -tag -width Ds\n", out);
		for (size_t j = 0; j < section->key_count; j++) {
			const struct config_key *key = &section->keys[j];

			config_describe_key(key, allowed, sizeof(allowed));
			fprintf(out, ".It Cm %s\n", key->name);
			write_mdoc(out, key->help);
			fprintf(out, "Allowed: %s.\n", allowed);
			if (*key->initial)
				fprintf(out, "Default: %s.\n", key->initial);
			else
				fputs("Empty by default.\n", out);
		}
		fputs(".El\n", out);
	}
}
