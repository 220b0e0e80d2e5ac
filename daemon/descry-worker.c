/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * descry-worker.c: the process that describes pictures, a program of its own for the
 * reasons in program.h. Only the daemon starts it; see worker.h.
 */
#include "daemon/program.h"
#include "daemon/sandbox.h"
#include "daemon/worker.h"
#include "daemon/worker_process.h"

int main(void)
{
	if (!program_is_started_well("descry-worker", WORKER_SOCKET))
		return 2;
	sandbox_close_descriptors(WORKER_SOCKET);
	return worker_process_run(WORKER_SOCKET);
}
