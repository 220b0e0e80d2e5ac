/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * audio.h: the sound card, as the synthesis thread sees it. One stream per
 * utterance: open, write, start, end, wait, close.
 *
 * PortAudio's calls can hang for ever (a USB card pulled out at the wrong
 * moment, a sound server that stopped answering), so none is made on the
 * caller's thread: a device thread makes them, the caller waits with a limit,
 * and a device thread that does not answer is abandoned: it keeps its stream,
 * its ring and its memory, its callback is silenced for good, and a new device
 * thread takes its place.
 *
 * All functions belong to one thread, except audio_cut and audio_play.
 */
#ifndef TTS_AUDIO_H
#define TTS_AUDIO_H

#include "tts/tts.h"

#include <semaphore.h>

struct audio;

/* `wake` is posted whenever something changed that the caller may wait for.
 * It must outlive every device thread; see audio_free. */
int audio_new(const char *device_name, enum tts_hold hold, sem_t *wake,
	      struct audio **ret_audio);
/* True: everything is gone, and `wake` with it may go. False: an abandoned
 * device thread still holds on; `wake` must stay. */
bool audio_free(struct audio *audio);

/* Lets the device thread look for sound cards, and take hold of one, ahead of the
 * first utterance. */
void audio_prepare(struct audio *audio);
/* The same, with a new search and a new hold; between two streams only. */
void audio_renew(struct audio *audio);
/* Opens a stream for samples at `rate`; `ret_rate` is the rate that the device
 * takes. `search` allows, where no stream can be opened, a slow new search for
 * sound cards. Waits 3 s at most for each attempt; -ECANCELED when the stream
 * was cut meanwhile. */
int audio_open(struct audio *audio, unsigned rate, bool search, unsigned *ret_rate,
	       struct tts_error *error);
/* Never waits; returns how many samples were taken. */
size_t audio_write(struct audio *audio, const int16_t *samples, size_t count);
/* The next sample written is the first of what the listener waits for. */
void audio_mark(struct audio *audio);
/* Whether that sample has been handed to the device. */
bool audio_mark_reached(const struct audio *audio);
/* Asks the device to play, once no short sound plays; called, again and again, from
 * when enough is written to fill its buffer. */
void audio_start(struct audio *audio);
/* No more samples will be written. */
void audio_end(struct audio *audio);

enum audio_progress {
	AUDIO_PLAYING,
	AUDIO_DONE,	/* everything was played, or the stream was cut */
	AUDIO_LOST,	/* the device gave up, or no longer answers */
};
enum audio_progress audio_progress(struct audio *audio, struct tts_error *error);
/* Sleeps until something changed, 100 ms at most. */
void audio_wait(struct audio *audio);

/* Plays a short sound beside the stream, at once. False: the sound card is not held;
 * it has to go through the stream. From any thread. */
bool audio_play(struct audio *audio, enum tts_sound sound);
/* A sound that audio_play took and that could not be played after all. */
bool audio_take_missed(struct audio *audio, enum tts_sound *ret_sound);
/* Cuts a short sound; from any thread. */
void audio_hush(struct audio *audio);

/* Silence, within one buffer; sticks until audio_uncut. From any thread. */
void audio_cut(struct audio *audio);
/* Before audio_open, at a moment when no audio_cut can be meant for the next stream. */
void audio_uncut(struct audio *audio);
void audio_close(struct audio *audio);

/* For tests: buffers that the callback filled with samples since the cut. */
unsigned audio_buffers_after_cut(const struct audio *audio);

#endif
