/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * manual.c: see manual.h.
 */
#include "daemon/client/manual.h"

#include <string.h>

#include "daemon/mdoc.h"

/* The first sentence of a help text. */
static int summary_length(const char *help)
{
	const char *end = strstr(help, ". ");

	return (int)(end ? end - help + 1 : (long)strlen(help));
}

void manual_write_overview(FILE *out)
{
	fputs("Usage: descry COMMAND [OPTION…] [ARGUMENT…]\n"
	      "Describes pictures in one sentence, and speaks it.\n\nCommands:\n", out);
	for (size_t i = 0; commands[i]; i++)
		fprintf(out, "  %s %s\n      %.*s\n", commands[i]->name, commands[i]->arguments,
			summary_length(commands[i]->help), commands[i]->help);
	fputs("\n`descry COMMAND --help` explains one of them. `descry --version` prints the "
	      "version.\n\nExit statuses:\n", out);
	for (unsigned i = 0; i < FAILURE_COUNT; i++)
		fprintf(out, "  %d: %s\n", failure_info((enum failure_kind)i)->exit_status,
			failure_info((enum failure_kind)i)->meaning);
}

static void write_option(FILE *out, const struct client_option *option)
{
	fputs("  ", out);
	if (option->letter)
		fprintf(out, "-%c, ", option->letter);
	fprintf(out, "--%s%s%s\n      %s\n", option->name, option->argument ? " " : "",
		option->argument ? option->argument : "", option->help);
}

void manual_write_command(FILE *out, const struct command *command)
{
	fprintf(out, "Usage: descry %s [OPTION…]%s%s\n%s\n\nOptions:\n", command->name,
		*command->arguments ? " " : "", command->arguments, command->help);
	for (size_t i = 0; i < command->option_count; i++)
		write_option(out, &command->options[i]);
	for (size_t i = 0; i < client_global_option_count; i++)
		write_option(out, &client_global_options[i]);
}

static void write_mdoc_option(FILE *out, const struct client_option *option)
{
	fputs(".It", out);
	if (option->letter)
		fprintf(out, " Fl %c ,", option->letter);
	fprintf(out, " Fl Fl %s", option->name);
	if (option->argument)
		fprintf(out, " Ar %s", option->argument);
	fputc('\n', out);
	mdoc_write_text(out, option->help);
}

void manual_write_mdoc(FILE *out)
{
	fputs(".Sh COMMANDS\n", out);
	for (size_t i = 0; commands[i]; i++) {
		const struct command *command = commands[i];

		fputs(".Ss ", out);
		fprintf(out, "%s%s", command->name, *command->arguments ? " " : "");
		mdoc_write_text(out, command->arguments);
		mdoc_write_text(out, command->help);
		if (command->option_count == 0)
			continue;
		fputs(".Bl -tag -width Ds\n", out);
		for (size_t j = 0; j < command->option_count; j++)
			write_mdoc_option(out, &command->options[j]);
		fputs(".El\n", out);
	}
	fputs(".Sh OPTIONS OF ALL COMMANDS\n.Bl -tag -width Ds\n", out);
	for (size_t i = 0; i < client_global_option_count; i++)
		write_mdoc_option(out, &client_global_options[i]);
	fputs(".El\n.Sh EXIT STATUS\n.Bl -tag -width Ds\n", out);
	for (unsigned i = 0; i < FAILURE_COUNT; i++) {
		fprintf(out, ".It %d\n", failure_info((enum failure_kind)i)->exit_status);
		mdoc_write_text(out, failure_info((enum failure_kind)i)->meaning);
	}
	fputs(".El\n", out);
}

static void write_words(FILE *out, const struct command *command)
{
	for (size_t i = 0; i < command->option_count; i++)
		fprintf(out, " --%s", command->options[i].name);
	for (size_t i = 0; i < client_global_option_count; i++)
		fprintf(out, " --%s", client_global_options[i].name);
}

void manual_write_completion(FILE *out)
{
	fputs("# Completion of descry(1) for bash, written by `descry --print-completion`.\n"
	      "_descry()\n{\n"
	      "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[*]:1:COMP_CWORD-1}\n"
	      "\tlocal words=\n"
	      "\tcase \"$before \" in\n", out);
	for (size_t i = 0; commands[i]; i++) {
		fprintf(out, "\t\"%s \"*) words='", commands[i]->name);
		write_words(out, commands[i]);
		fputs("' ;;\n", out);
	}
	for (size_t i = 0; commands[i]; i++) {
		const char *space = strchr(commands[i]->name, ' ');
		int length = space ? (int)(space - commands[i]->name) : 0;
		bool first = space != NULL;

		for (size_t j = 0; first && j < i; j++)
			first = strncmp(commands[j]->name, commands[i]->name, (size_t)length + 1) != 0;
		if (!first)
			continue;
		fprintf(out, "\t\"%.*s \") words='", length, commands[i]->name);
		for (size_t j = i; commands[j]; j++)
			if (strncmp(commands[j]->name, commands[i]->name, (size_t)length + 1) == 0)
				fprintf(out, " %s", commands[j]->name + length + 1);
		fputs("' ;;\n", out);
	}
	fputs("\t\" \") words='", out);
	for (size_t i = 0; commands[i]; i++) {
		int length = (int)strcspn(commands[i]->name, " ");
		bool first = true;

		for (size_t j = 0; first && j < i; j++)
			first = strncmp(commands[j]->name, commands[i]->name, (size_t)length) != 0 ||
				commands[j]->name[length] != ' ';
		if (first)
			fprintf(out, " %.*s", length, commands[i]->name);
	}
	fputs(" --help --version' ;;\n\tesac\n"
	      "\tif [[ $word == -* || $COMP_CWORD -eq 1 ]]; then\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
	      "\telse\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen -W \"${words//--*/}\" -- \"$word\"; "
	      "compgen -f -- \"$word\")\n"
	      "\tfi\n}\n"
	      "complete -o filenames -F _descry descry\n", out);
}
