/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * captions.h: photos with their human captions, read from COCO's caption JSON
 * (`images`: id, file_name; `annotations`: image_id, caption). A member
 * `source` of an image, where there is one, names the set it comes from, so
 * that scores can be reported apart.
 *
 * Entries that cannot be used are not fatal one by one: they are listed as
 * problems, and the caller decides how many are too many.
 */
#ifndef LAB_CAPTIONS_H
#define LAB_CAPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

#define CAPTIONS_FILE_MAX (512u << 20)	/* bytes of a caption file */
#define CAPTIONS_LENGTH_MAX 2000u	/* bytes of one caption */

struct captioned_photo {
	int64_t id;
	char *file_name;
	char *source;		/* "" when the file does not say */
	char **captions;	/* as written */
	char **words;		/* the same, split by tokenizer_split */
	size_t caption_count;
};

struct caption_set {
	struct captioned_photo *photos;
	size_t photo_count, caption_count;
	char **problems;	/* one sentence each */
	size_t problem_count;
};

/* Reads the file. Photos without a usable caption are listed and left out, as
 * are annotations of unknown photos. Fails where it is not such a file at all. */
int captions_read(const char *path, struct caption_set **ret_set, struct engine_error *error);
struct caption_set *captions_free(struct caption_set *set);

/* Adds a sentence to the set's problems. */
int captions_problem(struct caption_set *set, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Takes photo `index` out of the set, keeping the order of the others. */
void captions_remove(struct caption_set *set, size_t index);

/* Removes photos whose file is missing from `folder`, listing each. */
int captions_check_files(struct caption_set *set, const char *folder, struct engine_error *error);

/* Captions without photos: gzipped or plain lines {"captions": ["…", …]}. The
 * split captions, in order, are freed with captions_text_free. */
struct caption_text {
	char **words;
	size_t count;
};
int captions_text_read(const char *path, struct caption_text *ret_text,
		       struct engine_error *error);
void captions_text_free(struct caption_text *text);

#endif
