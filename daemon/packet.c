/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * packet.c: see packet.h. Sequenced packets keep message boundaries, so there is
 * no framing to get wrong, and the kernel says when one was cut.
 */
#include "daemon/packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/limits.h"

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

int packet_send(int socket, json_t *object, int fd)
{
	char *text = json_dumps(object, JSON_COMPACT);
	union control control;
	struct iovec part = { .iov_base = text, .iov_len = text ? strlen(text) : 0 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	int r = 0;

	if (!text)
		return -ENOMEM;
	if (part.iov_len > LIMIT_DOCUMENT_BYTES) {
		free(text);
		return -EMSGSIZE;
	}
	if (fd >= 0) {
		memset(&control, 0, sizeof(control));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control.space);
		control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
						   .cmsg_level = SOL_SOCKET,
						   .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	}
	while (sendmsg(socket, &message, MSG_NOSIGNAL) < 0) {
		if (errno != EINTR) {
			r = -errno;
			break;
		}
	}
	free(text);
	return r;
}

int packet_receive(int socket, int flags, json_t **ret_object, int *ret_fd)
{
	char text[LIMIT_DOCUMENT_BYTES];
	union control control;
	struct iovec part = { .iov_base = text, .iov_len = sizeof(text) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = sizeof(control.space) };
	struct cmsghdr *header;
	json_t *object;
	ssize_t n;
	int fd = -1;

	/* a peer that ended without reading all it was sent is reported as a reset,
	 * once, ahead of its last words */
	do
		n = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n <= 0)
		return n < 0 ? -errno : 0;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(header), sizeof(int));
	object = message.msg_flags & MSG_TRUNC ? NULL : json_loadb(text, (size_t)n, 0, NULL);
	if (!json_is_object(object)) {
		json_decref(object);
		if (fd >= 0)
			close(fd);
		return -EBADMSG;
	}
	*ret_object = object;
	*ret_fd = fd;
	return 1;
}
