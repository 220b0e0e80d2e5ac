/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gguf_parse.c: the walk over a GGUF file. A cursor that knows where the file
 * ends goes over it once, so nothing is read before it is known to be there.
 * Numbers are copied out of the mapping (they may be unaligned in it) and strings
 * are copied to get their NUL; tensors stay in the mapping. Allocations are
 * bounded by the size of the file: a count is compared with the bytes that are
 * left before anything is reserved for it.
 */
#include "engine/gguf_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/error.h"
#include "engine/limits.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "GGUF files are little-endian, and their tensors are used in place");

#define GGUF_MIN_ALIGNMENT 8u
#define GGUF_MAX_ALIGNMENT 65536u

/* A place in the file and what is being read there. */
struct cursor {
	const uint8_t *data;
	size_t size;
	size_t position;
	const char *file;
	struct engine_error *error;
};

static int fail_truncated(struct cursor *c, const char *what)
{
	return engine_fail(c->error, ENGINE_BAD_MODEL,
			   "The model file %s ends in the middle of %s, at byte %zu. Get the file again.",
			   c->file, what, c->size);
}

static int take(struct cursor *c, size_t count, const char *what, const uint8_t **ret_bytes)
{
	if (count > c->size - c->position)
		return fail_truncated(c, what);
	*ret_bytes = c->data + c->position;
	c->position += count;
	return 0;
}

static int take_u32(struct cursor *c, const char *what, uint32_t *ret_value)
{
	const uint8_t *bytes;
	int r = take(c, sizeof(*ret_value), what, &bytes);

	if (r == 0)
		memcpy(ret_value, bytes, sizeof(*ret_value));
	return r;
}

static int take_u64(struct cursor *c, const char *what, uint64_t *ret_value)
{
	const uint8_t *bytes;
	int r = take(c, sizeof(*ret_value), what, &bytes);

	if (r == 0)
		memcpy(ret_value, bytes, sizeof(*ret_value));
	return r;
}

/* Length of the UTF-8 sequence at `s`, 0 if it is none (overlong forms and
 * surrogates included). */
static size_t utf8_sequence(const uint8_t *s, size_t left)
{
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 :
			s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

/* A string that stays in the file; checks that it is text without NUL. */
static int take_text(struct cursor *c, const char *what, const uint8_t **ret_bytes,
		     size_t *ret_length)
{
	const uint8_t *bytes;
	uint64_t length;
	int r = take_u64(c, what, &length);

	if (r)
		return r;
	if (length > c->size - c->position)
		return fail_truncated(c, what);
	r = take(c, (size_t)length, what, &bytes);
	if (r)
		return r;
	for (size_t i = 0; i < length;) {
		size_t step = bytes[i] ? utf8_sequence(bytes + i, (size_t)length - i) : 0;

		if (!step)
			return engine_fail(c->error, ENGINE_BAD_MODEL,
					   "The model file %s has %s that is not UTF-8 text, before byte %zu. "
					   "Get the file again.", c->file, what, c->position);
		i += step;
	}
	*ret_bytes = bytes;
	*ret_length = (size_t)length;
	return 0;
}

static int take_string(struct cursor *c, const char *what, size_t limit, char **ret_string)
{
	const uint8_t *bytes;
	size_t length;
	char *string;
	int r = take_text(c, what, &bytes, &length);

	if (r)
		return r;
	if (length > limit)
		return engine_fail(c->error, ENGINE_BAD_MODEL,
				   "The model file %s has %s of %zu bytes; at most %zu are allowed.",
				   c->file, what, length, limit);
	string = malloc(length + 1);
	if (!string)
		return engine_fail_memory(c->error);
	memcpy(string, bytes, length);
	string[length] = '\0';
	*ret_string = string;
	return 0;
}

/* Array of strings as one block: the pointers, then the text. */
static int take_string_array(struct cursor *c, const char *key, size_t count,
			     const char *const **ret_strings)
{
	size_t start = c->position, text = 0, size;
	const char **strings;
	char *next;

	for (size_t i = 0; i < count; i++) {
		const uint8_t *bytes;
		size_t length;
		int r = take_text(c, key, &bytes, &length);

		if (r)
			return r;
		text += length + 1;	/* each took length + 8 bytes of the file */
	}
	if (__builtin_mul_overflow(count, sizeof(*strings), &size) ||
	    __builtin_add_overflow(size, text, &size))
		return engine_fail_memory(c->error);
	strings = malloc(size ? size : 1);
	if (!strings)
		return engine_fail_memory(c->error);
	next = (char *)(strings + count);
	c->position = start;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *bytes = NULL;
		size_t length = 0;

		/* cannot fail: the same bytes were read above */
		take_text(c, key, &bytes, &length);
		if (length)
			memcpy(next, bytes, length);
		next[length] = '\0';
		strings[i] = next;
		next += length + 1;
	}
	*ret_strings = (const char *const *)strings;
	return 0;
}

static int take_array(struct cursor *c, struct gguf_entry *entry)
{
	uint32_t type;
	uint64_t count;
	size_t size;
	const uint8_t *bytes;
	void *elements;
	int r = take_u32(c, entry->key, &type);

	if (r == 0)
		r = take_u64(c, entry->key, &count);
	if (r)
		return r;
	if (type > GGUF_FLOAT64)
		return engine_fail(c->error, ENGINE_BAD_MODEL,
				   "The model file %s has the key %s with elements of the unknown type %u.",
				   c->file, entry->key, type);
	if (type == GGUF_ARRAY)
		return engine_fail(c->error, ENGINE_BAD_MODEL,
				   "The model file %s has the key %s with an array of arrays, which is not supported.",
				   c->file, entry->key);
	entry->element_type = (enum gguf_value_type)type;
	/* every element takes at least a byte, so this bounds all that follows */
	if (count > c->size - c->position)
		return fail_truncated(c, entry->key);
	entry->count = (size_t)count;
	if (type == GGUF_STRING)
		return take_string_array(c, entry->key, entry->count, &entry->value.strings);

	if (__builtin_mul_overflow(entry->count, gguf_value_type_size(entry->element_type), &size))
		return fail_truncated(c, entry->key);
	r = take(c, size, entry->key, &bytes);
	if (r)
		return r;
	elements = malloc(size ? size : 1);
	if (!elements)
		return engine_fail_memory(c->error);
	memcpy(elements, bytes, size);
	entry->value.elements = elements;
	return 0;
}

static int take_value(struct cursor *c, struct gguf_entry *entry)
{
	uint64_t raw = 0;
	const uint8_t *bytes;
	uint32_t type;
	char *string;
	float real;
	int r = take_u32(c, entry->key, &type);

	if (r)
		return r;
	if (type > GGUF_FLOAT64)
		return engine_fail(c->error, ENGINE_BAD_MODEL,
				   "The model file %s has the key %s with a value of the unknown type %u.",
				   c->file, entry->key, type);
	entry->type = (enum gguf_value_type)type;
	if (entry->type == GGUF_ARRAY)
		return take_array(c, entry);

	entry->count = 1;
	if (entry->type == GGUF_STRING) {
		r = take_string(c, entry->key, SIZE_MAX - 1, &string);
		if (r == 0)
			entry->value.string = string;
		return r;
	}

	r = take(c, gguf_value_type_size(entry->type), entry->key, &bytes);
	if (r)
		return r;
	memcpy(&raw, bytes, gguf_value_type_size(entry->type));
	switch (entry->type) {
	case GGUF_INT8:
		entry->value.integer = (int8_t)raw;
		break;
	case GGUF_INT16:
		entry->value.integer = (int16_t)raw;
		break;
	case GGUF_INT32:
		entry->value.integer = (int32_t)raw;
		break;
	case GGUF_INT64:
		entry->value.integer = (int64_t)raw;
		break;
	case GGUF_FLOAT32:
		memcpy(&real, bytes, sizeof(real));
		entry->value.real = (double)real;
		break;
	case GGUF_FLOAT64:
		memcpy(&entry->value.real, bytes, sizeof(entry->value.real));
		break;
	case GGUF_BOOL:
		if (raw > 1)
			return engine_fail(c->error, ENGINE_BAD_MODEL,
					   "The model file %s has the key %s with a truth value that is neither 0 nor 1.",
					   c->file, entry->key);
		entry->value.number = raw;
		break;
	default:
		entry->value.number = raw;
		break;
	}
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct gguf_entry *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

static int compare_tensors(const void *a, const void *b)
{
	const struct gguf_tensor *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int compare_places(const void *a, const void *b)
{
	const struct gguf_tensor *const *x = a, *const *y = b;
	uintptr_t p = (uintptr_t)(*x)->data, q = (uintptr_t)(*y)->data;

	return p < q ? -1 : p > q;
}

static int read_entries(struct gguf *file, struct cursor *c, size_t count)
{
	file->entries = calloc(count ? count : 1, sizeof(*file->entries));
	file->entries_by_key = calloc(count ? count : 1, sizeof(struct gguf_entry *));
	if (!file->entries || !file->entries_by_key)
		return engine_fail_memory(c->error);
	for (size_t i = 0; i < count; i++) {
		struct gguf_entry *entry = &file->entries[i];
		char *key;
		int r = take_string(c, "a key", LIMIT_MODEL_NAME, &key);

		if (r)
			return r;
		entry->key = key;
		file->entry_count = i + 1;
		file->entries_by_key[i] = entry;
		r = take_value(c, entry);
		if (r)
			return r;
	}
	qsort(file->entries_by_key, count, sizeof(struct gguf_entry *), compare_entries);
	for (size_t i = 1; i < count; i++)
		if (strcmp(file->entries_by_key[i - 1]->key, file->entries_by_key[i]->key) == 0)
			return engine_fail(c->error, ENGINE_BAD_MODEL,
					   "The model file %s has the key %s twice.", c->file,
					   file->entries_by_key[i]->key);
	return 0;
}

/* Leaves the tensor's offset in `ret_offset`; where the data begin is not known
 * yet. */
static int read_tensor(struct cursor *c, struct gguf_tensor *tensor, uint64_t *ret_offset)
{
	uint32_t rank, type;
	char *name;
	int r = take_string(c, "a tensor's name", LIMIT_MODEL_NAME, &name);

	if (r)
		return r;
	tensor->name = name;
	r = take_u32(c, name, &rank);
	if (r)
		return r;
	if (rank < 1 || rank > GGUF_MAX_RANK)
		return engine_fail(c->error, ENGINE_BAD_MODEL,
				   "The model file %s has the tensor %s with %u dimensions; 1 to %u are allowed.",
				   c->file, name, rank, GGUF_MAX_RANK);
	tensor->rank = rank;
	tensor->count = 1;
	for (unsigned i = 0; i < GGUF_MAX_RANK; i++)
		tensor->shape[i] = 1;
	for (unsigned i = 0; i < rank; i++) {
		uint64_t dimension;

		r = take_u64(c, name, &dimension);
		if (r)
			return r;
		if (dimension == 0 || dimension > c->size ||
		    __builtin_mul_overflow(tensor->count, (size_t)dimension, &tensor->count))
			return engine_fail(c->error, ENGINE_BAD_MODEL,
					   "The model file %s has the tensor %s with a shape that cannot be.",
					   c->file, name);
		tensor->shape[rank - 1 - i] = (size_t)dimension;
	}
	r = take_u32(c, name, &type);
	if (r)
		return r;
	tensor->type = (enum gguf_tensor_type)type;
	if (gguf_tensor_type_size(tensor->type) == 0)
		return engine_fail(c->error, ENGINE_UNSUPPORTED,
				   "The model file %s has the tensor %s of type %u; only F32, F16, I8 and I32 are supported.",
				   c->file, name, type);
	if (__builtin_mul_overflow(tensor->count, gguf_tensor_type_size(tensor->type), &tensor->size))
		return engine_fail(c->error, ENGINE_BAD_MODEL,
				   "The model file %s has the tensor %s with a shape that cannot be.",
				   c->file, name);
	return take_u64(c, name, ret_offset);
}

/* Gives each tensor its data, which must be in the file, aligned, and its own. */
static int place_tensors(struct gguf *file, struct cursor *c, const uint64_t *offsets,
			 size_t alignment)
{
	size_t count = file->tensor_count;
	size_t start = c->position;

	if (count == 0)
		return 0;
	if (__builtin_add_overflow(start, alignment - 1, &start))
		return fail_truncated(c, "the padding before the tensors");
	start &= ~(alignment - 1);
	if (start > c->size)
		return fail_truncated(c, "the padding before the tensors");
	for (size_t i = 0; i < count; i++) {
		struct gguf_tensor *tensor = &file->tensors[i];

		if (offsets[i] % alignment)
			return engine_fail(c->error, ENGINE_BAD_MODEL,
					   "The model file %s has the tensor %s at offset %llu, which is not a multiple of %zu.",
					   c->file, tensor->name, (unsigned long long)offsets[i],
					   alignment);
		if (offsets[i] > c->size - start || tensor->size > c->size - start - offsets[i])
			return engine_fail(c->error, ENGINE_BAD_MODEL,
					   "The model file %s ends before the data of the tensor %s. Get the file again.",
					   c->file, tensor->name);
		tensor->data = c->data + start + offsets[i];
	}
	qsort(file->tensors_by_name, count, sizeof(struct gguf_tensor *), compare_places);
	for (size_t i = 1; i < count; i++) {
		const struct gguf_tensor *a = file->tensors_by_name[i - 1];
		const struct gguf_tensor *b = file->tensors_by_name[i];

		if ((const uint8_t *)a->data + a->size > (const uint8_t *)b->data)
			return engine_fail(c->error, ENGINE_BAD_MODEL,
					   "The model file %s has the tensors %s and %s in the same place.",
					   c->file, a->name, b->name);
	}
	return 0;
}

static int read_tensors(struct gguf *file, struct cursor *c, size_t count, size_t alignment)
{
	uint64_t *offsets = calloc(count ? count : 1, sizeof(*offsets));
	int r = 0;

	file->tensors = calloc(count ? count : 1, sizeof(*file->tensors));
	file->tensors_by_name = calloc(count ? count : 1, sizeof(struct gguf_tensor *));
	if (!offsets || !file->tensors || !file->tensors_by_name) {
		r = engine_fail_memory(c->error);
		goto out;
	}
	for (size_t i = 0; i < count; i++) {
		file->tensor_count = i + 1;
		file->tensors_by_name[i] = &file->tensors[i];
		r = read_tensor(c, &file->tensors[i], &offsets[i]);
		if (r)
			goto out;
	}
	r = place_tensors(file, c, offsets, alignment);
	if (r)
		goto out;
	qsort(file->tensors_by_name, count, sizeof(struct gguf_tensor *), compare_tensors);
	for (size_t i = 1; i < count; i++)
		if (strcmp(file->tensors_by_name[i - 1]->name, file->tensors_by_name[i]->name) == 0) {
			r = engine_fail(c->error, ENGINE_BAD_MODEL,
					"The model file %s has the tensor %s twice.", c->file,
					file->tensors_by_name[i]->name);
			goto out;
		}
out:
	free(offsets);
	return r;
}

int gguf_parse(struct gguf *file, struct engine_error *error)
{
	struct cursor c = {
		.data = file->data, .size = file->size, .file = file->name, .error = error,
	};
	const struct gguf_entry *alignment_entry;
	uint32_t version, alignment = GGUF_DEFAULT_ALIGNMENT;
	uint64_t tensors, entries;
	const uint8_t *magic;
	int r;

	if (file->size < 4 || memcmp(file->data, "GGUF", 4) != 0)
		return engine_fail(error, ENGINE_BAD_MODEL,
				   "The file %s is not a model: it does not begin as a GGUF file does.",
				   file->name);
	r = take(&c, 4, "its header", &magic);
	if (r == 0)
		r = take_u32(&c, "its header", &version);
	if (r)
		return r;
	if (version != GGUF_VERSION)
		return engine_fail(error, ENGINE_BAD_MODEL,
				   "The model file %s is of GGUF version %u; version %u is needed.",
				   file->name, version, GGUF_VERSION);
	r = take_u64(&c, "its header", &tensors);
	if (r == 0)
		r = take_u64(&c, "its header", &entries);
	if (r)
		return r;
	if (entries > LIMIT_MODEL_ENTRIES || tensors > LIMIT_MODEL_TENSORS)
		return engine_fail(error, ENGINE_BAD_MODEL,
				   "The model file %s claims %llu keys and %llu tensors; at most %u and %u are allowed.",
				   file->name, (unsigned long long)entries,
				   (unsigned long long)tensors, LIMIT_MODEL_ENTRIES,
				   LIMIT_MODEL_TENSORS);
	r = read_entries(file, &c, (size_t)entries);
	if (r)
		return r;
	alignment_entry = gguf_find(file, "general.alignment");
	if (alignment_entry) {
		r = gguf_get_u32(file, "general.alignment", &alignment, error);
		if (r)
			return r;
	}
	if (alignment < GGUF_MIN_ALIGNMENT || alignment > GGUF_MAX_ALIGNMENT ||
	    (alignment & (alignment - 1)))
		return engine_fail(error, ENGINE_BAD_MODEL,
				   "The model file %s has general.alignment %u; a power of two from %u to %u is needed.",
				   file->name, alignment, GGUF_MIN_ALIGNMENT, GGUF_MAX_ALIGNMENT);
	return read_tensors(file, &c, (size_t)tensors, alignment);
}
