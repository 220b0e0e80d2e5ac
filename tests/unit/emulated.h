/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * emulated.h: what is done otherwise on an emulated processor.
 *
 * Long comparisons are made of fewer cases. QEMU computes floats by software: with one
 * picture instead of seven in 32 bits, test_encoder still takes four minutes there. What
 * another processor could compute wrongly shows in one picture as well as in seven.
 *
 * And a program that starts itself again cannot: the kernel knows nothing of the
 * emulator. DESCRY_EMULATED is the emulator's command line, for which a script stands in.
 */
#ifndef TESTS_EMULATED_H
#define TESTS_EMULATED_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static inline size_t emulated_cases(size_t all, size_t few)
{
	return getenv("DESCRY_EMULATED") ? few : all;
}

/* Writes that script for this program to `path`; NULL where none is needed. */
static inline const char *emulated_program(const char *path)
{
	const char *emulator = getenv("DESCRY_EMULATED");
	char self[4096];
	ssize_t length = emulator ? readlink("/proc/self/exe", self, sizeof(self)) : 0;
	FILE *file = length > 0 ? fopen(path, "w") : NULL;

	if (!file)
		return NULL;
	fprintf(file, "#!/bin/sh\nexec %s %.*s \"$@\"\n", emulator, (int)length, self);
	fclose(file);
	chmod(path, 0700);
	return path;
}

#endif
