/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * picture.c: see picture.h. Files are opened without blocking, or a named pipe
 * that nobody writes to would be a wait for ever.
 */
#include "daemon/client/picture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PICTURE_BYTES_MAX (64u << 20)
/* how long the next bytes may take: from a program that was started with us, and
 * from a named pipe, to which perhaps nobody writes */
#define WAIT_INPUT_MS 60000
#define WAIT_PIPE_MS 5000

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int copy(int from, int to, int wait_ms, struct failure *failure)
{
	char buffer[65536];
	size_t total = 0;

	for (;;) {
		struct pollfd poller = { .fd = from, .events = POLLIN };
		int ready = poll(&poller, 1, wait_ms);
		ssize_t n;

		if (ready == 0)
			return failure_set(failure, FAILURE_TIMEOUT,
					   "Nothing more arrived for %d seconds.", wait_ms / 1000);
		n = read(from, buffer, sizeof(buffer));
		if (n == 0)
			return 0;
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return failure_set(failure, FAILURE_BAD_IMAGE, "It cannot be read: %s.",
					   strerror(errno));
		total += (size_t)n;
		if (total > PICTURE_BYTES_MAX)
			return failure_set(failure, FAILURE_TOO_LARGE,
					   "It has more than %u MiB. Send a smaller picture.",
					   PICTURE_BYTES_MAX >> 20);
		if (write_all(to, buffer, (size_t)n) < 0)
			return failure_set(failure, FAILURE_FAILED, "Out of memory for it.");
	}
}

static int copy_to_memory(int from, int wait_ms, int *ret_fd, struct failure *failure)
{
	int fd = memfd_create("descry-picture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return failure_set(failure, FAILURE_FAILED, "Out of memory for it.");
	r = copy(from, fd, wait_ms, failure);
	if (r) {
		close(fd);
		return r;
	}
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	*ret_fd = fd;
	return 0;
}

int picture_open(const char *path, int *ret_fd, struct failure *failure)
{
	bool input = strcmp(path, "-") == 0;
	struct stat st;
	int fd, r;

	if (input)
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0) {
		r = failure_set(failure, FAILURE_BAD_IMAGE, "It cannot be opened: %s.",
				strerror(errno));
		if (fd >= 0)
			close(fd);
		return r;
	}
	if (S_ISREG(st.st_mode)) {
		*ret_fd = fd;
		return 0;
	}
	if (S_ISDIR(st.st_mode))
		r = failure_set(failure, FAILURE_BAD_IMAGE,
				"It is a directory. Name a picture in it.");
	else if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
		r = copy_to_memory(fd, input ? WAIT_INPUT_MS : WAIT_PIPE_MS, ret_fd, failure);
	else
		r = failure_set(failure, FAILURE_BAD_IMAGE,
				"It is a device. Name a picture file.");
	close(fd);
	return r;
}
