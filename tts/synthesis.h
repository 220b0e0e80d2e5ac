/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * synthesis.h: eSpeak NG, in synchronous mode, on whichever one thread calls
 * synthesis_speak. Its state is global and it can be initialised once in a
 * process (a second Initialize, Terminate pair deadlocks), so it is never
 * terminated and there is no object: only what every process has one of.
 */
#ifndef TTS_SYNTHESIS_H
#define TTS_SYNTHESIS_H

#include "tts/voices.h"

/* Loads eSpeak NG the first time; `ret_rate`: samples a second. */
int synthesis_open(unsigned *ret_rate, struct tts_error *error);

/* The voices installed, but those that cannot be used; as long as the process. */
const struct voices *synthesis_voices(void);

struct synthesis_settings {
	char voice[VOICE_BYTES];	/* from voices_find… */
	unsigned rate, pitch, volume;
};
/* Takes the samples as they are made; false ends the synthesis. */
typedef bool (*synthesis_sink)(void *userdata, const int16_t *samples, size_t count);
/* `text` is clean UTF-8. Returns when all samples were taken, or when the sink
 * said so. */
int synthesis_speak(const struct synthesis_settings *settings, const char *text,
		    synthesis_sink sink, void *userdata, struct tts_error *error);

#endif
