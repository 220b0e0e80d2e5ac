/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * allocations.h: counts the allocations of the whole program, for tests that assert
 * that there are none. A program that uses it gets its own malloc.
 */
#ifndef TESTS_ALLOCATIONS_H
#define TESTS_ALLOCATIONS_H

#include <stddef.h>

/* Allocations of all threads since the program started. */
size_t allocations_count(void);

#endif
