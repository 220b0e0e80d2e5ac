/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * worker_process.h: the inside of the process that describes pictures; its
 * outside is worker.h, which also explains the messages.
 */
#ifndef DAEMON_WORKER_PROCESS_H
#define DAEMON_WORKER_PROCESS_H

/* Serves the socket `fd` until the other end closes it; returns an exit status. */
int worker_process_run(int fd);

#endif
