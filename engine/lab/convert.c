/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * convert.c: other layouts of captions into COCO's. The layout is told by the
 * first line: a token line of Flickr8k has "#" and a digit before its tab, a
 * table names its columns. Quoting follows RFC 4180: fields may be in double
 * quotes, which double inside; a quoted field may span lines.
 */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/error.h"
#include "engine/lab/captions.h"
#include "engine/lab/file.h"
#include "engine/lab/lab.h"
#include "engine/lab/lexicon.h"

enum { FIELDS_MAX = 64 };

struct conversion {
	const char *input, *source;
	json_t *root, *images, *annotations;
	json_t *numbers;	/* file name → id */
};

static int add_caption(struct conversion *c, const char *file_name, const char *caption,
		       struct engine_error *error)
{
	json_t *number = json_object_get(c->numbers, file_name);
	json_int_t id = number != NULL ? json_integer_value(number) :
		(json_int_t)json_array_size(c->images) + 1;
	int failed = 0;

	if (number == NULL) {
		json_t *image = json_pack("{s:I, s:s}", "id", id, "file_name", file_name);

		if (image != NULL && c->source != NULL)
			failed |= json_object_set_new(image, "source", json_string(c->source));
		failed |= json_array_append_new(c->images, image);
		failed |= json_object_set_new(c->numbers, file_name, json_integer(id));
	}
	failed |= json_array_append_new(c->annotations, json_pack(
		"{s:I, s:I, s:s}", "id", (json_int_t)json_array_size(c->annotations) + 1, "image_id", id,
		"caption", caption));
	if (failed != 0)
		return engine_fail(error, -EINVAL,
				   "%s: the name or caption of %.100s is not UTF-8.", c->input, file_name);
	return 0;
}

/* A name such as "1000268201_693b08cb0e.jpg#0" before the tab. */
static bool is_token_line(const char *line)
{
	const char *tab = strchr(line, '\t'), *mark = strchr(line, '#');

	return tab != NULL && mark != NULL && mark < tab && isdigit((unsigned char)mark[1]);
}

static int convert_tokens(struct conversion *c, char *text, struct engine_error *error)
{
	char *position = NULL;
	size_t number = 0;

	for (char *line = strtok_r(text, "\r\n", &position); line != NULL;
	     line = strtok_r(NULL, "\r\n", &position)) {
		char *tab = strchr(line, '\t');
		int r;

		number++;
		if (!is_token_line(line))
			return engine_fail(error, -EINVAL,
					   "%s: line %zu is not of the form NAME#NUMBER, tab, caption.", c->input,
					   number);
		*tab = '\0';
		*strchr(line, '#') = '\0';
		r = add_caption(c, line, tab + 1, error);
		if (r != 0)
			return r;
	}
	return 0;
}

/* Cuts one record out of a table in place; NULL at the end. */
static size_t next_record(char **text, char separator, char **ret_fields, bool *ret_closed)
{
	char *in = *text, *out = in;
	size_t count = 0;

	*ret_closed = true;
	if (*in == '\0')
		return 0;
	ret_fields[count++] = out;
	while (*in != '\0' && *in != '\n') {
		if (*in == '"' && out == ret_fields[count - 1]) {
			*ret_closed = false;
			for (in++; *in != '\0'; in++) {
				if (*in == '"' && in[1] != '"') {
					*ret_closed = true;
					in++;
					break;
				}
				in += *in == '"';
				*out++ = *in;
			}
		} else if (*in == separator) {
			in++;
			*out++ = '\0';
			if (count < FIELDS_MAX)
				ret_fields[count++] = out;
		} else if (*in == '\r') {
			in++;
		} else {
			*out++ = *in++;
		}
	}
	in += *in == '\n';
	*text = in;
	*out = '\0';
	return count;
}

static int find_column(char *const *fields, size_t count, const char *const *names)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; names[k] != NULL; k++)
			if (strcasecmp(fields[i], names[k]) == 0)
				return (int)i;
	return -1;
}

static int convert_table(struct conversion *c, char *text, struct engine_error *error)
{
	static const char *const image_names[] = { "image", "file", "file_name", "filename", "photo", NULL };
	static const char *const caption_names[] = { "caption", "text", "comment", "description", NULL };
	char *fields[FIELDS_MAX];
	char separator = strcspn(text, "\t") < strcspn(text, "\n") ? '\t' : ',';
	bool closed;
	size_t count = next_record(&text, separator, fields, &closed), number = 1;
	int image = find_column(fields, count, image_names);
	int caption = find_column(fields, count, caption_names);

	if (image < 0 || caption < 0)
		return engine_fail(error, -EINVAL,
				   "%s is neither Flickr8k's token file nor a table whose first line names the columns \"image\" and \"caption\".",
				   c->input);
	while ((count = next_record(&text, separator, fields, &closed)) > 0) {
		int r;

		number++;
		if (count == 1 && *fields[0] == '\0')
			continue;
		if (!closed)
			return engine_fail(error, -EINVAL, "%s: record %zu has a quote that is not closed.",
					   c->input, number);
		if ((size_t)image >= count || (size_t)caption >= count)
			return engine_fail(error, -EINVAL, "%s: record %zu has too few columns.", c->input,
					   number);
		r = add_caption(c, fields[image], fields[caption], error);
		if (r != 0)
			return r;
	}
	return 0;
}

static int write_json(json_t *root, const char *path, struct engine_error *error)
{
	char *part;
	int r = 0;

	if (asprintf(&part, "%s.part", path) < 0)
		return engine_fail_memory(error);
	if (json_dump_file(root, part, JSON_INDENT(1)) < 0 || rename(part, path) < 0) {
		r = errno != 0 ? -errno : -EIO;
		engine_error_set(error, "%s cannot be written: %s.", path, strerror(-r));
		unlink(part);
	}
	free(part);
	return r;
}

int lab_convert(const char *input, const char *source, const char *output, size_t *ret_photos,
		size_t *ret_captions, struct engine_error *error)
{
	struct conversion c = { .input = input, .source = source };
	struct file_map map;
	char *text;
	int r = file_map(input, CAPTIONS_FILE_MAX, &map, error);

	if (r != 0)
		return r;
	text = strndup((const char *)map.data, map.size);
	if (text == NULL) {
		r = engine_fail_memory(error);
		goto out;
	}
	if (strlen(text) != map.size) {
		r = engine_fail(error, -EINVAL, "%s is not a text file.", input);
		goto out;
	}
	c.numbers = json_object();
	c.root = json_pack("{s:[], s:[]}", "images", "annotations");
	if (c.numbers == NULL || c.root == NULL) {
		r = engine_fail_memory(error);
		goto out;
	}
	c.images = json_object_get(c.root, "images");
	c.annotations = json_object_get(c.root, "annotations");
	r = is_token_line(text) ? convert_tokens(&c, text, error) : convert_table(&c, text, error);
	if (r == 0 && json_array_size(c.annotations) == 0)
		r = engine_fail(error, -EINVAL, "%s holds no caption.", input);
	if (r == 0)
		r = write_json(c.root, output, error);
	if (r == 0) {
		*ret_photos = json_array_size(c.images);
		*ret_captions = json_array_size(c.annotations);
	}
out:
	json_decref(c.root);
	json_decref(c.numbers);
	free(text);
	file_unmap(&map);
	return r;
}
