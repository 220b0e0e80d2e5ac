/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * config.c: see config.h. The INI syntax is libinih's; lines are fed to it one
 * at a time, so that each error can name its line. The keys stand in
 * config_keys.c, their values are parsed by config_value.c (the defaults too), and
 * config_document.c explains them.
 */
#include "daemon/config.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_BYTES_MAX (1u << 20)
#define LINE_BYTES_MAX 190	/* what libinih takes in one piece */
#define SYSTEM_FILE "/etc/descry/descry.conf"
#define INSTALLED_MODEL DESCRY_PREFIX "/share/descry/models/descry-en.gguf"

static int set_defaults(void *base, const struct config_section *section)
{
	for (size_t i = 0; i < section->key_count; i++) {
		int r = config_set_value(base, &section->keys[i], section->keys[i].initial);

		if (r)
			return r < 0 ? r : -EINVAL;
	}
	return 0;
}

struct reader {
	const char *path;	/* for messages; NULL while overrides are applied */
	FILE *file;
	unsigned line;
	size_t bytes;
	struct config *config;
	struct config_error *error;
	int status;
	bool usable;		/* mistakes in the file are noted, and reading goes on */
	bool lost;		/* in a section whose name could not be read */
	/* what was set already: section instance and key, to refuse a second time */
	struct seen {
		const void *base;
		const struct config_key *key;
	} *seen;
	size_t seen_count;
};

/* Remembers the first failure only: libinih reads on after one. A mistake that
 * costs only its key is not the load's status. */
__attribute__((format(printf, 3, 4)))
static int fail(struct reader *reader, int status, const char *format, ...)
{
	char *message = reader->error->message;
	size_t size = sizeof(reader->error->message), used = 0;
	va_list arguments;

	if (reader->status)
		return reader->status;
	if (!reader->usable || !reader->path || status < 0)
		reader->status = status;
	else if (*message)
		return status;
	reader->error->line = reader->path ? reader->line : 0;
	if (reader->path)
		used = (size_t)snprintf(message, size, "%s, line %u: ", reader->path, reader->line);
	if (used < size) {
		va_start(arguments, format);
		vsnprintf(message + used, size - used, format, arguments);
		va_end(arguments);
	}
	return status;
}

static unsigned *instance_count(struct config *config, const struct config_section *section)
{
	return (unsigned *)(void *)((char *)config + section->count);
}

static void *instance_at(struct config *config, const struct config_section *section, unsigned i)
{
	return (char *)config + section->instances + i * section->size;
}

/* Finds or adds [kind NAME]; on success `ret_base` is what its keys' offsets
 * count from. */
static int find_instance(struct reader *reader, const struct config_section *section,
			 const char *name, void **ret_base)
{
	unsigned *count = instance_count(reader->config, section);
	void *base;
	int r;

	for (unsigned i = 0; i < *count; i++) {
		base = instance_at(reader->config, section, i);
		if (strcmp(*(char **)base, name) == 0) {
			*ret_base = base;
			return 0;
		}
	}
	if (*count == section->most)
		return fail(reader, 1, "There can be at most %zu sections [%s NAME].",
			    section->most, section->name);
	base = instance_at(reader->config, section, *count);
	*(char **)base = strdup(name);
	if (!*(char **)base)
		return fail(reader, -ENOMEM, "Out of memory.");
	++*count;
	r = set_defaults(base, section);
	if (r < 0)
		return fail(reader, r, "Out of memory.");
	*ret_base = base;
	return 0;
}

/* NULL when fail() was told why there is none. */
static const struct config_section *find_section(struct reader *reader, const char *text,
						 void **ret_base)
{
	char list[256] = "";
	size_t used = 0, count;
	const struct config_section *sections = config_sections(&count);

	for (size_t i = 0; i < count; i++) {
		const struct config_section *section = &sections[i];
		size_t length = strlen(section->name);

		if (section->most == 0 && strcmp(section->name, text) == 0) {
			*ret_base = reader->config;
			return section;
		}
		if (section->most > 0 && strncmp(section->name, text, length) == 0 &&
		    text[length] == ' ' && text[length + 1]) {
			if (find_instance(reader, section, text + length + 1, ret_base))
				return NULL;
			return section;
		}
		if (used < sizeof(list))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s [%s%s]",
						 i ? "," : "", section->name,
						 section->most ? " NAME" : "");
	}
	if (!*text)
		fail(reader, 1, "A key stands before the first section. The sections are:%s.", list);
	else
		fail(reader, 1, "There is no section [%s]. The sections are:%s.", text, list);
	return NULL;
}

/* NULL when fail() was told that there is none. */
static const struct config_key *find_key(struct reader *reader,
					 const struct config_section *section, const char *name)
{
	char list[384] = "";
	size_t used = 0;

	for (size_t i = 0; i < section->key_count; i++) {
		if (strcmp(section->keys[i].name, name) == 0)
			return &section->keys[i];
		if (used < sizeof(list))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s %s",
						 i ? "," : "", section->keys[i].name);
	}
	fail(reader, 1, "Section [%s] has no key \"%s\". Its keys are:%s.", section->name, name,
	     list);
	return NULL;
}

static int mark_seen(struct reader *reader, const void *base, const struct config_key *key)
{
	struct seen *grown;

	for (size_t i = 0; i < reader->seen_count; i++)
		if (reader->seen[i].base == base && reader->seen[i].key == key)
			return fail(reader, 1, "The key \"%s\" is set twice.", key->name);
	grown = reallocarray(reader->seen, reader->seen_count + 1, sizeof(*grown));
	if (!grown)
		return fail(reader, -ENOMEM, "Out of memory.");
	reader->seen = grown;
	grown[reader->seen_count++] = (struct seen){ base, key };
	return 0;
}

static int set_key(struct reader *reader, const char *section_name, const char *name,
		   const char *value, bool once)
{
	const struct config_section *section;
	const struct config_key *key;
	char allowed[256];
	void *base = NULL;
	int r;

	section = find_section(reader, section_name, &base);
	key = section ? find_key(reader, section, name) : NULL;
	if (!key)
		return reader->status ? reader->status : 1;
	r = once ? mark_seen(reader, base, key) : 0;
	if (r)
		return r;
	r = config_set_value(base, key, value);
	if (r < 0)
		return fail(reader, r, "Out of memory.");
	if (r > 0) {
		config_describe_key(key, allowed, sizeof(allowed));
		return fail(reader, 1, "%s.%s is \"%.80s\", but must be %s.", section_name, name,
			    value, allowed);
	}
	return 0;
}

/* Called by libinih for each key. Its result marks the line as wrong, which only
 * lines that libinih cannot read are to be when mistakes are passed over. */
static int on_key(void *user, const char *section, const char *name, const char *value)
{
	struct reader *reader = user;

	if (reader->lost) {
		fail(reader, 1, "This stands below a heading that cannot be read.");
		return 1;
	}
	return set_key(reader, section, name, value ? value : "", true) == 0 || reader->usable;
}

/* libinih leaves the keys after a heading that it cannot read to the section
 * before it, where they may mean something else. */
static void note_heading(struct reader *reader, const char *line)
{
	size_t blanks = strspn(line, " \t\v\f\r");
	bool closed = false;

	if (line[blanks] != '[')
		return;
	for (const char *p = line + blanks + 1; *p && !closed; p++) {
		if (*p == ';' && strchr(" \t\v\f\r", p[-1]))
			break;
		closed = *p == ']';
	}
	/* an indented one may go on with the value above it */
	if (!closed)
		reader->lost = reader->usable;
	else if (blanks == 0)
		reader->lost = false;
}

static char *read_line(char *buffer, int size, void *user)
{
	struct reader *reader = user;
	size_t length;
	char *line;

	if (reader->status)
		return NULL;
	line = fgets(buffer, size, reader->file);
	if (!line)
		return NULL;
	reader->line++;
	length = strlen(line);
	reader->bytes += length;
	if (reader->bytes > CONFIG_BYTES_MAX) {
		fail(reader, 1, "The file is larger than %u bytes.", CONFIG_BYTES_MAX);
		return NULL;
	}
	if (length > LINE_BYTES_MAX || (length + 1 < (size_t)size && length > 0 &&
					line[length - 1] != '\n' && !feof(reader->file))) {
		fail(reader, 1, "The line is longer than %d bytes or holds a zero byte.",
		     LINE_BYTES_MAX);
		return NULL;
	}
	note_heading(reader, line);
	return line;
}

static int open_file(const char *path, FILE **ret_file, struct config_error *error)
{
	struct stat st;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		r = -errno;
	} else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		r = -EINVAL;
		snprintf(error->message, sizeof(error->message),
			 "The configuration %s is not a regular file.", path);
		close(fd);
		return r;
	} else {
		*ret_file = fdopen(fd, "re");
		if (*ret_file)
			return 0;
		r = -errno;
		close(fd);
	}
	snprintf(error->message, sizeof(error->message),
		 "The configuration %s cannot be read: %s.", path, strerror(-r));
	return r;
}

static int read_file(struct reader *reader, const char *path)
{
	int line, r;

	r = open_file(path, &reader->file, reader->error);
	if (r)
		return reader->status = r;
	reader->path = path;
	line = ini_parse_stream(read_line, reader, on_key, reader);
	if (line == -2)
		fail(reader, -ENOMEM, "Out of memory.");
	else if (line > 0 && !reader->status &&
		 (!reader->error->line || (unsigned)line < reader->error->line)) {
		reader->error->message[0] = '\0';
		reader->line = (unsigned)line;
		fail(reader, 1, "This is neither a [section], nor a key = value, nor a comment.");
	}
	if (!reader->status && ferror(reader->file))
		fail(reader, -EIO, "The file cannot be read.");
	fclose(reader->file);
	reader->path = NULL;
	return reader->status;
}

static int apply_override(struct reader *reader, const char *text)
{
	const char *equals = strchr(text, '='), *dot = NULL;
	char *section, *name;
	int r;

	for (const char *p = text; equals && p < equals; p++)
		if (*p == '.')
			dot = p;
	if (!dot)
		return fail(reader, 1, "\"%.80s\" is not of the form section.key=value.", text);
	section = strndup(text, (size_t)(dot - text));
	name = strndup(dot + 1, (size_t)(equals - dot - 1));
	r = section && name ? set_key(reader, section, name, equals + 1, false)
			    : fail(reader, -ENOMEM, "Out of memory.");
	free(section);
	free(name);
	return r;
}

static int load(const char *path, const char *const *overrides, size_t count, bool usable,
		struct config **ret_config, struct config_error *error)
{
	struct config_error ignored;
	struct reader reader = { .error = error ? error : &ignored, .usable = usable };
	size_t section_count;
	const struct config_section *sections = config_sections(&section_count);

	*reader.error = (struct config_error){ 0 };
	reader.config = calloc(1, sizeof(*reader.config));
	if (!reader.config)
		return fail(&reader, -ENOMEM, "Out of memory.");
	for (size_t i = 0; i < section_count && !reader.status; i++)
		if (sections[i].most == 0 && set_defaults(reader.config, &sections[i]) < 0)
			fail(&reader, -ENOMEM, "Out of memory.");
	if (!reader.status && path)
		read_file(&reader, path);
	for (size_t i = 0; i < count && !reader.status; i++)
		apply_override(&reader, overrides[i]);
	free(reader.seen);
	if (reader.status) {
		config_free(reader.config);
		return reader.status;
	}
	*ret_config = reader.config;
	return 0;
}

int config_load(const char *path, const char *const *overrides, size_t count,
		struct config **ret_config, struct config_error *error)
{
	return load(path, overrides, count, false, ret_config, error);
}

int config_load_usable(const char *path, const char *const *overrides, size_t count,
		       struct config **ret_config, struct config_error *error)
{
	return load(path, overrides, count, true, ret_config, error);
}

struct config *config_free(struct config *config)
{
	size_t count;
	const struct config_section *sections = config_sections(&count);

	if (!config)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		const struct config_section *section = &sections[i];

		if (section->most == 0) {
			config_free_values(config, section->keys, section->key_count);
			continue;
		}
		for (unsigned j = 0; j < *instance_count(config, section); j++) {
			void *base = instance_at(config, section, j);

			free(*(char **)base);
			config_free_values(base, section->keys, section->key_count);
		}
	}
	free(config);
	return NULL;
}

char *config_find(bool system)
{
	const char *home = getenv("HOME"), *base = getenv("XDG_CONFIG_HOME");
	char *path = NULL;
	int r = -1;

	if (!system && base && *base == '/')
		r = asprintf(&path, "%s/descry/descry.conf", base);
	else if (!system && home)
		r = asprintf(&path, "%s/.config/descry/descry.conf", home);
	if (r >= 0 && access(path, F_OK) == 0)
		return path;
	if (r >= 0)
		free(path);
	return access(SYSTEM_FILE, F_OK) == 0 ? strdup(SYSTEM_FILE) : NULL;
}

const char *config_model_path(const struct config *config)
{
	return config->model_path ? config->model_path : INSTALLED_MODEL;
}
