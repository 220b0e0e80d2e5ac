/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * log.c: see log.h. A line is formatted into one buffer and leaves by one
 * write, so lines of several threads never mix, and a full disk or a closed
 * standard error costs the line, never the daemon.
 */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static atomic_int threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	atomic_store(&threshold, (int)level);
}

enum log_level log_level(void)
{
	return (enum log_level)atomic_load(&threshold);
}

/* systemd names the device and inode of the stream it connected to the journal;
 * a prefix is meant for it alone, not for a file that replaced the stream. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%lu:%lu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_write(enum log_level level, const char *format, ...)
{
	static const char *const prefixes[] = { "<3>", "<4>", "<6>", "<7>" };
	static const char *const names[] = { "error: ", "warning: ", "", "debug: " };
	char line[LINE_MAX_BYTES];
	size_t used;
	va_list arguments;
	int written;

	if ((int)level > atomic_load(&threshold))
		return;
	used = (size_t)snprintf(line, sizeof(line), "%s",
				stderr_is_journal() ? prefixes[level] : names[level]);
	va_start(arguments, format);
	written = vsnprintf(line + used, sizeof(line) - used - 1, format, arguments);
	va_end(arguments);
	if (written < 0)
		return;
	used += (size_t)written < sizeof(line) - used - 1 ? (size_t)written
							  : sizeof(line) - used - 2;
	for (size_t i = 0; i < used; i++)
		if ((unsigned char)line[i] < ' ' && line[i] != '\t')
			line[i] = ' ';
	line[used++] = '\n';
	/* a log that cannot be written is no reason to stop describing */
	(void)!write(STDERR_FILENO, line, used);
}
