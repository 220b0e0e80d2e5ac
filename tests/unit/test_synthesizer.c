/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is left of speech when the process that makes its samples dies, hangs or never
 * begins: all but the one text. Through the public header, with real signals.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/emulated.h"
#include "tts/text.h"
#include "tts/tts.h"

#define SENTENCE "A sentence that is spoken again and again, until the end of the text. "
#define LIMIT_MILLISECONDS 60000

static char folder[] = "/tmp/descry-test-synthesizer-XXXXXX";
static char path[128], script[128];
static const char *program;

static struct tts *open_speech(void)
{
	struct tts_options options = { .program = program, .wav_path = path, .pitch = 50,
				       .volume = 100 };
	struct tts_error error = { "" };
	struct tts *tts = NULL;

	if (tts_open(&options, &tts, &error))
		fail_msg("%s", error.message);
	return tts;
}

static struct tts_event await(struct tts *tts, enum tts_event_kind kind, uint64_t utterance)
{
	struct pollfd wait = { .fd = tts_event_fd(tts), .events = POLLIN };
	struct tts_event event;

	do {
		while (!tts_next_event(tts, &event))
			if (poll(&wait, 1, LIMIT_MILLISECONDS) <= 0)
				fail_msg("no event came");
		if (event.utterance == utterance && event.kind != kind &&
		    event.kind != TTS_EVENT_STARTED)
			fail_msg("event %d instead of %d: %s", event.kind, kind, event.message);
	} while (event.utterance != utterance || event.kind != kind);
	return event;
}

/* The one child of this process. */
static pid_t synthesizer(void)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	assert_non_null(processes);
	while ((entry = readdir(processes))) {
		char name[300], state;
		pid_t parent = 0;
		FILE *file;

		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		snprintf(name, sizeof(name), "/proc/%s/stat", entry->d_name);
		file = fopen(name, "r");
		if (!file)
			continue;
		if (fscanf(file, "%*d (%*[^)]) %c %d", &state, &parent) == 2 &&
		    parent == getpid() && state != 'Z') {
			assert_int_equal(found, 0);
			found = atoi(entry->d_name);
		}
		fclose(file);
	}
	closedir(processes);
	assert_true(found > 0);
	return found;
}

static uint64_t say(struct tts *tts, const char *text)
{
	uint64_t id;

	assert_int_equal(tts_say(tts, text, TTS_NEXT, NULL, &id, NULL), 0);
	return id;
}

/* Long enough that most of it has still to be made when it begins to be heard. */
static uint64_t say_much(struct tts *tts)
{
	char *text = calloc(1, TEXT_BYTES_LIMIT);
	uint64_t id;

	assert_non_null(text);
	for (size_t i = 0; i < TEXT_BYTES_LIMIT / strlen(SENTENCE) - 1; i++)
		strcat(text, SENTENCE);
	id = say(tts, text);
	free(text);
	return id;
}

/* Samples in the file; what is spoken next is heard if they grow. */
static long samples(void)
{
	struct stat file;

	assert_int_equal(stat(path, &file), 0);
	return (file.st_size - 44) / 2;
}

static void is_heard(struct tts *tts)
{
	long before = samples();

	await(tts, TTS_EVENT_FINISHED, say(tts, "This can be spoken."));
	assert_true(samples() - before > 22050 / 2);
}

static void a_crash_costs_its_own_text_only(void **state)
{
	struct tts *tts = open_speech();

	(void)state;
	for (int round = 0; round < 3; round++) {
		uint64_t much = say_much(tts), behind = say(tts, "This waited behind it.");
		pid_t pid = synthesizer();
		struct tts_event event;

		await(tts, TTS_EVENT_STARTED, much);
		kill(pid, SIGSEGV);
		event = await(tts, TTS_EVENT_CRASHED, much);
		assert_non_null(strstr(event.message, "other texts can be spoken"));
		await(tts, TTS_EVENT_FINISHED, behind);
		is_heard(tts);
		assert_int_not_equal(synthesizer(), pid);
		assert_true(tts_alive(tts));
	}
	tts_free(tts);
}

static void an_end_at_rest_is_noticed_by_nobody(void **state)
{
	struct tts *tts = open_speech();

	(void)state;
	is_heard(tts);
	for (int round = 0; round < 3; round++) {
		kill(synthesizer(), SIGKILL);
		is_heard(tts);
	}
	tts_free(tts);
}

/* eSpeak NG that never ends, which is stopped by its user. */
static void a_hanging_text_can_be_stopped(void **state)
{
	struct tts *tts = open_speech();
	uint64_t id;

	(void)state;
	id = say_much(tts);
	await(tts, TTS_EVENT_STARTED, id);
	kill(synthesizer(), SIGSTOP);
	tts_stop(tts);
	await(tts, TTS_EVENT_STOPPED, id);
	is_heard(tts);
	tts_free(tts);
}

static void a_hanging_text_is_given_up(void **state)
{
	struct tts *tts = open_speech();
	struct tts_event event;
	uint64_t id;

	(void)state;
	kill(synthesizer(), SIGSTOP);
	id = say(tts, SENTENCE);
	event = await(tts, TTS_EVENT_CRASHED, id);
	assert_non_null(strstr(event.message, "no sign"));
	is_heard(tts);
	tts_free(tts);
}

static void a_program_that_cannot_speak_is_named(void **state)
{
	struct tts_options options = { .wav_path = path, .pitch = 50, .volume = 100 };
	struct tts_error error = { "" };
	struct tts *tts = NULL;

	(void)state;
	options.program = "/nonexistent/program";
	assert_true(tts_open(&options, &tts, &error) < 0);
	/* an emulator's posix_spawn() does not tell, the process is missed later */
	assert_non_null(strstr(error.message, program ? "ended before" : "cannot be started"));
	options.program = "/bin/true";
	assert_true(tts_open(&options, &tts, &error) < 0);
	assert_non_null(strstr(error.message, "ended before it could begin"));
	assert_null(tts);
}

static void leaves_no_process_and_no_descriptor(void **state)
{
	int first = dup(0), second;
	struct tts *tts;
	pid_t pid;

	(void)state;
	tts = open_speech();
	is_heard(tts);
	pid = synthesizer();
	tts_free(tts);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	second = dup(0);
	assert_int_equal(second, first + 1);
	close(first);
	close(second);
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
	(void)state;
	unlink(path);
	unlink(script);
	return rmdir(folder);
}

int main(int count, char **arguments)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crash_costs_its_own_text_only),
		cmocka_unit_test(an_end_at_rest_is_noticed_by_nobody),
		cmocka_unit_test(a_hanging_text_can_be_stopped),
		cmocka_unit_test(a_hanging_text_is_given_up),
		cmocka_unit_test(a_program_that_cannot_speak_is_named),
		cmocka_unit_test(leaves_no_process_and_no_descriptor),
	};

	if (count == 2 && !strcmp(arguments[1], TTS_SYNTHESIS_ARGUMENT))
		return tts_synthesis_main(NULL);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
