/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * speak.c: drives the speech module from a test script. Commands come one a
 * line on standard input, events go to standard output, each with the time in
 * microseconds of the monotonic clock:
 *
 *   say|next|idle TEXT   lang TAG TEXT   repeat   stop   sound NUMBER
 *   voice NAME   rate N   pitch N   volume N
 *   sleep MILLISECONDS   await started|finished|stopped|failed|device   voices
 *
 * Arguments: option=value for wav, device, hold (a number), voice, rate, pitch, volume.
 */
#include "tts/tts.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const kinds[] = { "started", "finished", "stopped", "failed", "crashed",
				    "device" };

static long long microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Prints events until one of the kind comes, or until `milliseconds` are over. */
static bool events(struct tts *tts, const char *kind, int milliseconds)
{
	long long limit = microseconds() + (long long)milliseconds * 1000;

	for (;;) {
		struct pollfd wait = { .fd = tts_event_fd(tts), .events = POLLIN };
		struct tts_event event;
		long long left = limit - microseconds();

		while (tts_next_event(tts, &event)) {
			printf("%lld %s %llu %s\n", microseconds(), kinds[event.kind],
			       (unsigned long long)event.utterance, event.message);
			if (kind && !strcmp(kinds[event.kind], kind))
				return true;
		}
		if (left <= 0)
			return false;
		poll(&wait, 1, (int)(left / 1000) + 1);
	}
}

static void list_voices(struct tts *tts)
{
	const struct tts_voice_info *voices;
	size_t count;

	tts_voices(tts, &voices, &count);
	for (size_t i = 0; i < count; i++)
		printf("voice %s\t%s\t%s\t%c\n", voices[i].name, voices[i].language,
		       voices[i].identifier, voices[i].gender);
}

static void command(struct tts *tts, char *line)
{
	char *argument = strchr(line, ' ');
	struct tts_error error = { "" };
	uint64_t id = 0;
	int r = 0;

	line[strcspn(line, "\n")] = '\0';
	if (argument)
		*argument++ = '\0';
	else
		argument = line + strlen(line);
	printf("%lld > %s\n", microseconds(), line);
	if (!strcmp(line, "say"))
		r = tts_say(tts, argument, TTS_NOW, NULL, &id, &error);
	else if (!strcmp(line, "next"))
		r = tts_say(tts, argument, TTS_NEXT, NULL, &id, &error);
	else if (!strcmp(line, "idle"))
		r = tts_say(tts, argument, TTS_IDLE, NULL, &id, &error);
	else if (!strcmp(line, "lang")) {
		char *text = strchr(argument, ' ');

		*text++ = '\0';
		r = tts_say(tts, text, TTS_NEXT, argument, &id, &error);
	} else if (!strcmp(line, "repeat"))
		r = tts_repeat(tts, &id, &error);
	else if (!strcmp(line, "stop"))
		tts_stop(tts);
	else if (!strcmp(line, "sound"))
		r = tts_play(tts, (enum tts_sound)atoi(argument));
	else if (!strcmp(line, "voice"))
		r = tts_set_voice(tts, argument, &error);
	else if (!strcmp(line, "rate"))
		r = tts_set_rate(tts, (unsigned)atoi(argument), &error);
	else if (!strcmp(line, "pitch"))
		r = tts_set_pitch(tts, (unsigned)atoi(argument), &error);
	else if (!strcmp(line, "volume"))
		r = tts_set_volume(tts, (unsigned)atoi(argument), &error);
	else if (!strcmp(line, "sleep"))
		events(tts, NULL, atoi(argument));
	else if (!strcmp(line, "voices"))
		list_voices(tts);
	else if (!strcmp(line, "await")) {
		if (!events(tts, argument, 30000))
			printf("no %s came\n", argument);
	} else
		r = -1;
	printf("%lld = %d %llu %s\n", microseconds(), r, (unsigned long long)id, error.message);
	fflush(stdout);
}

int main(int count, char **arguments)
{
	struct tts_options options = { .pitch = 50, .volume = 100 };
	struct tts_error error = { "" };
	struct tts *tts;
	char *line = NULL;
	size_t size = 0;

	if (count == 2 && !strcmp(arguments[1], TTS_SYNTHESIS_ARGUMENT))
		return tts_synthesis_main(NULL);

	for (int i = 1; i < count; i++) {
		char *value = strchr(arguments[i], '=');

		if (!value)
			return 2;
		*value++ = '\0';
		if (!strcmp(arguments[i], "wav"))
			options.wav_path = value;
		else if (!strcmp(arguments[i], "device"))
			options.device = value;
		else if (!strcmp(arguments[i], "hold"))
			options.hold = (enum tts_hold)atoi(value);
		else if (!strcmp(arguments[i], "voice"))
			options.voice = value;
		else if (!strcmp(arguments[i], "rate"))
			options.rate = (unsigned)atoi(value);
		else if (!strcmp(arguments[i], "pitch"))
			options.pitch = (unsigned)atoi(value);
		else if (!strcmp(arguments[i], "volume"))
			options.volume = (unsigned)atoi(value);
		else
			return 2;
	}
	if (tts_open(&options, &tts, &error)) {
		fprintf(stderr, "%s\n", error.message);
		return 1;
	}
	while (getline(&line, &size, stdin) > 0)
		command(tts, line);
	free(line);
	tts_free(tts);
	return 0;
}
