/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * speech.c: see speech.h. The device and the WAV file are those of the start:
 * eSpeak NG can be initialised only once in a process.
 */
#include "daemon/speech.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "daemon/log.h"

#define TICK_EVERY_MS 1000

struct speech {
	struct tts *tts;
	const struct config *config;
	struct speech_options options;
	struct loop_source *events, *tick;
	bool speaking;
	char trouble[256];
};

static void update_speaking(struct speech *speech)
{
	bool speaking = speech->tts && tts_speaking(speech->tts);

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

static void on_tick(void *data)
{
	speech_play(data, TTS_SOUND_TICK);
}

int speech_open(struct loop *loop, const struct config *config,
		const struct speech_options *options, struct speech **ret_speech)
{
	struct tts_options with = {
		.wav_path = config->speech_wav, .device = config->speech_device,
		.voice = config->speech_voice, .rate = config->speech_rate,
		.pitch = config->speech_pitch, .volume = config->speech_volume,
	};
	struct speech *speech = calloc(1, sizeof(*speech));
	struct tts_error error = { "" };
	int r;

	if (!speech)
		return -ENOMEM;
	speech->config = config;
	speech->options = *options;
	r = loop_add_timer(loop, on_tick, speech, &speech->tick);
	if (r < 0) {
		speech_free(speech);
		return r;
	}
	r = tts_open(&with, &speech->tts, &error);
	if (r == TTS_NO_VOICE) {
		log_warning("%s", error.message);
		with.voice = NULL;
		r = tts_open(&with, &speech->tts, &error);
	}
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
	loop_source_free(speech->events);
	loop_source_free(speech->tick);
	tts_free(speech->tts);
	free(speech);
	return NULL;
}

void speech_configure(struct speech *speech, const struct config *config)
{
	const struct config *old = speech->config;
	struct failure failure;

	speech->config = config;
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

int speech_say(struct speech *speech, const char *text, enum tts_priority priority,
	       const char *language, struct failure *failure)
{
	struct tts_error error = { "" };
	uint64_t utterance;
	int r;

	if (!speech->tts)
		return silent(speech, failure);
	r = tts_say(speech->tts, text, priority, language, &utterance, &error);
	if (r)
		return failure_from_tts(failure, r, error.message);
	update_speaking(speech);
	return 0;
}

int speech_repeat(struct speech *speech, struct failure *failure)
{
	struct tts_error error = { "" };
	uint64_t utterance;
	int r;

	if (!speech->tts)
		return silent(speech, failure);
	r = tts_repeat(speech->tts, &utterance, &error);
	if (r == -ENOENT)
		return failure_set(failure, FAILURE_NO_DATA, "Nothing has been said yet.");
	if (r)
		return failure_from_tts(failure, r, error.message);
	update_speaking(speech);
	return 0;
}

void speech_stop(struct speech *speech)
{
	if (!speech->tts)
		return;
	tts_stop(speech->tts);
	update_speaking(speech);
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
