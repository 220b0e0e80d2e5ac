/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_gguf.c: what the writer wrote the reader reads; everything else is refused
 * with a sentence that names the fault.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/gguf_writer.h"
#include "engine/half.h"

/* A file as it is put together byte by byte. */
struct raw {
	_Alignas(64) uint8_t bytes[4096];
	size_t size;
};

static void put(struct raw *raw, const void *data, size_t size)
{
	assert_true(raw->size + size <= sizeof(raw->bytes));
	memcpy(raw->bytes + raw->size, data, size);
	raw->size += size;
}

static void put_u32(struct raw *raw, uint32_t value)
{
	put(raw, &value, sizeof(value));
}

static void put_u64(struct raw *raw, uint64_t value)
{
	put(raw, &value, sizeof(value));
}

static void put_string(struct raw *raw, const char *text)
{
	put_u64(raw, strlen(text));
	put(raw, text, strlen(text));
}

static void put_header(struct raw *raw, uint64_t tensors, uint64_t entries)
{
	put(raw, "GGUF", 4);
	put_u32(raw, 3);
	put_u64(raw, tensors);
	put_u64(raw, entries);
}

static void put_tensor(struct raw *raw, const char *name, uint32_t type, uint64_t count,
		       uint64_t offset)
{
	put_string(raw, name);
	put_u32(raw, 1);
	put_u64(raw, count);
	put_u32(raw, type);
	put_u64(raw, offset);
}

static void put_padding(struct raw *raw, size_t alignment)
{
	while (raw->size % alignment)
		put(raw, "", 1);
}

/* Expects the file to be refused with a sentence that has `word` in it. */
static void expect_refusal(const struct raw *raw, const char *word)
{
	struct engine_error error = { "" };
	struct gguf *file = NULL;

	assert_int_not_equal(gguf_open_memory(raw->bytes, raw->size, "test.gguf", &file, &error), 0);
	assert_null(file);
	if (!strstr(error.message, word))
		fail_msg("\"%s\" is not in \"%s\"", word, error.message);
	assert_non_null(strstr(error.message, "test.gguf"));
}

static struct gguf_writer *sample(const float *floats, const int8_t *codes)
{
	struct gguf_writer *writer;
	const char *const words[] = { "", "a", "naïve", "日本" };
	const int32_t integers[] = { -1, 0, INT32_MAX };
	const float fractions[] = { 0.5f, -INFINITY };
	const size_t shape[] = { 2, 3 };

	assert_int_equal(gguf_writer_open(&writer, NULL), 0);
	gguf_writer_set_string(writer, "general.architecture", "to be replaced");
	gguf_writer_set_u32(writer, "a.u32", 7);
	gguf_writer_set_u64(writer, "a.u64", 1ull << 40);
	gguf_writer_set_f32(writer, "a.f32", 0.25f);
	gguf_writer_set_bool(writer, "a.bool", true);
	gguf_writer_set_strings(writer, "a.strings", words, 4);
	gguf_writer_set_i32s(writer, "a.i32s", integers, 3);
	gguf_writer_set_f32s(writer, "a.f32s", fractions, 2);
	gguf_writer_set_string(writer, "b.gone", "x");
	gguf_writer_set_string(writer, "general.architecture", "test");
	gguf_writer_remove(writer, "b.gone");
	gguf_writer_add_tensor(writer, "matrix", GGUF_TENSOR_F32, 2, shape, floats);
	gguf_writer_add_tensor(writer, "codes", GGUF_TENSOR_I8, 1, shape, codes);
	return writer;
}

/* The writer's output, for the caller to free. */
static uint8_t *write_out(struct gguf_writer *writer, size_t *ret_size)
{
	char *text;
	FILE *stream = open_memstream(&text, ret_size);

	assert_non_null(stream);
	assert_int_equal(gguf_writer_write_stream(writer, stream, "memory", NULL), 0);
	fclose(stream);
	return (uint8_t *)text;
}

static void test_what_was_written_is_read(void **unused)
{
	const float floats[] = { 1, 2, 3, 4, 5, 6 };
	const int8_t codes[] = { -128, 127 };
	struct gguf_writer *writer = sample(floats, codes);
	const struct gguf_tensor *tensor;
	const char *const *words, *text;
	const int32_t *integers;
	const float *fractions;
	struct engine_error error;
	struct gguf *file;
	size_t size, count;
	uint32_t small;
	uint64_t large;
	float fraction;
	bool truth;
	uint8_t *bytes = write_out(writer, &size);

	(void)unused;
	assert_int_equal(gguf_open_memory(bytes, size, "memory", &file, &error), 0);
	assert_int_equal(gguf_get_string(file, "general.architecture", &text, &error), 0);
	assert_string_equal(text, "test");
	assert_string_equal(gguf_entry_at(file, 0)->key, "general.architecture");
	assert_null(gguf_find(file, "b.gone"));
	assert_int_equal(gguf_get_u32(file, "a.u32", &small, &error), 0);
	assert_int_equal(small, 7);
	assert_int_equal(gguf_get_u64(file, "a.u64", &large, &error), 0);
	assert_true(large == 1ull << 40);
	assert_int_equal(gguf_get_u32(file, "a.u64", &small, &error), ENGINE_BAD_MODEL);
	assert_int_equal(gguf_get_f32(file, "a.f32", &fraction, &error), 0);
	assert_true(fraction == 0.25f);
	assert_int_equal(gguf_get_bool(file, "a.bool", &truth, &error), 0);
	assert_true(truth);
	assert_int_equal(gguf_get_strings(file, "a.strings", &words, &count, &error), 0);
	assert_int_equal(count, 4);
	assert_string_equal(words[0], "");
	assert_string_equal(words[3], "日本");
	assert_int_equal(gguf_get_i32s(file, "a.i32s", &integers, &count, &error), 0);
	assert_int_equal(integers[2], INT32_MAX);
	assert_int_equal(gguf_get_f32s(file, "a.f32s", &fractions, &count, &error), 0);
	assert_true(isinf(fractions[1]));
	assert_int_equal(gguf_get_tensor(file, "matrix", 2, (size_t[]){ 2, 0 }, &tensor, &error), 0);
	assert_memory_equal(tensor->data, floats, sizeof(floats));
	assert_int_equal((uintptr_t)tensor->data % 8, 0);
	assert_int_equal(gguf_get_tensor(file, "matrix", 2, (size_t[]){ 3, 2 }, &tensor, &error),
			 ENGINE_BAD_MODEL);
	assert_non_null(strstr(error.message, "2 × 3"));
	assert_non_null(strstr(error.message, "3 × 2"));
	gguf_free(file);
	gguf_writer_free(writer);
	free(bytes);
}

static void test_a_copy_has_the_same_bytes(void **unused)
{
	const float floats[] = { 1, 2, 3, 4, 5, 6 };
	const int8_t codes[] = { -128, 127 };
	struct gguf_writer *writer = sample(floats, codes), *copier;
	struct engine_error error;
	struct gguf *file;
	size_t size, copy_size;
	uint8_t *bytes = write_out(writer, &size), *copy;

	(void)unused;
	assert_int_equal(gguf_open_memory(bytes, size, "memory", &file, &error), 0);
	assert_int_equal(gguf_writer_open(&copier, &error), 0);
	gguf_writer_copy(copier, file, "");
	copy = write_out(copier, &copy_size);
	assert_int_equal(copy_size, size);
	assert_memory_equal(copy, bytes, size);
	gguf_writer_free(copier);
	gguf_free(file);
	gguf_writer_free(writer);
	free(bytes);
	free(copy);
}

static void test_files_on_disk(void **unused)
{
	char folder[] = "/tmp/descry-gguf-XXXXXX", path[64], fifo[64];
	const float floats[] = { 1, 2, 3, 4, 5, 6 };
	const int8_t codes[] = { -128, 127 };
	struct gguf_writer *writer = sample(floats, codes);
	struct engine_error error;
	struct gguf *file;
	FILE *stream;

	(void)unused;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/model.gguf", folder);
	snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
	assert_int_equal(gguf_writer_write(writer, path, &error), 0);
	assert_int_equal(gguf_open(path, &file, &error), 0);
	gguf_free(file);
	assert_int_equal(gguf_writer_write(writer, "/nonexistent/model.gguf", &error), -ENOENT);

	assert_int_equal(gguf_open("/nonexistent/model.gguf", &file, &error), -ENOENT);
	assert_non_null(strstr(error.message, "/nonexistent/model.gguf"));
	assert_int_equal(gguf_open(folder, &file, &error), ENGINE_BAD_MODEL);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(gguf_open(fifo, &file, &error), ENGINE_BAD_MODEL);
	stream = fopen(path, "w");
	fclose(stream);
	assert_int_equal(gguf_open(path, &file, &error), ENGINE_BAD_MODEL);
	unlink(path);
	unlink(fifo);
	rmdir(folder);
	gguf_writer_free(writer);
}

static void test_every_truncation_is_refused(void **unused)
{
	const float floats[] = { 1, 2, 3, 4, 5, 6 };
	const int8_t codes[] = { -128, 127 };
	struct gguf_writer *writer = sample(floats, codes);
	struct engine_error error;
	struct gguf *file;
	size_t size;
	uint8_t *bytes = write_out(writer, &size);

	(void)unused;
	/* the padding behind the last tensor (2 bytes in 32) may be missing */
	for (size_t cut = 0; cut < size - 30; cut++) {
		uint8_t *part = malloc(cut + 1);	/* so that a sanitizer sees overruns */

		memcpy(part, bytes, cut);
		error.message[0] = '\0';
		assert_int_equal(gguf_open_memory(part, cut, "cut", &file, &error),
				 ENGINE_BAD_MODEL);
		assert_true(strlen(error.message) > 20);
		free(part);
	}
	gguf_writer_free(writer);
	free(bytes);
}

static void test_headers_that_lie(void **unused)
{
	struct raw raw = { .size = 0 };

	(void)unused;
	put(&raw, "GGML", 4);
	expect_refusal(&raw, "does not begin");

	raw.size = 0;
	put(&raw, "GGUF", 4);
	put_u32(&raw, 2);
	expect_refusal(&raw, "version 2");

	raw.size = 0;
	put_header(&raw, UINT64_MAX, 0);
	expect_refusal(&raw, "tensors");

	raw.size = 0;
	put_header(&raw, 0, UINT64_MAX);
	expect_refusal(&raw, "keys");
}

static void test_metadata_that_lie(void **unused)
{
	struct raw raw = { .size = 0 };

	(void)unused;
	put_header(&raw, 0, 1);
	put_u64(&raw, UINT64_MAX);	/* a key's length */
	expect_refusal(&raw, "ends in the middle");

	raw.size = 0;
	put_header(&raw, 0, 1);
	put_string(&raw, "key");
	put_u32(&raw, 13);
	expect_refusal(&raw, "unknown type 13");

	raw.size = 0;
	put_header(&raw, 0, 1);
	put_string(&raw, "key");
	put_u32(&raw, GGUF_ARRAY);
	put_u32(&raw, GGUF_FLOAT64);
	put_u64(&raw, UINT64_MAX / 8 + 2);	/* times 8 wraps to 8 */
	put_u64(&raw, 0);
	expect_refusal(&raw, "ends in the middle of key");

	raw.size = 0;
	put_header(&raw, 0, 1);
	put_string(&raw, "key");
	put_u32(&raw, GGUF_ARRAY);
	put_u32(&raw, GGUF_ARRAY);
	put_u64(&raw, 1);
	expect_refusal(&raw, "array of arrays");

	raw.size = 0;
	put_header(&raw, 0, 1);
	put_string(&raw, "key");
	put_u32(&raw, GGUF_BOOL);
	put(&raw, "\2", 1);
	expect_refusal(&raw, "neither 0 nor 1");

	raw.size = 0;
	put_header(&raw, 0, 1);
	put_string(&raw, "key");
	put_u32(&raw, GGUF_STRING);
	put_string(&raw, "not \xff text");
	expect_refusal(&raw, "UTF-8");

	raw.size = 0;
	put_header(&raw, 0, 1);
	put_string(&raw, "key");
	put_u32(&raw, GGUF_STRING);
	put_u64(&raw, 3);
	put(&raw, "a\0b", 3);
	expect_refusal(&raw, "UTF-8");

	raw.size = 0;
	put_header(&raw, 0, 2);
	for (unsigned i = 0; i < 2; i++) {
		put_string(&raw, "key");
		put_u32(&raw, GGUF_UINT32);
		put_u32(&raw, i);
	}
	expect_refusal(&raw, "key twice");

	for (unsigned i = 0; i < 3; i++) {
		raw.size = 0;
		put_header(&raw, 0, 1);
		put_string(&raw, "general.alignment");
		put_u32(&raw, GGUF_UINT32);
		put_u32(&raw, (uint32_t[]){ 0, 24, 1u << 31 }[i]);
		expect_refusal(&raw, "general.alignment");
	}
}

static void test_tensors_that_lie(void **unused)
{
	struct raw raw = { .size = 0 };

	(void)unused;
	put_header(&raw, 1, 0);
	put_string(&raw, "t");
	put_u32(&raw, 5);
	expect_refusal(&raw, "5 dimensions");

	raw.size = 0;
	put_header(&raw, 1, 0);
	put_string(&raw, "t");
	put_u32(&raw, 2);
	put_u64(&raw, 1ull << 33);
	put_u64(&raw, 1ull << 33);
	put_u32(&raw, GGUF_TENSOR_F32);
	put_u64(&raw, 0);
	expect_refusal(&raw, "shape that cannot be");

	raw.size = 0;
	put_header(&raw, 1, 0);
	put_tensor(&raw, "t", 12, 4, 0);	/* a type with blocks, which GGUF has */
	put_padding(&raw, 32);
	expect_refusal(&raw, "type 12");

	raw.size = 0;
	put_header(&raw, 1, 0);
	put_tensor(&raw, "t", GGUF_TENSOR_F32, 4, 8);
	put_padding(&raw, 32);
	put(&raw, (uint8_t[64]){ 0 }, 64);
	expect_refusal(&raw, "not a multiple of 32");

	raw.size = 0;
	put_header(&raw, 1, 0);
	put_tensor(&raw, "t", GGUF_TENSOR_F32, 4, UINT64_MAX - 31);
	put_padding(&raw, 32);
	put(&raw, (uint8_t[64]){ 0 }, 64);
	expect_refusal(&raw, "ends before the data");

	raw.size = 0;
	put_header(&raw, 2, 0);
	put_tensor(&raw, "t", GGUF_TENSOR_F32, 4, 0);
	put_tensor(&raw, "t", GGUF_TENSOR_F32, 4, 32);
	put_padding(&raw, 32);
	put(&raw, (uint8_t[64]){ 0 }, 64);
	expect_refusal(&raw, "tensor t twice");

	raw.size = 0;
	put_header(&raw, 2, 0);
	put_tensor(&raw, "t", GGUF_TENSOR_F32, 12, 0);
	put_tensor(&raw, "u", GGUF_TENSOR_F32, 4, 32);
	put_padding(&raw, 32);
	put(&raw, (uint8_t[64]){ 0 }, 64);
	expect_refusal(&raw, "same place");
}

static void test_halves_are_exact(void **unused)
{
	(void)unused;
	for (uint32_t i = 0; i < 65536; i++) {
		float value = half_to_float((uint16_t)i);

		if (isnan(value))
			assert_true((i & 0x7fff) > 0x7c00);
		else
			assert_int_equal(half_from_float(value), i);
	}
	assert_true(half_to_float(0x3c00) == 1.0f);
	assert_true(half_to_float(0x0001) == ldexpf(1, -24));
	assert_true(half_to_float(0x7bff) == 65504.0f);
	/* between two halves: to the nearer, ties to the even one */
	assert_int_equal(half_from_float(1.0f + ldexpf(1, -11)), 0x3c00);
	assert_int_equal(half_from_float(1.0f + 3 * ldexpf(1, -11)), 0x3c02);
	assert_int_equal(half_from_float(65520.0f), 0x7c00);
	assert_int_equal(half_from_float(65519.0f), 0x7bff);
	assert_int_equal(half_from_float(ldexpf(1, -25)), 0);
	assert_int_equal(half_from_float(ldexpf(1.5f, -25)), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_written_is_read),
		cmocka_unit_test(test_a_copy_has_the_same_bytes),
		cmocka_unit_test(test_files_on_disk),
		cmocka_unit_test(test_every_truncation_is_refused),
		cmocka_unit_test(test_headers_that_lie),
		cmocka_unit_test(test_metadata_that_lie),
		cmocka_unit_test(test_tensors_that_lie),
		cmocka_unit_test(test_halves_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
