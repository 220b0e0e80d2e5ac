/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * file.h: whole files mapped read-only, for the importers.
 */
#ifndef LAB_FILE_H
#define LAB_FILE_H

#include "engine/engine.h"

struct file_map {
	const uint8_t *data;
	size_t size;
};

/* Refuses what is no regular file, is empty or is larger than `limit` bytes. */
int file_map(const char *path, size_t limit, struct file_map *ret_map,
	     struct engine_error *error);
/* Leaves an empty map, on which it does nothing. */
void file_unmap(struct file_map *map);

#endif
