/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * isa.c: the table of kernels and the choice among its rows. Rows stand
 * best first; the first that the processor supports is taken. This is the only
 * file that asks what the processor can do.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/kernels/isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static bool always(void)
{
	return true;
}

static const struct conv_kernel conv_q8_plain[] = {{4, 8, .q8 = conv_q8_4x8_plain}};
static const struct conv_kernel conv_f32_plain[] = {
	{4, 8, .f32 = conv_f32_4x8_plain, .product = product_f32_4x8_plain},
};

/* What rows of the table have in common. */
#define CONV_F32(set) .conv_f32 = conv_f32_##set, .conv_f32_count = COUNT(conv_f32_##set)
#define RESIZE(set) .resize_row = resize_row_##set, .resize_column = resize_column_##set
/* loops that are written once for vectors of any width */
#define VECTORS(set) \
	.winograd = winograd_##set, .quantise_q8 = quantise_q8_##set, \
	.maximum_q8 = maximum_q8_##set, .average_q8 = average_q8_##set, \
	.average_f32 = average_f32_##set, .maximum_f32 = maximum_f32_##set
#define PLAIN \
	{ \
		.name = "plain", \
		.supported = always, \
		.conv_q8 = {conv_q8_plain, COUNT(conv_q8_plain), 1, 0, 128, false}, \
		CONV_F32(plain), \
		VECTORS(128), \
		.pack_words_q8 = pack_words_q8_plain, \
		.row_sums_q8 = row_sums_q8_plain, \
		.pixel_sums_q8 = pixel_sums_q8_plain, \
		.matvec_q8 = matvec_q8_plain, \
		RESIZE(plain), \
	}

#if defined(__x86_64__)

static bool has_sse41(void)
{
	return __builtin_cpu_supports("sse4.1");
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avxvnni(void)
{
	unsigned a, b, c, d;

	return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bit_AVXVNNI);
}

static bool has_avx512vnni(void)
{
	return has_avx2() && __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
}

static const struct conv_kernel conv_f32_avx2[] = {
	{6, 16, .f32 = conv_f32_6x16_avx2, .product = product_f32_6x16_avx2},
};
static const struct conv_kernel conv_f32_avx512[] = {
	{5, 80, .f32 = conv_f32_5x80_avx512, .product = product_f32_5x80_avx512},
	{6, 64, .f32 = conv_f32_6x64_avx512, .product = product_f32_6x64_avx512},
	{8, 48, .f32 = conv_f32_8x48_avx512, .product = product_f32_8x48_avx512},
	{8, 32, .f32 = conv_f32_8x32_avx512, .product = product_f32_8x32_avx512},
	{8, 16, .f32 = conv_f32_8x16_avx512, .product = product_f32_8x16_avx512},
};
static const struct conv_kernel conv_q8_sse41[] = {{4, 8, .q8 = conv_q8_4x8_sse41}};
static const struct conv_kernel conv_q8_avx2[] = {{6, 16, .q8 = conv_q8_6x16_avx2}};
static const struct conv_kernel conv_q8_avxvnni[] = {{6, 16, .q8 = conv_q8_6x16_avxvnni}};
static const struct conv_kernel conv_q8_avx512vnni[] = {
	{5, 80, .q8 = conv_q8_5x80_avx512vnni}, {6, 64, .q8 = conv_q8_6x64_avx512vnni},
	{8, 48, .q8 = conv_q8_8x48_avx512vnni}, {8, 32, .q8 = conv_q8_8x32_avx512vnni},
	{8, 16, .q8 = conv_q8_8x16_avx512vnni},
};

static const struct isa table[] = {
	{
		.name = "avx512vnni",
		.supported = has_avx512vnni,
		.conv_q8 = {conv_q8_avx512vnni, COUNT(conv_q8_avx512vnni), 4, 0, 128, false},
		CONV_F32(avx512),
		VECTORS(avx512),
		.pack_words_q8 = pack_words_q8_avx512,
		.row_sums_q8 = row_sums_q8_avx2,
		.pixel_sums_q8 = pixel_sums_q8_avx512,
		.matvec_q8 = matvec_q8_avx512vnni,
		RESIZE(avx512),
	},
	{
		.name = "avxvnni",
		.supported = has_avxvnni,
		.conv_q8 = {conv_q8_avxvnni, COUNT(conv_q8_avxvnni), 4, 0, 128, false},
		CONV_F32(avx2),
		VECTORS(avx2),
		.pack_words_q8 = pack_words_q8_plain,
		.row_sums_q8 = row_sums_q8_avx2,
		.pixel_sums_q8 = pixel_sums_q8_avx2,
		.matvec_q8 = matvec_q8_avx2,
		RESIZE(avx2),
	},
	{
		.name = "avx2",
		.supported = has_avx2,
		.conv_q8 = {conv_q8_avx2, COUNT(conv_q8_avx2), 2, 0, 128, false},
		CONV_F32(avx2),
		VECTORS(avx2),
		.pack_words_q8 = pack_words_q8_plain,
		.row_sums_q8 = row_sums_q8_avx2,
		.pixel_sums_q8 = pixel_sums_q8_avx2,
		.matvec_q8 = matvec_q8_avx2,
		RESIZE(avx2),
	},
	{
		.name = "sse41",
		.supported = has_sse41,
		.conv_q8 = {conv_q8_sse41, COUNT(conv_q8_sse41), 2, 0, 128, false},
		CONV_F32(plain),
		VECTORS(128),
		.pack_words_q8 = pack_words_q8_plain,
		.row_sums_q8 = row_sums_q8_plain,
		.pixel_sums_q8 = pixel_sums_q8_plain,
		.matvec_q8 = matvec_q8_sse41,
		RESIZE(sse41),
	},
	PLAIN,
};

#elif defined(__aarch64__)

static bool has_dot(void)
{
	return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
}

static bool has_i8mm(void)
{
	return has_dot() && (getauxval(AT_HWCAP2) & HWCAP2_I8MM);
}

static const struct conv_kernel conv_f32_neon[] = {
	{8, 8, .f32 = conv_f32_8x8_neon, .product = product_f32_8x8_neon},
};
static const struct conv_kernel conv_q8_neon[] = {{4, 4, .q8 = conv_q8_4x4_neon}};
static const struct conv_kernel conv_q8_neondot[] = {{8, 8, .q8 = conv_q8_8x8_neondot}};
static const struct conv_kernel conv_q8_i8mm[] = {{8, 8, .q8 = conv_q8_8x8_i8mm}};

static const struct isa table[] = {
	{
		.name = "i8mm",
		.supported = has_i8mm,
		.conv_q8 = {conv_q8_i8mm, COUNT(conv_q8_i8mm), 8, 0, 0, false},
		CONV_F32(neon),
		VECTORS(128),
		.pack_words_q8 = pack_words_q8_plain,
		.row_sums_q8 = row_sums_q8_plain,
		.pixel_sums_q8 = pixel_sums_q8_neon,
		.matvec_q8 = matvec_q8_neondot,
		RESIZE(neon),
	},
	{
		.name = "neondot",
		.supported = has_dot,
		.conv_q8 = {conv_q8_neondot, COUNT(conv_q8_neondot), 4, 0, 0, false},
		CONV_F32(neon),
		VECTORS(128),
		.pack_words_q8 = pack_words_q8_plain,
		.row_sums_q8 = row_sums_q8_plain,
		.pixel_sums_q8 = pixel_sums_q8_neon,
		.matvec_q8 = matvec_q8_neondot,
		RESIZE(neon),
	},
	{
		.name = "neon",
		.supported = always,
		.conv_q8 = {conv_q8_neon, COUNT(conv_q8_neon), 16, 128, 128, true},
		CONV_F32(neon),
		VECTORS(128),
		.pack_words_q8 = pack_words_q8_plain,
		.row_sums_q8 = row_sums_q8_plain,
		.pixel_sums_q8 = pixel_sums_q8_neon,
		.matvec_q8 = matvec_q8_neon,
		RESIZE(neon),
	},
	PLAIN,
};

#else

static const struct isa table[] = {
	PLAIN,
};

#endif

const struct isa *isa_at(size_t index)
{
	for (size_t i = 0; i < COUNT(table); i++)
		if (table[i].supported() && index-- == 0)
			return &table[i];
	return NULL;
}

const struct isa *isa_named(const char *name)
{
	for (size_t i = 0; i < COUNT(table); i++)
		if (strcmp(table[i].name, name) == 0 && table[i].supported())
			return &table[i];
	return NULL;
}

static const struct isa *best;

static void choose(void)
{
	const char *wanted = getenv("DESCRY_KERNELS");

	if (wanted)
		best = isa_named(wanted);
	if (!best)
		best = isa_at(0);
}

const struct isa *isa_best(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, choose);
	return best;
}
