/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a model file: opened as GGUF, every entry and tensor read as a
 * viewer would, then built into a model (graph, plan, decoder, vocabulary).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/gguf.h"
#include "engine/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sink;

static void read_bytes(const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		sink += bytes[i];
}

static void list(const struct gguf *file)
{
	for (size_t i = 0; i < gguf_entry_count(file); i++) {
		const struct gguf_entry *entry = gguf_entry_at(file, i);

		sink += (unsigned)strlen(entry->key);
		if (entry->type == GGUF_STRING)
			sink += (unsigned)strlen(entry->value.string);
		if (entry->type == GGUF_ARRAY && entry->element_type == GGUF_STRING)
			for (size_t k = 0; k < entry->count; k++)
				sink += (unsigned)strlen(entry->value.strings[k]);
	}
	for (size_t i = 0; i < gguf_tensor_count(file); i++) {
		const struct gguf_tensor *tensor = gguf_tensor_at(file, i);

		sink += (unsigned)strlen(tensor->name);
		read_bytes(tensor->data, tensor->size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct engine_error error = { "" };
	struct engine_model *model = NULL;
	struct gguf *file = NULL;
	void *aligned;

	if (posix_memalign(&aligned, 64, size ? size : 1))
		return 0;
	memcpy(aligned, data, size);
	if (gguf_open_memory(aligned, size, "fuzzed", &file, &error) == 0) {
		list(file);
		if (model_build(file, &model, &error) == 0)
			engine_model_free(model);
		else if (error.message[0] == '\0')
			abort();
	} else if (error.message[0] == '\0') {
		abort();
	}
	free(aligned);
	return 0;
}
