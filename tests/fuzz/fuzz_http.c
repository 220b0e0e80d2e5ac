/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as the answer of a network camera: a server in this process sends
 * them to the real source, over a real connection on the loopback interface.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	int socket;
	struct loop *loop;
	char url[64];
	const uint8_t *answer;
	size_t size;
} server = { .socket = -1 };

static void require(int condition)
{
	if (!condition)
		abort();
}

/* Sends the answer when the request has come, and closes. */
static void on_connection(void *data, uint32_t events)
{
	char request[4096];
	int connection = accept4(server.socket, NULL, NULL, SOCK_CLOEXEC);
	struct linger reset = { 1, 0 };

	(void)data;
	(void)events;
	if (connection < 0)
		return;
	setsockopt(connection, SOL_SOCKET, SO_LINGER, &reset, 0);
	if (recv(connection, request, sizeof(request), MSG_DONTWAIT) >= -1)
		send(connection, server.answer, server.size, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(connection, SHUT_WR);
	/* reading to the end keeps the kernel from resetting what was sent */
	while (recv(connection, request, sizeof(request), MSG_DONTWAIT) > 0)
		;
	close(connection);
}

static void start_server(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	require(server.socket >= 0);
	require(bind(server.socket, (struct sockaddr *)&address, sizeof(address)) == 0);
	require(listen(server.socket, 16) == 0);
	require(getsockname(server.socket, (struct sockaddr *)&address, &length) == 0);
	snprintf(server.url, sizeof(server.url), "http://127.0.0.1:%u/", ntohs(address.sin_port));
	require(loop_open(&server.loop) == 0);
	require(loop_add_fd(server.loop, server.socket, EPOLLIN, on_connection, NULL,
			    &(struct loop_source *){ NULL }) == 0);
}

/* Written so that reading the picture is not optimised away. */
extern volatile unsigned checksum;
volatile unsigned checksum;

static void on_taken(void *data, const struct frame *frame, const struct source_error *error)
{
	unsigned sum = 0;

	(void)data;
	require((frame != NULL) != (error != NULL));
	if (frame)
		for (size_t i = 0; i < frame->size; i++)
			sum += ((const uint8_t *)frame->data)[i];
	else
		require(error->message[0] != '\0');
	checksum = sum;
	loop_quit(server.loop, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct source_settings settings = {
		.name = "fuzzed", .kind = SOURCE_HTTP, .url = server.url,
		.open_ms = 80, .stall_ms = 80, .picture_limit = 65536,
	};
	struct source_request *request;
	struct source_error error;
	struct source *source;

	if (server.socket < 0)
		start_server();
	server.answer = data;
	server.size = size;
	require(source_open(server.loop, &settings, &source, &error) == 0);
	require(source_take(source, 0, on_taken, NULL, &request) == 0);
	require(loop_run(server.loop) == 0);
	source_free(source);
	return 0;
}
