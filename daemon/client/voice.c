/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * voice.c: `descry say`, `repeat`, `stop` and `voices`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/client/commands.h"
#include "daemon/program.h"
#include "tts/tts.h"

static const struct client_option say_options[] = {
	{ "priority", "WHEN", "now, next or idle; now is the default and stops what is being said.",
	  'p' },
	{ "language", "LANGUAGE", "A voice or language for this text.", 'l' },
};

/* The arguments with a space between each; the caller frees. */
static char *join(int count, char **words)
{
	size_t size = 1;
	char *text, *at;

	for (int i = 0; i < count; i++)
		size += strlen(words[i]) + 1;
	text = malloc(size);
	if (!text)
		return NULL;
	at = text;
	*at = '\0';
	for (int i = 0; i < count; i++) {
		if (i > 0)
			*at++ = ' ';
		at = stpcpy(at, words[i]);
	}
	return text;
}

static DBusMessage *say_call(struct client *client, const char *text)
{
	const char *priority = client_value(client, "priority");
	const char *language = client_value(client, "language");
	DBusMessage *call = client_call_new("Say");
	json_t *options = json_object();

	if (call) {
		if (priority)
			json_object_set_new(options, "priority", json_string(priority));
		if (language)
			json_object_set_new(options, "language", json_string(language));
		dbus_message_append_args(call, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
		client_append_options(call, options);
	}
	json_decref(options);
	return call;
}

static int run_say(struct client *client, int argc, char **argv)
{
	struct failure failure;
	char *text;
	int r;

	if (argc == 0)
		return client_usage(client, "There is nothing to say.");
	text = join(argc, argv);
	if (text && !dbus_validate_utf8(text, NULL)) {
		free(text);
		return client_usage(client, "The text is not UTF-8.");
	}
	r = client_call(client, text ? say_call(client, text) : NULL, true, NULL, &failure);
	free(text);
	return r ? client_fail(client, NULL, &failure) : 0;
}

const struct command command_say = {
	.name = "say", .arguments = "TEXT…",
	.help = "Speaks the text.",
	.options = say_options, .option_count = sizeof(say_options) / sizeof(*say_options),
	.run = run_say,
};

static int run_plain(struct client *client, const char *method, int argc, char **argv)
{
	struct failure failure;

	if (argc > 0)
		return client_usage(client, "\"%s\" is one argument too many.", argv[0]);
	if (client_call(client, client_call_new(method), true, NULL, &failure))
		return client_fail(client, NULL, &failure);
	return 0;
}

static int run_repeat(struct client *client, int argc, char **argv)
{
	return run_plain(client, "Repeat", argc, argv);
}

static int run_stop(struct client *client, int argc, char **argv)
{
	return run_plain(client, "Stop", argc, argv);
}

const struct command command_repeat = {
	.name = "repeat", .arguments = "",
	.help = "Says the last sentence again.",
	.run = run_repeat,
};

const struct command command_stop = {
	.name = "stop", .arguments = "",
	.help = "Silences the voice at once. Descriptions that are still under way are not spoken.",
	.run = run_stop,
};

static void print_voices(const struct client *client, const struct tts_voice_info *voices,
			 size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct tts_voice_info *voice = &voices[i];
		const char gender[] = { voice->gender, '\0' };

		if (client->json)
			client_print_json(json_pack("{s:s, s:s, s:s, s:s}", "name", voice->name,
						    "language", voice->language, "identifier",
						    voice->identifier, "gender", gender));
		else
			printf("%s: %s, %s\n", voice->language, voice->name,
			       voice->gender == 'm' ? "male" : voice->gender == 'f' ? "female"
										    : "no gender");
	}
}

static int run_voices(struct client *client, int argc, char **argv)
{
	const struct tts_voice_info *voices;
	struct tts_options options = { 0 };
	char *program;
	struct tts_error error = { "" };
	struct tts *tts = NULL;
	struct failure failure;
	size_t count;
	int r;

	if (argc > 0)
		return client_usage(client, "voices takes no \"%s\".", argv[0]);
	program = program_find("descry-speech");
	options.program = program;
	r = tts_open(&options, &tts, &error);
	free(program);
	if (r == 0) {
		tts_voices(tts, &voices, &count);
		print_voices(client, voices, count);
	}
	tts_free(tts);
	if (r == 0)
		return 0;
	failure_from_tts(&failure, r, error.message);
	return client_fail(client, NULL, &failure);
}

const struct command command_voices = {
	.name = "voices", .arguments = "",
	.help = "Lists the voices and languages that can be spoken.",
	.run = run_voices,
};
