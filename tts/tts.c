/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tts.c: the speaker, which joins queue, synthesis and sound card.
 *
 * Three threads at most take part. The owner queues and stops; it takes `lock`
 * for moments only, and never while samples are made or the sound card works. The
 * speaker thread takes one utterance at a time, has its samples made by another
 * process (synthesizer.h) and feeds them to the ring; since synthesis is a thousand
 * times faster than speech, the ring is soon full and the thread sleeps most of the
 * time. Beneath it, audio.c has a thread of its own for PortAudio.
 *
 * A stop is one atomic flag for the synthesis and one for the audio callback,
 * both raised by the owner under `lock`, so that a flag can never be meant for
 * an utterance that has just begun.
 */
#include "tts/tts.h"
#include "tts/audio.h"
#include "tts/queue.h"
#include "tts/resampler.h"
#include "tts/sounds.h"
#include "tts/synthesizer.h"
#include "tts/text.h"
#include "tts/wav.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RATE_LEAST 80u
#define RATE_MOST 900u
#define RATE_DEFAULT 175u
#define PITCH_MOST 100u
#define VOLUME_MOST 200u
#define EVENTS_LIMIT 256u	/* an owner that never reads loses the oldest */
#define PREFILLS_PER_SECOND 2	/* the stream starts when half a second waits, or all */

struct tts {
	pthread_t thread;
	sem_t *wake;			/* outlives this object when a sound card hangs */
	struct audio *audio;		/* the speaker thread's, but for audio_cut; NULL: wav */
	struct wav *wav;		/* the speaker thread's */
	struct synthesizer *synthesizer;	/* the speaker thread's, but for the voices */
	unsigned synthesis_rate;
	int event_fd;
	_Atomic bool cancelled;		/* what is being spoken is to end */
	_Atomic unsigned beats;		/* counted up by the speaker thread as it goes round */
	unsigned seen_beats;		/* the owner's */
	bool nudged;			/* the owner's */
	char device_message[256];	/* the speaker thread's: why there is no sound; "": there is */

	pthread_mutex_t lock;		/* guards what follows */
	struct queue queue;
	bool quit, renew;
	bool busy;			/* a session runs */
	uint64_t current;		/* the utterance being spoken; 0: none, or a sound */
	uint64_t last_id;
	struct utterance *last;		/* for tts_repeat */
	bool last_spoken;		/* it has begun, so only what begins replaces it */
	struct synthesis_settings settings;
	char wanted_voice[VOICE_BYTES];
	struct tts_event events[EVENTS_LIMIT];
	size_t first_event, event_count;
};

static pthread_mutex_t only_lock = PTHREAD_MUTEX_INITIALIZER;
static bool only_taken;

/* --- events ----------------------------------------------------------------------- */

static void emit(struct tts *tts, enum tts_event_kind kind, uint64_t utterance, const char *message)
{
	struct tts_event *event;

	if (tts->event_count == EVENTS_LIMIT) {
		tts->first_event = (tts->first_event + 1) % EVENTS_LIMIT;
		tts->event_count--;
	}
	event = &tts->events[(tts->first_event + tts->event_count++) % EVENTS_LIMIT];
	event->kind = kind;
	event->utterance = utterance;
	snprintf(event->message, sizeof(event->message), "%s", message ? message : "");
	eventfd_write(tts->event_fd, 1);
}

static void emit_locking(struct tts *tts, enum tts_event_kind kind, uint64_t utterance,
			 const char *message)
{
	pthread_mutex_lock(&tts->lock);
	emit(tts, kind, utterance, message);
	pthread_mutex_unlock(&tts->lock);
}

int tts_event_fd(const struct tts *tts)
{
	return tts->event_fd;
}

bool tts_next_event(struct tts *tts, struct tts_event *ret_event)
{
	bool found;

	pthread_mutex_lock(&tts->lock);
	found = tts->event_count > 0;
	if (found) {
		*ret_event = tts->events[tts->first_event];
		tts->first_event = (tts->first_event + 1) % EVENTS_LIMIT;
		tts->event_count--;
	}
	if (!tts->event_count) {
		eventfd_t ignored;

		eventfd_read(tts->event_fd, &ignored);
	}
	pthread_mutex_unlock(&tts->lock);
	return found;
}

/* --- the speaker thread ----------------------------------------------------------- */

/* One stream, or one stretch of the WAV file: sounds, then at most one utterance. */
struct session {
	struct tts *tts;
	struct resampler *resampler;
	unsigned rate;			/* the device's */
	size_t written;
	uint64_t utterance;		/* whose samples come now; 0: a sound's */
	bool announced;			/* TTS_EVENT_STARTED is out */
	bool lost;			/* the device cannot be used */
	bool failed;			/* that, or the speech could not be made */
	bool crashed;			/* the text ended the synthesis */
	struct tts_error error;
};

/* Under the lock, so that it cannot come after the end that a stop has told. */
static void announce(struct session *session)
{
	struct tts *tts = session->tts;

	if (session->announced || !session->utterance)
		return;
	session->announced = true;
	pthread_mutex_lock(&tts->lock);
	if (!atomic_load(&tts->cancelled))
		emit(tts, TTS_EVENT_STARTED, session->utterance, NULL);
	pthread_mutex_unlock(&tts->lock);
}

/* Looks after the running stream; false when nothing more is to be written. */
static bool session_goes_on(struct session *session)
{
	struct tts *tts = session->tts;

	atomic_fetch_add(&tts->beats, 1);
	if (atomic_load(&tts->cancelled))
		return false;
	if (tts->wav)
		return !session->failed;
	if (audio_mark_reached(tts->audio))
		announce(session);
	if (audio_progress(tts->audio, &session->error) == AUDIO_LOST)
		session->lost = session->failed = true;
	return !session->failed;
}

/* Writes at the output's rate. */
static bool deliver(struct session *session, const int16_t *samples, size_t count)
{
	struct tts *tts = session->tts;

	if (tts->wav) {
		if (!session_goes_on(session))
			return false;
		announce(session);
		if (wav_write(tts->wav, samples, count) < 0) {
			snprintf(session->error.message, sizeof(session->error.message),
				 "The WAV file cannot be written; is the disk full?");
			session->failed = true;
		}
		return !session->failed;
	}
	while (session_goes_on(session)) {
		size_t taken = audio_write(tts->audio, samples, count);

		samples += taken;
		count -= taken;
		session->written += taken;
		if (count || session->written >= session->rate / PREFILLS_PER_SECOND)
			audio_start(tts->audio);
		if (!count)
			return true;
		audio_wait(tts->audio);
	}
	return false;
}

/* Takes samples at eSpeak NG's rate; the sink of synthesizer_speak. */
static bool take(void *userdata, const int16_t *samples, size_t count)
{
	struct session *session = userdata;

	if (!count)
		return session_goes_on(session);
	if (!session->resampler)
		return deliver(session, samples, count);
	while (count) {
		const int16_t *output;
		size_t yield = resampler_run(session->resampler, &samples, &count, false, &output);

		if (yield && !deliver(session, output, yield))
			return false;
	}
	return true;
}

/* What the resampler still holds. */
static void drain(struct session *session)
{
	const int16_t *none = NULL, *output;
	size_t zero = 0, yield;

	if (!session->resampler)
		return;
	do {
		yield = resampler_run(session->resampler, &none, &zero, true, &output);
	} while (yield && deliver(session, output, yield));
}

static bool session_open(struct session *session, bool search)
{
	struct tts *tts = session->tts;
	int r;

	session->rate = tts->synthesis_rate;
	if (tts->wav)
		return true;
	r = audio_open(tts->audio, tts->synthesis_rate, search, &session->rate, &session->error);
	if (r == 0 && session->rate != tts->synthesis_rate) {
		r = resampler_new(tts->synthesis_rate, session->rate, &session->resampler);
		if (r < 0) {
			snprintf(session->error.message, sizeof(session->error.message),
				 "No memory to convert the sampling rate.");
			audio_close(tts->audio);
		}
	}
	if (r == -ECANCELED)
		return false;
	session->lost = session->failed = r != 0;
	return r == 0;
}

/* A card that went is reported once, and so is its return. */
static void report_device(struct session *session)
{
	struct tts *tts = session->tts;

	if (tts->wav)
		return;
	if (session->lost && !*tts->device_message) {
		snprintf(tts->device_message, sizeof(tts->device_message), "%.255s",
			 session->error.message);
		emit_locking(tts, TTS_EVENT_DEVICE, 0, tts->device_message);
	} else if (!session->lost && *tts->device_message) {
		tts->device_message[0] = '\0';
		emit_locking(tts, TTS_EVENT_DEVICE, 0, "The sound card can be used again.");
	}
}

static void render_sound(struct session *session, enum tts_sound sound)
{
	long length = sounds_render(sound, session->tts->synthesis_rate, NULL, 0);
	int16_t *samples = length > 0 ? malloc((size_t)length * sizeof(*samples)) : NULL;

	if (!samples)
		return;
	sounds_render(sound, session->tts->synthesis_rate, samples, (size_t)length);
	take(session, samples, (size_t)length);
	free(samples);
}

static void render_utterance(struct session *session, const struct utterance *utterance)
{
	struct tts *tts = session->tts;
	struct synthesis_settings settings;
	char voice[VOICE_BYTES];
	int r = 0;

	pthread_mutex_lock(&tts->lock);
	settings = tts->settings;
	pthread_mutex_unlock(&tts->lock);
	if (utterance->language) {
		r = voices_find_language(synthesizer_voices(tts->synthesizer), utterance->language,
					 settings.voice, voice, &session->error);
		if (r == 0)
			strcpy(settings.voice, voice);
	}
	if (r == 0 && !tts->wav)
		audio_mark(tts->audio);
	if (r == 0)
		r = synthesizer_speak(tts->synthesizer, &settings, utterance->text, take, session,
				      &session->error);
	session->crashed = r == TTS_CRASHED;
	if (r)
		session->failed = true;
}

/* Under the lock: makes `utterance` the current one. */
static void begin(struct tts *tts, struct utterance *utterance)
{
	tts->current = utterance->id;
	if (utterance->id) {
		struct utterance *copy = utterance_new(utterance->id, utterance->text,
						       utterance->language);

		if (copy) {
			utterance_free(tts->last);
			tts->last = copy;
			tts->last_spoken = true;
		}
	}
}

/* After a sound: what comes next goes into the same stream, without a gap. */
static struct utterance *follow(struct tts *tts)
{
	struct utterance *utterance = NULL;

	pthread_mutex_lock(&tts->lock);
	if (!atomic_load(&tts->cancelled))
		utterance = queue_pop(&tts->queue);
	if (utterance)
		begin(tts, utterance);
	pthread_mutex_unlock(&tts->lock);
	return utterance;
}

static void session_run(struct tts *tts, struct utterance *utterance)
{
	struct session session = { .tts = tts, .utterance = utterance->id };
	bool opened, played;

	opened = session_open(&session, utterance->id != 0);
	/* a sound is no reason to speak of a missing card */
	if (utterance->id || !session.lost)
		report_device(&session);
	while (opened) {
		struct utterance *next;

		session.utterance = utterance->id;
		if (utterance->id)
			render_utterance(&session, utterance);
		else
			render_sound(&session, utterance->sound);
		if (utterance->id || session.failed)
			break;
		next = follow(tts);
		if (!next)
			break;
		utterance_free(utterance);
		utterance = next;
	}
	played = opened && !session.failed;
	if (played)
		drain(&session);
	if (opened && !tts->wav) {
		if (played && session_goes_on(&session)) {
			audio_end(tts->audio);
			while (session_goes_on(&session) &&
			       audio_progress(tts->audio, &session.error) == AUDIO_PLAYING) {
				audio_start(tts->audio);
				audio_wait(tts->audio);
			}
			/* a quick card may begin and end between two looks */
			if (audio_mark_reached(tts->audio))
				announce(&session);
		}
		if (session.failed)
			audio_cut(tts->audio);
		audio_close(tts->audio);
		if (session.lost)
			report_device(&session);
	}
	resampler_free(session.resampler);

	pthread_mutex_lock(&tts->lock);
	if (utterance->id && !atomic_load(&tts->cancelled))
		emit(tts, session.crashed ? TTS_EVENT_CRASHED :
			  session.failed ? TTS_EVENT_FAILED : TTS_EVENT_FINISHED, utterance->id,
		     session.failed ? session.error.message : NULL);
	tts->current = 0;
	tts->busy = false;
	pthread_mutex_unlock(&tts->lock);
	utterance_free(utterance);
}

/* Whether speech plays or waits; under the lock. */
static bool speaking(const struct tts *tts)
{
	return tts->queue.utterances || (tts->current && !atomic_load(&tts->cancelled));
}

static int enqueue_sound(struct tts *tts, enum tts_sound sound)
{
	struct utterance *utterance = utterance_sound(sound);
	bool taken;

	if (!utterance)
		return -ENOMEM;
	pthread_mutex_lock(&tts->lock);
	taken = !speaking(tts) && queue_push(&tts->queue, QUEUE_SOUND, utterance);
	pthread_mutex_unlock(&tts->lock);
	if (taken)
		sem_post(tts->wake);
	else
		utterance_free(utterance);
	return 0;
}

/* A sound that the chime could not play goes the long way. */
static void take_missed_sound(struct tts *tts)
{
	enum tts_sound sound;

	if (tts->audio && audio_take_missed(tts->audio, &sound))
		enqueue_sound(tts, sound);
}

static void *speaker_main(void *userdata)
{
	struct tts *tts = userdata;

	if (tts->audio)
		audio_prepare(tts->audio);
	for (;;) {
		struct utterance *utterance;
		bool quit, renew;

		atomic_fetch_add(&tts->beats, 1);
		take_missed_sound(tts);
		pthread_mutex_lock(&tts->lock);
		quit = tts->quit;
		renew = tts->renew;
		tts->renew = false;
		utterance = quit || renew ? NULL : queue_pop(&tts->queue);
		if (utterance) {
			atomic_store(&tts->cancelled, false);
			if (tts->audio)
				audio_uncut(tts->audio);
			tts->busy = true;
			begin(tts, utterance);
		}
		pthread_mutex_unlock(&tts->lock);
		if (quit)
			return NULL;
		if (utterance)
			session_run(tts, utterance);
		else if (renew)
			audio_renew(tts->audio);
		else
			while (sem_wait(tts->wake) == -1 && errno == EINTR)
				;
	}
}

/* --- the owner's side --------------------------------------------------------------- */

static int refuse(struct tts_error *error, int code, const char *message)
{
	if (error)
		snprintf(error->message, sizeof(error->message), "%s", message);
	return code;
}

/* Under the lock: silences the session and drops the utterances that wait. */
static struct utterance *silence(struct tts *tts, bool sounds_too)
{
	struct utterance *dropped = queue_take(&tts->queue, sounds_too);

	if (tts->busy && (tts->current || sounds_too) && !atomic_load(&tts->cancelled)) {
		atomic_store(&tts->cancelled, true);
		if (tts->audio)
			audio_cut(tts->audio);
		if (tts->current)
			emit(tts, TTS_EVENT_STOPPED, tts->current, NULL);
	}
	for (struct utterance *u = dropped; u; u = u->next)
		if (u->id)
			emit(tts, TTS_EVENT_STOPPED, u->id, NULL);
	return dropped;
}

static void free_list(struct utterance *utterance)
{
	while (utterance) {
		struct utterance *next = utterance->next;

		utterance_free(utterance);
		utterance = next;
	}
}

static int enqueue(struct tts *tts, struct utterance *utterance, enum tts_priority priority,
		   uint64_t *ret_utterance, struct tts_error *error)
{
	struct utterance *dropped = NULL;
	bool taken;

	pthread_mutex_lock(&tts->lock);
	if (priority == TTS_NOW)
		dropped = silence(tts, false);
	utterance->id = ++tts->last_id;
	taken = queue_push(&tts->queue, priority == TTS_IDLE ? QUEUE_IDLE : QUEUE_NEXT, utterance);
	if (taken && ret_utterance)
		*ret_utterance = utterance->id;
	if (taken && !tts->last_spoken) {
		utterance_free(tts->last);
		tts->last = utterance_new(utterance->id, utterance->text, utterance->language);
	}
	pthread_mutex_unlock(&tts->lock);
	free_list(dropped);
	if (!taken) {
		utterance_free(utterance);
		return refuse(error, TTS_QUEUE_FULL,
			      "Too much is waiting to be spoken; stop speech, then try again.");
	}
	sem_post(tts->wake);
	return 0;
}

/* On success `ret_clean` is what remains of the text; the caller frees. */
static int prepare(struct tts *tts, const char *text, const char *language, char **ret_clean,
		   struct tts_error *error)
{
	struct tts_error problem;
	char ignored[VOICE_BYTES], *clean;
	int r;

	if (strlen(text) > TEXT_BYTES_LIMIT) {
		snprintf(problem.message, sizeof(problem.message),
			 "The text is too long to be spoken at once: more than %u bytes.",
			 TEXT_BYTES_LIMIT);
		return refuse(error, TTS_TEXT_TOO_LONG, problem.message);
	}
	if (language && *language) {
		r = voices_find_language(synthesizer_voices(tts->synthesizer), language,
					 tts->settings.voice, ignored, &problem);
		if (r)
			return refuse(error, r, problem.message);
	}
	clean = malloc(strlen(text) + 1);
	if (!clean)
		return refuse(error, -ENOMEM, "No memory for the text.");
	if (!text_clean(text, clean)) {
		free(clean);
		return refuse(error, -EINVAL, "There is nothing in the text that can be spoken.");
	}
	*ret_clean = clean;
	return 0;
}

int tts_check(struct tts *tts, const char *text, const char *language, struct tts_error *error)
{
	char *clean;
	int r = prepare(tts, text, language, &clean, error);

	if (r == 0)
		free(clean);
	return r;
}

int tts_say(struct tts *tts, const char *text, enum tts_priority priority, const char *language,
	    uint64_t *ret_utterance, struct tts_error *error)
{
	struct utterance *utterance;
	char *clean;
	int r = prepare(tts, text, language, &clean, error);

	if (r)
		return r;
	utterance = utterance_new(0, clean, language && *language ? language : NULL);
	free(clean);
	if (!utterance)
		return refuse(error, -ENOMEM, "No memory for the text.");
	return enqueue(tts, utterance, priority, ret_utterance, error);
}

int tts_repeat(struct tts *tts, uint64_t *ret_utterance, struct tts_error *error)
{
	struct utterance *copy = NULL;
	bool any;

	pthread_mutex_lock(&tts->lock);
	any = tts->last != NULL;
	if (any)
		copy = utterance_new(0, tts->last->text, tts->last->language);
	pthread_mutex_unlock(&tts->lock);
	if (!any)
		return refuse(error, -ENOENT, "Nothing has been said yet.");
	if (!copy)
		return refuse(error, -ENOMEM, "No memory for the text.");
	return enqueue(tts, copy, TTS_NOW, ret_utterance, error);
}

void tts_stop(struct tts *tts)
{
	struct utterance *dropped;

	pthread_mutex_lock(&tts->lock);
	dropped = silence(tts, true);
	pthread_mutex_unlock(&tts->lock);
	if (tts->audio)
		audio_hush(tts->audio);
	free_list(dropped);
	sem_post(tts->wake);
}

void tts_renew(struct tts *tts)
{
	tts_stop(tts);
	pthread_mutex_lock(&tts->lock);
	tts->renew = tts->audio != NULL;
	pthread_mutex_unlock(&tts->lock);
	sem_post(tts->wake);
}

bool tts_speaking(const struct tts *tts)
{
	struct tts *locked = (struct tts *)tts;
	bool is;

	pthread_mutex_lock(&locked->lock);
	is = speaking(tts);
	pthread_mutex_unlock(&locked->lock);
	return is;
}

bool tts_alive(struct tts *tts)
{
	unsigned beats = atomic_load(&tts->beats);
	bool alive = !tts->nudged || beats != tts->seen_beats;

	tts->nudged = true;
	tts->seen_beats = beats;
	sem_post(tts->wake);
	return alive;
}

int tts_play(struct tts *tts, enum tts_sound sound)
{
	if (sounds_render(sound, tts->synthesis_rate, NULL, 0) < 0)
		return -EINVAL;
	if (tts->audio && !tts_speaking(tts) && audio_play(tts->audio, sound))
		return 0;
	return enqueue_sound(tts, sound);
}

/* --- settings ------------------------------------------------------------------------- */

static int check_range(const char *what, unsigned value, unsigned least, unsigned most,
		       struct tts_error *error)
{
	if (value >= least && value <= most)
		return 0;
	if (error)
		snprintf(error->message, sizeof(error->message),
			 "%s is %u; it must be between %u and %u.", what, value, least, most);
	return TTS_OUT_OF_RANGE;
}

int tts_set_voice(struct tts *tts, const char *voice, struct tts_error *error)
{
	struct tts_error problem;
	char found[VOICE_BYTES];
	int r = voices_find(synthesizer_voices(tts->synthesizer), voice, found, &problem);

	if (r)
		return refuse(error, r, problem.message);
	pthread_mutex_lock(&tts->lock);
	strcpy(tts->settings.voice, found);
	snprintf(tts->wanted_voice, sizeof(tts->wanted_voice), "%s", voice);
	pthread_mutex_unlock(&tts->lock);
	return 0;
}

static int set(struct tts *tts, unsigned *setting, const char *what, unsigned value,
	       unsigned least, unsigned most, struct tts_error *error)
{
	int r = check_range(what, value, least, most, error);

	if (r)
		return r;
	pthread_mutex_lock(&tts->lock);
	*setting = value;
	pthread_mutex_unlock(&tts->lock);
	return 0;
}

int tts_set_rate(struct tts *tts, unsigned rate, struct tts_error *error)
{
	return set(tts, &tts->settings.rate, "The rate in words a minute", rate, RATE_LEAST,
		   RATE_MOST, error);
}

int tts_set_pitch(struct tts *tts, unsigned pitch, struct tts_error *error)
{
	return set(tts, &tts->settings.pitch, "The pitch", pitch, 0, PITCH_MOST, error);
}

int tts_set_volume(struct tts *tts, unsigned volume, struct tts_error *error)
{
	return set(tts, &tts->settings.volume, "The volume in per cent", volume, 0, VOLUME_MOST,
		   error);
}

/* Only the owner writes the settings, and it is the one that asks. */
const char *tts_voice(const struct tts *tts)
{
	return tts->wanted_voice;
}

unsigned tts_rate(const struct tts *tts)
{
	return tts->settings.rate;
}

unsigned tts_pitch(const struct tts *tts)
{
	return tts->settings.pitch;
}

unsigned tts_volume(const struct tts *tts)
{
	return tts->settings.volume;
}

void tts_voices(const struct tts *tts, const struct tts_voice_info **ret_voices,
		size_t *ret_count)
{
	const struct voices *voices = synthesizer_voices(tts->synthesizer);

	*ret_voices = voices->infos;
	*ret_count = voices->count;
}

/* --- life ----------------------------------------------------------------------------- */

static bool take_only(void)
{
	bool taken;

	pthread_mutex_lock(&only_lock);
	taken = !only_taken;
	only_taken = true;
	pthread_mutex_unlock(&only_lock);
	return taken;
}

static void give_only(void)
{
	pthread_mutex_lock(&only_lock);
	only_taken = false;
	pthread_mutex_unlock(&only_lock);
}

/* All but the threads; takes half-built objects. */
static void release(struct tts *tts)
{
	if (audio_free(tts->audio) && tts->wake) {
		sem_destroy(tts->wake);
		free(tts->wake);
	}
	wav_close(tts->wav);
	synthesizer_free(tts->synthesizer);
	free_list(queue_take(&tts->queue, true));
	utterance_free(tts->last);
	if (tts->event_fd >= 0)
		close(tts->event_fd);
	pthread_mutex_destroy(&tts->lock);
	free(tts);
	give_only();
}

/* The owner's signals stay the owner's. */
static int start_thread(struct tts *tts)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&tts->thread, NULL, speaker_main, tts);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

int tts_open(const struct tts_options *options, struct tts **ret_tts, struct tts_error *error)
{
	struct tts_error problem = { "" };
	struct tts *tts;
	int r;

	if (!take_only())
		return refuse(error, -EBUSY, "Speech is already open in this process.");
	tts = calloc(1, sizeof(*tts));
	if (!tts) {
		give_only();
		return refuse(error, -ENOMEM, "No memory for speech.");
	}
	tts->event_fd = -1;
	pthread_mutex_init(&tts->lock, NULL);
	r = -ENOMEM;
	snprintf(problem.message, sizeof(problem.message), "No memory for speech.");
	tts->wake = malloc(sizeof(*tts->wake));
	if (!tts->wake)
		goto fail;
	sem_init(tts->wake, 0, 0);
	tts->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (tts->event_fd < 0) {
		r = -errno;
		snprintf(problem.message, sizeof(problem.message),
			 "No event descriptor for speech: %s.", strerror(errno));
		goto fail;
	}
	r = synthesizer_open(options->program ? options->program : "/proc/self/exe",
			     &tts->synthesizer, &problem);
	if (r)
		goto fail;
	tts->synthesis_rate = synthesizer_rate(tts->synthesizer);
	r = tts_set_voice(tts, options->voice ? options->voice : "en", &problem);
	if (!r)
		r = tts_set_rate(tts, options->rate ? options->rate : RATE_DEFAULT, &problem);
	if (!r)
		r = tts_set_pitch(tts, options->pitch, &problem);
	if (!r)
		r = tts_set_volume(tts, options->volume, &problem);
	if (r)
		goto fail;
	if (options->wav_path)
		r = wav_open(options->wav_path, tts->synthesis_rate, &tts->wav, &problem);
	else
		r = audio_new(options->device, options->hold, tts->wake, &tts->audio);
	if (!r)
		r = start_thread(tts);
	if (r)
		goto fail;
	*ret_tts = tts;
	return 0;
fail:
	release(tts);
	return refuse(error, r, problem.message);
}

struct tts *tts_free(struct tts *tts)
{
	if (!tts)
		return NULL;
	pthread_mutex_lock(&tts->lock);
	tts->quit = true;
	atomic_store(&tts->cancelled, true);
	if (tts->audio)
		audio_cut(tts->audio);
	pthread_mutex_unlock(&tts->lock);
	sem_post(tts->wake);
	pthread_join(tts->thread, NULL);
	release(tts);
	return NULL;
}
