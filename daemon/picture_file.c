/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * picture_file.c: completeness is judged by content. A JPEG is complete when its
 * markers lead to an end mark, a PNG when its last chunk is IEND; who writes a
 * file in several sittings is simply waited for.
 */
#include "daemon/picture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/mjpeg.h"

static void note(const void *data, size_t size, uint64_t started_us, void *user)
{
	(void)data;
	(void)size;
	(void)started_us;
	*(bool *)user = true;
}

static int check(const uint8_t *bytes, size_t size)
{
	static const uint8_t png[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
	static const uint8_t end[] = { 0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82 };
	struct mjpeg *mjpeg;
	bool complete = false;
	int r;

	if (size < sizeof(png))
		return -ENODATA;
	if (!memcmp(bytes, png, sizeof(png)))
		return memmem(bytes, size, end, sizeof(end)) ? 0 : -ENODATA;
	if (bytes[0] != 0xff || bytes[1] != 0xd8)
		return -EBADMSG;
	r = mjpeg_open(size, &mjpeg);
	if (r)
		return r;
	r = mjpeg_feed(mjpeg, bytes, size, 0, note, &complete);
	mjpeg_free(mjpeg);
	return r ? r : complete ? 0 : -ENODATA;
}

static int read_all(int fd, uint8_t *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, bytes + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		done += (size_t)n;
	}
	return 0;
}

int picture_file_read(const char *path, size_t limit, void **ret_bytes,
		      struct frame *ret_frame)
{
	struct stat status;
	uint8_t *bytes = NULL;
	size_t size;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	r = -EINVAL;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		goto out;
	size = (size_t)status.st_size;
	r = size > limit ? -EFBIG : size ? 0 : -ENODATA;
	if (r)
		goto out;
	bytes = malloc(size);
	r = bytes ? read_all(fd, bytes, size) : -ENOMEM;
	if (!r)
		r = check(bytes, size);
	if (r)
		goto out;
	*ret_frame = (struct frame){
		.encoded = true, .data = bytes, .size = size, .taken_us = frame_clock(),
	};
	*ret_bytes = bytes;
	bytes = NULL; /* handed over */
out:
	free(bytes);
	close(fd);
	return r;
}

const char *picture_file_fault(int r)
{
	switch (r) {
	case -EFBIG:
		return "it is over the size limit";
	case -EBADMSG:
		return "it is neither JPEG nor PNG";
	case -ENODATA:
		return "it is not complete";
	case -EINVAL:
	case -ELOOP:
		return "it is not a regular file";
	default:
		return strerror(-r);
	}
}
