/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * child.c: spawn, read, reap.
 *
 * A child is done when three things have happened: its output and its error
 * stream are at their end, and its process has been reaped. A grandchild that
 * keeps the pipes open would keep it alive for ever, so reaping closes them
 * after what they hold has been read.
 */
#include "daemon/child.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/log.h"

enum {
	argument_limit = 64,
	line_limit = 200,
	logged_lines = 20,	/* of one run; the rest is dropped */
	grace_ms = 1000,
	read_size = 256 * 1024,
};

struct child {
	struct loop *loop;
	struct child *next_ending;
	char label[64];
	struct child_events events;
	pid_t pid;
	int pidfd, output, errors;
	struct loop_source *on_exit, *on_output, *on_errors, *on_grace;
	char line[line_limit + 1], last_words[line_limit + 1];
	size_t line_size;
	unsigned lines;
};

/* Those that were asked to end and have not gone yet. */
static struct child *ending;

/* --- command lines -------------------------------------------------------- */

char **child_free_arguments(char **arguments)
{
	if (arguments)
		for (size_t i = 0; arguments[i]; i++)
			free(arguments[i]);
	free(arguments);
	return NULL;
}

/* Copies one word to `out`; returns what follows it, or NULL for an open quote. */
static const char *take_word(const char *p, char *out)
{
	char quote = 0;

	for (; *p && (quote || !isspace((unsigned char)*p)); p++) {
		if (quote ? *p == quote : *p == '\'' || *p == '"') {
			quote = quote ? 0 : *p;
			continue;
		}
		if (*p == '\\' && quote != '\'') {
			if (!p[1])
				return NULL;
			p++;
		}
		*out++ = *p;
	}
	*out = 0;
	return quote ? NULL : p;
}

int child_split(const char *command, char ***ret_arguments)
{
	char **arguments = calloc(argument_limit + 1, sizeof(*arguments));
	char *word = malloc(strlen(command) + 1);
	size_t count = 0;
	int r = -ENOMEM;

	if (!arguments || !word)
		goto out;
	for (const char *p = command;;) {
		while (isspace((unsigned char)*p))
			p++;
		if (!*p)
			break;
		p = take_word(p, word);
		if (!p || count == argument_limit) {
			r = -EINVAL;
			goto out;
		}
		arguments[count] = strdup(word);
		if (!arguments[count])
			goto out;
		count++;
	}
	r = count ? 0 : -EINVAL;
	if (!r) {
		*ret_arguments = arguments;
		arguments = NULL; /* handed over */
	}
out:
	child_free_arguments(arguments);
	free(word);
	return r;
}

/* --- life ----------------------------------------------------------------- */

static struct child *dispose(struct child *child)
{
	for (struct child **c = &ending; *c; c = &(*c)->next_ending) {
		if (*c == child) {
			*c = child->next_ending;
			break;
		}
	}
	loop_source_free(child->on_exit);
	loop_source_free(child->on_output);
	loop_source_free(child->on_errors);
	loop_source_free(child->on_grace);
	if (child->pidfd >= 0)
		close(child->pidfd);
	if (child->output >= 0)
		close(child->output);
	if (child->errors >= 0)
		close(child->errors);
	free(child);
	return NULL;
}

static void end_line(struct child *child)
{
	if (!child->line_size)
		return;
	child->line[child->line_size] = 0;
	memcpy(child->last_words, child->line, child->line_size + 1);
	child->line_size = 0;
	if (child->lines++ < logged_lines)
		log_info("%s: %s", child->label, child->last_words);
}

static void take_errors(struct child *child, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n' || bytes[i] == '\r')
			end_line(child);
		else if (child->line_size < line_limit)
			child->line[child->line_size++] =
				isprint((unsigned char)bytes[i]) ? bytes[i] : ' ';
	}
}

/* Reads what is there. False at the end of the stream. */
static bool drain_errors(struct child *child)
{
	char bytes[4096];
	ssize_t n;

	while ((n = read(child->errors, bytes, sizeof(bytes))) > 0)
		take_errors(child, bytes, (size_t)n);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	end_line(child);
	child->on_errors = loop_source_free(child->on_errors);
	return false;
}

/* Reads one piece. False when nothing is left to be read now. */
static bool read_output(struct child *child)
{
	static char bytes[read_size];
	ssize_t n = read(child->output, bytes, sizeof(bytes));

	if (n > 0) {
		if (child->events.output)
			child->events.output(child->events.data, bytes, (size_t)n);
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		child->on_output = loop_source_free(child->on_output);
	return false;
}

/* One piece at a time, so that a flood does not keep the loop from its other work. */
static void take_output(void *data, uint32_t events)
{
	(void)events;
	read_output(data);
}

static void take_error_lines(void *data, uint32_t events)
{
	(void)events;
	drain_errors(data);
}

static int exit_status(const siginfo_t *info)
{
	return info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
}

static void take_exit(void *data, uint32_t events)
{
	struct child *child = data;
	siginfo_t info = { 0 };

	(void)events;
	/* what it wrote before it ended still counts */
	while (child->on_output && read_output(child))
		;
	if (child->on_errors)
		drain_errors(child);
	end_line(child);
	waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED);
	if (child->events.ended)
		child->events.ended(child->events.data, exit_status(&info), child->last_words);
	dispose(child);
}

static void take_grace(void *data)
{
	struct child *child = data;

	kill(-child->pid, SIGKILL);
}

/* --- starting ------------------------------------------------------------- */

static int spawn(struct child *child, char *const *arguments, int output, int errors)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r) {
		posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	sigemptyset(&none);
	sigfillset(&all);
	if (!(r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)) &&
	    !(r = posix_spawn_file_actions_adddup2(&actions, output, 1)) &&
	    !(r = posix_spawn_file_actions_adddup2(&actions, errors, 2)) &&
	    !(r = posix_spawnattr_setsigmask(&attributes, &none)) &&
	    !(r = posix_spawnattr_setsigdefault(&attributes, &all)) &&
	    !(r = posix_spawnattr_setpgroup(&attributes, 0)) &&
	    !(r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK |
								POSIX_SPAWN_SETSIGDEF |
								POSIX_SPAWN_SETPGROUP)))
		r = posix_spawnp(&child->pid, arguments[0], &actions, &attributes, arguments,
				 environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int child_start(struct loop *loop, const char *label, char *const *arguments,
		const struct child_events *events, struct child **ret_child)
{
	struct child *child = calloc(1, sizeof(*child));
	int output[2] = { -1, -1 }, errors[2] = { -1, -1 };
	int r;

	if (!child)
		return -ENOMEM;
	child->loop = loop;
	child->events = *events;
	child->pid = -1;
	child->pidfd = child->output = child->errors = -1;
	strncpy(child->label, label, sizeof(child->label) - 1);
	if (pipe2(output, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0) {
		r = -errno;
		goto out;
	}
	child->output = output[0];
	child->errors = errors[0];
	if (fcntl(child->output, F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(child->errors, F_SETFL, O_NONBLOCK) < 0) {
		r = -errno;
		goto out;
	}
	r = spawn(child, arguments, output[1], errors[1]);
	if (r)
		goto out;
	child->pidfd = pidfd_open(child->pid, 0);
	r = child->pidfd < 0 ? -errno : 0;
	if (r || (r = loop_add_fd(loop, child->pidfd, EPOLLIN, take_exit, child, &child->on_exit)) ||
	    (r = loop_add_fd(loop, child->output, EPOLLIN, take_output, child, &child->on_output)) ||
	    (r = loop_add_fd(loop, child->errors, EPOLLIN, take_error_lines, child,
			     &child->on_errors)) ||
	    (r = loop_add_timer(loop, take_grace, child, &child->on_grace))) {
		kill(-child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
		goto out;
	}
	*ret_child = child;
	child = NULL; /* handed over */
out:
	if (output[1] >= 0)
		close(output[1]);
	if (errors[1] >= 0)
		close(errors[1]);
	if (child) {
		if (child->output < 0 && output[0] >= 0)
			close(output[0]);
		dispose(child);
	}
	return r;
}

struct child *child_end(struct child *child)
{
	if (!child)
		return NULL;
	child->events = (struct child_events){ 0 };
	kill(-child->pid, SIGTERM);
	loop_start_timer(child->on_grace, grace_ms, 0);
	child->next_ending = ending;
	ending = child;
	return NULL;
}

struct child *child_kill(struct child *child)
{
	if (!child)
		return NULL;
	kill(-child->pid, SIGKILL);
	waitid(P_PIDFD, (id_t)child->pidfd, &(siginfo_t){ 0 }, WEXITED);
	return dispose(child);
}

void child_kill_ending(void)
{
	while (ending)
		child_kill(ending);
}
