/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * program.c: see program.h.
 */
#include "daemon/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

char *program_find(const char *name)
{
	static const char *const places[] = { "", "../lib/descry/" };
	char own[4096], *path = NULL;
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

	own[n > 0 ? n : 0] = '\0';
	n = strrchr(own, '/') ? strrchr(own, '/') + 1 - own : 0;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		free(path);
		if (asprintf(&path, "%.*s%s%s", (int)n, own, places[i], name) < 0)
			return NULL;
		if (access(path, X_OK) == 0)
			break;
	}
	return path;
}

bool program_is_started_well(const char *name, int socket)
{
	int type;
	socklen_t size = sizeof(type);

	if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET)
		return true;
	fprintf(stderr, "%s is started by descryd, not by hand.\n", name);
	return false;
}
