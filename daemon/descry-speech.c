/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * descry-speech.c: the process in which eSpeak NG makes speech (tts.h says why there is
 * one), a program of its own for the reasons in program.h. Text comes from anyone who
 * may call the daemon, so before the first one is spoken the process locks itself in:
 * it can read eSpeak NG's data and speak to its parent, and nothing else.
 */
#include <string.h>

#include "daemon/log.h"
#include "daemon/program.h"
#include "daemon/sandbox.h"
#include "tts/tts.h"

static void lock_in(void)
{
	int r = sandbox_enter(SANDBOX_SPEECH);

	if (r < 0)
		log_warning("Speech is made without a seccomp filter: %s.", strerror(-r));
}

int main(void)
{
	if (!program_is_started_well("descry-speech", TTS_SYNTHESIS_SOCKET))
		return 2;
	sandbox_close_descriptors(TTS_SYNTHESIS_SOCKET);
	sandbox_forbid_core_dumps();
	return tts_synthesis_main(lock_in);
}
