/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * speech.h: the daemon's voice: the speech module joined to the loop, the sounds
 * the configuration allows, and the tick while work goes on.
 *
 * A missing voice never stops the daemon: captions are then delivered silently,
 * and the reason is logged once and told to whoever calls Say.
 */
#ifndef DAEMON_SPEECH_H
#define DAEMON_SPEECH_H

#include <stdbool.h>

#include "daemon/config.h"
#include "daemon/failure.h"
#include "daemon/loop.h"
#include "tts/tts.h"

struct speech;

struct speech_options {
	/* Speaking began or ended. */
	void (*on_speaking)(void *data, bool speaking);
	void *data;
};

/* Borrows `config` until speech_configure() replaces it. */
int speech_open(struct loop *loop, const struct config *config,
		const struct speech_options *options, struct speech **ret_speech);
struct speech *speech_free(struct speech *speech);

/* Takes over what changed between the two; the old one is no longer needed. */
void speech_configure(struct speech *speech, const struct config *config);

int speech_say(struct speech *speech, const char *text, enum tts_priority priority,
	       const char *language, struct failure *failure);
int speech_repeat(struct speech *speech, struct failure *failure);
void speech_stop(struct speech *speech);
bool speech_speaking(const struct speech *speech);
/* Plays the sound unless it is turned off. */
void speech_play(struct speech *speech, enum tts_sound sound);
/* Ticks softly from a while after true until false. */
void speech_working(struct speech *speech, bool working);

int speech_set_voice(struct speech *speech, const char *voice, struct failure *failure);
int speech_set_rate(struct speech *speech, unsigned rate, struct failure *failure);
int speech_set_volume(struct speech *speech, unsigned volume, struct failure *failure);
const char *speech_voice(const struct speech *speech);
unsigned speech_rate(const struct speech *speech);
unsigned speech_volume(const struct speech *speech);

/* Why nothing can be heard now, or "". */
const char *speech_trouble(const struct speech *speech);
/* Whether the speech threads still do their work; see tts_alive(). */
bool speech_alive(struct speech *speech);
/* NULL when speech is not available at all. */
struct tts *speech_tts(struct speech *speech);

#endif
