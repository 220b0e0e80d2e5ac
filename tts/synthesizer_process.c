/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * synthesizer_process.c: the inside of the process that makes samples; its outside is
 * synthesizer.h. One thread, which is eSpeak NG's. A stop is looked for before each
 * packet of samples and while one waits for room: eSpeak NG makes samples many times
 * faster than they are played, so most of the time one does.
 */
#include "tts/message.h"
#include "tts/synthesis.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define SAMPLES_MOST (MESSAGE_BYTES / 2 / sizeof(int16_t))

/* in and out, each with the one thread */
static struct message received, sent;

static int send_plain(enum message_kind kind, int32_t number, const char *sentence)
{
	sent.kind = kind;
	sent.number = number;
	sent.size = 0;
	message_add(&sent, sentence, strlen(sentence) + 1);
	return message_send(TTS_SYNTHESIS_SOCKET, &sent, 0);
}

static int send_voices(void)
{
	const struct voices *voices = synthesis_voices();
	int r = 0;

	for (size_t i = 0; i < voices->count && r == 0; i++) {
		const struct tts_voice_info *info = &voices->infos[i];
		const struct voice *voice = &voices->voices[i];

		sent.kind = MESSAGE_VOICE;
		sent.number = info->gender;
		sent.size = 0;
		if (message_add(&sent, info->name, strlen(info->name) + 1) &&
		    message_add(&sent, info->identifier, strlen(info->identifier) + 1) &&
		    message_add(&sent, voice->languages, voice->languages_bytes))
			r = message_send(TTS_SYNTHESIS_SOCKET, &sent, 0);
	}
	for (size_t i = 0; i < voices->variant_count && r == 0; i++) {
		sent.kind = MESSAGE_VARIANT;
		sent.number = 0;
		sent.size = 0;
		if (message_add(&sent, voices->variants[i], strlen(voices->variants[i]) + 1) &&
		    message_add(&sent, voices->variant_names[i],
				strlen(voices->variant_names[i]) + 1))
			r = message_send(TTS_SYNTHESIS_SOCKET, &sent, 0);
	}
	return r;
}

/* Any packet that comes while one text is spoken is a stop, and so is the end. */
static bool stop_asked(void)
{
	return message_receive(TTS_SYNTHESIS_SOCKET, &received, MSG_DONTWAIT) != -EAGAIN;
}

static bool send_samples(const int16_t *samples, size_t count)
{
	struct pollfd wait = { .fd = TTS_SYNTHESIS_SOCKET, .events = POLLIN | POLLOUT };
	int r;

	sent.kind = MESSAGE_SAMPLES;
	sent.number = 0;
	sent.size = 0;
	message_add(&sent, samples, count * sizeof(*samples));
	while (!stop_asked()) {
		r = message_send(TTS_SYNTHESIS_SOCKET, &sent, MSG_DONTWAIT);
		if (r != -EAGAIN)
			return r == 0;
		poll(&wait, 1, -1);
	}
	return false;
}

static bool take(void *userdata, const int16_t *samples, size_t count)
{
	(void)userdata;
	while (count) {
		size_t now = count < SAMPLES_MOST ? count : SAMPLES_MOST;

		if (!send_samples(samples, now))
			return false;
		samples += now;
		count -= now;
	}
	return true;
}

static int speak(void)
{
	struct synthesis_settings settings = {
		.rate = received.rate, .pitch = received.pitch, .volume = received.volume,
	};
	struct tts_error error = { "" };
	const char *voice, *given;
	size_t at = 0;
	char *text;
	int r;

	voice = message_string(&received, &at);
	given = voice && strlen(voice) < sizeof(settings.voice) ? message_string(&received, &at)
								: NULL;
	if (!given)
		return send_plain(MESSAGE_END, -EBADMSG, "The text did not arrive whole.");
	strcpy(settings.voice, voice);
	/* a stop would be received over it */
	text = strdup(given);
	if (!text)
		return send_plain(MESSAGE_END, -ENOMEM, "No memory for the text.");
	r = synthesis_speak(&settings, text, take, NULL, &error);
	free(text);
	return send_plain(MESSAGE_END, r, error.message);
}

int tts_synthesis_main(void (*lock_in)(void))
{
	struct tts_error error = { "" };
	unsigned rate;
	int r;

	prctl(PR_SET_NAME, "descry-speech");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* the parent ends this one, when it has said its last word */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	/* where samples are all it makes, eSpeak NG asks for PulseAudio nevertheless */
	setenv("PULSE_SERVER", "unix:/dev/null", 1);
	r = synthesis_open(&rate, &error);
	if (r) {
		send_plain(MESSAGE_END, r, error.message);
		return 1;
	}
	if (lock_in)
		lock_in();
	r = send_voices();
	if (r == 0)
		r = send_plain(MESSAGE_READY, (int32_t)rate, "");
	while (r == 0) {
		r = message_receive(TTS_SYNTHESIS_SOCKET, &received, 0);
		if (r <= 0)
			return r < 0;
		/* a stop may come too late */
		r = received.kind == MESSAGE_SPEAK ? speak() : 0;
	}
	return 1;
}
