/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * config_keys.c: the table of all sections and keys of the configuration, with
 * their types, ranges, defaults and help. Everything else about configuration is
 * made from it; see config.h.
 */
#include "daemon/config.h"

#include "daemon/route.h"

#define TEXT_BYTES_MAX 160

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
	       "Processor threads that describe a picture. 0: as many of the physical cores, at "
	       "most 4, as turn out fastest on the first pictures."),
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

/* In the order of enum tts_hold. */
static const char *const hold_choices[] = { "shared", "always", "never", NULL };

static const struct config_key sounds_keys[] = {
	BOOL("tick", sounds_tick, "yes", "A soft tick while a description takes its time."),
	NUMBER("tick-after", sounds_tick_after, "400", 100, 10000,
	       "Milliseconds before the first tick."),
	BOOL("shutter", sounds_shutter, "yes", "A click when the camera has taken a picture."),
	BOOL("error", sounds_error, "yes", "A low sound before an error is spoken."),
	BOOL("press", sounds_press, "yes", "A short sound when a key press was noticed."),
	CHOICE("hold", sounds_hold, "shared", hold_choices,
	       "When the sound card is held open, silent, so that sounds are heard at once. "
	       "shared: where other programs can play beside it; always: even where they cannot "
	       "then; never."),
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

const struct config_section *config_sections(size_t *ret_count)
{
	*ret_count = sizeof(sections) / sizeof(*sections);
	return sections;
}
