/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main.c: `descry`, the command-line client: finds the command, reads its
 * options by its table, runs it.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/client/command.h"
#include "daemon/client/manual.h"

/* The command of argv[1], or of argv[1] and argv[2]; `ret_words` how many. */
static const struct command *find_command(int argc, char **argv, int *ret_words)
{
	for (size_t i = 0; commands[i]; i++) {
		const char *name = commands[i]->name, *space = strchr(name, ' ');
		size_t first = space ? (size_t)(space - name) : strlen(name);

		if (strlen(argv[1]) != first || strncmp(argv[1], name, first) != 0)
			continue;
		if (space && (argc < 3 || strcmp(argv[2], space + 1) != 0))
			continue;
		*ret_words = space ? 2 : 1;
		return commands[i];
	}
	return NULL;
}

static const struct client_option *option_at(const struct client *client, size_t index)
{
	const struct command *command = client->command;

	if (index < command->option_count)
		return &command->options[index];
	index -= command->option_count;
	return index < client_global_option_count ? &client_global_options[index] : NULL;
}

/* Finds by name (`length` characters of it) or by letter. */
static const struct client_option *find_option(const struct client *client, const char *name,
					       size_t length, char letter, size_t *ret_index)
{
	const struct client_option *option;

	for (size_t i = 0; (option = option_at(client, i)); i++) {
		bool same = letter ? option->letter == letter
				   : strlen(option->name) == length &&
				     strncmp(option->name, name, length) == 0;

		if (same) {
			*ret_index = i;
			return option;
		}
	}
	return NULL;
}

/* Reads argv[*at] as an option. Returns 0 or an exit status. */
static int read_option(struct client *client, int argc, char **argv, int *at)
{
	char *text = argv[*at];
	bool is_long = text[1] == '-';
	const char *name = text + 2, *value = NULL;
	size_t length = is_long ? strcspn(name, "=") : 0, index;
	const struct client_option *option;

	option = find_option(client, name, length, is_long ? 0 : text[1], &index);
	if (!option)
		return client_usage(client, "There is no option \"%s\".", text);
	if (is_long && name[length] == '=')
		value = name + length + 1;
	else if (!is_long && text[2])
		value = text + 2;
	if (!option->argument && value)
		return client_usage(client, "--%s takes no value.", option->name);
	if (option->argument && !value) {
		if (*at + 1 == argc)
			return client_usage(client, "--%s needs %s.", option->name,
					    option->argument);
		value = argv[++*at];
	}
	client->values[index] = option->argument ? value : "";
	return 0;
}

/* Moves what is no option to the front; returns an exit status, or 0. */
static int read_options(struct client *client, int argc, char **argv, int *ret_count)
{
	int count = 0;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			while (++i < argc)
				argv[count++] = argv[i];
		} else if (argv[i][0] == '-' && argv[i][1]) {
			int r = read_option(client, argc, argv, &i);

			if (r)
				return r;
		} else {
			argv[count++] = argv[i];
		}
	}
	*ret_count = count;
	return 0;
}

/* Options that stand alone. Returns -1 when argv[1] is none. */
static int run_alone(const char *word)
{
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
		manual_write_overview(stdout);
	else if (strcmp(word, "--version") == 0)
		puts("descry " DESCRY_VERSION);
	else if (strcmp(word, "--print-manual") == 0)
		manual_write_mdoc(stdout);
	else if (strcmp(word, "--print-completion") == 0)
		manual_write_completion(stdout);
	else
		return -1;
	return 0;
}

int main(int argc, char **argv)
{
	struct client client = { 0 };
	int status, words = 0, count;

	setlocale(LC_ALL, "");
	setlocale(LC_NUMERIC, "C");
	if (argc < 2)
		return client_usage(&client, "A command is missing.");
	status = run_alone(argv[1]);
	if (status >= 0)
		return status;
	client.command = find_command(argc, argv, &words);
	if (!client.command)
		return client_usage(&client, "There is no command \"%s\".", argv[1]);
	argv += 1 + words;
	status = read_options(&client, argc - 1 - words, argv, &count);
	if (status)
		return status;
	client.json = client_has(&client, "json");
	if (client_has(&client, "help")) {
		manual_write_command(stdout, client.command);
		return 0;
	}
	status = client.command->run(&client, count, argv);
	if (client.bus) {
		dbus_connection_close(client.bus);
		dbus_connection_unref(client.bus);
	}
	if (fflush(stdout) != 0 && status == 0)
		return failure_info(FAILURE_FAILED)->exit_status;
	return status;
}
