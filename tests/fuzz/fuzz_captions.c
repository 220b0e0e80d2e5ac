/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as training data: a caption file, and lines of captions without
 * photos (plain or gzipped). The first byte chooses.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/lab/captions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink;

static void use(const struct caption_set *set)
{
	for (size_t i = 0; i < set->photo_count; i++) {
		const struct captioned_photo *photo = &set->photos[i];

		sink += strlen(photo->file_name) + strlen(photo->source);
		for (size_t k = 0; k < photo->caption_count; k++)
			sink += strlen(photo->captions[k]) + strlen(photo->words[k]);
	}
	for (size_t i = 0; i < set->problem_count; i++)
		sink += strlen(set->problems[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[32];
	struct engine_error error = { "" };
	struct caption_text text;
	struct caption_set *set;

	if (fd < 0) {
		fd = memfd_create("captions", MFD_CLOEXEC);
		if (fd < 0)
			abort();
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (size == 0 || ftruncate(fd, 0) || pwrite(fd, data + 1, size - 1, 0) != (ssize_t)size - 1)
		return 0;
	if (data[0] & 1) {
		if (captions_read(path, &set, &error) == 0) {
			use(set);
			captions_free(set);
		} else if (error.message[0] == '\0') {
			abort();
		}
	} else if (captions_text_read(path, &text, &error) == 0) {
		for (size_t i = 0; i < text.count; i++)
			sink += strlen(text.words[i]);
		captions_text_free(&text);
	} else if (error.message[0] == '\0') {
		abort();
	}
	return 0;
}
