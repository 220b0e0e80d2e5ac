/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gguf_writer.h: writes a GGUF v3 file. The same calls in the same order give
 * the same bytes on every machine. Setting a key or adding a tensor a second
 * time replaces it in its first place, so an existing file can be copied entry
 * by entry and then amended.
 *
 * The setters remember the first failure (lack of memory, a name that is too
 * long) and gguf_writer_write reports it, so callers need not check each.
 */
#ifndef ENGINE_GGUF_WRITER_H
#define ENGINE_GGUF_WRITER_H

#include <stdio.h>

#include "engine/gguf.h"

struct gguf_writer;

int gguf_writer_open(struct gguf_writer **ret_writer, struct engine_error *error);
struct gguf_writer *gguf_writer_free(struct gguf_writer *writer);

/* Keys and values are copied. */
void gguf_writer_set_u32(struct gguf_writer *writer, const char *key, uint32_t value);
void gguf_writer_set_u64(struct gguf_writer *writer, const char *key, uint64_t value);
void gguf_writer_set_f32(struct gguf_writer *writer, const char *key, float value);
void gguf_writer_set_bool(struct gguf_writer *writer, const char *key, bool value);
void gguf_writer_set_string(struct gguf_writer *writer, const char *key, const char *value);
void gguf_writer_set_strings(struct gguf_writer *writer, const char *key,
			     const char *const *values, size_t count);
void gguf_writer_set_i32s(struct gguf_writer *writer, const char *key, const int32_t *values,
			  size_t count);
void gguf_writer_set_f32s(struct gguf_writer *writer, const char *key, const float *values,
			  size_t count);
void gguf_writer_remove(struct gguf_writer *writer, const char *key);

/* The name is copied, the data are borrowed until the writer is freed. `shape`
 * is outermost first. */
void gguf_writer_add_tensor(struct gguf_writer *writer, const char *name,
			    enum gguf_tensor_type type, unsigned rank, const size_t *shape,
			    const void *data);
/* The same, but the writer takes `data`, which came from malloc, and frees it. */
void gguf_writer_give_tensor(struct gguf_writer *writer, const char *name,
			     enum gguf_tensor_type type, unsigned rank, const size_t *shape,
			     void *data);
void gguf_writer_remove_tensor(struct gguf_writer *writer, const char *name);

/* Copies every key and tensor whose name begins with `prefix` ("" for all) from
 * an open file, which must stay open until the writer is freed. */
void gguf_writer_copy(struct gguf_writer *writer, const struct gguf *file, const char *prefix);

/* Writes a new file beside `path` and renames it over `path` when it is complete
 * and on disk. */
int gguf_writer_write(struct gguf_writer *writer, const char *path, struct engine_error *error);
/* Writes into a stream that is already open (open_memstream, a pipe). `name`
 * stands for the path in messages. */
int gguf_writer_write_stream(struct gguf_writer *writer, FILE *stream, const char *name,
			     struct engine_error *error);

#endif
