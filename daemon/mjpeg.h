/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mjpeg.h: cuts a stream of bytes into JPEG pictures.
 *
 * Cameras, camera programs and HTTP servers send pictures one after another,
 * with or without something between them (multipart headers, padding). The
 * splitter follows the markers of each JPEG from its start to its end, so
 * neither a thumbnail inside an EXIF segment nor a stray pair of bytes ends a
 * picture early, and whatever stands between two pictures is passed over.
 * Everything is bounded: a picture that grows past the limit is dropped and
 * the next start mark is sought.
 */
#ifndef DAEMON_MJPEG_H
#define DAEMON_MJPEG_H

#include <stddef.h>
#include <stdint.h>

struct mjpeg;

/* A complete picture, borrowed for the call. `started_us` is the time that was
 * given with the bytes in which the picture began. */
typedef void mjpeg_function(const void *data, size_t size, uint64_t started_us, void *user);

/* `limit`: the most bytes a picture may have. 0 or -ENOMEM. */
int mjpeg_open(size_t limit, struct mjpeg **ret_mjpeg);
struct mjpeg *mjpeg_free(struct mjpeg *mjpeg);

/* Takes the next bytes of the stream and calls `function` for each picture that
 * they complete. 0 or -ENOMEM, after which the picture at hand is lost but the
 * splitter goes on. `function` must not free the splitter. */
int mjpeg_feed(struct mjpeg *mjpeg, const void *data, size_t size, uint64_t now_us,
	       mjpeg_function *function, void *user);

/* Forgets the picture at hand; the next start mark begins a new one. */
void mjpeg_reset(struct mjpeg *mjpeg);

struct mjpeg_counts {
	uint64_t pictures;	/* complete */
	uint64_t damaged;	/* broken off, or with a marker where none may be */
	uint64_t too_large;
};
struct mjpeg_counts mjpeg_counts(const struct mjpeg *mjpeg);

#endif
