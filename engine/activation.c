/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * activation.c: chooses among the compiled widths. The narrowest needs nothing
 * that a processor may lack (SSE2 on x86-64, NEON on arm64).
 */
#include "engine/activation.h"

#include <stdbool.h>

extern const struct activation activation_128;
#ifdef __x86_64__
extern const struct activation activation_avx2, activation_avx512;

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
		has_avx2();
}
#endif

static const struct {
	const struct activation *set;
	bool (*available)(void);
} sets[] = {
#ifdef __x86_64__
	{ &activation_avx512, has_avx512 },
	{ &activation_avx2, has_avx2 },
#endif
	{ &activation_128, NULL },
};

const struct activation *activation_at(size_t index)
{
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		if (sets[i].available && !sets[i].available())
			continue;
		if (index-- == 0)
			return sets[i].set;
	}
	return NULL;
}

const struct activation *activation_best(void)
{
	return activation_at(0);
}
