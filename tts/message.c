/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * message.c: see message.h.
 */
#include "tts/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

bool message_add(struct message *message, const void *bytes, size_t size)
{
	if (size > sizeof(message->bytes) - message->size)
		return false;
	memcpy(message->bytes + message->size, bytes, size);
	message->size += size;
	return true;
}

const char *message_string(const struct message *message, size_t *at)
{
	const char *string = message->bytes + *at;
	const char *end = memchr(string, '\0', message->size - *at);

	if (!end)
		return NULL;
	*at += (size_t)(end - string) + 1;
	return string;
}

int message_send(int socket, const struct message *message, int flags)
{
	ssize_t n;

	do {
		n = send(socket, message, offsetof(struct message, bytes) + message->size,
			 flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int message_receive(int socket, struct message *message, int flags)
{
	ssize_t n;

	do {
		n = recv(socket, message, sizeof(*message), flags);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	if ((size_t)n < offsetof(struct message, bytes) ||
	    message->size != (size_t)n - offsetof(struct message, bytes))
		return -EBADMSG;
	return 1;
}
