/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * program.c: see program.h. The link in /proc leads to the old file after an upgrade,
 * but emulators resolve the name only; so the name is used as long as it is good.
 */
#include "daemon/program.h"

#include <string.h>
#include <unistd.h>

char *program_own_file(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n > 0) {
		path[n] = '\0';
		if (access(path, X_OK) == 0)
			return strdup(path);
	}
	return strdup("/proc/self/exe");
}
