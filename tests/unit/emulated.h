/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * emulated.h: how much of a long comparison is made on an emulated processor. QEMU
 * computes floats by software: with one picture instead of seven in 32 bits,
 * test_encoder still takes four minutes there. What another processor could
 * compute wrongly shows in one picture as well as in seven, so there, which the
 * environment variable DESCRY_EMULATED says, the first few have to do.
 */
#ifndef TESTS_EMULATED_H
#define TESTS_EMULATED_H

#include <stddef.h>
#include <stdlib.h>

static inline size_t emulated_cases(size_t all, size_t few)
{
	return getenv("DESCRY_EMULATED") ? few : all;
}

#endif
