/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The ring between synthesis and the sound card: every sample arrives once, in
 * order, whatever the sizes of the blocks on either side.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tts/ring.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

static void refuses_odd_capacity(void **state)
{
	struct ring ring;

	(void)state;
	assert_int_equal(ring_init(&ring, 0), -EINVAL);
	assert_int_equal(ring_init(&ring, 1000), -EINVAL);
}

static void takes_what_fits_and_no_more(void **state)
{
	struct ring ring;
	int16_t in[24], out[24];

	(void)state;
	for (int16_t i = 0; i < 24; i++)
		in[i] = (int16_t)(i + 1);
	assert_int_equal(ring_init(&ring, 16), 0);
	assert_int_equal(ring_room(&ring), 16);
	assert_int_equal(ring_write(&ring, in, 24), 16);
	assert_int_equal(ring_write(&ring, in, 1), 0);
	assert_int_equal(ring_read(&ring, out, 10), 10);
	assert_memory_equal(out, in, 10 * sizeof(*in));
	assert_int_equal(ring_write(&ring, in + 16, 8), 8);
	assert_int_equal(ring_used(&ring), 14);
	assert_int_equal(ring_read(&ring, out, 24), 14);
	assert_memory_equal(out, in + 10, 14 * sizeof(*in));
	assert_int_equal(ring_read(&ring, out, 1), 0);
	ring_clear(&ring);
}

#define TRAFFIC 2000000u

static void *produce(void *data)
{
	struct ring *ring = data;
	int16_t block[97];
	uint32_t sent = 0;

	while (sent < TRAFFIC) {
		size_t want = 1 + sent % 97, taken;

		if (want > TRAFFIC - sent)
			want = TRAFFIC - sent;
		for (size_t i = 0; i < want; i++)
			block[i] = (int16_t)((sent + i) * 31);
		taken = ring_write(ring, block, want);
		sent += (uint32_t)taken;
		if (!taken)
			sched_yield();
	}
	return NULL;
}

static void keeps_order_between_two_threads(void **state)
{
	struct ring ring;
	pthread_t thread;
	int16_t block[61];
	uint32_t seen = 0, wrong = 0;

	(void)state;
	assert_int_equal(ring_init(&ring, 256), 0);
	assert_int_equal(pthread_create(&thread, NULL, produce, &ring), 0);
	while (seen < TRAFFIC) {
		size_t taken = ring_read(&ring, block, 1 + seen % 61);

		for (size_t i = 0; i < taken; i++)
			wrong += block[i] != (int16_t)((seen + i) * 31);
		seen += (uint32_t)taken;
		if (!taken)
			sched_yield();
	}
	pthread_join(thread, NULL);
	assert_int_equal(wrong, 0);
	assert_int_equal(ring_used(&ring), 0);
	ring_clear(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_odd_capacity),
		cmocka_unit_test(takes_what_fits_and_no_more),
		cmocka_unit_test(keeps_order_between_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
