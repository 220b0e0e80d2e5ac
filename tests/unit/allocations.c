/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * allocations.c: under the address sanitizer its own hook counts; otherwise the
 * allocator's functions are defined here in front of glibc's.
 */
#include "tests/unit/allocations.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_size_t allocations;

size_t allocations_count(void)
{
	return atomic_load(&allocations);
}

#ifdef __SANITIZE_ADDRESS__

int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
					      void (*on_free)(const volatile void *));

static void count(const volatile void *at, size_t size)
{
	(void)at;
	(void)size;
	atomic_fetch_add(&allocations, 1);
}

static void ignore(const volatile void *at)
{
	(void)at;
}

__attribute__((constructor)) static void install(void)
{
	__sanitizer_install_malloc_and_free_hooks(count, ignore);
}

#elif !defined(__SANITIZE_THREAD__)

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return __libc_memalign(alignment, size);
}

int posix_memalign(void **ret_at, size_t alignment, size_t size)
{
	void *at;

	atomic_fetch_add(&allocations, 1);
	at = __libc_memalign(alignment, size);
	if (!at)
		return ENOMEM;
	*ret_at = at;
	return 0;
}

#endif
