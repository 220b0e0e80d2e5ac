/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * file.c: maps files.
 */
#include "engine/lab/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/error.h"

int file_map(const char *path, size_t limit, struct file_map *ret_map,
	     struct engine_error *error)
{
	struct stat status;
	void *data;
	int r = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &status) < 0) {
		r = -errno;
		engine_error_set(error, "The file %s cannot be read: %s.", path, strerror(-r));
		goto out;
	}
	if (!S_ISREG(status.st_mode) || status.st_size < 1 || (uint64_t)status.st_size > limit) {
		r = engine_fail(error, ENGINE_BAD_OPTION,
				"The file %s is not a regular file of 1 byte to %zu MiB.", path,
				limit >> 20);
		goto out;
	}
	data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED) {
		r = -errno;
		engine_error_set(error, "The file %s cannot be read: %s.", path, strerror(-r));
		goto out;
	}
	*ret_map = (struct file_map){ data, (size_t)status.st_size };
out:
	if (fd >= 0)
		close(fd);
	return r;
}

void file_unmap(struct file_map *map)
{
	if (map->data)
		munmap((void *)map->data, map->size);
	*map = (struct file_map){ 0 };
}
