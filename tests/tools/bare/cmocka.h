/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cmocka.h: as much of cmocka as the tests of the kernels use, in one header, so
 * that they can be built for another processor where nothing but a C library is
 * at hand. Prints TAP; the first failed assertion ends its test.
 */
#ifndef BARE_CMOCKA_H
#define BARE_CMOCKA_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct CMUnitTest {
	const char *name;
	void (*run)(void **state);
};

static jmp_buf bare_failed;

#define cmocka_unit_test(function) {#function, function}
#define fail_msg(...) \
	do { \
		printf("# %s:%d: ", __FILE__, __LINE__); \
		printf(__VA_ARGS__); \
		printf("\n"); \
		longjmp(bare_failed, 1); \
	} while (0)
#define assert_true(condition) \
	do { \
		if (!(condition)) \
			fail_msg("%s", #condition); \
	} while (0)
#define skip() return
#define assert_non_null(pointer) assert_true((pointer) != NULL)
#define assert_null(pointer) assert_true((pointer) == NULL)
#define assert_int_equal(a, b) \
	do { \
		intmax_t left = (intmax_t)(a), right = (intmax_t)(b); \
		if (left != right) \
			fail_msg("%s is %" PRIdMAX ", not %" PRIdMAX, #a, left, right); \
	} while (0)
#define assert_in_range(value, low, high) \
	assert_true((intmax_t)(value) >= (intmax_t)(low) && (intmax_t)(value) <= (intmax_t)(high))

static inline int bare_run(const struct CMUnitTest *tests, size_t count)
{
	volatile int failures = 0;

	printf("1..%zu\n", count);
	for (volatile size_t i = 0; i < count; i++) {
		void *state = NULL;

		if (setjmp(bare_failed) == 0) {
			tests[i].run(&state);
			printf("ok %zu - %s\n", i + 1, tests[i].name);
		} else {
			printf("not ok %zu - %s\n", i + 1, tests[i].name);
			failures++;
		}
	}
	return failures;
}

#define cmocka_run_group_tests(tests, setup, teardown) \
	bare_run(tests, sizeof(tests) / sizeof(*(tests)))

#endif
