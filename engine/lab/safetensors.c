/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * safetensors.c: the format is eight bytes with the length of a JSON object, the
 * object (name → dtype, shape, data_offsets), then the data that the offsets
 * count from.
 */
#include "engine/lab/safetensors.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "engine/error.h"
#include "engine/limits.h"

#define HEADER_BYTES_MAX (16u << 20)

static int fail_damaged(const char *name, const char *part, struct engine_error *error)
{
	return engine_fail(error, ENGINE_BAD_MODEL, "The file %s is damaged: %s cannot be read.",
			   name, part);
}

static int copy_tensor(const struct file_map *map, size_t start, const char *name,
		       const char *key, json_t *entry, const char *prefix,
		       struct gguf_writer *writer, struct engine_error *error)
{
	const char *type_name = json_string_value(json_object_get(entry, "dtype"));
	json_t *dimensions = json_object_get(entry, "shape");
	json_t *offsets = json_object_get(entry, "data_offsets");
	json_int_t begin = json_integer_value(json_array_get(offsets, 0));
	json_int_t end = json_integer_value(json_array_get(offsets, 1));
	size_t rank = json_array_size(dimensions), shape[GGUF_MAX_RANK], count = 1;
	size_t available = map->size - start;
	enum gguf_tensor_type type;
	char full[LIMIT_MODEL_NAME];

	if (type_name && strcmp(type_name, "F32") == 0)
		type = GGUF_TENSOR_F32;
	else if (type_name && strcmp(type_name, "F16") == 0)
		type = GGUF_TENSOR_F16;
	else
		return engine_fail(error, ENGINE_UNSUPPORTED,
				   "The file %s has the tensor %s of the type %s; F32 and F16 are supported.",
				   name, key, type_name ? type_name : "unknown");
	if (rank < 1 || rank > GGUF_MAX_RANK)
		return fail_damaged(name, key, error);
	for (size_t i = 0; i < rank; i++) {
		json_int_t dimension = json_integer_value(json_array_get(dimensions, i));

		if (dimension < 1 || __builtin_mul_overflow(count, (size_t)dimension, &count) ||
		    count > available)
			return fail_damaged(name, key, error);
		shape[i] = (size_t)dimension;
	}
	if (begin < 0 || end < begin || (size_t)end > available ||
	    (size_t)(end - begin) != count * gguf_tensor_type_size(type) ||
	    (size_t)snprintf(full, sizeof(full), "%s%s", prefix, key) >= sizeof(full))
		return fail_damaged(name, key, error);
	gguf_writer_add_tensor(writer, full, type, (unsigned)rank, shape,
			       map->data + start + begin);
	return 0;
}

int safetensors_copy(const struct file_map *map, const char *name, const char *prefix,
		     void (*metadata)(void *user, const char *key, const char *value), void *user,
		     struct gguf_writer *writer, struct engine_error *error)
{
	uint64_t length;
	json_t *header, *entry, *value;
	const char *key;
	int r = 0;

	if (map->size < sizeof(length))
		return fail_damaged(name, "its header", error);
	memcpy(&length, map->data, sizeof(length));
	if (length > HEADER_BYTES_MAX || length > map->size - sizeof(length))
		return fail_damaged(name, "its header", error);
	header = json_loadb((const char *)map->data + sizeof(length), (size_t)length,
			    JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(header)) {
		json_decref(header);
		return fail_damaged(name, "its header", error);
	}
	json_object_foreach(json_object_get(header, "__metadata__"), key, value)
		if (metadata && json_is_string(value))
			metadata(user, key, json_string_value(value));
	json_object_foreach(header, key, entry) {
		if (strcmp(key, "__metadata__") == 0)
			continue;
		r = copy_tensor(map, sizeof(length) + (size_t)length, name, key, entry, prefix,
				writer, error);
		if (r)
			break;
	}
	json_decref(header);
	return r;
}
