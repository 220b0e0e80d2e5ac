/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * captions.c: the whole file is parsed by Jansson (a caption file is tens of
 * megabytes at most), then copied into plain arrays. Photos are found by their
 * id through a sorted index.
 */
#include "engine/lab/captions.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "engine/error.h"
#include "engine/lab/tokenizer.h"

static void photo_clear(struct captioned_photo *photo)
{
	for (size_t i = 0; i < photo->caption_count; i++) {
		free(photo->captions[i]);
		free(photo->words[i]);
	}
	free(photo->captions);
	free(photo->words);
	free(photo->file_name);
	free(photo->source);
	*photo = (struct captioned_photo){ 0 };
}

struct caption_set *captions_free(struct caption_set *set)
{
	if (set == NULL)
		return NULL;
	for (size_t i = 0; i < set->photo_count; i++)
		photo_clear(&set->photos[i]);
	for (size_t i = 0; i < set->problem_count; i++)
		free(set->problems[i]);
	free(set->photos);
	free(set->problems);
	free(set);
	return NULL;
}

int captions_problem(struct caption_set *set, const char *format, ...)
{
	char **problems = reallocarray(set->problems, set->problem_count + 1, sizeof(*problems));
	char *text;
	va_list arguments;
	int length;

	if (problems == NULL)
		return -ENOMEM;
	set->problems = problems;
	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		return -ENOMEM;
	problems[set->problem_count++] = text;
	return 0;
}

void captions_remove(struct caption_set *set, size_t index)
{
	set->caption_count -= set->photos[index].caption_count;
	photo_clear(&set->photos[index]);
	memmove(&set->photos[index], &set->photos[index + 1],
		(set->photo_count - index - 1) * sizeof(*set->photos));
	set->photo_count--;
}

/* A file name stays within the photo folder. */
static bool is_inside(const char *name)
{
	if (*name == '\0' || *name == '/')
		return false;
	for (const char *part = name; part != NULL; part = strchr(part, '/')) {
		part += *part == '/';
		if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
			return false;
	}
	return true;
}

static int add_caption(struct captioned_photo *photo, const char *caption, char *words)
{
	size_t count = photo->caption_count + 1;
	char **captions = reallocarray(photo->captions, count, sizeof(*captions));
	char **splits;

	if (captions == NULL)
		return -ENOMEM;
	photo->captions = captions;
	splits = reallocarray(photo->words, count, sizeof(*splits));
	if (splits == NULL)
		return -ENOMEM;
	photo->words = splits;
	captions[count - 1] = strdup(caption);
	if (captions[count - 1] == NULL)
		return -ENOMEM;
	splits[count - 1] = words;
	photo->caption_count = count;
	return 0;
}

struct by_id {
	int64_t id;
	size_t index;
};

static int compare_ids(const void *left, const void *right)
{
	const struct by_id *a = left, *b = right;

	return a->id < b->id ? -1 : a->id > b->id;
}

static int read_images(struct caption_set *set, json_t *images, struct by_id *ids,
		       const char *path, struct engine_error *error)
{
	json_t *entry;
	size_t i;

	json_array_foreach(images, i, entry) {
		json_t *id = json_object_get(entry, "id");
		json_t *name = json_object_get(entry, "file_name");
		json_t *source = json_object_get(entry, "source");
		struct captioned_photo *photo = &set->photos[set->photo_count];

		if (!json_is_integer(id) || !json_is_string(name)) {
			if (captions_problem(set, "%s: images[%zu] has no whole-number id or no file_name.",
					     path, i) < 0)
				return engine_fail_memory(error);
			continue;
		}
		if (!is_inside(json_string_value(name))) {
			if (captions_problem(set, "%s: the file name of images[%zu], %.200s, leads out of the photo folder.",
					     path, i, json_string_value(name)) < 0)
				return engine_fail_memory(error);
			continue;
		}
		photo->id = json_integer_value(id);
		photo->file_name = strdup(json_string_value(name));
		photo->source = strdup(json_is_string(source) ? json_string_value(source) : "");
		ids[set->photo_count] = (struct by_id){ photo->id, set->photo_count };
		set->photo_count++;
		if (photo->file_name == NULL || photo->source == NULL)
			return engine_fail_memory(error);
	}
	qsort(ids, set->photo_count, sizeof(*ids), compare_ids);
	for (i = 1; i < set->photo_count; i++)
		if (ids[i].id == ids[i - 1].id)
			return engine_fail(error, -EINVAL,
					   "%s: two images have the id %" PRId64 "; give each its own.",
					   path, ids[i].id);
	return 0;
}

static int read_annotations(struct caption_set *set, json_t *annotations, const struct by_id *ids,
			    const char *path, struct engine_error *error)
{
	json_t *entry;
	size_t i;

	json_array_foreach(annotations, i, entry) {
		json_t *id = json_object_get(entry, "image_id");
		json_t *caption = json_object_get(entry, "caption");
		const struct by_id *found;
		struct by_id key;
		const char *reason = NULL;
		char *words;

		if (!json_is_integer(id) || !json_is_string(caption)) {
			if (captions_problem(set, "%s: annotations[%zu] has no image_id or no caption.",
					     path, i) < 0)
				return engine_fail_memory(error);
			continue;
		}
		key.id = json_integer_value(id);
		found = bsearch(&key, ids, set->photo_count, sizeof(*ids), compare_ids);
		if (found == NULL) {
			if (captions_problem(set, "%s: annotations[%zu] is of image %" PRId64 ", which is not among the images.",
					     path, i, key.id) < 0)
				return engine_fail_memory(error);
			continue;
		}
		if (tokenizer_split(json_string_value(caption), &words) < 0)
			return engine_fail_memory(error);
		if (*words == '\0')
			reason = "has no words";
		else if (strlen(words) > CAPTIONS_LENGTH_MAX)
			reason = "is too long";
		if (reason != NULL) {
			free(words);
			if (captions_problem(set, "%s: the caption in annotations[%zu] (%s) %s.", path, i,
					     set->photos[found->index].file_name, reason) < 0)
				return engine_fail_memory(error);
			continue;
		}
		if (add_caption(&set->photos[found->index], json_string_value(caption), words) < 0) {
			free(words);
			return engine_fail_memory(error);
		}
		set->caption_count++;
	}
	return 0;
}

int captions_read(const char *path, struct caption_set **ret_set, struct engine_error *error)
{
	struct caption_set *set = NULL;
	struct by_id *ids = NULL;
	json_t *root = NULL, *images, *annotations;
	json_error_t problem;
	struct stat status;
	size_t kept = 0;
	int r;

	if (stat(path, &status) < 0)
		return engine_fail(error, -errno, "The caption file %s cannot be opened: %s.", path,
				   strerror(errno));
	if (!S_ISREG(status.st_mode) || status.st_size > (off_t)CAPTIONS_FILE_MAX)
		return engine_fail(error, -EINVAL,
				   "%s is not a caption file: it must be a regular file of at most %u MiB.",
				   path, CAPTIONS_FILE_MAX >> 20);
	root = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
	if (root == NULL)
		return engine_fail(error, -EINVAL, "%s is not JSON: line %d, column %d: %s.", path,
				   problem.line, problem.column, problem.text);
	images = json_object_get(root, "images");
	annotations = json_object_get(root, "annotations");
	if (!json_is_array(images) || !json_is_array(annotations)) {
		r = engine_fail(error, -EINVAL,
				"%s has no lists \"images\" and \"annotations\" as COCO caption files have; \"descry train convert\" makes such a file from other layouts.",
				path);
		goto out;
	}
	set = calloc(1, sizeof(*set));
	ids = calloc(json_array_size(images) + 1, sizeof(*ids));
	if (set == NULL || ids == NULL) {
		r = engine_fail_memory(error);
		goto out;
	}
	set->photos = calloc(json_array_size(images) + 1, sizeof(*set->photos));
	if (set->photos == NULL) {
		r = engine_fail_memory(error);
		goto out;
	}
	r = read_images(set, images, ids, path, error);
	if (r == 0)
		r = read_annotations(set, annotations, ids, path, error);
	if (r < 0)
		goto out;
	for (size_t i = 0; i < set->photo_count; i++) {
		struct captioned_photo *photo = &set->photos[i];

		if (photo->caption_count > 0) {
			struct captioned_photo moved = *photo;

			*photo = (struct captioned_photo){ 0 };
			set->photos[kept++] = moved;
			continue;
		}
		if (captions_problem(set, "%s: the photo %s has no caption.", path,
				     photo->file_name) < 0) {
			r = engine_fail_memory(error);
			goto out;
		}
		photo_clear(photo);
	}
	set->photo_count = kept;
	if (kept == 0) {
		r = engine_fail(error, -EINVAL, "%s has no photo with a caption.", path);
		goto out;
	}
	*ret_set = set;
	set = NULL;
out:
	json_decref(root);
	free(ids);
	captions_free(set);
	return r;
}

int captions_check_files(struct caption_set *set, const char *folder, struct engine_error *error)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < set->photo_count; i++) {
		struct captioned_photo photo = set->photos[i];
		char *path;
		bool readable;

		if (asprintf(&path, "%s/%s", folder, photo.file_name) < 0)
			return engine_fail_memory(error);
		readable = access(path, R_OK) == 0;
		if (!readable && captions_problem(set, "%s: %s.", path, strerror(errno)) < 0)
			r = engine_fail_memory(error);
		free(path);
		if (r < 0)
			return r;
		if (readable) {
			set->photos[i] = (struct captioned_photo){ 0 };
			set->photos[kept++] = photo;
		} else {
			set->caption_count -= photo.caption_count;
			photo_clear(&set->photos[i]);
		}
	}
	set->photo_count = kept;
	if (kept == 0)
		return engine_fail(error, -ENOENT, "None of the photos stands in the folder %s.", folder);
	return 0;
}

/* --- Captions without photos ------------------------------------------------ */

void captions_text_free(struct caption_text *text)
{
	for (size_t i = 0; i < text->count; i++)
		free(text->words[i]);
	free(text->words);
	*text = (struct caption_text){ 0 };
}

static int text_add(struct caption_text *text, const char *caption)
{
	char *words;
	int r = tokenizer_split(caption, &words);

	if (r < 0)
		return r;
	if (*words == '\0' || strlen(words) > CAPTIONS_LENGTH_MAX) {
		free(words);
		return 0;
	}
	if ((text->count & (text->count - 1)) == 0) {
		char **grown = reallocarray(text->words, text->count == 0 ? 1 : text->count * 2,
					    sizeof(*grown));

		if (grown == NULL) {
			free(words);
			return -ENOMEM;
		}
		text->words = grown;
	}
	text->words[text->count++] = words;
	return 0;
}

int captions_text_read(const char *path, struct caption_text *ret_text, struct engine_error *error)
{
	enum { LINE_MAX_BYTES = 1 << 20 };
	struct caption_text text = { 0 };
	char *line = malloc(LINE_MAX_BYTES);
	gzFile file = NULL;
	json_t *root = NULL;
	size_t number = 0;
	int r = 0, code;

	if (line == NULL)
		return engine_fail_memory(error);
	file = gzopen(path, "re");
	if (file == NULL) {
		r = engine_fail(error, errno != 0 ? -errno : -ENOMEM, "The text file %s cannot be opened: %s.",
				path, strerror(errno));
		goto out;
	}
	while (gzgets(file, line, LINE_MAX_BYTES) != NULL) {
		json_error_t problem;
		json_t *caption;
		size_t i;

		number++;
		root = json_loads(line, 0, &problem);
		if (!json_is_array(json_object_get(root, "captions"))) {
			r = engine_fail(error, -EINVAL,
					"%s: line %zu is not of the form {\"captions\": [\"…\"]}.", path, number);
			goto out;
		}
		json_array_foreach(json_object_get(root, "captions"), i, caption) {
			if (json_is_string(caption) && text_add(&text, json_string_value(caption)) < 0) {
				r = engine_fail_memory(error);
				goto out;
			}
		}
		json_decref(root);
		root = NULL;
	}
	gzerror(file, &code);
	if (code != Z_OK && code != Z_STREAM_END) {
		r = engine_fail(error, -EIO, "%s is damaged after line %zu.", path, number);
		goto out;
	}
	if (text.count == 0) {
		r = engine_fail(error, -EINVAL, "%s holds no caption.", path);
		goto out;
	}
	*ret_text = text;
	text = (struct caption_text){ 0 };
out:
	json_decref(root);
	if (file != NULL)
		gzclose(file);
	free(line);
	captions_text_free(&text);
	return r;
}
