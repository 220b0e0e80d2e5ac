/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ring.h: samples on their way from the synthesis thread to the PortAudio
 * callback. One producer, one consumer, no lock and no system call, because
 * the callback may run with real-time priority and must never wait.
 *
 * Two positions count samples since the ring was made and never wrap in
 * practice (64 bits). Each is written by one side only: the producer's release
 * store of `written` publishes the samples before it, the consumer's release
 * store of `read` gives their room back.
 */
#ifndef TTS_RING_H
#define TTS_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	int16_t *samples;
	size_t mask;			/* capacity - 1 */
	_Alignas(64) _Atomic uint64_t written;
	_Alignas(64) _Atomic uint64_t read;
};

/* `capacity` is a power of two. Returns 0, -EINVAL or -ENOMEM. */
int ring_init(struct ring *ring, size_t capacity);
void ring_clear(struct ring *ring);

/* Producer: copies as many samples as fit, returns how many. */
size_t ring_write(struct ring *ring, const int16_t *samples, size_t count);
/* Producer: how many samples fit now. */
size_t ring_room(const struct ring *ring);
/* Consumer: takes up to `count` samples, returns how many. */
size_t ring_read(struct ring *ring, int16_t *samples, size_t count);
/* Either side: samples waiting. */
size_t ring_used(const struct ring *ring);
/* Both sides at rest: forgets what waits and counts from 0 again. */
void ring_reset(struct ring *ring);

#endif
