/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * service_speech.c: Say, Repeat and Stop, and the properties of the voice.
 */
#include <stddef.h>
#include <string.h>

#include "daemon/limits.h"
#include "daemon/options.h"
#include "daemon/service.h"

static const char *const priorities[] = { "now", "next", "idle", NULL };

struct say_options {
	unsigned priority;	/* enum tts_priority */
	char *language;
};

static const struct config_key say_keys[] = {
	{ "priority", CONFIG_CHOICE, offsetof(struct say_options, priority), "now", 0, 0,
	  priorities, "now: stop and say; next: after this sentence; idle: when all is said." },
	{ "language", CONFIG_TEXT, offsetof(struct say_options, language), "", 0, 40, NULL,
	  "A voice or language for this text." },
};
#define SAY_KEY_COUNT (sizeof(say_keys) / sizeof(*say_keys))

static void say(struct service *service, DBusMessage *call)
{
	struct say_options options = { 0 };
	struct failure failure;
	DBusMessageIter iter;
	const char *text;
	int r;

	dbus_message_iter_init(call, &iter);
	dbus_message_iter_get_basic(&iter, &text);
	dbus_message_iter_next(&iter);
	r = options_read(&iter, say_keys, SAY_KEY_COUNT, &options, &failure);
	if (r == 0 && strlen(text) > LIMIT_SAY_BYTES)
		r = failure_set(&failure, FAILURE_TOO_LARGE,
				"The text is longer than %u bytes. Say it in parts.",
				LIMIT_SAY_BYTES);
	if (r == 0)
		r = speech_say(service->speech, text, (enum tts_priority)options.priority,
			       options.language, &failure);
	config_free_values(&options, say_keys, SAY_KEY_COUNT);
	if (r)
		service_fail(service, call, &failure);
	else
		service_reply(service, call);
}

static void repeat(struct service *service, DBusMessage *call)
{
	struct failure failure;

	if (speech_repeat(service->speech, &failure))
		service_fail(service, call, &failure);
	else
		service_reply(service, call);
}

static void stop(struct service *service, DBusMessage *call)
{
	speech_stop(service->speech);
	jobs_silence(service->jobs);
	service_reply(service, call);
}

static json_t *get_speaking(struct service *service)
{
	return json_boolean(speech_speaking(service->speech));
}

static json_t *get_rate(struct service *service)
{
	return json_integer(speech_rate(service->speech));
}

static int set_rate(struct service *service, json_t *value, struct failure *failure)
{
	return speech_set_rate(service->speech, (unsigned)json_integer_value(value), failure);
}

static json_t *get_volume(struct service *service)
{
	return json_integer(speech_volume(service->speech));
}

static int set_volume(struct service *service, json_t *value, struct failure *failure)
{
	return speech_set_volume(service->speech, (unsigned)json_integer_value(value), failure);
}

static json_t *get_voice(struct service *service)
{
	return json_string(speech_voice(service->speech));
}

static int set_voice(struct service *service, json_t *value, struct failure *failure)
{
	return speech_set_voice(service->speech, json_string_value(value), failure);
}

static json_t *get_verbosity(struct service *service)
{
	return json_string(config_verbosities[service->verbosity]);
}

static int set_verbosity(struct service *service, json_t *value, struct failure *failure)
{
	for (unsigned i = 0; i < VERBOSITY_COUNT; i++) {
		if (strcmp(config_verbosities[i], json_string_value(value)) == 0) {
			service->verbosity = (enum config_verbosity)i;
			return 0;
		}
	}
	return failure_set(failure, FAILURE_BAD_OPTION,
			   "The verbosity must be brief, normal or full.");
}

static const struct service_method methods[] = {
	{ "Say", "sa{sv}", "", "text options", say },
	{ "Repeat", "", "", "", repeat },
	{ "Stop", "", "", "", stop },
};

static const struct service_property properties[] = {
	{ "Speaking", "b", get_speaking, NULL },
	{ "Rate", "u", get_rate, set_rate },
	{ "Voice", "s", get_voice, set_voice },
	{ "Volume", "u", get_volume, set_volume },
	{ "Verbosity", "s", get_verbosity, set_verbosity },
};

const struct service_group service_speech_group = {
	.methods = methods, .method_count = sizeof(methods) / sizeof(*methods),
	.properties = properties, .property_count = sizeof(properties) / sizeof(*properties),
};
