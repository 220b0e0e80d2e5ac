/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * audio.c: the streams of a card behind a device thread that may be abandoned.
 *
 * The stop key decides the shape. The callback looks at one atomic flag before
 * it touches the ring; once the flag is up it hands out zeros and returns
 * paAbort, which makes PortAudio drop what the device has buffered. Nothing
 * has to be cancelled, no lock is taken, and it does not matter how much is
 * still queued: at most the buffer that was being filled is still heard.
 *
 * Requests go to the device thread one at a time through `request` and `go`;
 * answers come back through `state` and the caller's `wake`. PortAudio itself
 * is not thread-safe, so while an abandoned thread sits inside Pa_Initialize
 * or Pa_Terminate nobody else calls PortAudio at all, and as long as an
 * abandoned stream exists nobody calls Pa_Terminate, which would close it.
 *
 * Beside the stream of an utterance, the device thread opens one for short sounds
 * and lends it to a chime (chime.h). Whether a card takes two streams is tried
 * once; one that does not belongs to other programs while nothing is said, unless
 * the user wants it held all the same: then the chime gives way to each utterance. For
 * a sound such a card is held until the sound is over.
 * A JACK server takes any number of clients, so there it is not tried. A client of
 * it wakes up at every period, silent or not, as the server does all the time. It is
 * closed as soon as its server has gone: libjack may crash or hang over such a client
 * when it is closed after another was opened.
 */
#include "tts/audio.h"
#include "tts/card.h"
#include "tts/chime.h"
#include "tts/ring.h"

#include <errno.h>
#include <portaudio.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RING_SAMPLES (1u << 15)		/* 1.5 s at 22,050 Hz */
#define OPEN_MILLISECONDS 3000
#define STALL_MILLISECONDS 3000		/* no sample taken for so long: lost */
#define CHIME_RATE 22050	/* the voice's: a card that takes it plays both unconverted */
#define HOLD_MILLISECONDS 200	/* of rest before a card is held: speech comes first */
#define CUT_MILLISECONDS 60		/* three buffers for the callback to obey */
#define CLOSE_MILLISECONDS 2000
#define ABANDONED_LIMIT 4
#define NO_SOUND (-1)
#define STALE_MILLISECONDS 1000		/* a sound so late would mislead */

enum request {
	REQUEST_NONE, REQUEST_PREPARE, REQUEST_OPEN, REQUEST_START, REQUEST_CLOSE, REQUEST_QUIT,
};
enum state { STATE_CLOSED, STATE_OPEN, STATE_STARTED, STATE_FAILED };

struct device {
	pthread_t thread;
	sem_t go;			/* a request waits, or the stream has ended */
	sem_t *wake;
	struct ring ring;
	struct card card;
	enum tts_hold hold;
	struct chime *chime;

	_Atomic enum request request;
	_Atomic enum state state;
	_Atomic bool answered;		/* the last request is done */
	_Atomic bool gone;		/* the thread has returned */

	/* parameters and answers of a request, handed over by request and answered */
	bool search;
	bool lost;			/* the stream that is closed was given up */
	unsigned rate;
	PaStream *stream;
	bool hold_due;			/* the device thread's: at rest it looks after the chime */
	_Atomic int due;		/* a short sound for which the card has to be opened */
	_Atomic int64_t due_time;
	bool exclusive;			/* the device thread's: the card takes one stream only */

	/* between the callback and everyone */
	_Atomic bool cut, ended, complete, finished, marked;
	_Atomic uint64_t mark;
	_Atomic bool waiting;		/* the writer sleeps until there is room */
	_Atomic unsigned buffers_after_cut;

	/* PortAudio's ALSA side drops what the device still holds when a callback
	 * says it is complete, so so much silence is sent after the last sample */
	size_t tail, silence;		/* written at open; then the callback's */
};

struct audio {
	char *device_name;
	enum tts_hold hold;
	sem_t *wake;
	/* NULL before the first and after an abandonment; other threads than the
	 * caller's use it under the lock, so that it is not freed meanwhile */
	struct device *_Atomic device;
	pthread_mutex_t lock;
	struct device *abandoned[ABANDONED_LIMIT];
	size_t abandoned_count;
	bool failed;			/* the last stream failed: search again */
	bool started;
	uint64_t progress;		/* the ring's read position when it last moved */
	struct timespec progress_time;
};

/* --- the callback ----------------------------------------------------------- */

static int fill(const void *input, void *output, unsigned long frames,
		const PaStreamCallbackTimeInfo *time, PaStreamCallbackFlags flags, void *userdata)
{
	struct device *device = userdata;
	int16_t *samples = output;
	size_t taken;
	bool ended;

	(void)input, (void)time, (void)flags;
	if (atomic_load(&device->cut)) {
		memset(samples, 0, frames * sizeof(*samples));
		atomic_store(&device->complete, true);
		return paAbort;
	}
	/* before the ring: what was written before the end is then seen */
	ended = atomic_load(&device->ended);
	taken = ring_read(&device->ring, samples, frames);
	memset(samples + taken, 0, (frames - taken) * sizeof(*samples));
	if (taken && atomic_load(&device->cut))
		atomic_fetch_add(&device->buffers_after_cut, 1);
	if (!atomic_load(&device->marked) &&
	    atomic_load(&device->ring.read) > atomic_load(&device->mark)) {
		atomic_store(&device->marked, true);
		sem_post(device->wake);
	} else if (ring_used(&device->ring) < RING_SAMPLES / 2 &&
		   atomic_exchange(&device->waiting, false)) {
		sem_post(device->wake);
	}
	if (ended)
		device->silence += frames - taken;
	if (ended && device->silence >= device->tail) {
		atomic_store(&device->complete, true);
		return paComplete;
	}
	return paContinue;
}

static void finished(void *userdata)
{
	struct device *device = userdata;

	atomic_store(&device->finished, true);
	sem_post(&device->go);
	sem_post(device->wake);
}

/* `milliseconds` 0: without a limit; false when that has passed. */
static bool wait_on(sem_t *semaphore, unsigned milliseconds)
{
	struct timespec limit;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += milliseconds / 1000;
	limit.tv_nsec += (long)(milliseconds % 1000) * 1000000;
	if (limit.tv_nsec >= 1000000000) {
		limit.tv_sec++;
		limit.tv_nsec -= 1000000000;
	}
	do {
		r = milliseconds ? sem_clockwait(semaphore, CLOCK_MONOTONIC, &limit) :
			sem_wait(semaphore);
	} while (r == -1 && errno == EINTR);
	return r == 0;
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* --- the device thread -------------------------------------------------------- */

static void close_chime(struct device *device)
{
	PaStream *stream = chime_return(device->chime);

	if (stream)
		Pa_CloseStream(stream);
}

static bool library_start(struct device *device)
{
	if (card_ready() && !device->search)
		return true;
	close_chime(device);
	device->exclusive = false;
	return card_search(&device->card);
}

/* Takes hold of the card for short sounds, unless that is done or not to be. Briefly:
 * for one sound, although the card is not to be held. */
static void hold(struct device *device, bool briefly)
{
	bool keep = device->hold == TTS_HOLD_ALWAYS || briefly;
	PaStream *stream, *second;
	unsigned rate = CHIME_RATE;

	if (device->hold == TTS_HOLD_NEVER || !card_ready() || chime_ready(device->chime) ||
	    (device->exclusive && !keep))
		return;
	close_chime(device);
	if (card_open(&device->card, NULL, NULL, &rate, &stream) != paNoError)
		return;
	if (!device->exclusive && device->card.server_period == 0) {
		device->exclusive = card_open_at(&device->card, NULL, NULL, rate, &second) !=
			paNoError;
		if (!device->exclusive)
			Pa_CloseStream(second);
	}
	if ((device->exclusive && !keep) ||
	    chime_lend(device->chime, stream, rate) != paNoError)
		Pa_CloseStream(stream);
}

/* A card that is not held is opened for the sound as if it were: that is quicker than
 * a stream for speech, whose first buffer is silence. */
static void play_due(struct device *device)
{
	int sound = atomic_exchange(&device->due, NO_SOUND);

	if (sound == NO_SOUND || now() - atomic_load(&device->due_time) > STALE_MILLISECONDS)
		return;
	device->search = false;
	if (!library_start(device))
		return;
	hold(device, true);
	chime_play(device->chime, (enum tts_sound)sound);
	device->hold_due = true;
}

/* After a while without an order; whether there is more to look after. */
static bool rest(struct device *device)
{
	if (!device->exclusive || device->hold == TTS_HOLD_ALWAYS) {
		hold(device, false);
		return false;
	}
	if (chime_sounding(device->chime))
		return true;
	close_chime(device);
	return false;
}

static void open_stream(struct device *device)
{
	if (!library_start(device))
		return;
	if (device->exclusive)
		close_chime(device);
	if (card_open(&device->card, fill, device, &device->rate, &device->stream) != paNoError)
		return;
	device->tail = card_tail(&device->card, device->stream, device->rate);
	device->silence = 0;
	Pa_SetStreamFinishedCallback(device->stream, finished);
	atomic_store(&device->state, STATE_OPEN);
}

static void start_stream(struct device *device)
{
	PaError code = Pa_StartStream(device->stream);

	if (code != paNoError) {
		card_fail(&device->card, "The sound card does not play", code);
		atomic_store(&device->state, STATE_FAILED);
		return;
	}
	atomic_store(&device->state, STATE_STARTED);
}

/* Whether the card may be held again: it did not fail. One that has not taken the cut
 * yet is only slow, or the machine is. */
static bool close_stream(struct device *device)
{
	enum state state = atomic_load(&device->state);
	int64_t limit = now() + CUT_MILLISECONDS;
	bool died;

	if (!device->stream)
		return false;
	/* Pa_CloseStream cancels a running callback thread; the callback's own
	 * paAbort is gentler and comes within one buffer */
	while (state == STATE_STARTED && !atomic_load(&device->finished)) {
		int64_t left = limit - now();

		if (left <= 0 || !wait_on(&device->go, (unsigned)left))
			break;
	}
	died = atomic_load(&device->finished) && !atomic_load(&device->complete);
	Pa_CloseStream(device->stream);
	device->stream = NULL;
	atomic_store(&device->state, STATE_CLOSED);
	/* what else was posted meanwhile is seen to next */
	sem_post(&device->go);
	return !died && !device->lost && state != STATE_FAILED;
}

static void *device_main(void *userdata)
{
	struct device *device = userdata;
	enum request request;

	card_use(&device->card);
	do {
		bool woken = wait_on(&device->go, device->hold_due && !device->stream ?
				     HOLD_MILLISECONDS : 0);

		request = atomic_exchange(&device->request, REQUEST_NONE);
		if (atomic_exchange(&device->card.server_gone, false))
			close_chime(device);
		if (!device->stream)
			play_due(device);
		switch (request) {
		case REQUEST_PREPARE:
			device->hold_due = library_start(device);
			break;
		case REQUEST_OPEN:
			open_stream(device);
			break;
		case REQUEST_START:
			start_stream(device);
			break;
		case REQUEST_CLOSE:
			device->hold_due = close_stream(device);
			break;
		case REQUEST_QUIT:
			close_stream(device);
			chime_stop(device->chime);
			close_chime(device);
			break;
		case REQUEST_NONE:
			if (!woken && !device->stream)
				device->hold_due = rest(device);
			continue;
		}
		if (!device->stream && request != REQUEST_QUIT)
			play_due(device);
		atomic_store(&device->answered, true);
		sem_post(device->wake);
	} while (request != REQUEST_QUIT);
	atomic_store(&device->gone, true);
	return NULL;
}

/* --- the caller's side -------------------------------------------------------- */

static unsigned elapsed(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned)((now.tv_sec - since->tv_sec) * 1000 +
			  (now.tv_nsec - since->tv_nsec) / 1000000);
}

static struct device *device_free(struct device *device)
{
	if (device) {
		chime_free(device->chime);
		sem_destroy(&device->go);
		ring_clear(&device->ring);
		free(device);
	}
	return NULL;
}

static int device_new(struct audio *audio, struct device **ret_device)
{
	struct device *device = calloc(1, sizeof(*device));
	int r;

	if (!device)
		return -ENOMEM;
	sem_init(&device->go, 0, 0);
	atomic_init(&device->answered, true);
	atomic_init(&device->due, NO_SOUND);
	device->wake = audio->wake;
	device->card.name = audio->device_name;
	device->card.changed = &device->go;
	device->hold = audio->hold;
	r = ring_init(&device->ring, RING_SAMPLES);
	if (r == 0)
		r = chime_new(audio->wake, &device->chime);
	if (r == 0)
		r = -pthread_create(&device->thread, NULL, device_main, device);
	if (r < 0) {
		device_free(device);
		return r;
	}
	*ret_device = device;
	return 0;
}

static void ask(struct device *device, enum request request)
{
	atomic_store(&device->answered, false);
	atomic_store(&device->request, request);
	sem_post(&device->go);
}

/* Whether the last request was answered in time. */
static bool await(struct audio *audio, struct device *device, unsigned milliseconds)
{
	struct timespec begun;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	while (!atomic_load(&device->answered)) {
		unsigned gone = elapsed(&begun);

		if (gone >= milliseconds)
			return false;
		wait_on(audio->wake, milliseconds - gone < 100 ? milliseconds - gone : 100);
	}
	return true;
}

/* The device thread keeps all it has, and stays silent. */
static void abandon(struct audio *audio, struct device *device)
{
	atomic_store(&device->cut, true);
	chime_stop(device->chime);
	pthread_mutex_lock(&audio->lock);
	atomic_store(&audio->device, NULL);
	pthread_mutex_unlock(&audio->lock);
	audio->abandoned[audio->abandoned_count++] = device;
	audio->failed = true;
}

/* Ends a device thread that is at rest; false when it hangs in the attempt. */
static bool end_device(struct audio *audio, struct device *device)
{
	ask(device, REQUEST_QUIT);
	if (!await(audio, device, CLOSE_MILLISECONDS))
		return false;
	pthread_join(device->thread, NULL);
	device_free(device);
	return true;
}

/* Ends the abandoned threads that came back. Done while no other device thread
 * has work, because they close their streams. */
static void end_returned(struct audio *audio)
{
	for (size_t i = 0; i < audio->abandoned_count;) {
		if (atomic_load(&audio->abandoned[i]->answered) &&
		    end_device(audio, audio->abandoned[i]))
			audio->abandoned[i] = audio->abandoned[--audio->abandoned_count];
		else
			i++;
	}
}

int audio_new(const char *device_name, enum tts_hold hold, sem_t *wake,
	      struct audio **ret_audio)
{
	struct audio *audio = calloc(1, sizeof(*audio));

	if (!audio)
		return -ENOMEM;
	audio->wake = wake;
	audio->hold = hold;
	if (device_name) {
		audio->device_name = strdup(device_name);
		if (!audio->device_name) {
			free(audio);
			return -ENOMEM;
		}
	}
	pthread_mutex_init(&audio->lock, NULL);
	*ret_audio = audio;
	return 0;
}

bool audio_free(struct audio *audio)
{
	struct device *device;
	bool clean;

	if (!audio)
		return true;
	device = atomic_load(&audio->device);
	end_returned(audio);
	clean = !audio->abandoned_count;
	if (device)
		clean &= end_device(audio, device);
	/* an abandoned device reads the name */
	if (clean)
		free(audio->device_name);
	pthread_mutex_destroy(&audio->lock);
	free(audio);
	return clean;
}

static int device_ready(struct audio *audio, struct tts_error *error)
{
	struct device *device;
	int r;

	end_returned(audio);
	if (atomic_load(&audio->device))
		return 0;
	for (size_t i = 0; i < audio->abandoned_count; i++) {
		if (!atomic_load(&audio->abandoned[i]->card.in_library))
			continue;
		snprintf(error->message, sizeof(error->message),
			 "The sound system does not answer; restart it, or Descry.");
		return TTS_NO_DEVICE;
	}
	if (audio->abandoned_count == ABANDONED_LIMIT) {
		snprintf(error->message, sizeof(error->message),
			 "The sound card hung %d times; restart Descry.", ABANDONED_LIMIT);
		return TTS_NO_DEVICE;
	}
	r = device_new(audio, &device);
	if (r < 0) {
		snprintf(error->message, sizeof(error->message),
			 "No thread for the sound card: %s.", strerror(-r));
		return r;
	}
	atomic_store(&audio->device, device);
	return 0;
}

void audio_prepare(struct audio *audio)
{
	struct tts_error ignored;
	struct device *device;

	if (device_ready(audio, &ignored))
		return;
	device = atomic_load(&audio->device);
	device->search = false;
	ask(device, REQUEST_PREPARE);
}

void audio_renew(struct audio *audio)
{
	struct device *device = atomic_load(&audio->device);

	if (!device) {
		audio_prepare(audio);
	} else if (await(audio, device, OPEN_MILLISECONDS)) {
		device->search = !audio->abandoned_count;
		ask(device, REQUEST_PREPARE);
	} else {
		abandon(audio, device);
	}
}

/* One attempt: true when the device thread answered, whatever it answered. */
static bool try_open(struct audio *audio, struct device *device, unsigned rate, bool search)
{
	if (!await(audio, device, OPEN_MILLISECONDS))
		return false;
	device->rate = rate;
	device->search = search && !audio->abandoned_count;
	ask(device, REQUEST_OPEN);
	if (!await(audio, device, OPEN_MILLISECONDS))
		return false;
	audio->failed = atomic_load(&device->state) != STATE_OPEN;
	return true;
}

int audio_open(struct audio *audio, unsigned rate, bool search, unsigned *ret_rate,
	       struct tts_error *error)
{
	struct device *device;
	bool searched, answered;
	int r;

	r = device_ready(audio, error);
	if (r)
		return r;
	device = atomic_load(&audio->device);
	ring_reset(&device->ring);
	atomic_store(&device->ended, false);
	atomic_store(&device->complete, false);
	atomic_store(&device->finished, false);
	atomic_store(&device->marked, false);
	atomic_store(&device->waiting, false);
	atomic_store(&device->mark, UINT64_MAX);
	atomic_store(&device->buffers_after_cut, 0);
	audio->started = false;

	searched = search && audio->failed;
	answered = try_open(audio, device, rate, searched);
	if (answered && audio->failed && search && !searched)
		answered = try_open(audio, device, rate, true);
	if (!answered) {
		abandon(audio, device);
		snprintf(error->message, sizeof(error->message),
			 "The sound card does not answer.");
		return TTS_NO_DEVICE;
	}
	if (audio->failed) {
		snprintf(error->message, sizeof(error->message), "%s", device->card.message);
		return TTS_NO_DEVICE;
	}
	if (atomic_load(&device->cut)) {
		audio_close(audio);
		return -ECANCELED;
	}
	*ret_rate = device->rate;
	return 0;
}

size_t audio_write(struct audio *audio, const int16_t *samples, size_t count)
{
	struct device *device = atomic_load(&audio->device);

	return device ? ring_write(&device->ring, samples, count) : 0;
}

void audio_mark(struct audio *audio)
{
	struct device *device = atomic_load(&audio->device);

	if (device)
		atomic_store(&device->mark, atomic_load(&device->ring.written));
}

bool audio_mark_reached(const struct audio *audio)
{
	struct device *device = atomic_load(&audio->device);

	return device && atomic_load(&device->marked);
}

void audio_start(struct audio *audio)
{
	struct device *device = atomic_load(&audio->device);

	if (!device || audio->started || chime_sounding(device->chime))
		return;
	audio->started = true;
	audio->progress = 0;
	clock_gettime(CLOCK_MONOTONIC, &audio->progress_time);
	ask(device, REQUEST_START);
}

void audio_end(struct audio *audio)
{
	struct device *device = atomic_load(&audio->device);

	if (device)
		atomic_store(&device->ended, true);
}

enum audio_progress audio_progress(struct audio *audio, struct tts_error *error)
{
	struct device *device = atomic_load(&audio->device);
	bool finished;
	uint64_t read;

	if (device && !audio->started)
		return AUDIO_PLAYING;
	/* read once: it may end between two looks, and it is complete before it ends */
	finished = device && atomic_load(&device->finished);
	if (finished && atomic_load(&device->complete))
		return AUDIO_DONE;
	if (!device || finished || atomic_load(&device->state) == STATE_FAILED) {
		snprintf(error->message, sizeof(error->message), "%s",
			 device && atomic_load(&device->state) == STATE_FAILED ?
			 device->card.message : "The sound card went away while it was speaking.");
		audio->failed = true;
		return AUDIO_LOST;
	}
	read = atomic_load(&device->ring.read);
	if (read != audio->progress) {
		audio->progress = read;
		clock_gettime(CLOCK_MONOTONIC, &audio->progress_time);
	} else if (elapsed(&audio->progress_time) >= STALL_MILLISECONDS) {
		snprintf(error->message, sizeof(error->message),
			 "The sound card stopped taking sound.");
		audio->failed = true;
		return AUDIO_LOST;
	}
	return AUDIO_PLAYING;
}

void audio_wait(struct audio *audio)
{
	struct device *device = atomic_load(&audio->device);

	if (device)
		atomic_store(&device->waiting, true);
	wait_on(audio->wake, 100);
}

void audio_cut(struct audio *audio)
{
	struct device *device;

	pthread_mutex_lock(&audio->lock);
	device = atomic_load(&audio->device);
	if (device)
		atomic_store(&device->cut, true);
	pthread_mutex_unlock(&audio->lock);
}

bool audio_play(struct audio *audio, enum tts_sound sound)
{
	struct device *device;
	bool taken;

	pthread_mutex_lock(&audio->lock);
	device = atomic_load(&audio->device);
	taken = device && chime_play(device->chime, sound);
	if (device && !taken && device->hold != TTS_HOLD_NEVER) {
		atomic_store(&device->due_time, now());
		atomic_store(&device->due, (int)sound);
		sem_post(&device->go);
		taken = true;
	}
	pthread_mutex_unlock(&audio->lock);
	return taken;
}

bool audio_take_missed(struct audio *audio, enum tts_sound *ret_sound)
{
	struct device *device = atomic_load(&audio->device);

	return device && chime_take_missed(device->chime, ret_sound);
}

void audio_hush(struct audio *audio)
{
	struct device *device;

	pthread_mutex_lock(&audio->lock);
	device = atomic_load(&audio->device);
	if (device)
		chime_stop(device->chime);
	pthread_mutex_unlock(&audio->lock);
}

void audio_uncut(struct audio *audio)
{
	struct device *device = atomic_load(&audio->device);

	if (device)
		atomic_store(&device->cut, false);
}

void audio_close(struct audio *audio)
{
	struct device *device = atomic_load(&audio->device);

	if (!device)
		return;
	/* a stream that is still starting has to answer first */
	if (await(audio, device, STALL_MILLISECONDS)) {
		device->lost = audio->failed;
		ask(device, REQUEST_CLOSE);
		if (await(audio, device, CLOSE_MILLISECONDS))
			return;
	}
	abandon(audio, device);
}

unsigned audio_buffers_after_cut(const struct audio *audio)
{
	struct device *device = atomic_load(&audio->device);

	return device ? atomic_load(&device->buffers_after_cut) : 0;
}
