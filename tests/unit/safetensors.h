/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * safetensors.h: reads the shared reference tensors for the golden tests: an
 * 8-byte length, a JSON header, raw data.
 */
#ifndef TESTS_SAFETENSORS_H
#define TESTS_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>

struct safetensors;

/* `name` is relative to the shared folder (DESCRY_SHARED, default ../shared).
 * NULL if it is not there. */
struct safetensors *safetensors_open(const char *name);
/* The same for any path. */
struct safetensors *safetensors_read(const char *path);
struct safetensors *safetensors_free(struct safetensors *file);

/* Writes the path of a file in the shared folder. */
const char *shared_path(const char *name, char *buffer, size_t size);

/* False if there is no such tensor. A vector has one row. */
bool safetensors_find(const struct safetensors *file, const char *name, bool *ret_half,
		      size_t *ret_rows, size_t *ret_columns, const void **ret_data);

#endif
