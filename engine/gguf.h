/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gguf.h: reads a GGUF v3 file: typed metadata and tensors. The whole file is
 * checked when it is opened; afterwards every pointer handed out is in bounds,
 * aligned and NUL-terminated where it is a string. What the keys mean is the
 * business of the callers (see MODEL.md).
 *
 * Shapes are given outermost dimension first (rows before columns, as C arrays
 * and NumPy have them); in the file GGUF stores them the other way round.
 */
#ifndef ENGINE_GGUF_H
#define ENGINE_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

#define GGUF_VERSION 3u
#define GGUF_DEFAULT_ALIGNMENT 32u
#define GGUF_MAX_RANK 4u

/* The numbers are GGUF's own. */
enum gguf_value_type {
	GGUF_UINT8 = 0,
	GGUF_INT8 = 1,
	GGUF_UINT16 = 2,
	GGUF_INT16 = 3,
	GGUF_UINT32 = 4,
	GGUF_INT32 = 5,
	GGUF_FLOAT32 = 6,
	GGUF_BOOL = 7,
	GGUF_STRING = 8,
	GGUF_ARRAY = 9,
	GGUF_UINT64 = 10,
	GGUF_INT64 = 11,
	GGUF_FLOAT64 = 12,
};

/* The numbers are GGUF's own; files with tensors of other types are refused. */
enum gguf_tensor_type {
	GGUF_TENSOR_F32 = 0,
	GGUF_TENSOR_F16 = 1,
	GGUF_TENSOR_I8 = 24,
	GGUF_TENSOR_I32 = 26,
};

/* Bytes of an element, 0 for a type that is not in the list above. */
size_t gguf_tensor_type_size(enum gguf_tensor_type type);
const char *gguf_tensor_type_name(enum gguf_tensor_type type);
/* Bytes of a number or boolean, 0 for strings and arrays. */
size_t gguf_value_type_size(enum gguf_value_type type);
const char *gguf_value_type_name(enum gguf_value_type type);

struct gguf_tensor {
	const char *name;
	enum gguf_tensor_type type;
	unsigned rank;			/* 1 to GGUF_MAX_RANK */
	size_t shape[GGUF_MAX_RANK];	/* outermost first; 1 beyond `rank` */
	size_t count;			/* elements */
	size_t size;			/* bytes */
	const void *data;		/* aligned to at least 8 bytes, in the mapping */
};

/* One piece of metadata. */
struct gguf_entry {
	const char *key;
	enum gguf_value_type type;
	enum gguf_value_type element_type;	/* of an array */
	size_t count;				/* of an array; else 1 */
	union {
		uint64_t number;	/* unsigned and bool */
		int64_t integer;	/* signed */
		double real;		/* both floats */
		const char *string;
		const void *elements;	/* numbers of an array, aligned */
		const char *const *strings;
	} value;
};

struct gguf;

/* Maps the file read-only and checks all of it. The file must not be cut short
 * by others while it is open; replacing it by rename is safe. */
int gguf_open(const char *path, struct gguf **ret_file, struct engine_error *error);
/* The same for bytes in memory, aligned to 8, borrowed until gguf_free. `name`
 * stands for the path in messages. */
int gguf_open_memory(const void *data, size_t size, const char *name,
		     struct gguf **ret_file, struct engine_error *error);
struct gguf *gguf_free(struct gguf *file);

/* Drops the whole pages within a tensor's data from memory where the file is
 * mapped; they come back when they are read again. */
void gguf_forget(const struct gguf *file, const struct gguf_tensor *tensor);

/* What messages call the file. */
const char *gguf_name(const struct gguf *file);
uint64_t gguf_size(const struct gguf *file);

/* NULL if there is no such key. */
const struct gguf_entry *gguf_find(const struct gguf *file, const char *key);
/* In the order of the file, for listings and copies. */
size_t gguf_entry_count(const struct gguf *file);
const struct gguf_entry *gguf_entry_at(const struct gguf *file, size_t index);

/* A key that is missing or of another type is ENGINE_BAD_MODEL, with a sentence
 * that names file, key and type. u32 and u64 take any integer type whose value
 * fits. Strings and arrays live as long as the file. */
int gguf_get_u32(const struct gguf *file, const char *key, uint32_t *ret_value,
		 struct engine_error *error);
int gguf_get_u64(const struct gguf *file, const char *key, uint64_t *ret_value,
		 struct engine_error *error);
int gguf_get_f32(const struct gguf *file, const char *key, float *ret_value,
		 struct engine_error *error);
int gguf_get_bool(const struct gguf *file, const char *key, bool *ret_value,
		  struct engine_error *error);
int gguf_get_string(const struct gguf *file, const char *key, const char **ret_value,
		    struct engine_error *error);
int gguf_get_strings(const struct gguf *file, const char *key, const char *const **ret_values,
		     size_t *ret_count, struct engine_error *error);
int gguf_get_i32s(const struct gguf *file, const char *key, const int32_t **ret_values,
		  size_t *ret_count, struct engine_error *error);
int gguf_get_f32s(const struct gguf *file, const char *key, const float **ret_values,
		  size_t *ret_count, struct engine_error *error);
/* The string, or `fallback` if the key is missing or not a string. */
const char *gguf_string_or(const struct gguf *file, const char *key, const char *fallback);

/* NULL if there is no such tensor. */
const struct gguf_tensor *gguf_find_tensor(const struct gguf *file, const char *name);
size_t gguf_tensor_count(const struct gguf *file);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *file, size_t index);

/* The tensor, which must have exactly this shape: `shape` has `rank` dimensions,
 * 0 standing for any size. Missing or different is ENGINE_BAD_MODEL. */
int gguf_get_tensor(const struct gguf *file, const char *name, unsigned rank,
		    const size_t *shape, const struct gguf_tensor **ret_tensor,
		    struct engine_error *error);

/* Copies the tensor's values as 32-bit floats; I8 and I32 as they stand. */
void gguf_tensor_to_f32(const struct gguf_tensor *tensor, float *ret_values);

#endif
