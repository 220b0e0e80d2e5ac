/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * chime.h: a sound that must not wait. A second stream of the sound card is held
 * open, prepared and silent, with a thread of its own; a short sound is written
 * into it the moment it is asked for, whatever the speech beside it is doing.
 *
 * The device thread of audio.c opens and closes the stream, so that PortAudio's
 * lists are changed by one thread only, and lends it in between.
 */
#ifndef TTS_CHIME_H
#define TTS_CHIME_H

#include "tts/tts.h"

#include <portaudio.h>
#include <semaphore.h>

struct chime;

/* `wake` is posted when a sound has ended or could not be played; borrowed until
 * chime_free. 0, or a negative errno. */
int chime_new(sem_t *wake, struct chime **ret_chime);
/* Nothing must be lent. */
struct chime *chime_free(struct chime *chime);

/* Device thread: lends an open stream without a callback, one channel of 16 bits. */
PaError chime_lend(struct chime *chime, PaStream *stream, unsigned rate);
/* Device thread: the stream back, or NULL; waits until a sound that plays has
 * ended, and for ever on a sound card that hangs. */
PaStream *chime_return(struct chime *chime);

/* Any thread. False: there is no stream, or it does not answer. A sound that plays
 * is cut short by the next. */
bool chime_play(struct chime *chime, enum tts_sound sound);
void chime_stop(struct chime *chime);
bool chime_ready(struct chime *chime);
bool chime_sounding(struct chime *chime);
/* A sound that was taken but could not be played, once; false when there is none. */
bool chime_take_missed(struct chime *chime, enum tts_sound *ret_sound);

#endif
