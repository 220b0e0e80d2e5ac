/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * safetensors.h: copies the tensors of a safetensors file into a model file.
 */
#ifndef LAB_SAFETENSORS_H
#define LAB_SAFETENSORS_H

#include "engine/gguf_writer.h"
#include "engine/lab/file.h"

/* Adds every tensor with `prefix` before its name, in the order of the file, and
 * gives the strings under __metadata__ to `metadata`, which may be NULL. The
 * writer borrows the data from the map. `name` stands for the path in messages. */
int safetensors_copy(const struct file_map *map, const char *name, const char *prefix,
		     void (*metadata)(void *user, const char *key, const char *value), void *user,
		     struct gguf_writer *writer, struct engine_error *error);

#endif
