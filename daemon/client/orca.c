/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * orca.c: `descry orca install` and `descry orca remove`.
 *
 * The add-on's two Python files are part of this program (the assembler copies
 * them in), so that they fit it and are found wherever it was installed. What
 * else stands in orca-customizations.py is the user's: our lines stand between
 * two marks, only what is between them is ever touched, and every file is
 * replaced as a whole or not at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/client/commands.h"

#define BEGIN_MARK "# BEGIN Descry: added by \"descry orca install\"; \"descry orca remove\" takes it away\n"
#define END_MARK "# END Descry\n"
#define CUSTOMIZATIONS_MAX (1u << 20)
#define FOLDER_BYTES 896
#define PATH_BYTES (FOLDER_BYTES + 128)

#define EMBED(symbol, file) \
	__asm__(".pushsection .rodata\n.global " #symbol "\n" #symbol ":\n.incbin \"" file "\"\n" \
		".byte 0\n.popsection\n"); \
	extern const char symbol[] __attribute__((visibility("hidden")))
EMBED(orca_addon, "daemon/orca/descry_addon.py");
EMBED(orca_extension, "daemon/orca/descry_extension.py");

static const char *const commands_of_keys[] = { "focus", "camera", "repeat", "stop" };
static const char *const default_keys[] = { "d", "c", "r", "s" };
#define KEYS 4

static const struct client_option install_options[] = {
	{ "focus-key", "KEY", "With the Orca key and Shift: describe what has focus. Default: d.", 0 },
	{ "camera-key", "KEY", "The same: look through the camera. Default: c.", 0 },
	{ "repeat-key", "KEY", "The same: say the last description again. Default: r.", 0 },
	{ "stop-key", "KEY", "The same: stop speaking. Default: s.", 0 },
};

/* --- Files ------------------------------------------------------------------------ */

static int system_failure(struct failure *failure, const char *path)
{
	return failure_set(failure, FAILURE_FAILED, "%s: %s.", path, strerror(errno));
}

static int orca_folder(char folder[FOLDER_BYTES], struct failure *failure)
{
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	int length;

	if (data && *data == '/')
		length = snprintf(folder, FOLDER_BYTES, "%s/orca", data);
	else if (home && *home == '/')
		length = snprintf(folder, FOLDER_BYTES, "%s/.local/share/orca", home);
	else
		return failure_set(failure, FAILURE_FAILED, "There is no home directory.");
	/* it is written into Python as a raw string */
	if (length >= FOLDER_BYTES || strpbrk(folder, "\"\n"))
		return failure_set(failure, FAILURE_FAILED,
				   "The home directory's name is too long or too strange.");
	return 0;
}

static int make_folders(const char *path, struct failure *failure)
{
	char part[PATH_BYTES];

	for (size_t i = 1; ; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return system_failure(failure, part);
		if (!path[i])
			return 0;
	}
}

/* NULL content: there is no such file. The caller frees. */
static int read_file(const char *path, char **ret_content, mode_t *ret_mode,
		     struct failure *failure)
{
	FILE *file = fopen(path, "re");
	struct stat st;
	char *content;
	size_t length;

	if (!file) {
		if (errno != ENOENT)
			return system_failure(failure, path);
		*ret_content = NULL;
		*ret_mode = 0600;
		return 0;
	}
	if (fstat(fileno(file), &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size > CUSTOMIZATIONS_MAX) {
		fclose(file);
		return failure_set(failure, FAILURE_TOO_LARGE,
				   "%s is not a file of less than 1 MiB.", path);
	}
	content = malloc((size_t)st.st_size + 1);
	length = content ? fread(content, 1, (size_t)st.st_size, file) : 0;
	fclose(file);
	if (!content)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	content[length] = '\0';
	if (strlen(content) != length) {
		free(content);
		return failure_set(failure, FAILURE_FAILED, "%s is not a text.", path);
	}
	*ret_content = content;
	*ret_mode = st.st_mode & 07777;
	return 0;
}

static int write_file(const char *path, const char *content, mode_t mode, struct failure *failure)
{
	char temporary[PATH_BYTES];
	FILE *file;
	int fd;

	snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return system_failure(failure, temporary);
	file = fdopen(fd, "w");
	if (!file) {
		close(fd);
		unlink(temporary);
		return system_failure(failure, path);
	}
	if (fchmod(fd, mode) < 0 || fputs(content, file) < 0 || fflush(file) != 0 ||
	    fsync(fd) < 0) {
		system_failure(failure, path);
		fclose(file);
		unlink(temporary);
		return 1;
	}
	fclose(file);
	if (rename(temporary, path) < 0) {
		system_failure(failure, path);
		unlink(temporary);
		return 1;
	}
	return 0;
}

/* --- What goes into them ------------------------------------------------------------ */

/* Removes our block from `content` in place; 1 when its marks are damaged. */
static int cut_block(char *content)
{
	char *begin = strstr(content, BEGIN_MARK), *end;

	if (!begin)
		return strstr(content, END_MARK) != NULL;
	end = strstr(begin, END_MARK);
	if (!end)
		return 1;
	end += strlen(END_MARK);
	memmove(begin, end, strlen(end) + 1);
	return strstr(content, BEGIN_MARK) != NULL;
}

/* The caller frees. */
static char *block(const char *folder, const char *const keys[KEYS])
{
	char *text;

	/* all KEYS are set by the caller */
	// NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage)
	if (asprintf(&text,
		     BEGIN_MARK
		     "try:\n"
		     "    import importlib.util as _util\n"
		     "    _spec = _util.spec_from_file_location(\"descry_addon\", "
		     "r\"%s/descry_addon.py\")\n"
		     "    _descry = _util.module_from_spec(_spec)\n"
		     "    _spec.loader.exec_module(_descry)\n"
		     "    _descry.install({\"focus\": \"%s\", \"camera\": \"%s\", \"repeat\": \"%s\", "
		     "\"stop\": \"%s\"})\n"
		     "except Exception as _descry_error:\n"
		     "    print(\"Descry's add-on is not used: %%s\" %% _descry_error)\n"
		     END_MARK, folder, keys[0], keys[1], keys[2], keys[3]) < 0)
		return NULL;
	return text;
}

/* The extension with the user's keys. The caller frees. */
static char *extension(const char *const keys[KEYS])
{
	static const char line[] = "KEYS = {";
	const char *at = strstr(orca_extension, line), *end = at ? strchr(at, '\n') : NULL;
	char *text;

	if (!end ||
	    asprintf(&text,
		     "%.*sKEYS = {\"focus\": \"%s\", \"camera\": \"%s\", \"repeat\": \"%s\", "
		     "\"stop\": \"%s\"}%s", (int)(at - orca_extension), orca_extension, keys[0],
		     keys[1], keys[2], keys[3], end) < 0)
		return NULL;
	return text;
}

/* A key as X names it: a letter, a digit or a name such as F5 or Print. */
static int read_keys(const struct client *client, const char *keys[KEYS], struct failure *failure)
{
	char option[32];

	for (size_t i = 0; i < KEYS; i++) {
		snprintf(option, sizeof(option), "%s-key", commands_of_keys[i]);
		keys[i] = client_value(client, option);
		if (!keys[i])
			keys[i] = default_keys[i];
		if (!*keys[i] || strlen(keys[i]) > 20 ||
		    strspn(keys[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_") != strlen(keys[i]))
			return failure_set(failure, FAILURE_USAGE,
					   "\"%s\" is not the name of a key.", keys[i]);
		for (size_t j = 0; j < i; j++)
			if (!strcmp(keys[i], keys[j]))
				return failure_set(failure, FAILURE_USAGE,
						   "The key %s is given twice.", keys[i]);
	}
	return 0;
}

/* Rewrites orca-customizations.py: without our block, and with `added` at its
 * end. An empty file that would remain is removed. */
static int customize(const char *folder, const char *added, struct failure *failure)
{
	char path[PATH_BYTES], *content = NULL, *whole;
	size_t length;
	mode_t mode = 0600;
	int r;

	snprintf(path, sizeof(path), "%s/orca-customizations.py", folder);
	r = read_file(path, &content, &mode, failure);
	if (r)
		return r;
	if (content && cut_block(content)) {
		free(content);
		return failure_set(failure, FAILURE_FAILED,
				   "%s: Descry's part has been changed. Take it out by hand.", path);
	}
	length = content ? strlen(content) : 0;
	if (!length && !*added) {
		free(content);
		if (unlink(path) < 0 && errno != ENOENT)
			return system_failure(failure, path);
		return 0;
	}
	r = asprintf(&whole, "%s%s%s", content ? content : "",
		     *added && length && content[length - 1] != '\n' ? "\n" : "", added);
	free(content);
	if (r < 0)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	r = write_file(path, whole, mode, failure);
	free(whole);
	return r;
}

/* --- The commands ---------------------------------------------------------------------- */

static int install(const char *folder, const char *const keys[KEYS], struct failure *failure)
{
	char path[PATH_BYTES];
	char *added = block(folder, keys), *form = extension(keys);
	int r = 0;

	if (!added || !form)
		r = failure_set(failure, FAILURE_FAILED, "Out of memory.");
	snprintf(path, sizeof(path), "%s/extensions", folder);
	if (!r)
		r = make_folders(path, failure);
	snprintf(path, sizeof(path), "%s/descry_addon.py", folder);
	if (!r)
		r = write_file(path, orca_addon, 0600, failure);
	snprintf(path, sizeof(path), "%s/extensions/descry.py", folder);
	if (!r)
		r = write_file(path, form, 0600, failure);
	if (!r)
		r = customize(folder, added, failure);
	free(added);
	free(form);
	return r;
}

static int run_install(struct client *client, int argc, char **argv)
{
	const char *keys[KEYS];
	char folder[FOLDER_BYTES];
	struct failure failure;

	if (argc > 0)
		return client_usage(client, "orca install takes no \"%s\".", argv[0]);
	if (read_keys(client, keys, &failure) || orca_folder(folder, &failure) ||
	    install(folder, keys, &failure))
		return client_fail(client, NULL, &failure);
	if (client->json) {
		client_print_json(json_pack("{s:s}", "folder", folder));
		return 0;
	}
	printf("Descry's add-on for Orca is in %s.\n"
	       "With the Orca key and Shift, %s describes what has focus, %s looks through the "
	       "camera, %s repeats, %s stops.\n"
	       "Orca 43 to 48: start Orca again, and it is there.\n"
	       "Orca 49 and 50: descriptions are spoken through Orca; set keys in the desktop's "
	       "own settings.\n"
	       "Orca 51: allow it first, by the command orca --approve-extension descry.py, then "
	       "start Orca again.\n", folder, keys[0], keys[1], keys[2], keys[3]);
	return 0;
}

const struct command command_orca_install = {
	.name = "orca install", .arguments = "",
	.help = "Adds Descry's keys to Orca. Puts an add-on into your own Orca folder and keeps what "
		"is there. Doing it again brings it up to date.",
	.options = install_options,
	.option_count = sizeof(install_options) / sizeof(*install_options),
	.run = run_install,
};

static int run_remove(struct client *client, int argc, char **argv)
{
	static const char files[][24] = { "descry_addon.py", "extensions/descry.py" };
	char folder[PATH_BYTES], path[PATH_BYTES];
	struct failure failure;
	int r;

	if (argc > 0)
		return client_usage(client, "orca remove takes no \"%s\".", argv[0]);
	r = orca_folder(folder, &failure);
	if (!r)
		r = customize(folder, "", &failure);
	for (size_t i = 0; !r && i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "%.*s/%s", FOLDER_BYTES, folder, files[i]);
		if (unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR)
			r = system_failure(&failure, path);
	}
	if (r)
		return client_fail(client, NULL, &failure);
	if (!client->json)
		puts("Descry's add-on is no longer in Orca's folder. Start Orca again.");
	return 0;
}

const struct command command_orca_remove = {
	.name = "orca remove", .arguments = "",
	.help = "Takes Descry's keys out of Orca. Nothing else in Orca's folder is touched.",
	.run = run_remove,
};
