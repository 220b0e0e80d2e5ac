/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Malloc torture: everything from a file to a caption is done again and again,
 * and each time another allocation fails: the first, the second, and so on until
 * one run needs none of them. Each run must end in an error with a sentence, or in
 * success where a library can do without, and must give back all it took.
 *
 * The allocator's functions are defined here in front of glibc's, so the
 * libraries' own allocations fail, too. Under a sanitizer, whose allocator cannot
 * be replaced so, the tests skip.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cblas.h>

#include "engine/engine.h"
#include "tests/unit/emulated.h"
#include "tests/unit/pictures.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REPLACEABLE false
static atomic_long left, live, asked;
#else
#define REPLACEABLE true

/* Allocations until one fails, -1: none fails; blocks that are not freed. */
static atomic_long left = -1, live, asked;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

static bool fails(void)
{
	atomic_fetch_add(&asked, 1);
	if (atomic_load(&left) < 0 || atomic_fetch_sub(&left, 1) > 0)
		return false;
	atomic_store(&left, -1);
	errno = ENOMEM;
	return true;
}

static void *counted(void *block)
{
	if (block)
		atomic_fetch_add(&live, 1);
	return block;
}

void *malloc(size_t size)
{
	return fails() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
	void *block;

	if (fails())
		return NULL;
	block = __libc_realloc(old, size);
	return old ? block : counted(block);
}

void *memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size)
{
	return fails() ? NULL : counted(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
	void *block = memalign(alignment, size);

	if (!block)
		return ENOMEM;
	*ret_block = block;
	return 0;
}

void free(void *block)
{
	if (block)
		atomic_fetch_sub(&live, 1);
	__libc_free(block);
}
#endif

typedef int step_function(struct engine_error *error);

/* Runs `step` with the first, second, … allocation failing until it needs fewer.
 * `stride` skips allocations that are all alike. Returns how many runs failed. */
static unsigned torture(const char *name, step_function *step, long stride)
{
	unsigned failed = 0;
	long total;

	/* once untouched, for what libraries set up once and keep, and to count */
	assert_int_equal(step(NULL), 0);
	total = atomic_load(&asked);
	assert_int_equal(step(NULL), 0);
	total = atomic_load(&asked) - total;
	for (long n = 0; n < total; n += stride) {
		struct engine_error error = { "" };
		long before = atomic_load(&live);
		int r;

		atomic_store(&left, n);
		r = step(&error);
		atomic_store(&left, -1);
		if (atomic_load(&live) != before)
			fail_msg("%s, allocation %ld of %ld: %ld blocks are lost (%d, %s)", name, n,
				 total, atomic_load(&live) - before, r, error.message);
		if (r && error.message[0] == '\0')
			fail_msg("%s, allocation %ld of %ld: %d without a sentence", name, n, total,
				 r);
		if (r && r != -ENOMEM)
			fail_msg("%s, allocation %ld of %ld: %d instead of ENOMEM, %s", name, n,
				 total, r, error.message);
		failed += r != 0;
	}
	print_message("%s: %ld allocations, %u of the runs failed\n", name, total, failed);
	return failed;
}

/* --- Pictures -------------------------------------------------------------- */

static struct bytes picture;

static int decode_step(struct engine_error *error)
{
	struct engine_image_options options = { .wanted_width = 299, .wanted_height = 299 };
	static uint8_t rgb[299 * 299 * 3];
	struct engine_image *image = NULL;
	struct engine_quality quality;
	int r;

	r = engine_image_decode(picture.data, picture.size, &options, &image, error);
	if (r == 0)
		r = engine_image_resize(image, 299, 299, rgb, error);
	if (r == 0)
		r = engine_quality_measure(image, NULL, &quality, error);
	engine_image_free(image);
	return r;
}

static void test_pictures(void **state)
{
	static const struct jpeg_options jpegs[] = {
		{ .orientation = 6 }, { .progressive = true }, { .kind = JPEG_YCCK },
	};
	static const struct png_options pngs[] = {
		{ .depth = 8, .orientation = 3 }, { .depth = 8, .interlaced = true },
	};
	uint8_t *rgb = picture_map(96, 64);

	(void)state;
	for (size_t i = 0; i < sizeof(jpegs) / sizeof(jpegs[0]); i++) {
		picture = picture_jpeg(rgb, 96, 64, &jpegs[i]);
		assert_true(torture("JPEG", decode_step, 1) >= 5);
		bytes_free(&picture);
	}
	for (size_t i = 0; i < sizeof(pngs) / sizeof(pngs[0]); i++) {
		picture = picture_png(rgb, 96, 64, &pngs[i]);
		assert_true(torture("PNG", decode_step, 1) >= 5);
		bytes_free(&picture);
	}
	free(rgb);
}

static int descriptor;

static int read_step(struct engine_error *error)
{
	struct engine_image *image = NULL;
	int r = engine_image_read(descriptor, NULL, &image, error);

	engine_image_free(image);
	return r;
}

static void test_reading(void **state)
{
	uint8_t *rgb = picture_map(96, 64);
	struct jpeg_options options = { 0 };

	(void)state;
	picture = picture_jpeg(rgb, 96, 64, &options);
	descriptor = memfd_create("torture", MFD_CLOEXEC);
	assert_int_equal(write(descriptor, picture.data, picture.size), (ssize_t)picture.size);
	assert_true(torture("reading", read_step, 1) >= 5);
	close(descriptor);
	bytes_free(&picture);
	free(rgb);
}

/* --- Models, contexts, captions ---------------------------------------------- */

#define MODEL "engine/models/descry-en.gguf"

static struct engine_model *model;
static struct engine_image *photo;

static int model_step(struct engine_error *error)
{
	struct engine_model *opened = NULL;
	int r = engine_model_open(MODEL, &opened, error);

	engine_model_free(opened);
	return r;
}

static int context_step(struct engine_error *error)
{
	struct engine_context_options options = { .threads = 2 };
	struct engine_context *context = NULL;
	int r = engine_context_open(model, &options, &context, error);

	engine_context_free(context);
	return r;
}

static int caption_step(struct engine_error *error)
{
	struct engine_context_options context_options = { .threads = 1 };
	struct engine_caption_options options = { .beam = 2 };
	const struct engine_result *result;
	struct engine_context *context = NULL;
	int r = engine_context_open(model, &context_options, &context, error);

	if (r == 0)
		r = engine_describe(context, photo, &options, &result, error);
	engine_context_free(context);
	return r;
}

static void need_model(void)
{
	struct engine_error error;

	if (access(MODEL, R_OK)) {
		print_message("the model is not built: no %s\n", MODEL);
		skip();
	}
	if (!model && engine_model_open(MODEL, &model, &error))
		fail_msg("%s", error.message);
}

static void test_model(void **state)
{
	(void)state;
	need_model();
	assert_true(torture("model", model_step, (long)emulated_cases(1, 20)) >= 10);
}

static void test_context(void **state)
{
	(void)state;
	need_model();
	assert_true(torture("context", context_step, 1) >= 5);
}

static void test_first_caption(void **state)
{
	struct bytes bytes = bytes_read("tests/photos/chelsea.png");

	(void)state;
	need_model();
	/* with several threads OpenBLAS allocates in each product and ends the process
	 * when it cannot */
	openblas_set_num_threads(1);
	assert_int_equal(engine_image_decode(bytes.data, bytes.size, NULL, &photo, NULL), 0);
	bytes_free(&bytes);
	assert_true(torture("first caption", caption_step, (long)emulated_cases(7, 50)) >= 1);
	photo = engine_image_free(photo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pictures),
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_first_caption),
	};
	int failed;

	/* before the tests make pictures, which a skipped test would not free */
	if (!REPLACEABLE) {
		puts("1..1\nok 1 - torture # SKIP the sanitizer's allocator cannot be made to fail");
		return 0;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	engine_model_free(model);
	return failed;
}
