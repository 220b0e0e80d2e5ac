/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gguf.c: a GGUF file, opened: the mapping, the search by name, and typed values
 * with errors that name the key. gguf_parse.c reads the file.
 */
#include "engine/gguf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/error.h"
#include "engine/gguf_parse.h"
#include "engine/half.h"
#include "engine/limits.h"

size_t gguf_value_type_size(enum gguf_value_type type)
{
	switch (type) {
	case GGUF_UINT8:
	case GGUF_INT8:
	case GGUF_BOOL:
		return 1;
	case GGUF_UINT16:
	case GGUF_INT16:
		return 2;
	case GGUF_UINT32:
	case GGUF_INT32:
	case GGUF_FLOAT32:
		return 4;
	case GGUF_UINT64:
	case GGUF_INT64:
	case GGUF_FLOAT64:
		return 8;
	case GGUF_STRING:
	case GGUF_ARRAY:
		return 0;
	}
	return 0;
}

const char *gguf_value_type_name(enum gguf_value_type type)
{
	switch (type) {
	case GGUF_UINT8: return "uint8";
	case GGUF_INT8: return "int8";
	case GGUF_UINT16: return "uint16";
	case GGUF_INT16: return "int16";
	case GGUF_UINT32: return "uint32";
	case GGUF_INT32: return "int32";
	case GGUF_FLOAT32: return "float32";
	case GGUF_BOOL: return "bool";
	case GGUF_STRING: return "string";
	case GGUF_ARRAY: return "array";
	case GGUF_UINT64: return "uint64";
	case GGUF_INT64: return "int64";
	case GGUF_FLOAT64: return "float64";
	}
	return "unknown";
}

size_t gguf_tensor_type_size(enum gguf_tensor_type type)
{
	switch (type) {
	case GGUF_TENSOR_F32:
	case GGUF_TENSOR_I32:
		return 4;
	case GGUF_TENSOR_F16:
		return 2;
	case GGUF_TENSOR_I8:
		return 1;
	}
	return 0;
}

const char *gguf_tensor_type_name(enum gguf_tensor_type type)
{
	switch (type) {
	case GGUF_TENSOR_F32: return "F32";
	case GGUF_TENSOR_F16: return "F16";
	case GGUF_TENSOR_I8: return "I8";
	case GGUF_TENSOR_I32: return "I32";
	}
	return "unknown";
}

static int gguf_new(const char *name, struct gguf **ret_file, struct engine_error *error)
{
	struct gguf *file = calloc(1, sizeof(*file));

	if (file)
		file->name = strdup(name);
	if (!file || !file->name) {
		free(file);
		return engine_fail_memory(error);
	}
	*ret_file = file;
	return 0;
}

int gguf_open_memory(const void *data, size_t size, const char *name,
		     struct gguf **ret_file, struct engine_error *error)
{
	struct gguf *file;
	int r = gguf_new(name, &file, error);

	if (r)
		return r;
	file->data = data;
	file->size = size;
	r = gguf_parse(file, error);
	if (r) {
		gguf_free(file);
		return r;
	}
	*ret_file = file;
	return 0;
}

int gguf_open(const char *path, struct gguf **ret_file, struct engine_error *error)
{
	struct gguf *file = NULL;
	struct stat status;
	void *mapping;
	int r, fd;

	/* O_NONBLOCK so that a fifo is refused below instead of waited for */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		r = -errno;
		return engine_fail(error, r, "The model file %s cannot be opened: %s.", path,
				   strerror(-r));
	}
	if (fstat(fd, &status) < 0) {
		r = -errno;
		engine_error_set(error, "The model file %s cannot be read: %s.", path, strerror(-r));
		goto out;
	}
	if (!S_ISREG(status.st_mode)) {
		r = engine_fail(error, ENGINE_BAD_MODEL, "The model %s is not a regular file.", path);
		goto out;
	}
	if (status.st_size == 0 || (uint64_t)status.st_size > LIMIT_MODEL_BYTES) {
		r = engine_fail(error, ENGINE_BAD_MODEL,
				"The model file %s has %lld bytes; 1 to %llu are allowed.", path,
				(long long)status.st_size, LIMIT_MODEL_BYTES);
		goto out;
	}
	r = gguf_new(path, &file, error);
	if (r)
		goto out;
	mapping = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (mapping == MAP_FAILED) {
		r = -errno;
		engine_error_set(error, "The model file %s cannot be mapped: %s.", path, strerror(-r));
		goto out;
	}
	file->data = mapping;
	file->size = (size_t)status.st_size;
	file->mapped = true;
	r = gguf_parse(file, error);
	if (r)
		goto out;
	*ret_file = file;
	file = NULL;
out:
	gguf_free(file);
	close(fd);
	return r;
}

struct gguf *gguf_free(struct gguf *file)
{
	if (!file)
		return NULL;
	for (size_t i = 0; i < file->entry_count; i++) {
		struct gguf_entry *entry = &file->entries[i];

		free((char *)entry->key);
		if (entry->type == GGUF_STRING)
			free((char *)entry->value.string);
		else if (entry->type == GGUF_ARRAY)
			free((void *)entry->value.elements);
	}
	for (size_t i = 0; i < file->tensor_count; i++)
		free((char *)file->tensors[i].name);
	free(file->entries);
	free(file->entries_by_key);
	free(file->tensors);
	free(file->tensors_by_name);
	if (file->mapped)
		munmap((void *)file->data, file->size);
	free(file->name);
	free(file);
	return NULL;
}

void gguf_forget(const struct gguf *file, const struct gguf_tensor *tensor)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t begin = ((uintptr_t)tensor->data + page - 1) / page * page;
	uintptr_t end = ((uintptr_t)tensor->data + tensor->size) / page * page;

	/* memory that is no mapping of a file would be lost for good */
	if (file->mapped && end > begin)
		madvise((void *)begin, end - begin, MADV_DONTNEED);
}

const char *gguf_name(const struct gguf *file)
{
	return file->name;
}

uint64_t gguf_size(const struct gguf *file)
{
	return file->size;
}

static int compare_key(const void *key, const void *element)
{
	const struct gguf_entry *const *entry = element;

	return strcmp(key, (*entry)->key);
}

static int compare_name(const void *name, const void *element)
{
	const struct gguf_tensor *const *tensor = element;

	return strcmp(name, (*tensor)->name);
}

const struct gguf_entry *gguf_find(const struct gguf *file, const char *key)
{
	struct gguf_entry **found = bsearch(key, file->entries_by_key, file->entry_count,
					    sizeof(struct gguf_entry *), compare_key);

	return found ? *found : NULL;
}

size_t gguf_entry_count(const struct gguf *file)
{
	return file->entry_count;
}

const struct gguf_entry *gguf_entry_at(const struct gguf *file, size_t index)
{
	return &file->entries[index];
}

const struct gguf_tensor *gguf_find_tensor(const struct gguf *file, const char *name)
{
	struct gguf_tensor **found = bsearch(name, file->tensors_by_name, file->tensor_count,
					     sizeof(struct gguf_tensor *), compare_name);

	return found ? *found : NULL;
}

size_t gguf_tensor_count(const struct gguf *file)
{
	return file->tensor_count;
}

const struct gguf_tensor *gguf_tensor_at(const struct gguf *file, size_t index)
{
	return &file->tensors[index];
}

static int fail_type(const struct gguf *file, const char *key, const char *wanted,
		     struct engine_error *error)
{
	const struct gguf_entry *entry = gguf_find(file, key);

	if (!entry)
		return engine_fail(error, ENGINE_BAD_MODEL, "The model file %s lacks the key %s.",
				   file->name, key);
	return engine_fail(error, ENGINE_BAD_MODEL,
			   "The model file %s has the key %s as %s%s; %s is needed.", file->name, key,
			   entry->type == GGUF_ARRAY ? "array of " : "",
			   gguf_value_type_name(entry->type == GGUF_ARRAY ? entry->element_type :
									   entry->type), wanted);
}

int gguf_get_u64(const struct gguf *file, const char *key, uint64_t *ret_value,
		 struct engine_error *error)
{
	const struct gguf_entry *entry = gguf_find(file, key);

	if (!entry)
		return fail_type(file, key, "an integer", error);
	switch (entry->type) {
	case GGUF_UINT8:
	case GGUF_UINT16:
	case GGUF_UINT32:
	case GGUF_UINT64:
		*ret_value = entry->value.number;
		return 0;
	case GGUF_INT8:
	case GGUF_INT16:
	case GGUF_INT32:
	case GGUF_INT64:
		if (entry->value.integer < 0)
			return engine_fail(error, ENGINE_BAD_MODEL,
					   "The model file %s has the key %s below zero.",
					   file->name, key);
		*ret_value = (uint64_t)entry->value.integer;
		return 0;
	default:
		return fail_type(file, key, "an integer", error);
	}
}

int gguf_get_u32(const struct gguf *file, const char *key, uint32_t *ret_value,
		 struct engine_error *error)
{
	uint64_t value;
	int r = gguf_get_u64(file, key, &value, error);

	if (r)
		return r;
	if (value > UINT32_MAX)
		return engine_fail(error, ENGINE_BAD_MODEL,
				   "The model file %s has the key %s at %llu, which does not fit 32 bits.",
				   file->name, key, (unsigned long long)value);
	*ret_value = (uint32_t)value;
	return 0;
}

int gguf_get_f32(const struct gguf *file, const char *key, float *ret_value,
		 struct engine_error *error)
{
	const struct gguf_entry *entry = gguf_find(file, key);

	if (!entry || (entry->type != GGUF_FLOAT32 && entry->type != GGUF_FLOAT64))
		return fail_type(file, key, "float32", error);
	*ret_value = (float)entry->value.real;
	return 0;
}

int gguf_get_bool(const struct gguf *file, const char *key, bool *ret_value,
		  struct engine_error *error)
{
	const struct gguf_entry *entry = gguf_find(file, key);

	if (!entry || entry->type != GGUF_BOOL)
		return fail_type(file, key, "bool", error);
	*ret_value = entry->value.number != 0;
	return 0;
}

int gguf_get_string(const struct gguf *file, const char *key, const char **ret_value,
		    struct engine_error *error)
{
	const struct gguf_entry *entry = gguf_find(file, key);

	if (!entry || entry->type != GGUF_STRING)
		return fail_type(file, key, "a string", error);
	*ret_value = entry->value.string;
	return 0;
}

const char *gguf_string_or(const struct gguf *file, const char *key, const char *fallback)
{
	const struct gguf_entry *entry = gguf_find(file, key);

	return entry && entry->type == GGUF_STRING ? entry->value.string : fallback;
}

static const struct gguf_entry *find_array(const struct gguf *file, const char *key,
					   enum gguf_value_type type)
{
	const struct gguf_entry *entry = gguf_find(file, key);

	return entry && entry->type == GGUF_ARRAY && entry->element_type == type ? entry : NULL;
}

int gguf_get_strings(const struct gguf *file, const char *key, const char *const **ret_values,
		     size_t *ret_count, struct engine_error *error)
{
	const struct gguf_entry *entry = find_array(file, key, GGUF_STRING);

	if (!entry)
		return fail_type(file, key, "an array of strings", error);
	*ret_values = entry->value.strings;
	*ret_count = entry->count;
	return 0;
}

int gguf_get_i32s(const struct gguf *file, const char *key, const int32_t **ret_values,
		  size_t *ret_count, struct engine_error *error)
{
	const struct gguf_entry *entry = find_array(file, key, GGUF_INT32);

	if (!entry)
		return fail_type(file, key, "an array of int32", error);
	*ret_values = entry->value.elements;
	*ret_count = entry->count;
	return 0;
}

int gguf_get_f32s(const struct gguf *file, const char *key, const float **ret_values,
		  size_t *ret_count, struct engine_error *error)
{
	const struct gguf_entry *entry = find_array(file, key, GGUF_FLOAT32);

	if (!entry)
		return fail_type(file, key, "an array of float32", error);
	*ret_values = entry->value.elements;
	*ret_count = entry->count;
	return 0;
}

/* "64 × 2048", with "any" for 0 */
static void print_shape(unsigned rank, const size_t *shape, char *ret_text, size_t size)
{
	size_t used = 0;

	ret_text[0] = '\0';
	for (unsigned i = 0; i < rank && used < size; i++) {
		int n = shape[i] ? snprintf(ret_text + used, size - used, "%s%zu", i ? " × " : "",
					    shape[i]) :
				   snprintf(ret_text + used, size - used, "%sany", i ? " × " : "");

		used += n > 0 ? (size_t)n : 0;
	}
}

int gguf_get_tensor(const struct gguf *file, const char *name, unsigned rank,
		    const size_t *shape, const struct gguf_tensor **ret_tensor,
		    struct engine_error *error)
{
	const struct gguf_tensor *tensor = gguf_find_tensor(file, name);
	char wanted[96], found[96];
	bool fits;

	if (!tensor)
		return engine_fail(error, ENGINE_BAD_MODEL, "The model file %s lacks the tensor %s.",
				   file->name, name);
	fits = tensor->rank == rank;
	for (unsigned i = 0; fits && i < rank; i++)
		fits = !shape[i] || tensor->shape[i] == shape[i];
	if (!fits) {
		print_shape(rank, shape, wanted, sizeof(wanted));
		print_shape(tensor->rank, tensor->shape, found, sizeof(found));
		return engine_fail(error, ENGINE_BAD_MODEL,
				   "The model file %s has the tensor %s of the shape %s; %s is needed.",
				   file->name, name, found, wanted);
	}
	*ret_tensor = tensor;
	return 0;
}

void gguf_tensor_to_f32(const struct gguf_tensor *tensor, float *ret_values)
{
	const int8_t *bytes = tensor->data;
	const int32_t *integers = tensor->data;

	switch (tensor->type) {
	case GGUF_TENSOR_F32:
		memcpy(ret_values, tensor->data, tensor->size);
		break;
	case GGUF_TENSOR_F16:
		half_to_floats(tensor->data, tensor->count, ret_values);
		break;
	case GGUF_TENSOR_I8:
		for (size_t i = 0; i < tensor->count; i++)
			ret_values[i] = (float)bytes[i];
		break;
	case GGUF_TENSOR_I32:
		for (size_t i = 0; i < tensor->count; i++)
			ret_values[i] = (float)integers[i];
		break;
	}
}
