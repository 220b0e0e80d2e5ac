/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ring.c: the lock-free single-producer, single-consumer ring of ring.h.
 */
#include "tts/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ring_init(struct ring *ring, size_t capacity)
{
	if (!capacity || (capacity & (capacity - 1)))
		return -EINVAL;
	ring->samples = calloc(capacity, sizeof(*ring->samples));
	if (!ring->samples)
		return -ENOMEM;
	ring->mask = capacity - 1;
	atomic_init(&ring->written, 0);
	atomic_init(&ring->read, 0);
	return 0;
}

void ring_clear(struct ring *ring)
{
	free(ring->samples);
	ring->samples = NULL;
}

void ring_reset(struct ring *ring)
{
	atomic_store_explicit(&ring->written, 0, memory_order_relaxed);
	atomic_store_explicit(&ring->read, 0, memory_order_relaxed);
}

size_t ring_used(const struct ring *ring)
{
	/* `read` first: it can only have grown by the time `written` is loaded,
	 * so the difference is never negative */
	uint64_t read = atomic_load_explicit(&ring->read, memory_order_acquire);
	uint64_t written = atomic_load_explicit(&ring->written, memory_order_acquire);

	return (size_t)(written - read);
}

size_t ring_room(const struct ring *ring)
{
	return ring->mask + 1 - ring_used(ring);
}

size_t ring_write(struct ring *ring, const int16_t *samples, size_t count)
{
	uint64_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
	uint64_t read = atomic_load_explicit(&ring->read, memory_order_acquire);
	size_t capacity = ring->mask + 1;
	size_t room = capacity - (size_t)(written - read);
	size_t start = (size_t)written & ring->mask, first;

	if (count > room)
		count = room;
	first = count < capacity - start ? count : capacity - start;
	memcpy(ring->samples + start, samples, first * sizeof(*samples));
	memcpy(ring->samples, samples + first, (count - first) * sizeof(*samples));
	atomic_store_explicit(&ring->written, written + count, memory_order_release);
	return count;
}

size_t ring_read(struct ring *ring, int16_t *samples, size_t count)
{
	uint64_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
	uint64_t written = atomic_load_explicit(&ring->written, memory_order_acquire);
	size_t capacity = ring->mask + 1;
	size_t used = (size_t)(written - read);
	size_t start = (size_t)read & ring->mask, first;

	if (count > used)
		count = used;
	first = count < capacity - start ? count : capacity - start;
	memcpy(samples, ring->samples + start, first * sizeof(*samples));
	memcpy(samples + first, ring->samples, (count - first) * sizeof(*samples));
	atomic_store_explicit(&ring->read, read + count, memory_order_release);
	return count;
}
