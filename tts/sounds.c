/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sounds.c: each sound is a row of notes in one table. A note has a frequency,
 * a start and a length in milliseconds and a peak; its envelope rises in 2 ms
 * and decays exponentially, which the ear hears as something struck rather
 * than as a beep. The shutter is noise instead of a tone: a camera has no
 * pitch. Rising pairs mean "goes on", falling pairs mean "stops" or "failed".
 */
#include "tts/sounds.h"

#include <errno.h>
#include <math.h>

struct note {
	double hertz;		/* 0: noise */
	unsigned start, length;	/* milliseconds */
	double peak;		/* of full scale */
};

#define NOTES 2

static const struct note sounds[][NOTES] = {
	[TTS_SOUND_TICK] = { { 1200, 0, 30, 0.10 } },
	[TTS_SOUND_SHUTTER] = { { 0, 0, 35, 0.30 }, { 0, 65, 45, 0.40 } },
	[TTS_SOUND_ERROR] = { { 330, 0, 90, 0.35 }, { 220, 90, 140, 0.35 } },
	[TTS_SOUND_PRESS] = { { 880, 0, 40, 0.25 } },
	[TTS_SOUND_PAUSE] = { { 660, 0, 70, 0.30 }, { 440, 70, 100, 0.30 } },
	[TTS_SOUND_RESUME] = { { 440, 0, 70, 0.30 }, { 660, 70, 100, 0.30 } },
};

#define ATTACK_SECONDS 0.002
#define DECAYS_PER_NOTE 4.0	/* e^-4: 2 per cent of the peak is left at the end */

static size_t frames(unsigned milliseconds, unsigned rate)
{
	return (size_t)milliseconds * rate / 1000;
}

/* A fixed sequence, so that a sound is the same each time. */
static double noise(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return (double)(int32_t)*state / 2147483648.0;
}

static void render_note(const struct note *note, unsigned rate, int16_t *samples)
{
	size_t start = frames(note->start, rate), length = frames(note->length, rate);
	uint32_t state = 1;

	for (size_t i = 0; i < length; i++) {
		double t = (double)i / rate, rest = (double)(length - i) / rate;
		double level = exp(-DECAYS_PER_NOTE * (double)i / (double)length);
		double wave = note->hertz > 0 ? sin(2 * M_PI * note->hertz * t) : noise(&state);

		if (t < ATTACK_SECONDS)
			level *= t / ATTACK_SECONDS;
		if (rest < ATTACK_SECONDS)
			level *= rest / ATTACK_SECONDS;
		samples[start + i] = (int16_t)lrint(wave * level * note->peak * INT16_MAX);
	}
}

long sounds_render(enum tts_sound sound, unsigned rate, int16_t *samples, size_t capacity)
{
	size_t length = 0;

	if ((unsigned)sound >= sizeof(sounds) / sizeof(sounds[0]))
		return -EINVAL;
	for (int n = 0; n < NOTES; n++) {
		const struct note *note = &sounds[sound][n];
		size_t end = frames(note->start, rate) + frames(note->length, rate);

		length = end > length ? end : length;
	}
	if (!samples)
		return (long)length;
	if (capacity < length)
		return -ENOBUFS;
	for (size_t i = 0; i < length; i++)
		samples[i] = 0;
	for (int n = 0; n < NOTES; n++)
		if (sounds[sound][n].length)
			render_note(&sounds[sound][n], rate, samples);
	return (long)length;
}
