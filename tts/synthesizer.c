/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * synthesizer.c: see synthesizer.h. posix_spawn and not fork, since the program has
 * threads. A process that has been started is not waited for until something is to
 * be said: so the one after a crash loads eSpeak NG while the failure is reported.
 */
#include "tts/synthesizer.h"
#include "tts/message.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS 50		/* between looks at the sink */
#define STOP_PATIENCE_MS 2000	/* for the end of what was stopped */
#define END_STEPS 100		/* of 10 ms, for a process whose socket was closed */

struct synthesizer {
	char *program;
	pid_t pid;		/* 0: none runs */
	int socket;
	bool ready;		/* it has said so */
	unsigned rate;		/* 0: not known yet */
	struct voices voices;
	struct message message;	/* the one received last */
};

static int refuse(struct tts_error *error, int code, const char *message)
{
	snprintf(error->message, sizeof(error->message), "%s", message);
	return code;
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* --- life of the process -------------------------------------------------------- */

static int spawn(const char *program, int socket, pid_t *ret_pid)
{
	char *const arguments[] = { (char *)program, (char *)TTS_SYNTHESIS_ARGUMENT, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int r;

	sigemptyset(&none);
	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r) {
		posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	r = posix_spawn_file_actions_adddup2(&actions, socket, TTS_SYNTHESIS_SOCKET);
	if (!r)
		r = posix_spawn(ret_pid, program, &actions, &attributes, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -r;
}

static int start(struct synthesizer *synthesizer, struct tts_error *error)
{
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		r = -errno;
	} else {
		r = spawn(synthesizer->program, pair[1], &synthesizer->pid);
		close(pair[1]);
		if (r < 0)
			close(pair[0]);
	}
	if (r < 0) {
		synthesizer->pid = 0;
		snprintf(error->message, sizeof(error->message),
			 "The process that speaks cannot be started: %s.", strerror(-r));
		return r;
	}
	synthesizer->socket = pair[0];
	synthesizer->ready = false;
	return 0;
}

/* Ends the process, by force unless it is given `steps` to end by itself; returns how
 * it ended, as waitpid() tells it. */
static int end(struct synthesizer *synthesizer, unsigned steps)
{
	const struct timespec step = { .tv_nsec = 10000000 };
	int status = 0;
	pid_t pid = 0;

	if (!synthesizer->pid)
		return 0;
	close(synthesizer->socket);
	while (steps-- && (pid = waitpid(synthesizer->pid, &status, WNOHANG)) == 0)
		nanosleep(&step, NULL);
	if (pid <= 0) {
		kill(synthesizer->pid, SIGKILL);
		while (waitpid(synthesizer->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	synthesizer->pid = 0;
	return status;
}

/* The process is gone, silent or senseless: the next one is started, and the error
 * says what became of this one. */
static int replace(struct synthesizer *synthesizer, const char *what, struct tts_error *error)
{
	struct tts_error ignored;
	/* where the socket has ended, the process is about to */
	int status = end(synthesizer, what ? 0 : END_STEPS);

	if (!what && WIFSIGNALED(status))
		what = sigdescr_np(WTERMSIG(status));
	snprintf(error->message, sizeof(error->message),
		 "This text made the speech program stop (%s). It was started again; other "
		 "texts can be spoken.", what ? what : "it ended by itself");
	start(synthesizer, &ignored);
	return TTS_CRASHED;
}

/* Waits for the next message until `deadline`. 1, 0 at the end, or a negative errno:
 * -EAGAIN after STEP_MS, -ETIMEDOUT at the deadline. */
static int next(struct synthesizer *synthesizer, long long deadline)
{
	struct pollfd wait = { .fd = synthesizer->socket, .events = POLLIN };
	int r = poll(&wait, 1, STEP_MS);

	if (r > 0)
		return message_receive(synthesizer->socket, &synthesizer->message, MSG_DONTWAIT);
	return now_ms() >= deadline ? -ETIMEDOUT : -EAGAIN;
}

/* --- what the process tells when it begins -------------------------------------- */

static int take_voice(struct voices *voices, const struct message *message)
{
	struct tts_voice_info info = { .gender = (char)message->number };
	size_t at = 0;

	info.name = message_string(message, &at);
	info.identifier = info.name ? message_string(message, &at) : NULL;
	if (!info.identifier)
		return -EBADMSG;
	return voices_add(voices, &info, message->bytes + at, message->size - at);
}

static int take_variant(struct voices *voices, const struct message *message)
{
	size_t at = 0;
	const char *identifier = message_string(message, &at);
	const char *name = identifier ? message_string(message, &at) : NULL;

	return name ? voices_add_variant(voices, identifier, name) : -EBADMSG;
}

static int take_end(const struct message *message, struct tts_error *error)
{
	size_t at = 0;
	const char *sentence = message_string(message, &at);

	if (message->number)
		snprintf(error->message, sizeof(error->message), "%s", sentence ? sentence : "");
	return message->number;
}

/* Hears the process out until it is ready. The voices are kept the first time only:
 * others hold pointers into them. */
static int make_ready(struct synthesizer *synthesizer, synthesis_sink sink, void *userdata,
		      struct tts_error *error)
{
	const struct message *message = &synthesizer->message;
	long long deadline = now_ms() + SYNTHESIZER_PATIENCE_MS;
	bool first = !synthesizer->rate;
	int r;

	for (;;) {
		r = next(synthesizer, deadline);
		if (r == -EAGAIN && sink && !sink(userdata, NULL, 0))
			return -ECANCELED;
		if (r == -EAGAIN)
			continue;
		if (r <= 0)
			break;
		if (message->kind == MESSAGE_END)
			return take_end(message, error);
		if (message->kind == MESSAGE_READY && message->number > 0 &&
		    (first || (unsigned)message->number == synthesizer->rate)) {
			synthesizer->rate = (unsigned)message->number;
			synthesizer->ready = true;
			return 0;
		}
		if (message->kind == MESSAGE_VOICE)
			r = first ? take_voice(&synthesizer->voices, message) : 0;
		else if (message->kind == MESSAGE_VARIANT)
			r = first ? take_variant(&synthesizer->voices, message) : 0;
		else
			r = -EBADMSG;
		if (r < 0)
			break;
	}
	end(synthesizer, 0);
	return refuse(error, r < 0 ? r : -EIO, r == -ENOMEM ? "No memory for the list of voices." :
		      "The process that speaks ended before it could begin.");
}

/* --- the outside ---------------------------------------------------------------- */

int synthesizer_open(const char *program, struct synthesizer **ret_synthesizer,
		     struct tts_error *error)
{
	struct synthesizer *synthesizer = calloc(1, sizeof(*synthesizer));
	int r;

	if (synthesizer)
		synthesizer->program = strdup(program);
	if (!synthesizer || !synthesizer->program) {
		free(synthesizer);
		return refuse(error, -ENOMEM, "No memory for speech.");
	}
	r = start(synthesizer, error);
	if (r == 0)
		r = make_ready(synthesizer, NULL, NULL, error);
	if (r) {
		synthesizer_free(synthesizer);
		return r;
	}
	*ret_synthesizer = synthesizer;
	return 0;
}

struct synthesizer *synthesizer_free(struct synthesizer *synthesizer)
{
	if (!synthesizer)
		return NULL;
	end(synthesizer, END_STEPS);
	voices_clear(&synthesizer->voices);
	free(synthesizer->program);
	free(synthesizer);
	return NULL;
}

unsigned synthesizer_rate(const struct synthesizer *synthesizer)
{
	return synthesizer->rate;
}

const struct voices *synthesizer_voices(const struct synthesizer *synthesizer)
{
	return &synthesizer->voices;
}

static int ask(struct synthesizer *synthesizer, const struct synthesis_settings *settings,
	       const char *text, synthesis_sink sink, void *userdata, struct tts_error *error)
{
	struct message *message = &synthesizer->message;
	int r = 0;

	if (!synthesizer->pid)
		r = start(synthesizer, error);
	if (r == 0 && !synthesizer->ready)
		r = make_ready(synthesizer, sink, userdata, error);
	if (r)
		return r;
	message->kind = MESSAGE_SPEAK;
	message->number = 0;
	message->rate = settings->rate;
	message->pitch = settings->pitch;
	message->volume = settings->volume;
	message->size = 0;
	if (!message_add(message, settings->voice, strlen(settings->voice) + 1) ||
	    !message_add(message, text, strlen(text) + 1))
		return refuse(error, -EMSGSIZE, "The text is too long to be spoken at once.");
	r = message_send(synthesizer->socket, message, 0);
	if (r < 0)
		snprintf(error->message, sizeof(error->message),
			 "The process that speaks cannot be reached: %s.", strerror(-r));
	return r;
}

static void ask_to_stop(struct synthesizer *synthesizer)
{
	synthesizer->message.kind = MESSAGE_STOP;
	synthesizer->message.size = 0;
	/* where it cannot be sent, the process will be missed soon */
	message_send(synthesizer->socket, &synthesizer->message, MSG_DONTWAIT);
}

/* Takes what the process says of the text, until its end. -EPIPE where it ended before
 * it said anything. */
static int hear_out(struct synthesizer *synthesizer, synthesis_sink sink, void *userdata,
		    struct tts_error *error)
{
	const struct message *message = &synthesizer->message;
	long long deadline = now_ms() + SYNTHESIZER_PATIENCE_MS;
	bool goes_on = true, any = false;

	for (;;) {
		int r = next(synthesizer, deadline);
		bool more = goes_on;

		if (r == -EAGAIN) {
			more = goes_on && sink(userdata, NULL, 0);
		} else if (r == -ETIMEDOUT) {
			return replace(synthesizer, "it gave no sign any more", error);
		} else if (r <= 0) {
			return any ? replace(synthesizer, NULL, error) : -EPIPE;
		} else if (message->kind == MESSAGE_END) {
			return take_end(message, error);
		} else if (message->kind != MESSAGE_SAMPLES) {
			return replace(synthesizer, "what it said made no sense", error);
		} else if (goes_on) {
			any = true;
			more = sink(userdata, (const int16_t *)message->bytes,
				    message->size / sizeof(int16_t));
			deadline = now_ms() + SYNTHESIZER_PATIENCE_MS;
		}
		if (goes_on && !more) {
			ask_to_stop(synthesizer);
			deadline = now_ms() + STOP_PATIENCE_MS;
		}
		goes_on = more;
	}
}

int synthesizer_speak(struct synthesizer *synthesizer, const struct synthesis_settings *settings,
		      const char *text, synthesis_sink sink, void *userdata,
		      struct tts_error *error)
{
	int r = ask(synthesizer, settings, text, sink, userdata, error);

	if (r == 0)
		r = hear_out(synthesizer, sink, userdata, error);
	/* it may have ended at rest, which is no fault of this text */
	if (r == -EPIPE || r == -ECONNRESET) {
		end(synthesizer, 0);
		r = ask(synthesizer, settings, text, sink, userdata, error);
		if (r == 0)
			r = hear_out(synthesizer, sink, userdata, error);
		if (r == -EPIPE || r == -ECONNRESET)
			r = replace(synthesizer, NULL, error);
	}
	return r == -ECANCELED ? 0 : r;
}
