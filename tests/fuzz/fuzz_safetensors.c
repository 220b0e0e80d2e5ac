/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as decoder weights in a safetensors file, copied into a model file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/lab/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink;

static void on_metadata(void *user, const char *key, const char *value)
{
	(void)user;
	sink += strlen(key) + strlen(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct file_map map = { .data = data, .size = size };
	struct engine_error error = { "" };
	struct gguf_writer *writer;

	if (gguf_writer_open(&writer, &error))
		return 0;
	if (safetensors_copy(&map, "fuzzed", "decoder.", on_metadata, NULL, writer, &error) &&
	    error.message[0] == '\0')
		abort();
	gguf_writer_free(writer);
	return 0;
}
