/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * guarded_memory.h: makes the use of freed memory a crash, in libraries, too, that are
 * not built with sanitizers. To be included by the one file of a program that wants it:
 * in a library it would take the place of every program's malloc.
 *
 * A large block (what is read from files is large) is given pages of its own, which can
 * be neither read nor written once it is freed, and are not used again. Small ones are
 * glibc's. The address sanitizer is asked to fill freed memory instead, with what makes
 * a pointer out of it lead nowhere.
 */
#ifndef TESTS_GUARDED_MEMORY_H
#define TESTS_GUARDED_MEMORY_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define GUARD_PAGE 4096
#define GUARD_LEAST 4096u		/* guarded from this size on */
#define GUARD_MOST (64u << 20)

static atomic_bool guarding;

/* From here on. Without effect in a build with sanitizers. */
static void guarded_memory_begin(void)
{
	atomic_store(&guarding, true);
}

#ifdef __SANITIZE_ADDRESS__

const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "max_free_fill_size=16777216:free_fill_byte=165";
}

#elif !defined(__SANITIZE_THREAD__)

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *block);

#define GUARD_MAGIC 0x6465647261756721u

/* Stands at the start of the first page; the block follows. */
struct guard {
	_Alignas(64) uint64_t magic;
	struct guard *self;
	size_t size, mapped;
};

static struct guard *guard_of(void *block)
{
	struct guard *guard = (struct guard *)((char *)block - sizeof(*guard));

	/* a block of glibc's may lie so, too: what is in front of it is readable then */
	if (((uintptr_t)block & (GUARD_PAGE - 1)) != sizeof(*guard))
		return NULL;
	return guard->magic == GUARD_MAGIC && guard->self == guard ? guard : NULL;
}

static void *guarded(size_t size)
{
	size_t mapped = (size + sizeof(struct guard) + GUARD_PAGE - 1) & ~(size_t)(GUARD_PAGE - 1);
	struct guard *guard = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (guard == MAP_FAILED) {
		errno = ENOMEM;
		return NULL;
	}
	*guard = (struct guard){ GUARD_MAGIC, guard, size, mapped };
	return guard + 1;
}

static bool wanted(size_t size)
{
	return atomic_load(&guarding) && size >= GUARD_LEAST && size <= GUARD_MOST;
}

void *malloc(size_t size)
{
	return wanted(size) ? guarded(size) : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	size_t whole;

	if (__builtin_mul_overflow(count, size, &whole) || !wanted(whole))
		return __libc_calloc(count, size);
	return guarded(whole);
}

void free(void *block)
{
	struct guard *guard = block ? guard_of(block) : NULL;

	if (!guard)
		__libc_free(block);
	else if (mprotect(guard, guard->mapped, PROT_NONE) < 0)
		guard->magic = 0;
}

void *realloc(void *old, size_t size)
{
	struct guard *guard = old ? guard_of(old) : NULL;
	void *block;

	if (!guard)
		return old || !wanted(size) ? __libc_realloc(old, size) : guarded(size);
	block = malloc(size);
	if (block) {
		memcpy(block, old, size < guard->size ? size : guard->size);
		free(old);
	}
	return block;
}

#endif

#endif
