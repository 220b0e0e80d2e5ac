/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * config.h: the configuration, read from one INI file.
 *
 * One typed table (config_keys.c) holds every key: section, name, type, range,
 * default and help. The parser, descry.conf, the manual page, `descryd --help`
 * and the tests all come from it. To add a key, add a field here and a line
 * there. A section may also be a kind of which several exist under names of the
 * user's choice, written [kind NAME].
 *
 * Nothing is guessed: an unknown section or key, a value out of range or a key
 * set twice fails the whole load with file, line and what is allowed, so that a
 * reload keeps the old configuration. At the start there is no old one, and a
 * user with nothing but a button must still be heard: what is right is then used.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum config_verbosity { VERBOSITY_BRIEF, VERBOSITY_NORMAL, VERBOSITY_FULL, VERBOSITY_COUNT };
extern const char *const config_verbosities[];	/* NULL-terminated */

enum { CONFIG_CAMERAS = 8, CONFIG_BUTTONS = 8 };

/* [camera NAME]; its keys become a struct source_settings */
struct config_camera {
	char *name;
	unsigned kind, format;		/* enum source_kind, enum source_format */
	char *device, *command, *folder, *url, *files;
	bool shell, announce;
	unsigned width, height, warm, settle, open_timeout, stall_timeout, limit;
};

/* [button NAME] */
struct config_button {
	char *name;
	char *device, *key, *chord;
	bool grab;
	unsigned on_short, on_double, on_long, on_chord;	/* enum action */
	bool stops;
};

struct config {
	/* [model] */
	char *model_path;
	unsigned model_threads;
	/* [caption] */
	unsigned caption_beam;
	enum config_verbosity caption_verbosity;
	double trust_sure, trust_refused;
	unsigned caption_timeout;
	/* [speech] */
	char *speech_voice;
	unsigned speech_rate, speech_pitch, speech_volume;
	char *speech_device;
	unsigned speech_route;	/* enum route_choice */
	unsigned speech_route_timeout;
	char *speech_wav;
	/* [sounds] */
	bool sounds_tick, sounds_shutter, sounds_error, sounds_press, sounds_cover;
	unsigned sounds_tick_after;
	unsigned sounds_hold;	/* enum tts_hold */
	/* [camera NAME] */
	struct config_camera cameras[CONFIG_CAMERAS];
	unsigned camera_count;
	/* [look] */
	char *look_camera;
	/* [watch] */
	char *watch_camera;
	unsigned watch_check, watch_pause, watch_duty, watch_settle, watch_moving;
	double watch_motion, watch_change, watch_similarity;
	double watch_cover_brightness, watch_cover_contrast;
	unsigned watch_cover;
	/* [quality]; in the order of enum engine_quality_kind */
	double quality_doubt[7], quality_refuse[7];
	/* [button NAME], [keys] */
	struct config_button buttons[CONFIG_BUTTONS];
	unsigned button_count;
	unsigned keys_double, keys_long;
	/* [log] */
	unsigned log_level;	/* enum log_level */
};

struct config_error {
	char message[512];
	unsigned line;	/* of the file; 0: not a line's mistake */
};

enum config_type {
	CONFIG_BOOL,	/* bool */
	CONFIG_NUMBER,	/* unsigned */
	CONFIG_REAL,	/* double */
	CONFIG_TEXT,	/* char *, NULL when empty */
	CONFIG_PATH,	/* char *, absolute; a leading ~/ is the home directory; NULL when empty */
	CONFIG_CHOICE,	/* enum or unsigned, index into `choices` */
};

struct config_key {
	const char *name;
	enum config_type type;
	size_t offset;		/* in struct config, or in an instance of the section */
	const char *initial;	/* the default, as it would be written in the file */
	double minimum, maximum;	/* NUMBER, REAL; TEXT and PATH: maximum bytes */
	const char *const *choices;	/* CHOICE; NULL-terminated */
	const char *help;	/* one or more sentences */
};

struct config_section {
	const char *name, *help;
	const struct config_key *keys;
	size_t key_count;
	/* Sections with names of the user's choice: an array of `most` instances of
	 * `size` bytes at `instances` of struct config, each starting with a
	 * `char *name`, and their number, an unsigned, at `count`. */
	size_t most, size, instances, count;
};

/* The table; `ret_count` sections. */
const struct config_section *config_sections(size_t *ret_count);

/* `path` NULL loads the defaults. `overrides` are `count` strings of the form
 * section.key=value, applied last. Returns 0, -ENOMEM, another negative errno
 * when the file cannot be read, or 1 when it is wrong; the error says all. */
int config_load(const char *path, const char *const *overrides, size_t count,
		struct config **ret_config, struct config_error *error);
/* The same, but a mistake in the file costs only its key, which keeps its default
 * (and a section's line its keys; a line that cannot be read, what follows it).
 * The error names the first one; its message is "" when there was none. */
int config_load_usable(const char *path, const char *const *overrides, size_t count,
		       struct config **ret_config, struct config_error *error);
struct config *config_free(struct config *config);

/* The model file that holds: the configured one, else the one that was installed. */
const char *config_model_path(const struct config *config);

/* The parser for one value and its counterpart, for other tables of keys (the
 * options of D-Bus methods). Returns 0, -ENOMEM, or 1 when `text` is not what the
 * key takes; `base` is what the keys' offsets count from. */
int config_set_value(void *base, const struct config_key *key, const char *text);
void config_free_values(void *base, const struct config_key *keys, size_t count);

/* The file that holds without --config: the user's own, else the machine's;
 * NULL when neither exists. `system`: only the machine's. The caller frees. */
char *config_find(bool system);

/* What is allowed, in words: "a whole number from 80 to 900". */
void config_describe_key(const struct config_key *key, char *ret_text, size_t size);

/* The default configuration file with every key, and the keys' part of the
 * manual page in mdoc. */
void config_write_file(FILE *out);
void config_write_manual(FILE *out);

#endif
