/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * speech.h: the daemon's voice: what is to be said goes to the route that fits
 * (route.h), one of which is the speech module, joined to the loop here; the
 * sounds the configuration allows; and the tick while work goes on.
 *
 * A missing voice never stops the daemon: captions are then delivered silently,
 * and the reason is logged once and told to whoever calls Say.
 */
#ifndef DAEMON_SPEECH_H
#define DAEMON_SPEECH_H

#include <stdbool.h>

#include "daemon/bus.h"
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
/* After a sleep of the machine: see tts_renew(). */
void speech_renew(struct speech *speech);
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
/* The bus through which a screen reader is reached; NULL before it is lost. */
void speech_set_bus(struct speech *speech, struct bus *bus);
/* The route that took the last utterance ("" before the first), and why. */
const char *speech_route(const struct speech *speech);
const char *speech_route_reason(const struct speech *speech);
/* NULL when the daemon's own voice is not available. */
struct tts *speech_tts(struct speech *speech);

#endif
