/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * safetensors.c: the whole file in memory, its header as Jansson read it.
 */
#include "tests/unit/safetensors.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct safetensors {
	char *bytes;
	const char *data;
	json_t *header;
};

const char *shared_path(const char *name, char *buffer, size_t size)
{
	const char *shared = getenv("DESCRY_SHARED");

	snprintf(buffer, size, "%s/%s", shared ? shared : "../shared", name);
	return buffer;
}

struct safetensors *safetensors_open(const char *name)
{
	char path[4096];

	return safetensors_read(shared_path(name, path, sizeof(path)));
}

struct safetensors *safetensors_read(const char *path)
{
	struct safetensors *file = NULL;
	FILE *stream = fopen(path, "rbe");
	uint64_t header;
	long size;

	if (!stream)
		return NULL;
	fseek(stream, 0, SEEK_END);
	size = ftell(stream);
	rewind(stream);
	file = calloc(1, sizeof(*file));
	file->bytes = malloc((size_t)size);
	if (fread(file->bytes, 1, (size_t)size, stream) != (size_t)size)
		abort();
	fclose(stream);
	memcpy(&header, file->bytes, sizeof(header));
	file->header = json_loadb(file->bytes + sizeof(header), header, 0, NULL);
	file->data = file->bytes + sizeof(header) + header;
	return file;
}

struct safetensors *safetensors_free(struct safetensors *file)
{
	if (!file)
		return NULL;
	json_decref(file->header);
	free(file->bytes);
	free(file);
	return NULL;
}

bool safetensors_find(const struct safetensors *file, const char *name, bool *ret_half,
		      size_t *ret_rows, size_t *ret_columns, const void **ret_data)
{
	json_t *tensor = json_object_get(file->header, name), *shape;

	if (!tensor)
		return false;
	shape = json_object_get(tensor, "shape");
	*ret_rows = json_array_size(shape) == 2 ?
		(size_t)json_integer_value(json_array_get(shape, 0)) : 1;
	*ret_columns = (size_t)json_integer_value(
		json_array_get(shape, json_array_size(shape) - 1));
	*ret_half = strcmp(json_string_value(json_object_get(tensor, "dtype")), "F16") == 0;
	*ret_data = file->data + json_integer_value(
		json_array_get(json_object_get(tensor, "data_offsets"), 0));
	return true;
}
