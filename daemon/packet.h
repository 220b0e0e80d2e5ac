/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * packet.h: JSON objects and a descriptor over a SOCK_SEQPACKET socket, the only
 * language between the daemon and its worker process.
 */
#ifndef DAEMON_PACKET_H
#define DAEMON_PACKET_H

#include <jansson.h>

/* Borrows both; `fd` -1 sends none. 0 or a negative errno; -EMSGSIZE when the
 * object is larger than LIMIT_DOCUMENT_BYTES. */
int packet_send(int socket, json_t *object, int fd);

/* 1 with a new object and a descriptor of the caller's (-1 when none came), 0 at
 * the end, or a negative errno: -EAGAIN when nothing waits, -EBADMSG for a packet
 * that is not an object. `flags` are recvmsg's. */
int packet_receive(int socket, int flags, json_t **ret_object, int *ret_fd);

#endif
