/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * log.h: the daemon's log, lines on standard error with a level.
 *
 * Only the daemon logs; the engine and the speech module return errors. No
 * caption and no path of a picture is ever logged above the debug level: the
 * journal is kept for months, and what a person looks at is nobody's business.
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Messages above `level` are dropped. The journal's level prefixes are written
 * when standard error is the journal's stream. Callable from any thread. */
void log_set_level(enum log_level level);
enum log_level log_level(void);

void log_write(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
