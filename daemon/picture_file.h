/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * picture_file.h: reads a JPEG or PNG file whole, and tells a complete one from
 * one that is still being written.
 */
#ifndef DAEMON_PICTURE_FILE_H
#define DAEMON_PICTURE_FILE_H

#include "daemon/frame.h"

/* Does not follow a link at the end of `path`. On success the caller frees
 * `ret_bytes`, which the frame borrows. Otherwise a negative errno: -EFBIG over
 * the limit, -EBADMSG neither JPEG nor PNG, -ENODATA not complete, -EINVAL not a
 * regular file. */
int picture_file_read(const char *path, size_t limit, void **ret_bytes,
		      struct frame *ret_frame);

/* The same faults in words, to follow a colon. */
const char *picture_file_fault(int r);

#endif
