/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gguf_writer.c: metadata are serialised when they are set, tensors are listed
 * and streamed out at the end, so a model larger than memory could be written
 * from mappings. Lookups are linear: a file has a few hundred names and is
 * written once.
 */
#include "engine/gguf_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/error.h"
#include "engine/limits.h"

struct written_entry {
	char *key;
	uint8_t *bytes;		/* type and value as they stand in the file */
	size_t size;
};

struct written_tensor {
	struct gguf_tensor tensor;	/* its name belongs to the writer */
	void *owned;			/* its data, if they do too */
};

struct gguf_writer {
	struct written_entry *entries;
	size_t entry_count, entry_capacity;
	struct written_tensor *tensors;
	size_t tensor_count, tensor_capacity;
	int failure;
	struct engine_error error;	/* of the first failure */
};

/* A growing run of bytes; `failed` once memory ran out. */
struct bytes {
	uint8_t *data;
	size_t size, capacity;
	bool failed;
};

static void append(struct bytes *bytes, const void *data, size_t size)
{
	size_t needed;

	if (bytes->failed || size == 0)
		return;
	if (__builtin_add_overflow(bytes->size, size, &needed)) {
		bytes->failed = true;
		return;
	}
	if (needed > bytes->capacity) {
		size_t capacity = needed < SIZE_MAX / 2 ? needed + needed / 2 : needed;
		uint8_t *grown = realloc(bytes->data, capacity);

		if (!grown) {
			bytes->failed = true;
			return;
		}
		bytes->data = grown;
		bytes->capacity = capacity;
	}
	/* there is room for size > 0 bytes, so data is not NULL */
	// NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker)
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size = needed;
}

static void append_u32(struct bytes *bytes, uint32_t value)
{
	append(bytes, &value, sizeof(value));
}

static void append_u64(struct bytes *bytes, uint64_t value)
{
	append(bytes, &value, sizeof(value));
}

static void append_string(struct bytes *bytes, const char *string)
{
	size_t length = strlen(string);

	append_u64(bytes, length);
	append(bytes, string, length);
}

static void remember_memory(struct gguf_writer *writer)
{
	if (!writer->failure)
		writer->failure = engine_fail_memory(&writer->error);
}

static bool check_name(struct gguf_writer *writer, const char *name)
{
	if (strlen(name) <= LIMIT_MODEL_NAME)
		return true;
	if (!writer->failure)
		writer->failure = engine_fail(&writer->error, ENGINE_BAD_OPTION,
					      "The name %s is longer than %u bytes.", name,
					      LIMIT_MODEL_NAME);
	return false;
}

/* Makes room for one more element of `size` bytes. */
static bool reserve(struct gguf_writer *writer, void **array, size_t count, size_t *capacity,
		    size_t size)
{
	void *grown;

	if (count < *capacity)
		return true;
	grown = reallocarray(*array, *capacity ? *capacity * 2 : 64, size);
	if (!grown) {
		remember_memory(writer);
		return false;
	}
	*array = grown;
	*capacity = *capacity ? *capacity * 2 : 64;
	return true;
}

/* Takes the bytes. */
static void set_entry(struct gguf_writer *writer, const char *key, struct bytes bytes)
{
	struct written_entry *entry = NULL;

	if (bytes.failed)
		remember_memory(writer);
	if (bytes.failed || !check_name(writer, key))
		goto out;
	for (size_t i = 0; i < writer->entry_count && !entry; i++)
		if (strcmp(writer->entries[i].key, key) == 0)
			entry = &writer->entries[i];
	if (!entry) {
		char *copy;

		if (!reserve(writer, (void **)&writer->entries, writer->entry_count,
			     &writer->entry_capacity, sizeof(*entry)))
			goto out;
		copy = strdup(key);
		if (!copy) {
			remember_memory(writer);
			goto out;
		}
		entry = &writer->entries[writer->entry_count++];
		*entry = (struct written_entry){ .key = copy };
	}
	free(entry->bytes);
	entry->bytes = bytes.data;
	entry->size = bytes.size;
	bytes.data = NULL;
out:
	free(bytes.data);
}

static void set_scalar(struct gguf_writer *writer, const char *key, enum gguf_value_type type,
		       const void *value, size_t size)
{
	struct bytes bytes = { 0 };

	append_u32(&bytes, type);
	append(&bytes, value, size);
	set_entry(writer, key, bytes);
}

static void set_array(struct gguf_writer *writer, const char *key, enum gguf_value_type type,
		      const void *values, size_t count, size_t element_size)
{
	struct bytes bytes = { 0 };

	append_u32(&bytes, GGUF_ARRAY);
	append_u32(&bytes, type);
	append_u64(&bytes, count);
	append(&bytes, values, count * element_size);
	set_entry(writer, key, bytes);
}

void gguf_writer_set_u32(struct gguf_writer *writer, const char *key, uint32_t value)
{
	set_scalar(writer, key, GGUF_UINT32, &value, sizeof(value));
}

void gguf_writer_set_u64(struct gguf_writer *writer, const char *key, uint64_t value)
{
	set_scalar(writer, key, GGUF_UINT64, &value, sizeof(value));
}

void gguf_writer_set_f32(struct gguf_writer *writer, const char *key, float value)
{
	set_scalar(writer, key, GGUF_FLOAT32, &value, sizeof(value));
}

void gguf_writer_set_bool(struct gguf_writer *writer, const char *key, bool value)
{
	uint8_t byte = value;

	set_scalar(writer, key, GGUF_BOOL, &byte, sizeof(byte));
}

void gguf_writer_set_string(struct gguf_writer *writer, const char *key, const char *value)
{
	struct bytes bytes = { 0 };

	append_u32(&bytes, GGUF_STRING);
	append_string(&bytes, value);
	set_entry(writer, key, bytes);
}

void gguf_writer_set_strings(struct gguf_writer *writer, const char *key,
			     const char *const *values, size_t count)
{
	struct bytes bytes = { 0 };

	append_u32(&bytes, GGUF_ARRAY);
	append_u32(&bytes, GGUF_STRING);
	append_u64(&bytes, count);
	for (size_t i = 0; i < count; i++)
		append_string(&bytes, values[i]);
	set_entry(writer, key, bytes);
}

void gguf_writer_set_i32s(struct gguf_writer *writer, const char *key, const int32_t *values,
			  size_t count)
{
	set_array(writer, key, GGUF_INT32, values, count, sizeof(*values));
}

void gguf_writer_set_f32s(struct gguf_writer *writer, const char *key, const float *values,
			  size_t count)
{
	set_array(writer, key, GGUF_FLOAT32, values, count, sizeof(*values));
}

void gguf_writer_remove(struct gguf_writer *writer, const char *key)
{
	for (size_t i = 0; i < writer->entry_count; i++) {
		struct written_entry *entry = &writer->entries[i];

		if (strcmp(entry->key, key) != 0)
			continue;
		free(entry->key);
		free(entry->bytes);
		memmove(entry, entry + 1, (writer->entry_count - i - 1) * sizeof(*entry));
		writer->entry_count--;
		return;
	}
}

static struct written_tensor *find_written(struct gguf_writer *writer, const char *name)
{
	for (size_t i = 0; i < writer->tensor_count; i++)
		if (strcmp(writer->tensors[i].tensor.name, name) == 0)
			return &writer->tensors[i];
	return NULL;
}

static bool fill_tensor(struct gguf_tensor *tensor, enum gguf_tensor_type type, unsigned rank,
			const size_t *shape, const void *data)
{
	if (rank < 1 || rank > GGUF_MAX_RANK || gguf_tensor_type_size(type) == 0)
		return false;
	*tensor = (struct gguf_tensor){
		.name = tensor->name, .type = type, .rank = rank, .count = 1, .data = data,
	};
	for (unsigned i = 0; i < GGUF_MAX_RANK; i++) {
		tensor->shape[i] = i < rank ? shape[i] : 1;
		if (tensor->shape[i] == 0 ||
		    __builtin_mul_overflow(tensor->count, tensor->shape[i], &tensor->count))
			return false;
	}
	return !__builtin_mul_overflow(tensor->count, gguf_tensor_type_size(type), &tensor->size);
}

static void set_tensor(struct gguf_writer *writer, const char *name, enum gguf_tensor_type type,
		       unsigned rank, const size_t *shape, const void *data, void *owned)
{
	struct written_tensor *written = find_written(writer, name);

	if (!check_name(writer, name))
		goto failed;
	if (!written) {
		char *copy;

		if (!reserve(writer, (void **)&writer->tensors, writer->tensor_count,
			     &writer->tensor_capacity, sizeof(*written)))
			goto failed;
		copy = strdup(name);
		if (!copy) {
			remember_memory(writer);
			goto failed;
		}
		written = &writer->tensors[writer->tensor_count++];
		*written = (struct written_tensor){ .tensor.name = copy };
	}
	if (!fill_tensor(&written->tensor, type, rank, shape, data)) {
		if (!writer->failure)
			writer->failure = engine_fail(&writer->error, ENGINE_BAD_OPTION,
						      "The tensor %s has a shape or type that cannot be written.",
						      name);
		goto failed;
	}
	free(written->owned);
	written->owned = owned;
	return;
failed:
	free(owned);
}

void gguf_writer_add_tensor(struct gguf_writer *writer, const char *name,
			    enum gguf_tensor_type type, unsigned rank, const size_t *shape,
			    const void *data)
{
	set_tensor(writer, name, type, rank, shape, data, NULL);
}

void gguf_writer_give_tensor(struct gguf_writer *writer, const char *name,
			     enum gguf_tensor_type type, unsigned rank, const size_t *shape,
			     void *data)
{
	if (!data) {	/* the caller's malloc failed */
		remember_memory(writer);
		return;
	}
	set_tensor(writer, name, type, rank, shape, data, data);
}

void gguf_writer_remove_tensor(struct gguf_writer *writer, const char *name)
{
	struct written_tensor *written = find_written(writer, name);

	if (!written)
		return;
	free((char *)written->tensor.name);
	free(written->owned);
	memmove(written, written + 1,
		(size_t)(writer->tensors + writer->tensor_count - written - 1) * sizeof(*written));
	writer->tensor_count--;
}

static void copy_entry(struct gguf_writer *writer, const struct gguf_entry *entry)
{
	float real;

	if (entry->type == GGUF_STRING) {
		gguf_writer_set_string(writer, entry->key, entry->value.string);
	} else if (entry->type == GGUF_ARRAY && entry->element_type == GGUF_STRING) {
		gguf_writer_set_strings(writer, entry->key, entry->value.strings, entry->count);
	} else if (entry->type == GGUF_ARRAY) {
		set_array(writer, entry->key, entry->element_type, entry->value.elements,
			  entry->count, gguf_value_type_size(entry->element_type));
	} else if (entry->type == GGUF_FLOAT32) {
		real = (float)entry->value.real;
		set_scalar(writer, entry->key, entry->type, &real, sizeof(real));
	} else {
		/* little-endian: the low bytes of the widened value are the value */
		set_scalar(writer, entry->key, entry->type, &entry->value,
			   gguf_value_type_size(entry->type));
	}
}

void gguf_writer_copy(struct gguf_writer *writer, const struct gguf *file, const char *prefix)
{
	size_t length = strlen(prefix);

	for (size_t i = 0; i < gguf_entry_count(file); i++) {
		const struct gguf_entry *entry = gguf_entry_at(file, i);

		if (strncmp(entry->key, prefix, length) == 0)
			copy_entry(writer, entry);
	}
	for (size_t i = 0; i < gguf_tensor_count(file); i++) {
		const struct gguf_tensor *tensor = gguf_tensor_at(file, i);

		if (strncmp(tensor->name, prefix, length) == 0)
			gguf_writer_add_tensor(writer, tensor->name, tensor->type, tensor->rank,
					       tensor->shape, tensor->data);
	}
}

static size_t align(size_t offset)
{
	return (offset + GGUF_DEFAULT_ALIGNMENT - 1) & ~(size_t)(GGUF_DEFAULT_ALIGNMENT - 1);
}

static void build_header(const struct gguf_writer *writer, struct bytes *header)
{
	static const uint8_t padding[GGUF_DEFAULT_ALIGNMENT];
	size_t offset = 0;

	append(header, "GGUF", 4);
	append_u32(header, GGUF_VERSION);
	append_u64(header, writer->tensor_count);
	append_u64(header, writer->entry_count);
	for (size_t i = 0; i < writer->entry_count; i++) {
		append_string(header, writer->entries[i].key);
		append(header, writer->entries[i].bytes, writer->entries[i].size);
	}
	for (size_t i = 0; i < writer->tensor_count; i++) {
		const struct gguf_tensor *tensor = &writer->tensors[i].tensor;

		append_string(header, tensor->name);
		append_u32(header, tensor->rank);
		for (unsigned d = 0; d < tensor->rank; d++)
			append_u64(header, tensor->shape[tensor->rank - 1 - d]);
		append_u32(header, tensor->type);
		append_u64(header, offset);
		offset = align(offset + tensor->size);
	}
	append(header, padding, align(header->size) - header->size);
}

int gguf_writer_write_stream(struct gguf_writer *writer, FILE *stream, const char *name,
			     struct engine_error *error)
{
	static const uint8_t padding[GGUF_DEFAULT_ALIGNMENT];
	struct bytes header = { 0 };
	bool written;
	int r;

	if (writer->failure) {
		if (error)
			*error = writer->error;
		return writer->failure;
	}
	build_header(writer, &header);
	if (header.failed) {
		free(header.data);
		return engine_fail_memory(error);
	}
	written = fwrite(header.data, 1, header.size, stream) == header.size;
	free(header.data);
	for (size_t i = 0; written && i < writer->tensor_count; i++) {
		const struct gguf_tensor *tensor = &writer->tensors[i].tensor;
		size_t rest = align(tensor->size) - tensor->size;

		written = fwrite(tensor->data, 1, tensor->size, stream) == tensor->size &&
			  fwrite(padding, 1, rest, stream) == rest;
	}
	if (!written || fflush(stream) != 0) {
		r = errno ? -errno : -EIO;
		return engine_fail(error, r, "The model file %s cannot be written: %s.", name,
				   strerror(-r));
	}
	return 0;
}

int gguf_writer_write(struct gguf_writer *writer, const char *path, struct engine_error *error)
{
	char *partial = NULL;
	FILE *stream = NULL;
	int r;

	if (asprintf(&partial, "%s.part", path) < 0)
		return engine_fail_memory(error);
	stream = fopen(partial, "wbe");
	if (!stream) {
		r = -errno;
		engine_error_set(error, "The model file %s cannot be written: %s.", partial,
				 strerror(-r));
		goto out;
	}
	r = gguf_writer_write_stream(writer, stream, partial, error);
	if (r == 0 && fsync(fileno(stream)) < 0)
		r = -errno;
	if (fclose(stream) != 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(partial, path) < 0)
		r = -errno;
	if (r) {
		if (r < 0 && r != -ENOMEM)
			engine_error_set(error, "The model file %s cannot be written: %s.", path,
					 strerror(-r));
		unlink(partial);
	}
out:
	free(partial);
	return r;
}

int gguf_writer_open(struct gguf_writer **ret_writer, struct engine_error *error)
{
	struct gguf_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return engine_fail_memory(error);
	*ret_writer = writer;
	return 0;
}

struct gguf_writer *gguf_writer_free(struct gguf_writer *writer)
{
	if (!writer)
		return NULL;
	for (size_t i = 0; i < writer->entry_count; i++) {
		free(writer->entries[i].key);
		free(writer->entries[i].bytes);
	}
	for (size_t i = 0; i < writer->tensor_count; i++) {
		free((char *)writer->tensors[i].tensor.name);
		free(writer->tensors[i].owned);
	}
	free(writer->entries);
	free(writer->tensors);
	free(writer);
	return NULL;
}
