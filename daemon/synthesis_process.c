/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * synthesis_process.c: see synthesis_process.h. Text comes from anyone who may call
 * the daemon, so before the first one is spoken the process locks itself in: it can
 * read eSpeak NG's data and speak to its parent, and nothing else.
 */
#include "daemon/synthesis_process.h"

#include <string.h>

#include "daemon/log.h"
#include "daemon/sandbox.h"
#include "tts/tts.h"

#define SOCKET 3

bool synthesis_process_asked(int argc, char **argv)
{
	return argc == 2 && strcmp(argv[1], TTS_SYNTHESIS_ARGUMENT) == 0;
}

static void lock_in(void)
{
	int r = sandbox_enter(SANDBOX_SPEECH);

	if (r < 0)
		log_warning("Speech is made without a seccomp filter: %s.", strerror(-r));
}

int synthesis_process_run(void)
{
	sandbox_close_descriptors(SOCKET);
	sandbox_forbid_core_dumps();
	return tts_synthesis_main(lock_in);
}
