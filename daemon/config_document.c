/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * config_document.c: the configuration explained: the default file with every
 * key as a comment, and the keys' part of the manual page. Both come from the
 * table, so that they cannot tell of a key that does not exist.
 */
#include "daemon/config.h"

#include <string.h>

#include "daemon/mdoc.h"

/* Writes text as comment lines of at most 78 columns. */
static void write_comment(FILE *out, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t length = strcspn(text, " ");

		if (column == 0 || column + 1 + length > 78) {
			fputs(column ? "\n#" : "#", out);
			column = 1;
		}
		fprintf(out, " %.*s", (int)length, text);
		column += 1 + length;
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

void config_write_file(FILE *out)
{
	char allowed[256], line[512];
	size_t count;
	const struct config_section *sections = config_sections(&count);

	fputs("# Descry's configuration: every key with its default. A key that is commented\n"
	      "# out has the default. `systemctl --user reload descry` makes a change hold;\n"
	      "# a mistake is named with its line, and the old configuration stays.\n", out);
	for (size_t i = 0; i < count; i++) {
		const struct config_section *section = &sections[i];
		const char *mark = section->most ? "#" : "";

		fputc('\n', out);
		write_comment(out, section->help);
		fprintf(out, "%s[%s%s]\n", mark, section->name, section->most ? " NAME" : "");
		for (size_t j = 0; j < section->key_count; j++) {
			const struct config_key *key = &section->keys[j];

			config_describe_key(key, allowed, sizeof(allowed));
			snprintf(line, sizeof(line), "%s Allowed: %s.", key->help, allowed);
			fputc('\n', out);
			write_comment(out, line);
			fprintf(out, "#%s =%s%s\n", key->name, *key->initial ? " " : "",
				key->initial);
		}
	}
}

void config_write_manual(FILE *out)
{
	char allowed[256];
	size_t count;
	const struct config_section *sections = config_sections(&count);

	for (size_t i = 0; i < count; i++) {
		const struct config_section *section = &sections[i];

		fprintf(out, ".Ss [%s%s]\n", section->name, section->most ? " NAME" : "");
		mdoc_write_text(out, section->help);
		if (section->most)
			fprintf(out, "Up to %zu such sections can stand in the file.\n",
				section->most);
		fputs(".Bl -tag -width Ds\n", out);
		for (size_t j = 0; j < section->key_count; j++) {
			const struct config_key *key = &section->keys[j];

			config_describe_key(key, allowed, sizeof(allowed));
			fprintf(out, ".It Cm %s\n", key->name);
			mdoc_write_text(out, key->help);
			fprintf(out, "Allowed: %s.\n", allowed);
			if (*key->initial)
				fprintf(out, "Default: %s.\n", key->initial);
			else
				fputs("Empty by default.\n", out);
		}
		fputs(".El\n", out);
	}
}
