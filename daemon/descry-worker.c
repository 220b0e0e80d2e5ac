/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * descry-worker.c: the process that describes pictures, a program of its own so
 * that it loads the libraries of the engine alone. Those of speech, sound and
 * network cameras are some seventy more, each with pages that would be its own
 * in every process, and with code that a hostile picture could jump to.
 * Only the daemon starts it; see worker.h.
 */
#include <stdio.h>
#include <sys/socket.h>

#include "daemon/sandbox.h"
#include "daemon/worker.h"
#include "daemon/worker_process.h"

int main(void)
{
	int type;
	socklen_t size = sizeof(type);

	if (getsockopt(WORKER_SOCKET, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
	    type != SOCK_SEQPACKET) {
		fputs("descry-worker is started by descryd, not by hand.\n", stderr);
		return 2;
	}
	sandbox_close_descriptors(WORKER_SOCKET);
	return worker_process_run(WORKER_SOCKET);
}
