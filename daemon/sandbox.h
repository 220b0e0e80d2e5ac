/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sandbox.h: what a process gives up before it sees what comes from anyone.
 *
 * Decoders of pictures have a long history of faults. Once the model is mapped and
 * the threads run, the worker needs memory, its threads, the descriptors it is handed
 * and its one socket; so that is all a seccomp filter leaves it. It can open no file,
 * start no program, reach no network and signal nobody. The process that makes speech
 * may also open files to read, which eSpeak NG does at each change of voice. A refused
 * call fails with EPERM.
 */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

/* No core dump may hold a picture: forbids them for this process, for good. */
void sandbox_forbid_core_dumps(void);

/* Closes every descriptor above standard error except `keep`. */
void sandbox_close_descriptors(int keep);

enum sandbox {
	SANDBOX_PICTURES,
	SANDBOX_SPEECH,
};

/* Applies the filter to all threads of the process. 0, or a negative errno, with
 * which the caller may go on, unprotected, after saying so. */
int sandbox_enter(enum sandbox sandbox);

#endif
