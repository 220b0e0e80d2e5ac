/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The speech module through its public header: what is said, in which order, at
 * which speed and in whose voice, into a WAV file; then through PortAudio into a
 * sound card that is not there, and into ALSA's null device under storms of say
 * and stop. What a loudspeaker gets, sample by sample, is the integration test's.
 */
#include <errno.h>
#include <poll.h>
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
#include <stdatomic.h>

#include "tests/unit/emulated.h"
#include "tts/tts.h"

#define SENTENCE "Two dogs are playing with a red ball on the grass in front of a white house."
#define LIMIT_MILLISECONDS 60000

static char folder[] = "/tmp/descry-test-tts-XXXXXX";
static char path[128], script[128];
static const char *program;	/* for tts_options */

static struct tts *open_to(const char *wav)
{
	struct tts_options options = { .program = program, .wav_path = wav, .pitch = 50, .volume = 100 };
	struct tts_error error = { "" };
	struct tts *tts = NULL;

	if (tts_open(&options, &tts, &error))
		fail_msg("%s", error.message);
	return tts;
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
	tts_free(tts);
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
	tts_free(tts);
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
	tts_free(tts);
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
	tts_free(tts);
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
	tts_free(tts);
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
	tts_free(tts);
}

static void one_at_a_time_in_a_process(void **state)
{
	struct tts_options options = { .program = program, .pitch = 50, .volume = 100 };
	struct tts *tts = open_to(path), *second = NULL;

	(void)state;
	assert_int_equal(tts_open(&options, &second, NULL), -EBUSY);
	assert_null(second);
	tts_free(tts);
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
	/* the first is long enough to be still spoken when the others are queued */
	char *text = malloc(40000);

	assert_non_null(text);
	*text = '\0';
	for (int i = 0; i < 400; i++)
		strcat(text, SENTENCE " ");
	assert_int_equal(tts_say(tts, text, TTS_NEXT, NULL, &first, NULL), 0);
	assert_int_equal(tts_say(tts, "Idle.", TTS_IDLE, NULL, &idle, NULL), 0);
	assert_int_equal(tts_say(tts, "Next.", TTS_NEXT, NULL, &next, NULL), 0);
	free(text);
	assert_true(tts_speaking(tts));
	for (int i = 0; i < 3;) {
		struct tts_event event = next_event(tts);

		if (event.kind == TTS_EVENT_FINISHED)
			order[i++] = event.utterance;
	}
	assert_int_equal(order[0], first);
	assert_int_equal(order[1], next);
	assert_int_equal(order[2], idle);
	assert_false(tts_speaking(tts));
	tts_free(tts);
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
	tts_free(tts);
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
	tts_free(tts);
}

/* Each utterance ends in exactly one event, whatever is thrown at the queue. */
static void storm(struct tts *tts, unsigned rounds)
{
	enum { MOST = 4096 };
	static unsigned char ended[MOST];
	uint64_t last = 0;
	unsigned seed = 7;
	struct tts_event event;

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
		while (tts_next_event(tts, &event))
			if (event.kind != TTS_EVENT_STARTED && event.utterance < MOST)
				ended[event.utterance]++;
	}
	tts_stop(tts);
	assert_false(tts_speaking(tts));
	assert_true(last > 0 && last < MOST);
	while (tts_next_event(tts, &event))
		if (event.kind != TTS_EVENT_STARTED && event.utterance < MOST)
			ended[event.utterance]++;
	for (uint64_t id = 1; id <= last; id++)
		if (ended[id] != 1)
			fail_msg("utterance %u ended %u times", (unsigned)id, ended[id]);
}

static void survives_storms_into_a_file(void **state)
{
	struct tts *tts = open_to(path);

	(void)state;
	storm(tts, 300);
	tts_free(tts);
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
		assert_int_equal(tts_say(tts, SENTENCE, TTS_NOW, NULL, &id, NULL), 0);
		await(tts, TTS_EVENT_STARTED, id);
		tts_stop(tts);
		await(tts, TTS_EVENT_STOPPED, id);
	}
	usleep(50000);
	before = wav_samples();
	assert_int_equal(tts_say(tts, SENTENCE, TTS_NOW, NULL, &id, NULL), 0);
	await(tts, TTS_EVENT_FINISHED, id);
	after = wav_samples() - before;
	assert_true(labs(after - whole) < 1500);
	tts_free(tts);
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
	tts_free(tts);
}

/* PortAudio's way to the card: counted, and one at a time when told so. */
static _Atomic int handles, most_handles, openings;
static _Atomic bool exclusive;

int snd_pcm_open(snd_pcm_t **handle, const char *name, snd_pcm_stream_t stream, int mode)
{
	int (*next)(snd_pcm_t **, const char *, snd_pcm_stream_t, int);
	int r;

	if (exclusive && handles > 0)
		return -EBUSY;
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

static void rest(unsigned milliseconds)
{
	struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

/* Until the card is held, or let go, and has been for a moment. */
static void await_handles(int count)
{
	int steady = 0;

	for (int i = 0; i < LIMIT_MILLISECONDS / 50 && steady < 10; i++) {
		rest(50);
		steady = handles == count ? steady + 1 : 0;
	}
	assert_int_equal(handles, count);
}

static struct tts *open_held(enum tts_hold hold)
{
	struct tts_options options = { .program = program, .hold = hold, .pitch = 50, .volume = 100 };
	struct tts *tts;

	alsa("pcm.default { type null }");
	assert_int_equal(tts_open(&options, &tts, NULL), 0);
	return tts;
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
	alsa("pcm.default { type null }");
	tts = open_held(TTS_HOLD_ALWAYS);
	await_handles(1);
	before = openings;
	tts_renew(tts);
	for (int i = 0; i < LIMIT_MILLISECONDS / 50 && openings == before; i++)
		rest(50);
	assert_true(openings > before);
	await_handles(1);
	assert_int_equal(tts_say(tts, SENTENCE, TTS_NOW, NULL, &id, NULL), 0);
	event = await(tts, TTS_EVENT_FINISHED, id);
	assert_int_equal(event.utterance, id);
	tts_free(tts);
}

static void says(struct tts *tts, const char *text)
{
	uint64_t id;

	assert_int_equal(tts_say(tts, text, TTS_NEXT, NULL, &id, NULL), 0);
	await(tts, TTS_EVENT_FINISHED, id);
}

static void a_card_that_others_can_use_too_is_held(void **state)
{
	struct tts *tts = open_held(TTS_HOLD_SHARED);
	int before;

	(void)state;
	await_handles(1);
	before = openings;
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
	assert_int_equal(most_handles, 2);
	await_handles(1);
	tts_free(tts);
	assert_int_equal(handles, 0);
}

static void a_card_for_one_is_let_go_at_rest(void **state)
{
	struct tts *tts;
	int before;

	(void)state;
	exclusive = true;
	most_handles = 0;
	tts = open_held(TTS_HOLD_SHARED);
	await_handles(0);
	before = openings;
	assert_int_equal(tts_play(tts, TTS_SOUND_PRESS), 0);
	await_handles(0);
	/* once for the sound, and no second time to play it */
	assert_int_equal(openings, before + 1);
	assert_int_equal(tts_play(tts, TTS_SOUND_PRESS), 0);
	says(tts, "Speech takes its place at once.");
	assert_int_equal(most_handles, 1);
	await_handles(0);
	tts_free(tts);
	exclusive = false;
}

static void a_card_for_one_is_held_when_asked_and_gives_way_to_speech(void **state)
{
	struct tts *tts;
	uint64_t id;
	int before;

	(void)state;
	exclusive = true;
	tts = open_held(TTS_HOLD_ALWAYS);
	await_handles(1);
	before = openings;
	assert_int_equal(tts_play(tts, TTS_SOUND_PRESS), 0);
	rest(500);
	assert_int_equal(openings, before);
	says(tts, "Speech takes its place.");
	assert_int_equal(tts_say(tts, "Some that is stopped in the middle of it, "
				 "before it has come to its end.", TTS_NEXT, NULL, &id, NULL), 0);
	await(tts, TTS_EVENT_STARTED, id);
	tts_stop(tts);
	await(tts, TTS_EVENT_STOPPED, id);
	await_handles(1);
	/* and some that is stopped before the card was opened, or while it is */
	assert_int_equal(tts_say(tts, "Nothing of this.", TTS_NEXT, NULL, &id, NULL), 0);
	tts_stop(tts);
	await(tts, TTS_EVENT_STOPPED, id);
	await_handles(1);
	before = openings;
	assert_int_equal(tts_play(tts, TTS_SOUND_PRESS), 0);
	rest(500);
	assert_int_equal(openings, before);
	tts_free(tts);
	assert_int_equal(handles, 0);
	exclusive = false;
}

static void a_card_is_never_held_when_not_wanted(void **state)
{
	struct tts *tts = open_held(TTS_HOLD_NEVER);

	(void)state;
	await_handles(0);
	assert_int_equal(tts_play(tts, TTS_SOUND_PRESS), 0);
	says(tts, "It is opened for this.");
	await_handles(0);
	tts_free(tts);
}

static void survives_storms_at_a_sound_card(void **state)
{
	struct tts *tts;
	bool alive = false;

	(void)state;
	alsa("pcm.default { type null }");
	tts = open_to(NULL);
	storm(tts, 300);
	assert_true(tts_alive(tts));
	for (int i = 0; i < 100 && !alive; i++) {
		usleep(100000);
		alive = tts_alive(tts);
	}
	assert_true(alive);
	tts_free(tts);
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
		cmocka_unit_test(a_card_is_never_held_when_not_wanted),
		cmocka_unit_test(survives_storms_at_a_sound_card),
	};

	if (count == 2 && !strcmp(arguments[1], TTS_SYNTHESIS_ARGUMENT))
		return tts_synthesis_main(NULL);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
