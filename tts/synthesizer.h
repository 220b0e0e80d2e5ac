/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * synthesizer.h: the process that makes the samples, seen from the speech module.
 *
 * Some texts make eSpeak NG 1.51 read freed memory and crash, or may make it never
 * end (script.h), and text comes from anyone who may call the daemon. So eSpeak NG
 * runs in a process of its own (synthesizer_process.c), started as this program
 * again. What crosses the socket is described in message.h. The process idles in one
 * read; when it dies, or gives no sign for SYNTHESIZER_PATIENCE_MS, the utterance
 * fails and another process is started at once, with which the next one is spoken.
 *
 * All functions belong to one thread at a time; the voices may be read by any.
 */
#ifndef TTS_SYNTHESIZER_H
#define TTS_SYNTHESIZER_H

#include "tts/synthesis.h"

#define SYNTHESIZER_PATIENCE_MS 10000

struct synthesizer;

/* `program` as in tts_options. Waits until the process is ready. TTS_NO_DATA when
 * eSpeak NG cannot be loaded there. */
int synthesizer_open(const char *program, struct synthesizer **ret_synthesizer,
		     struct tts_error *error);
struct synthesizer *synthesizer_free(struct synthesizer *synthesizer);

unsigned synthesizer_rate(const struct synthesizer *synthesizer);	/* samples a second */
const struct voices *synthesizer_voices(const struct synthesizer *synthesizer);

/* As synthesis_speak(), and TTS_CRASHED when the process did not survive the text.
 * While no samples come, the sink is called with none some 20 times a second, so that
 * it can end the wait. */
int synthesizer_speak(struct synthesizer *synthesizer, const struct synthesis_settings *settings,
		      const char *text, synthesis_sink sink, void *userdata,
		      struct tts_error *error);

#endif
