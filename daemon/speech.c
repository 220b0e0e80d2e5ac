/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * speech.c: see speech.h. The device and the WAV file are those of the start, since
 * tts_open() takes them.
 */
#include "daemon/speech.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "daemon/log.h"
#include "daemon/program.h"
#include "daemon/route.h"

#define TICK_EVERY_MS 1000

struct speech {
	struct tts *tts;
	const struct config *config;
	struct speech_options options;
	struct loop_source *events, *tick;
	struct routes *routes;
	struct bus *bus;
	char *last_text, *last_language;	/* for speech_repeat */
	bool speaking;
	char trouble[256];
	uint64_t apology;	/* the last; 0: none yet */
};

static void update_speaking(struct speech *speech)
{
	bool speaking = speech->routes && routes_speaking(speech->routes);

	if (speaking == speech->speaking)
		return;
	speech->speaking = speaking;
	speech->options.on_speaking(speech->options.data, speaking);
}

/* A reason that holds for every utterance is logged when it changes. */
static void note_trouble(struct speech *speech, const char *message)
{
	if (strcmp(speech->trouble, message) == 0)
		return;
	snprintf(speech->trouble, sizeof(speech->trouble), "%s", message);
	if (*message)
		log_warning("%s", message);
}

/* Whoever waits for a text that cannot be spoken is told so, at its place. */
static void apologise(struct speech *speech, uint64_t utterance)
{
	static const char sentence[] = "This text could not be spoken.";

	if (utterance == speech->apology)
		return;
	log_debug("saying: %s", sentence);
	tts_say(speech->tts, sentence, TTS_NEXT, NULL, &speech->apology, NULL);
}

static void on_events(void *data, uint32_t ready)
{
	struct speech *speech = data;
	struct tts_event event;

	(void)ready;
	while (tts_next_event(speech->tts, &event)) {
		switch (event.kind) {
		case TTS_EVENT_STARTED:
			note_trouble(speech, "");
			break;
		case TTS_EVENT_FAILED:
			note_trouble(speech, event.message);
			break;
		case TTS_EVENT_CRASHED:
			log_warning("%s", event.message);
			apologise(speech, event.utterance);
			break;
		case TTS_EVENT_DEVICE:
			log_info("%s", event.message);
			break;
		case TTS_EVENT_FINISHED:
		case TTS_EVENT_STOPPED:
			break;
		}
	}
	update_speaking(speech);
}

/* --- The own voice as a route --------------------------------------------- */

static void on_route_change(void *data)
{
	update_speaking(data);
}

static bool own_say(void *data, const char *text, enum tts_priority priority,
		    const char *language, char *ret_why, size_t size)
{
	struct speech *speech = data;
	struct tts_error error = { "" };
	uint64_t utterance;

	if (speech->tts && tts_say(speech->tts, text, priority, language, &utterance, &error) == 0)
		return true;
	snprintf(ret_why, size, "%s", speech->tts ? error.message : speech->trouble);
	return false;
}

static void own_stop(void *data)
{
	struct speech *speech = data;

	if (speech->tts)
		tts_stop(speech->tts);
}

static bool own_speaking(void *data)
{
	struct speech *speech = data;

	return speech->tts && tts_speaking(speech->tts);
}

static DBusConnection *connection(void *data)
{
	struct speech *speech = data;

	return speech->bus ? bus_connection(speech->bus) : NULL;
}

/* --- Life ------------------------------------------------------------------ */

static void on_tick(void *data)
{
	speech_play(data, TTS_SOUND_TICK);
}

int speech_open(struct loop *loop, const struct config *config,
		const struct speech_options *options, struct speech **ret_speech)
{
	char *program = program_find("descry-speech");
	struct tts_options with = {
		.program = program,
		.wav_path = config->speech_wav, .device = config->speech_device,
		.hold = (enum tts_hold)config->sounds_hold,
		.voice = config->speech_voice, .rate = config->speech_rate,
		.pitch = config->speech_pitch, .volume = config->speech_volume,
	};
	struct speech *speech = calloc(1, sizeof(*speech));
	struct routes_options routes = {
		.on_change = on_route_change, .own_say = own_say, .own_stop = own_stop,
		.own_speaking = own_speaking, .connection = connection, .data = speech,
	};
	struct tts_error error = { "" };
	int r;

	if (!speech) {
		free(program);
		return -ENOMEM;
	}
	speech->config = config;
	speech->options = *options;
	r = loop_add_timer(loop, on_tick, speech, &speech->tick);
	if (r == 0)
		r = routes_open(loop, &routes, &speech->routes);
	if (r < 0) {
		free(program);
		speech_free(speech);
		return r;
	}
	routes_choose(speech->routes, (enum route_choice)config->speech_route,
		      config->speech_route_timeout);
	r = tts_open(&with, &speech->tts, &error);
	if (r == TTS_NO_VOICE) {
		log_warning("%s", error.message);
		with.voice = NULL;
		r = tts_open(&with, &speech->tts, &error);
	}
	free(program);
	if (r)
		note_trouble(speech, *error.message ? error.message : strerror(-r));
	else
		r = loop_add_fd(loop, tts_event_fd(speech->tts), EPOLLIN, on_events, speech,
				&speech->events);
	if (speech->tts && r < 0) {
		speech_free(speech);
		return r;
	}
	*ret_speech = speech;
	return 0;
}

struct speech *speech_free(struct speech *speech)
{
	if (!speech)
		return NULL;
	routes_free(speech->routes);
	loop_source_free(speech->events);
	loop_source_free(speech->tick);
	tts_free(speech->tts);
	free(speech->last_text);
	free(speech->last_language);
	free(speech);
	return NULL;
}

void speech_configure(struct speech *speech, const struct config *config)
{
	const struct config *old = speech->config;
	struct failure failure;

	speech->config = config;
	routes_choose(speech->routes, (enum route_choice)config->speech_route,
		      config->speech_route_timeout);
	if (!speech->tts)
		return;
	if (strcmp(old->speech_voice ? old->speech_voice : "",
		   config->speech_voice ? config->speech_voice : "") != 0 &&
	    speech_set_voice(speech, config->speech_voice ? config->speech_voice : "en", &failure))
		log_warning("%s", failure.message);
	if (old->speech_rate != config->speech_rate)
		tts_set_rate(speech->tts, config->speech_rate, NULL);
	if (old->speech_pitch != config->speech_pitch)
		tts_set_pitch(speech->tts, config->speech_pitch, NULL);
	if (old->speech_volume != config->speech_volume)
		tts_set_volume(speech->tts, config->speech_volume, NULL);
}

static int silent(const struct speech *speech, struct failure *failure)
{
	return failure_set(failure, FAILURE_NO_SOUND, "%s", speech->trouble);
}

/* The text is said, or queued to be: what can be known to be wrong with it is
 * told at once, whoever will speak it. */
static int hand_over(struct speech *speech, const char *text, enum tts_priority priority,
		     const char *language, struct failure *failure)
{
	int r;

	log_debug("saying: %s", text);
	/* the sound of a press or of the camera, a moment ago, is to be heard out */
	if (priority == TTS_NOW && speech->tts && !tts_speaking(speech->tts))
		priority = TTS_NEXT;
	r = routes_say(speech->routes, text, priority, language);
	if (r == -ENOBUFS)
		return failure_set(failure, FAILURE_BUSY,
				   "Too much is waiting to be spoken. Stop speech, then try again.");
	if (r < 0)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	update_speaking(speech);
	return 0;
}

int speech_say(struct speech *speech, const char *text, enum tts_priority priority,
	       const char *language, struct failure *failure)
{
	struct tts_error error = { "" };
	char *last_text, *last_language;
	int r;

	if (!speech->tts && speech->config->speech_route == ROUTE_OWN)
		return silent(speech, failure);
	if (speech->tts) {
		r = tts_check(speech->tts, text, language, &error);
		if (r)
			return failure_from_tts(failure, r, error.message);
	}
	last_text = strdup(text);
	last_language = language ? strdup(language) : NULL;
	if (last_text) {
		free(speech->last_text);
		free(speech->last_language);
		speech->last_text = last_text;
		speech->last_language = last_language;
	} else {
		free(last_language);
	}
	return hand_over(speech, text, priority, language, failure);
}

int speech_repeat(struct speech *speech, struct failure *failure)
{
	if (!speech->last_text)
		return failure_set(failure, FAILURE_NO_DATA, "Nothing has been said yet.");
	return hand_over(speech, speech->last_text, TTS_NOW, speech->last_language, failure);
}

void speech_stop(struct speech *speech)
{
	routes_stop(speech->routes);
	update_speaking(speech);
}

void speech_renew(struct speech *speech)
{
	speech_stop(speech);
	if (speech->tts)
		tts_renew(speech->tts);
}

void speech_set_bus(struct speech *speech, struct bus *bus)
{
	if (!bus)
		routes_stop(speech->routes);
	speech->bus = bus;
}

const char *speech_route(const struct speech *speech)
{
	return routes_name(speech->routes);
}

const char *speech_route_reason(const struct speech *speech)
{
	return routes_reason(speech->routes);
}

bool speech_speaking(const struct speech *speech)
{
	return speech->speaking;
}

static bool wanted(const struct config *config, enum tts_sound sound)
{
	switch (sound) {
	case TTS_SOUND_TICK:
		return config->sounds_tick;
	case TTS_SOUND_SHUTTER:
		return config->sounds_shutter;
	case TTS_SOUND_ERROR:
		return config->sounds_error;
	case TTS_SOUND_PRESS:
		return config->sounds_press;
	case TTS_SOUND_PAUSE:
	case TTS_SOUND_RESUME:
		return config->sounds_cover;
	}
	return false;
}

void speech_play(struct speech *speech, enum tts_sound sound)
{
	if (speech->tts && wanted(speech->config, sound))
		tts_play(speech->tts, sound);
}

void speech_working(struct speech *speech, bool working)
{
	if (working && speech->config->sounds_tick)
		loop_start_timer(speech->tick, speech->config->sounds_tick_after, TICK_EVERY_MS);
	else
		loop_stop_timer(speech->tick);
}

int speech_set_voice(struct speech *speech, const char *voice, struct failure *failure)
{
	struct tts_error error = { "" };
	int r;

	if (!speech->tts)
		return silent(speech, failure);
	r = tts_set_voice(speech->tts, voice, &error);
	return r ? failure_from_tts(failure, r, error.message) : 0;
}

int speech_set_rate(struct speech *speech, unsigned rate, struct failure *failure)
{
	struct tts_error error = { "" };
	int r;

	if (!speech->tts)
		return silent(speech, failure);
	r = tts_set_rate(speech->tts, rate, &error);
	return r ? failure_from_tts(failure, r, error.message) : 0;
}

int speech_set_volume(struct speech *speech, unsigned volume, struct failure *failure)
{
	struct tts_error error = { "" };
	int r;

	if (!speech->tts)
		return silent(speech, failure);
	r = tts_set_volume(speech->tts, volume, &error);
	return r ? failure_from_tts(failure, r, error.message) : 0;
}

const char *speech_voice(const struct speech *speech)
{
	return speech->tts ? tts_voice(speech->tts) : "";
}

unsigned speech_rate(const struct speech *speech)
{
	return speech->tts ? tts_rate(speech->tts) : 0;
}

unsigned speech_volume(const struct speech *speech)
{
	return speech->tts ? tts_volume(speech->tts) : 0;
}

const char *speech_trouble(const struct speech *speech)
{
	return speech->trouble;
}

bool speech_alive(struct speech *speech)
{
	return !speech->tts || tts_alive(speech->tts);
}

struct tts *speech_tts(struct speech *speech)
{
	return speech->tts;
}
