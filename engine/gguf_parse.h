/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gguf_parse.h: what an opened GGUF file is made of, shared by gguf.c, which
 * opens it and answers questions, and gguf_parse.c, which reads it.
 */
#ifndef ENGINE_GGUF_PARSE_H
#define ENGINE_GGUF_PARSE_H

#include "engine/gguf.h"

struct gguf {
	char *name;
	const uint8_t *data;
	size_t size;
	bool mapped;

	struct gguf_entry *entries;	/* in the order of the file */
	size_t entry_count;
	struct gguf_entry **entries_by_key;

	struct gguf_tensor *tensors;
	size_t tensor_count;
	struct gguf_tensor **tensors_by_name;
};

/* Fills entries and tensors from `data`; what was filled before an error is freed by
 * gguf_free(). The error names the file and the place. */
int gguf_parse(struct gguf *file, struct engine_error *error);

#endif
