/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * synthesis_process.h: the process in which eSpeak NG makes speech (tts.h says why
 * there is one), as daemon and command run it: they start themselves again with
 * TTS_SYNTHESIS_ARGUMENT.
 */
#ifndef DAEMON_SYNTHESIS_PROCESS_H
#define DAEMON_SYNTHESIS_PROCESS_H

#include <stdbool.h>

/* Whether the arguments ask for it. */
bool synthesis_process_asked(int argc, char **argv);
/* The whole of it; returns an exit status. */
int synthesis_process_run(void);

#endif
