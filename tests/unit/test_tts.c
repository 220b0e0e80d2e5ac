/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The speech module through its public header: what is said, in which order, at
 * which speed and in whose voice, into a WAV file; then through PortAudio into a
 * sound card that is not there, and into ALSA's null device under storms of say
 * and stop. What a loudspeaker gets, sample by sample, is the integration test's.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <alsa/asoundlib.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <portaudio.h>
#include <sndfile.h>
#include <stdatomic.h>

#include "tests/unit/emulated.h"
#include "tts/tts.h"

#define SENTENCE "Two dogs are playing with a red ball on the grass in front of a white house."
#define LIMIT_MILLISECONDS 60000

static char folder[] = "/tmp/descry-test-tts-XXXXXX";
static char path[128], script[128];
static const char *program;	/* for tts_options */

/* How many writes into the WAV file are let through before the next one waits, and how
 * many of a card's buffers are filled before it stands still: so that a sentence cannot
 * be over before the test comes to stop it. */
#define ALL INT_MAX

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int writes;
	unsigned order;		/* a write that waits is let through by the next order */
	bool reached;		/* a write waits */
	_Atomic int buffers;
} gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, ALL, 0, false, ALL };

sf_count_t sf_write_short(SNDFILE *file, const short *samples, sf_count_t count)
{
	sf_count_t (*next)(SNDFILE *, const short *, sf_count_t);

	pthread_mutex_lock(&gate.lock);
	if (gate.writes == 0) {
		unsigned order = gate.order;

		gate.reached = true;
		pthread_cond_broadcast(&gate.changed);
		while (gate.order == order)
			pthread_cond_wait(&gate.changed, &gate.lock);
	} else if (gate.writes != ALL) {
		gate.writes--;
	}
	pthread_mutex_unlock(&gate.lock);
	*(void **)&next = dlsym(RTLD_NEXT, "sf_write_short");
	return next(file, samples, count);
}

static void let_write(int writes)
{
	pthread_mutex_lock(&gate.lock);
	gate.writes = writes;
	gate.order++;
	gate.reached = false;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static void await_writer(void)
{
	struct timespec limit;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += LIMIT_MILLISECONDS / 1000;
	pthread_mutex_lock(&gate.lock);
	while (!gate.reached && r == 0)
		r = pthread_cond_timedwait(&gate.changed, &gate.lock, &limit);
	pthread_mutex_unlock(&gate.lock);
	assert_int_equal(r, 0);
}

/* Speech is open once in a process: what a failed case left open is closed, so that it
 * fails alone. */
static struct tts *left_open;

static struct tts *open_with(struct tts_options options)
{
	struct tts_error error = { "" };

	options.program = program;
	let_write(ALL);
	gate.buffers = ALL;
	left_open = tts_free(left_open);
	if (tts_open(&options, &left_open, &error))
		fail_msg("%s", error.message);
	return left_open;
}

static struct tts *open_to(const char *wav)
{
	return open_with((struct tts_options){ .wav_path = wav, .pitch = 50, .volume = 100 });
}

static void close_speech(void)
{
	left_open = tts_free(left_open);
}

/* The next event, or a failure. */
static struct tts_event next_event(struct tts *tts)
{
	struct tts_event event = { 0 };
	struct pollfd wait = { .fd = tts_event_fd(tts), .events = POLLIN };

	while (!tts_next_event(tts, &event))
		if (poll(&wait, 1, LIMIT_MILLISECONDS) <= 0)
			fail_msg("no event came");
	return event;
}

static struct tts_event await(struct tts *tts, enum tts_event_kind kind, uint64_t utterance)
{
	struct tts_event event;

	do {
		event = next_event(tts);
		if (event.kind == TTS_EVENT_FAILED && event.utterance == utterance && kind != event.kind)
			fail_msg("%s", event.message);
	} while (event.kind != kind || event.utterance != utterance);
	return event;
}

static long wav_samples(void)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return (long)(status.st_size - 44) / 2;
}

static long spoken_length(unsigned rate, unsigned volume, const char *voice)
{
	struct tts *tts = open_to(path);
	uint64_t id;

	assert_int_equal(tts_set_rate(tts, rate, NULL), 0);
	assert_int_equal(tts_set_volume(tts, volume, NULL), 0);
	assert_int_equal(tts_set_voice(tts, voice, NULL), 0);
	assert_int_equal(tts_say(tts, SENTENCE, TTS_NOW, NULL, &id, NULL), 0);
	await(tts, TTS_EVENT_FINISHED, id);
	close_speech();
	return wav_samples();
}

static void speed_follows_the_rate_up_to_900(void **state)
{
	static const unsigned rates[] = { 80, 175, 300, 450, 600, 900 };
	long normal = spoken_length(175, 100, "en");

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		double expected = 175.0 / rates[i];
		double measured = (double)spoken_length(rates[i], 100, "en") / (double)normal;

		/* pauses do not shrink in step with words */
		assert_true(measured > expected * 0.7 && measured < expected * 1.35);
	}
	assert_true(spoken_length(900, 100, "en") * 10 < spoken_length(450, 100, "en") * 6);
}

static void settings_out_of_range_change_nothing(void **state)
{
	struct tts *tts = open_to(path);
	struct tts_error error;

	(void)state;
	assert_int_equal(tts_set_rate(tts, 79, &error), TTS_OUT_OF_RANGE);
	assert_non_null(strstr(error.message, "79"));
	assert_non_null(strstr(error.message, "80"));
	assert_int_equal(tts_set_rate(tts, 901, &error), TTS_OUT_OF_RANGE);
	assert_int_equal(tts_set_pitch(tts, 101, &error), TTS_OUT_OF_RANGE);
	assert_int_equal(tts_set_volume(tts, 201, &error), TTS_OUT_OF_RANGE);
	assert_int_equal(tts_rate(tts), 175);
	assert_int_equal(tts_pitch(tts), 50);
	assert_int_equal(tts_volume(tts), 100);
	close_speech();
}

static void finds_voices_by_every_name_and_no_other(void **state)
{
	static const char *const known[] = { "en", "EN-us", "gmw/en-US", "English (America)",
					     "de", "en-us+f3", "en+Alex", "pt-br" };
	static const char *const unknown[] = { "mumble", "", "en-us+nobody", "en us", "../en",
					       "en-zz", "+f3" };
	struct tts *tts = open_to(path);
	const struct tts_voice_info *voices;
	struct tts_error error;
	size_t count;

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (tts_set_voice(tts, known[i], &error))
			fail_msg("%s: %s", known[i], error.message);
		assert_string_equal(tts_voice(tts), known[i]);
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		if (tts_set_voice(tts, unknown[i], &error) != TTS_NO_VOICE)
			fail_msg("%s was accepted", unknown[i]);
		assert_string_equal(tts_voice(tts), "pt-br");
	}
	tts_voices(tts, &voices, &count);
	assert_true(count > 100);
	for (size_t i = 0; i < count; i++) {
		assert_true(*voices[i].name && *voices[i].identifier);
		assert_int_equal(tts_set_voice(tts, voices[i].identifier, NULL), 0);
	}
	close_speech();
}

static void languages_fall_back_to_their_family_only(void **state)
{
	struct tts *tts = open_to(path);
	struct tts_error error;
	uint64_t id;

	(void)state;
	assert_int_equal(tts_say(tts, "Guten Tag", TTS_NEXT, "de_AT.UTF-8", &id, &error), 0);
	await(tts, TTS_EVENT_FINISHED, id);
	/* the language that the voice speaks anyway keeps the voice */
	assert_int_equal(tts_set_voice(tts, "en-us+f3", &error), 0);
	assert_int_equal(tts_say(tts, "Good day", TTS_NEXT, "en", &id, &error), 0);
	await(tts, TTS_EVENT_FINISHED, id);
	assert_int_equal(tts_say(tts, "Mumble", TTS_NEXT, "tlhx", &id, &error), TTS_NO_VOICE);
	assert_non_null(strstr(error.message, "tlhx"));
	close_speech();
}

static void the_language_changes_what_is_heard_and_only_once(void **state)
{
	struct tts *tts = open_to(path);
	long english, german, again;
	uint64_t id;

	(void)state;
	assert_int_equal(tts_say(tts, SENTENCE, TTS_NEXT, NULL, &id, NULL), 0);
	await(tts, TTS_EVENT_FINISHED, id);
	english = wav_samples();
	assert_int_equal(tts_say(tts, SENTENCE, TTS_NEXT, "de", &id, NULL), 0);
	await(tts, TTS_EVENT_FINISHED, id);
	german = wav_samples() - english;
	assert_int_equal(tts_say(tts, SENTENCE, TTS_NEXT, NULL, &id, NULL), 0);
	await(tts, TTS_EVENT_FINISHED, id);
	again = wav_samples() - english - german;
	close_speech();
	assert_true(labs(again - english) < 500);
	assert_true(labs(german - english) > 2000);
}

static void refuses_text_that_cannot_be_spoken(void **state)
{
	struct tts *tts = open_to(path);
	struct tts_error error;
	char *text = malloc(70000);

	(void)state;
	assert_non_null(text);
	memset(text, 'a', 69999);
	text[69999] = '\0';
	assert_int_equal(tts_say(tts, text, TTS_NOW, NULL, NULL, &error), TTS_TEXT_TOO_LONG);
	assert_non_null(strstr(error.message, "65536"));
	assert_int_equal(tts_say(tts, " \n\x02", TTS_NOW, NULL, NULL, &error), -EINVAL);
	assert_int_equal(tts_repeat(tts, NULL, &error), -ENOENT);
	assert_false(tts_speaking(tts));
	free(text);
	close_speech();
}

static void one_at_a_time_in_a_process(void **state)
{
	struct tts_options options = { .program = program, .pitch = 50, .volume = 100 };
	struct tts *second = NULL;

	(void)state;
	open_to(path);
	assert_int_equal(tts_open(&options, &second, NULL), -EBUSY);
	assert_null(second);
	close_speech();
	assert_null(tts_free(NULL));
	options.voice = "nobody";
	assert_int_equal(tts_open(&options, &second, NULL), TTS_NO_VOICE);
	options.voice = NULL;
	options.wav_path = "/nonexistent/file.wav";
	assert_int_equal(tts_open(&options, &second, NULL), -ENOENT);
}

/* With the WAV sink and its speed the order can be observed only by events. */
static void speaks_in_order_of_priority(void **state)
{
	struct tts *tts = open_to(path);
	uint64_t first, idle, next;
	uint64_t order[3];

	(void)state;
	/* the first waits until the others are queued */
	let_write(0);
	assert_int_equal(tts_say(tts, SENTENCE, TTS_NEXT, NULL, &first, NULL), 0);
	await_writer();
	assert_int_equal(tts_say(tts, "Idle.", TTS_IDLE, NULL, &idle, NULL), 0);
	assert_int_equal(tts_say(tts, "Next.", TTS_NEXT, NULL, &next, NULL), 0);
	assert_true(tts_speaking(tts));
	let_write(ALL);
	for (int i = 0; i < 3;) {
		struct tts_event event = next_event(tts);

		if (event.kind == TTS_EVENT_FINISHED)
			order[i++] = event.utterance;
	}
	assert_int_equal(order[0], first);
	assert_int_equal(order[1], next);
	assert_int_equal(order[2], idle);
	assert_false(tts_speaking(tts));
	close_speech();
}

static void a_sound_is_heard_before_the_words_it_announces(void **state)
{
	struct tts *tts = open_to(path);
	long words, both;
	uint64_t id;

	(void)state;
	assert_int_equal(tts_say(tts, "No camera.", TTS_NOW, NULL, &id, NULL), 0);
	await(tts, TTS_EVENT_FINISHED, id);
	words = wav_samples();
	assert_int_equal(tts_play(tts, TTS_SOUND_ERROR), 0);
	assert_int_equal(tts_say(tts, "No camera.", TTS_NOW, NULL, &id, NULL), 0);
	await(tts, TTS_EVENT_FINISHED, id);
	both = wav_samples() - words;
	assert_true(both - words > 22050 / 5);
	assert_int_equal(tts_play(tts, (enum tts_sound)99), -EINVAL);
	close_speech();
}

static void repeats_the_last(void **state)
{
	struct tts *tts = open_to(path);
	long once, twice;
	uint64_t id, again;

	(void)state;
	assert_int_equal(tts_say(tts, SENTENCE, TTS_NOW, NULL, &id, NULL), 0);
	await(tts, TTS_EVENT_FINISHED, id);
	once = wav_samples();
	assert_int_equal(tts_repeat(tts, &again, NULL), 0);
	assert_true(again > id);
	await(tts, TTS_EVENT_FINISHED, again);
	twice = wav_samples() - once;
	assert_true(labs(twice - once) < 500);
	close_speech();
}

/* Whether every utterance began once at most, and before it ended, and ended once. */
enum { UTTERANCES_MOST = 4096 };
static unsigned char begun[UTTERANCES_MOST], ended[UTTERANCES_MOST];

static void note_events(struct tts *tts)
{
	struct tts_event event;

	while (tts_next_event(tts, &event)) {
		uint64_t id = event.utterance;

		if (event.kind == TTS_EVENT_DEVICE)
			continue;
		assert_true(id > 0 && id < UTTERANCES_MOST);
		if (ended[id])
			fail_msg("utterance %u: event %d after its end", (unsigned)id, event.kind);
		if (event.kind != TTS_EVENT_STARTED)
			ended[id]++;
		else if (begun[id]++)
			fail_msg("utterance %u began twice", (unsigned)id);
		if (event.kind == TTS_EVENT_FINISHED && !begun[id])
			fail_msg("utterance %u finished and never began", (unsigned)id);
	}
}

static void storm(struct tts *tts, unsigned rounds)
{
	uint64_t last = 0;
	unsigned seed = 7;

	memset(begun, 0, sizeof(begun));
	memset(ended, 0, sizeof(ended));
	for (unsigned i = 0; i < rounds; i++) {
		unsigned dice = (unsigned)rand_r(&seed) % 10;
		uint64_t id = 0;

		if (dice < 3)
			tts_say(tts, SENTENCE, TTS_NOW, NULL, &id, NULL);
		else if (dice < 5)
			tts_say(tts, SENTENCE, TTS_NEXT, dice == 3 ? "de" : NULL, &id, NULL);
		else if (dice < 6)
			tts_say(tts, SENTENCE, TTS_IDLE, NULL, &id, NULL);
		else if (dice < 7)
			tts_repeat(tts, &id, NULL);
		else if (dice < 8)
			tts_play(tts, (enum tts_sound)(i % 6));
		else if (dice < 9)
			tts_set_rate(tts, 80 + i % 821, NULL);
		else
			tts_stop(tts);
		last = id > last ? id : last;
		if (dice % 2)
			usleep((unsigned)rand_r(&seed) % 3000);
		note_events(tts);
	}
	tts_stop(tts);
	assert_false(tts_speaking(tts));
	assert_true(last > 0 && last < UTTERANCES_MOST);
	note_events(tts);
	for (uint64_t id = 1; id <= last; id++)
		if (ended[id] != 1)
			fail_msg("utterance %u did not end", (unsigned)id);
}

static void survives_storms_into_a_file(void **state)
{
	struct tts *tts = open_to(path);

	(void)state;
	storm(tts, 300);
	close_speech();
}

static void speaks_the_same_after_being_stopped(void **state)
{
	struct tts *tts = open_to(path);
	long before, whole, after;
	uint64_t id;

	(void)state;
	tts_set_rate(tts, 600, NULL);
	assert_int_equal(tts_say(tts, SENTENCE, TTS_NOW, NULL, &id, NULL), 0);
	await(tts, TTS_EVENT_FINISHED, id);
	whole = wav_samples();
	for (int i = 0; i < 50; i++) {
		let_write(i % 20);
		assert_int_equal(tts_say(tts, SENTENCE, TTS_NOW, NULL, &id, NULL), 0);
		await(tts, TTS_EVENT_STARTED, id);
		await_writer();
		tts_stop(tts);
		let_write(ALL);
		await(tts, TTS_EVENT_STOPPED, id);
	}
	let_write(0);
	assert_int_equal(tts_say(tts, SENTENCE, TTS_NOW, NULL, &id, NULL), 0);
	await_writer();
	before = wav_samples();
	let_write(ALL);
	await(tts, TTS_EVENT_FINISHED, id);
	after = wav_samples() - before;
	assert_true(labs(after - whole) < 1500);
	close_speech();
}

/* An ALSA configuration in which "default" is what `definition` says. PortAudio
 * asserts that there are others beside it; these cannot be opened. */
static void alsa(const char *definition)
{
	char file[128];
	FILE *stream;

	snprintf(file, sizeof(file), "%s/asound.conf", folder);
	stream = fopen(file, "w");
	assert_non_null(stream);
	fprintf(stream, "pcm.gone { type empty slave.pcm nowhere }\n"
			"pcm.dmix { type empty slave.pcm nowhere }\n%s\n", definition);
	fclose(stream);
	setenv("ALSA_CONFIG_PATH", file, 1);
}

static void says_once_why_there_is_no_sound(void **state)
{
	struct tts *tts;
	struct tts_event event;
	uint64_t first, second;

	(void)state;
	alsa("pcm.default { type empty slave.pcm nowhere }");
	tts = open_to(NULL);
	assert_int_equal(tts_play(tts, TTS_SOUND_TICK), 0);
	assert_int_equal(tts_say(tts, SENTENCE, TTS_NEXT, NULL, &first, NULL), 0);
	assert_int_equal(tts_say(tts, SENTENCE, TTS_NEXT, NULL, &second, NULL), 0);
	event = next_event(tts);
	assert_int_equal(event.kind, TTS_EVENT_DEVICE);
	assert_true(strlen(event.message) > 10);
	event = next_event(tts);
	assert_int_equal(event.kind, TTS_EVENT_FAILED);
	assert_int_equal(event.utterance, first);
	assert_true(strlen(event.message) > 10);
	event = next_event(tts);
	assert_int_equal(event.kind, TTS_EVENT_FAILED);
	assert_int_equal(event.utterance, second);
	/* a card appears: the next utterance finds it */
	alsa("pcm.default { type null }");
	assert_int_equal(tts_say(tts, "Back.", TTS_NOW, NULL, &first, NULL), 0);
	event = next_event(tts);
	assert_int_equal(event.kind, TTS_EVENT_DEVICE);
	event = await(tts, TTS_EVENT_FINISHED, first);
	close_speech();
}

/* The way to the card: counted, and one at a time when told so. */
static _Atomic int handles, most_handles, openings, refusals;
static _Atomic bool exclusive;

int snd_pcm_open(snd_pcm_t **handle, const char *name, snd_pcm_stream_t stream, int mode)
{
	int (*next)(snd_pcm_t **, const char *, snd_pcm_stream_t, int);
	int r;

	if (exclusive && handles > 0) {
		refusals++;
		return -EBUSY;
	}
	*(void **)&next = dlsym(RTLD_NEXT, "snd_pcm_open");
	r = next(handle, name, stream, mode);
	handles += r == 0;
	openings += r == 0;
	most_handles = handles > most_handles ? handles : most_handles;
	return r;
}

int snd_pcm_close(snd_pcm_t *handle)
{
	int (*next)(snd_pcm_t *);

	*(void **)&next = dlsym(RTLD_NEXT, "snd_pcm_close");
	handles--;
	return next(handle);
}

/* The streams that are open: those that speak have a callback, the one that is held for
 * short sounds has none. */
static struct stream {
	PaStream *stream;
	PaStreamCallback *callback;
	PaStreamFinishedCallback *finished;
	void *userdata;
	bool started;
} streams[8];
static pthread_mutex_t streams_lock = PTHREAD_MUTEX_INITIALIZER;

/* The null device is quicker than any card; this stands still when told so. */
static int fill(const void *input, void *output, unsigned long frames,
		const PaStreamCallbackTimeInfo *timing, PaStreamCallbackFlags flags,
		void *userdata)
{
	const struct stream *stream = userdata;

	if (gate.buffers == 0) {
		memset(output, 0, frames * sizeof(int16_t));
		usleep(1000);
		return paContinue;
	}
	if (gate.buffers != ALL)
		gate.buffers--;
	return stream->callback(input, output, frames, timing, flags, stream->userdata);
}

static struct stream *stream_of(const PaStream *wanted)
{
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
		if (streams[i].stream == wanted)
			return &streams[i];
	return NULL;
}

PaError Pa_OpenStream(PaStream **ret_stream, const PaStreamParameters *input,
		      const PaStreamParameters *output, double rate, unsigned long frames,
		      PaStreamFlags flags, PaStreamCallback *callback, void *userdata)
{
	PaError (*next)(PaStream **, const PaStreamParameters *, const PaStreamParameters *,
			double, unsigned long, PaStreamFlags, PaStreamCallback *, void *);
	struct stream *stream;
	PaError code;

	*(void **)&next = dlsym(RTLD_NEXT, "Pa_OpenStream");
	pthread_mutex_lock(&streams_lock);
	stream = stream_of(NULL);
	code = stream ? next(ret_stream, input, output, rate, frames, flags,
			     callback ? fill : NULL, stream) : paInsufficientMemory;
	if (code == paNoError)
		*stream = (struct stream){ *ret_stream, callback, NULL, userdata, false };
	pthread_mutex_unlock(&streams_lock);
	return code;
}

static void finished(void *userdata)
{
	const struct stream *stream = userdata;

	stream->finished(stream->userdata);
}

PaError Pa_SetStreamFinishedCallback(PaStream *wanted, PaStreamFinishedCallback *callback)
{
	PaError (*next)(PaStream *, PaStreamFinishedCallback *);

	*(void **)&next = dlsym(RTLD_NEXT, "Pa_SetStreamFinishedCallback");
	stream_of(wanted)->finished = callback;
	return next(wanted, finished);
}

PaError Pa_StartStream(PaStream *started)
{
	PaError (*next)(PaStream *);
	PaError code;

	*(void **)&next = dlsym(RTLD_NEXT, "Pa_StartStream");
	code = next(started);
	pthread_mutex_lock(&streams_lock);
	stream_of(started)->started = true;
	pthread_mutex_unlock(&streams_lock);
	return code;
}

PaError Pa_CloseStream(PaStream *closed)
{
	PaError (*next)(PaStream *);
	PaError code;

	*(void **)&next = dlsym(RTLD_NEXT, "Pa_CloseStream");
	code = next(closed);
	pthread_mutex_lock(&streams_lock);
	*stream_of(closed) = (struct stream){ 0 };
	pthread_mutex_unlock(&streams_lock);
	return code;
}

static bool is_let_go(void)
{
	bool is = true;

	pthread_mutex_lock(&streams_lock);
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
		is &= !streams[i].stream;
	pthread_mutex_unlock(&streams_lock);
	return is;
}

/* By one stream for short sounds, and no other is open: it is started once the card has
 * been tried. */
static bool is_held(void)
{
	size_t open = 0, held = 0;

	pthread_mutex_lock(&streams_lock);
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		open += streams[i].stream != NULL;
		held += streams[i].stream && !streams[i].callback && streams[i].started;
	}
	pthread_mutex_unlock(&streams_lock);
	return open == 1 && held == 1;
}

static void rest(unsigned milliseconds)
{
	struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

/* Until the card is held, or let go, and has been for a moment. */
static void await_card(bool (*is)(void))
{
	int steady = 0;

	for (int i = 0; i < LIMIT_MILLISECONDS / 50 && steady < 10; i++) {
		rest(50);
		steady = is() ? steady + 1 : 0;
	}
	assert_true(is());
}

static void await_more(const _Atomic int *count, int than)
{
	for (int i = 0; i < LIMIT_MILLISECONDS / 10 && *count <= than; i++)
		rest(10);
	assert_true(*count > than);
}

static struct tts *open_held(enum tts_hold hold, bool for_one)
{
	alsa("pcm.default { type null }");
	exclusive = for_one;
	refusals = 0;
	return open_with((struct tts_options){ .hold = hold, .pitch = 50, .volume = 100 });
}

/* As after a sleep of the machine: the card is let go and taken anew, and what is said
 * then is heard. */
static void opens_cards_anew(void **state)
{
	struct tts_event event;
	struct tts *tts;
	uint64_t id;
	int before;

	(void)state;
	tts = open_held(TTS_HOLD_ALWAYS, false);
	await_card(is_held);
	before = openings;
	tts_renew(tts);
	await_more(&openings, before);
	await_card(is_held);
	assert_int_equal(tts_say(tts, SENTENCE, TTS_NOW, NULL, &id, NULL), 0);
	event = await(tts, TTS_EVENT_FINISHED, id);
	assert_int_equal(event.utterance, id);
	close_speech();
}

static void says(struct tts *tts, const char *text)
{
	uint64_t id;

	assert_int_equal(tts_say(tts, text, TTS_NEXT, NULL, &id, NULL), 0);
	await(tts, TTS_EVENT_FINISHED, id);
}

static void a_card_that_others_can_use_too_is_held(void **state)
{
	struct tts *tts = open_held(TTS_HOLD_SHARED, false);
	int before;

	(void)state;
	await_card(is_held);
	before = openings;
	most_handles = 0;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(tts_play(tts, (enum tts_sound)(i % 6)), 0);
		rest((unsigned)i * 7 % 50);
		if (i % 5 == 4)
			tts_stop(tts);
	}
	rest(500);
	/* no sound needs the card opened again */
	assert_int_equal(openings, before);
	says(tts, "Speech opens it beside.");
	assert_int_equal(openings, before + 1);
	assert_int_equal(most_handles, 2);
	await_card(is_held);
	close_speech();
	await_card(is_let_go);
	assert_int_equal(handles, 0);
}

static void a_card_for_one_is_let_go_at_rest(void **state)
{
	struct tts *tts;
	int before;

	(void)state;
	most_handles = 0;
	tts = open_held(TTS_HOLD_SHARED, true);
	await_more(&refusals, 0);
	await_card(is_let_go);
	before = openings;
	assert_int_equal(tts_play(tts, TTS_SOUND_PRESS), 0);
	await_more(&openings, before);
	await_card(is_let_go);
	/* once for the sound, and no second time to play it */
	assert_int_equal(openings, before + 1);
	assert_int_equal(tts_play(tts, TTS_SOUND_PRESS), 0);
	says(tts, "Speech takes its place at once.");
	assert_int_equal(most_handles, 1);
	await_card(is_let_go);
	close_speech();
}

static void plays_without_opening(struct tts *tts)
{
	int before = openings;

	assert_int_equal(tts_play(tts, TTS_SOUND_PRESS), 0);
	rest(500);
	assert_int_equal(openings, before);
}

static void a_card_for_one_is_held_when_asked_and_gives_way_to_speech(void **state)
{
	struct tts *tts;

	(void)state;
	tts = open_held(TTS_HOLD_ALWAYS, true);
	await_card(is_held);
	plays_without_opening(tts);
	says(tts, "Speech takes its place.");
	await_card(is_held);
	plays_without_opening(tts);
	close_speech();
	await_card(is_let_go);
	assert_int_equal(handles, 0);
}

/* Wherever the stop finds the stream, the card is held again afterwards. */
static void a_card_is_held_again_after_a_stop(void **state)
{
	struct tts *tts;
	uint64_t id;

	(void)state;
	tts = open_held(TTS_HOLD_ALWAYS, true);
	await_card(is_held);
	/* in the middle */
	gate.buffers = 3;
	assert_int_equal(tts_say(tts, SENTENCE, TTS_NEXT, NULL, &id, NULL), 0);
	await(tts, TTS_EVENT_STARTED, id);
	tts_stop(tts);
	gate.buffers = ALL;
	await(tts, TTS_EVENT_STOPPED, id);
	await_card(is_held);
	/* where the card asks for no more sound until it is closed, as one of long periods
	 * or a machine that is busy */
	gate.buffers = 1;
	assert_int_equal(tts_say(tts, SENTENCE, TTS_NEXT, NULL, &id, NULL), 0);
	await(tts, TTS_EVENT_STARTED, id);
	tts_stop(tts);
	await(tts, TTS_EVENT_STOPPED, id);
	await_card(is_held);
	/* before the card was opened, or while it is */
	gate.buffers = 0;
	assert_int_equal(tts_say(tts, "Nothing of this.", TTS_NEXT, NULL, &id, NULL), 0);
	tts_stop(tts);
	gate.buffers = ALL;
	await(tts, TTS_EVENT_STOPPED, id);
	await_card(is_held);
	/* all that came before is over when this is */
	says(tts, "Heard again.");
	await_card(is_held);
	plays_without_opening(tts);
	close_speech();
}

static void a_card_is_never_held_when_not_wanted(void **state)
{
	struct tts *tts = open_held(TTS_HOLD_NEVER, false);

	(void)state;
	await_card(is_let_go);
	assert_int_equal(tts_play(tts, TTS_SOUND_PRESS), 0);
	says(tts, "It is opened for this.");
	await_card(is_let_go);
	close_speech();
}

static void survives_storms_at_a_sound_card(void **state)
{
	struct tts *tts;
	bool alive = false;

	(void)state;
	tts = open_held(TTS_HOLD_SHARED, false);
	storm(tts, 300);
	assert_true(tts_alive(tts));
	for (int i = 0; i < LIMIT_MILLISECONDS / 100 && !alive; i++) {
		rest(100);
		alive = tts_alive(tts);
	}
	assert_true(alive);
	close_speech();
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/out.wav", folder);
	snprintf(script, sizeof(script), "%s/program", folder);
	program = emulated_program(script);
	return 0;
}

static int remove_folder(void **state)
{
	char file[128];

	(void)state;
	unlink(path);
	unlink(script);
	snprintf(file, sizeof(file), "%s/asound.conf", folder);
	unlink(file);
	return rmdir(folder);
}

int main(int count, char **arguments)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(speed_follows_the_rate_up_to_900),
		cmocka_unit_test(settings_out_of_range_change_nothing),
		cmocka_unit_test(finds_voices_by_every_name_and_no_other),
		cmocka_unit_test(languages_fall_back_to_their_family_only),
		cmocka_unit_test(the_language_changes_what_is_heard_and_only_once),
		cmocka_unit_test(refuses_text_that_cannot_be_spoken),
		cmocka_unit_test(one_at_a_time_in_a_process),
		cmocka_unit_test(speaks_in_order_of_priority),
		cmocka_unit_test(a_sound_is_heard_before_the_words_it_announces),
		cmocka_unit_test(repeats_the_last),
		cmocka_unit_test(survives_storms_into_a_file),
		cmocka_unit_test(speaks_the_same_after_being_stopped),
		cmocka_unit_test(says_once_why_there_is_no_sound),
		cmocka_unit_test(opens_cards_anew),
		cmocka_unit_test(a_card_that_others_can_use_too_is_held),
		cmocka_unit_test(a_card_for_one_is_let_go_at_rest),
		cmocka_unit_test(a_card_for_one_is_held_when_asked_and_gives_way_to_speech),
		cmocka_unit_test(a_card_is_held_again_after_a_stop),
		cmocka_unit_test(a_card_is_never_held_when_not_wanted),
		cmocka_unit_test(survives_storms_at_a_sound_card),
	};

	if (count == 2 && !strcmp(arguments[1], TTS_SYNTHESIS_ARGUMENT))
		return tts_synthesis_main(NULL);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
