/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * chime.c: see chime.h.
 *
 * Why a stream without a callback: PortAudio fills the whole of a callback
 * stream's buffer with silence before it starts the card, a tenth of a second at
 * least, and starts a thread each time. A stream that is written to starts the
 * card when the first period has been written; until then it is only prepared,
 * which costs no interrupt and no wake-up.
 *
 * A write never offers more than the card has room for, so the thread is free to
 * obey within SLICE_MILLISECONDS. Silence follows the sound until the card's buffer
 * was full once: a card whose period is longer than the sound would not start, nor
 * play the rest of a period that was never written. Then the card is dropped and
 * prepared anew, late enough that a sound server has played what it holds.
 */
#include "tts/chime.h"
#include "tts/sounds.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define NO_SOUND (-1)
#define SLICE_MILLISECONDS 10
#define TAIL_MILLISECONDS 50	/* of silence at least, so that the last period is whole */
#define DRAIN_MILLISECONDS 300	/* for what lies between the card and the ear */
#define STUCK_MILLISECONDS 1000	/* an answer overdue for so long will not come */

struct chime {
	pthread_t thread;
	sem_t go, returned;
	sem_t *wake;

	pthread_mutex_t lock;	/* guards what follows; never held over PortAudio */
	PaStream *stream;	/* lent */
	bool ready;		/* it plays, as far as is known */
	int wanted, missed;	/* enum tts_sound, or NO_SOUND */
	bool stop, give_back, quit;
	int64_t asked;		/* when the oldest order came that was not taken; 0: none */
	int64_t silent_at;	/* when the sound that plays is over; 0: none plays */

	/* the thread's own */
	unsigned rate;		/* written before the stream is lent */
	int16_t *samples;
	size_t count, position;	/* of `samples`; how many are written */
	bool playing;		/* until it is silent */
	bool started;		/* the stream has to be prepared again */
	int last;		/* the last sound, until it is known to be played */
	signed long room;	/* what the last write left */
};

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until `limit` of the clock above, 0: without one; false when that has come. */
static bool wait_for(sem_t *semaphore, int64_t limit)
{
	struct timespec at = { .tv_sec = limit / 1000, .tv_nsec = limit % 1000 * 1000000 };
	int r;

	do {
		r = limit ? sem_clockwait(semaphore, CLOCK_MONOTONIC, &at) : sem_wait(semaphore);
	} while (r == -1 && errno == EINTR);
	return r == 0;
}

/* --- the thread ------------------------------------------------------------------ */

static void forget_sound(struct chime *chime)
{
	free(chime->samples);
	chime->samples = NULL;
	chime->count = chime->position = 0;
	chime->playing = false;
}

static void set_silent_at(struct chime *chime, int64_t when)
{
	pthread_mutex_lock(&chime->lock);
	chime->silent_at = when;
	pthread_mutex_unlock(&chime->lock);
}

/* Silent and prepared. */
static PaError rearm(struct chime *chime)
{
	PaError code;

	forget_sound(chime);
	set_silent_at(chime, 0);
	chime->last = NO_SOUND;
	if (!chime->started)
		return paNoError;
	chime->started = false;
	code = Pa_AbortStream(chime->stream);
	return code == paNoError ? Pa_StartStream(chime->stream) : code;
}

/* The sound has had its time: a card that has taken nothing of it is dead, as the
 * client of a sound server that was started again. */
static PaError finish(struct chime *chime)
{
	signed long room = Pa_GetStreamWriteAvailable(chime->stream);

	if (room < 0)
		return (PaError)room;
	return room > chime->room ? rearm(chime) : paTimedOut;
}

static PaError begin(struct chime *chime, int sound)
{
	PaError code = rearm(chime);
	long length = sounds_render((enum tts_sound)sound, chime->rate, NULL, 0);
	signed long room;
	size_t count;

	chime->last = sound;
	if (code != paNoError)
		return code;
	room = Pa_GetStreamWriteAvailable(chime->stream);
	if (room < 0)
		return (PaError)room;
	count = (size_t)length + (size_t)chime->rate * TAIL_MILLISECONDS / 1000;
	if (count < (size_t)room)
		count = (size_t)room;
	chime->samples = calloc(count, sizeof(*chime->samples));
	if (!chime->samples)
		return paInsufficientMemory;
	sounds_render((enum tts_sound)sound, chime->rate, chime->samples, (size_t)length);
	chime->count = count;
	chime->playing = chime->started = true;
	set_silent_at(chime, milliseconds() + length * 1000 / (long)chime->rate);
	return paNoError;
}

/* Writes what the card has room for. */
static PaError feed(struct chime *chime)
{
	signed long room = Pa_GetStreamWriteAvailable(chime->stream);
	size_t count = chime->count - chime->position;
	PaError code;

	if (room < 0)
		return (PaError)room;
	count = count < (size_t)room ? count : (size_t)room;
	if (!count)
		return paNoError;
	code = Pa_WriteStream(chime->stream, chime->samples + chime->position, count);
	/* it has written all the same */
	if (code == paOutputUnderflowed)
		code = paNoError;
	chime->position += count;
	chime->room = room - (signed long)count;
	return code;
}

/* The stream is of no more use; what it did not play may be played elsewhere. */
static void lose(struct chime *chime)
{
	pthread_mutex_lock(&chime->lock);
	chime->ready = false;
	chime->missed = chime->wanted != NO_SOUND ? chime->wanted : chime->last;
	chime->wanted = chime->last = NO_SOUND;
	chime->asked = 0;
	chime->silent_at = 0;
	pthread_mutex_unlock(&chime->lock);
	forget_sound(chime);
	chime->started = false;
	sem_post(chime->wake);
}

/* When the thread has something to do of itself; 0: never. */
static int64_t next_deadline(const struct chime *chime)
{
	if (chime->position < chime->count)
		return milliseconds() + SLICE_MILLISECONDS;
	if (chime->playing)
		return chime->silent_at;
	return chime->started ? milliseconds() + DRAIN_MILLISECONDS : 0;
}

/* One turn: the orders that came, then the sound that plays. `idle`: no order came
 * until the deadline. */
static PaError turn(struct chime *chime, int wanted, bool stop, bool idle)
{
	PaError code = paNoError;

	if (stop)
		code = rearm(chime);
	if (code == paNoError && wanted != NO_SOUND)
		code = begin(chime, wanted);
	if (code == paNoError && chime->position < chime->count)
		return feed(chime);
	if (code != paNoError || !idle)
		return code;
	if (!chime->playing)
		return finish(chime);
	forget_sound(chime);
	set_silent_at(chime, 0);
	sem_post(chime->wake);
	return paNoError;
}

static void *chime_main(void *userdata)
{
	struct chime *chime = userdata;

	for (;;) {
		bool idle, stop, give_back, quit;
		PaStream *stream;
		PaError code;
		int wanted;

		idle = !wait_for(&chime->go, next_deadline(chime));
		pthread_mutex_lock(&chime->lock);
		stop = chime->stop;
		wanted = chime->ready ? chime->wanted : NO_SOUND;
		quit = chime->quit;
		give_back = chime->give_back;
		stream = chime->stream;
		chime->stop = false;
		chime->wanted = NO_SOUND;
		pthread_mutex_unlock(&chime->lock);
		if (quit)
			return NULL;
		if (stream) {
			code = turn(chime, wanted, stop, idle);
			pthread_mutex_lock(&chime->lock);
			if (chime->wanted == NO_SOUND)
				chime->asked = 0;
			pthread_mutex_unlock(&chime->lock);
			if (code != paNoError)
				lose(chime);
		}
		if (!give_back || chime->playing)
			continue;
		pthread_mutex_lock(&chime->lock);
		chime->stream = NULL;
		chime->give_back = false;
		chime->ready = false;
		pthread_mutex_unlock(&chime->lock);
		chime->started = false;
		sem_post(&chime->returned);
	}
}

/* --- the others ------------------------------------------------------------------- */

int chime_new(sem_t *wake, struct chime **ret_chime)
{
	struct chime *chime = calloc(1, sizeof(*chime));
	sigset_t all, before;
	int r;

	if (!chime)
		return -ENOMEM;
	chime->wake = wake;
	chime->wanted = chime->missed = chime->last = NO_SOUND;
	sem_init(&chime->go, 0, 0);
	sem_init(&chime->returned, 0, 0);
	pthread_mutex_init(&chime->lock, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&chime->thread, NULL, chime_main, chime);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		pthread_mutex_destroy(&chime->lock);
		free(chime);
		return -r;
	}
	*ret_chime = chime;
	return 0;
}

struct chime *chime_free(struct chime *chime)
{
	if (!chime)
		return NULL;
	pthread_mutex_lock(&chime->lock);
	chime->quit = true;
	pthread_mutex_unlock(&chime->lock);
	sem_post(&chime->go);
	pthread_join(chime->thread, NULL);
	pthread_mutex_destroy(&chime->lock);
	sem_destroy(&chime->go);
	sem_destroy(&chime->returned);
	free(chime->samples);
	free(chime);
	return NULL;
}

PaError chime_lend(struct chime *chime, PaStream *stream, unsigned rate)
{
	PaError code = Pa_StartStream(stream);

	if (code != paNoError)
		return code;
	pthread_mutex_lock(&chime->lock);
	chime->rate = rate;
	chime->stream = stream;
	chime->ready = true;
	pthread_mutex_unlock(&chime->lock);
	return paNoError;
}

PaStream *chime_return(struct chime *chime)
{
	PaStream *stream;

	pthread_mutex_lock(&chime->lock);
	stream = chime->stream;
	chime->give_back = stream != NULL;
	pthread_mutex_unlock(&chime->lock);
	if (stream) {
		sem_post(&chime->go);
		wait_for(&chime->returned, 0);
	}
	return stream;
}

bool chime_play(struct chime *chime, enum tts_sound sound)
{
	int64_t now = milliseconds();
	bool taken;

	pthread_mutex_lock(&chime->lock);
	taken = chime->ready && !chime->give_back &&
		(!chime->asked || now - chime->asked < STUCK_MILLISECONDS);
	if (taken) {
		chime->wanted = (int)sound;
		chime->asked = chime->asked ? chime->asked : now;
	}
	pthread_mutex_unlock(&chime->lock);
	if (taken)
		sem_post(&chime->go);
	return taken;
}

void chime_stop(struct chime *chime)
{
	pthread_mutex_lock(&chime->lock);
	chime->wanted = NO_SOUND;
	chime->stop = chime->stream && (chime->silent_at || chime->asked);
	pthread_mutex_unlock(&chime->lock);
	sem_post(&chime->go);
}

bool chime_ready(struct chime *chime)
{
	bool is;

	pthread_mutex_lock(&chime->lock);
	is = chime->ready;
	pthread_mutex_unlock(&chime->lock);
	return is;
}

bool chime_sounding(struct chime *chime)
{
	int64_t now = milliseconds();
	bool is;

	pthread_mutex_lock(&chime->lock);
	is = chime->ready && ((chime->asked && now - chime->asked < STUCK_MILLISECONDS) ||
			      (chime->silent_at && now < chime->silent_at + STUCK_MILLISECONDS));
	pthread_mutex_unlock(&chime->lock);
	return is;
}

bool chime_take_missed(struct chime *chime, enum tts_sound *ret_sound)
{
	bool any;

	pthread_mutex_lock(&chime->lock);
	any = chime->missed != NO_SOUND;
	if (any)
		*ret_sound = (enum tts_sound)chime->missed;
	chime->missed = NO_SOUND;
	pthread_mutex_unlock(&chime->lock);
	return any;
}
