/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * synthesis.h: eSpeak NG, in synchronous mode, on whichever one thread calls
 * synthesis_speak. Its state is global and it can be initialised once in a
 * process (a second Initialize, Terminate pair deadlocks), so it is never
 * terminated and there is no object: only what every process has one of.
 */
#ifndef TTS_SYNTHESIS_H
#define TTS_SYNTHESIS_H

#include "tts/tts.h"

#define VOICE_BYTES 128

/* Loads eSpeak NG the first time; `ret_rate`: samples a second. */
int synthesis_open(unsigned *ret_rate, struct tts_error *error);

/* The voices installed; they live as long as the process. */
int synthesis_voices(const struct tts_voice_info **ret_voices, size_t *ret_count,
		     struct tts_error *error);
/* What eSpeak NG must be told for the voice a user asked for: an identifier
 * (gmw/en-US), its last part, a name (English (America)) or a language (en-us),
 * in any case, with or without +VARIANT. TTS_NO_VOICE where eSpeak NG would
 * have gone on in another voice. May be called from any thread after open. */
int synthesis_find_voice(const char *wanted, char ret_voice[VOICE_BYTES], struct tts_error *error);
/* The same for a language: `current` if it speaks it, otherwise the best voice
 * for it, a region that no voice has being ignored (de-AT: de). */
int synthesis_find_language(const char *language, const char *current,
			    char ret_voice[VOICE_BYTES], struct tts_error *error);

struct synthesis_settings {
	char voice[VOICE_BYTES];	/* from synthesis_find_… */
	unsigned rate, pitch, volume;
};
/* Takes the samples as they are made; false ends the synthesis. */
typedef bool (*synthesis_sink)(void *userdata, const int16_t *samples, size_t count);
/* `text` is clean UTF-8. Returns when all samples were taken, or when the sink
 * said so. */
int synthesis_speak(const struct synthesis_settings *settings, const char *text,
		    synthesis_sink sink, void *userdata, struct tts_error *error);

#endif
