/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_config.c: the configuration: defaults, every type, every kind of mistake
 * with its line, and the files written from the table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config.h"

static char path[64];

static int write_text(const char *text, size_t size)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/descry-config-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0 || write(fd, text, size) != (ssize_t)size)
		return -1;
	return close(fd);
}

static int load(const char *text, struct config **ret_config, struct config_error *error)
{
	int r;

	assert_int_equal(write_text(text, strlen(text)), 0);
	r = config_load(path, NULL, 0, ret_config, error);
	unlink(path);
	return r;
}

static void expect_mistake(const char *text, unsigned line, const char *part)
{
	struct config_error error = { 0 };
	struct config *config = NULL;
	char where[96];

	assert_int_equal(load(text, &config, &error), 1);
	assert_null(config);
	snprintf(where, sizeof(where), "%s, line %u: ", path, line);
	if (strncmp(error.message, where, strlen(where)) != 0 || !strstr(error.message, part))
		fail_msg("unexpected message: %s", error.message);
}

static void defaults(void **state)
{
	struct config *config = NULL;

	(void)state;
	assert_int_equal(config_load(NULL, NULL, 0, &config, NULL), 0);
	assert_int_equal(config->speech_rate, 175);
	assert_string_equal(config->speech_voice, "en");
	assert_null(config->speech_wav);
	assert_true(config->sounds_tick);
	assert_int_equal(config->caption_verbosity, VERBOSITY_NORMAL);
	assert_null(config_free(config));
}

static void values(void **state)
{
	struct config *config = NULL;

	(void)state;
	setenv("HOME", "/home/someone", 1);
	assert_int_equal(load("# a comment\n[speech]\nrate = 400\nvoice = de\n"
			      "wav = ~/out.wav ; a remark\n[sounds]\ntick = off\n"
			      "[caption]\nverbosity = full\n[model]\npath =\n", &config, NULL), 0);
	assert_int_equal(config->speech_rate, 400);
	assert_string_equal(config->speech_voice, "de");
	assert_string_equal(config->speech_wav, "/home/someone/out.wav");
	assert_false(config->sounds_tick);
	assert_int_equal(config->caption_verbosity, VERBOSITY_FULL);
	assert_null(config->model_path);
	config_free(config);
}

static void mistakes(void **state)
{
	char text[400];

	(void)state;
	expect_mistake("[speech]\nrate = 79\n", 2, "a whole number from 80 to 900");
	expect_mistake("[speech]\nrate = 901\n", 2, "80 to 900");
	expect_mistake("[speech]\nrate = 1e2\n", 2, "80 to 900");
	expect_mistake("[speech]\nrate = 99999999999999999999\n", 2, "80 to 900");
	expect_mistake("[speech]\nrate = -1\n", 2, "80 to 900");
	expect_mistake("[speech]\nrate =\n", 2, "80 to 900");
	expect_mistake("[sounds]\n\ntick = maybe\n", 3, "yes or no");
	expect_mistake("[caption]\nverbosity = loud\n", 2, "one of: brief, normal, full");
	expect_mistake("[model]\npath = model.gguf\n", 2, "starts with / or ~/");
	expect_mistake("[speech]\npace = 3\n", 2, "Its keys are: voice, rate");
	expect_mistake("[speach]\nrate = 100\n", 2, "The sections are: [model]");
	expect_mistake("rate = 100\n", 1, "before the first section");
	expect_mistake("[speech]\nrate = 100\nrate = 100\n", 3, "set twice");
	expect_mistake("[speech]\nrate = 100\n  200\n", 3, "set twice");
	expect_mistake("[speech]\nnonsense\n", 2, "neither a [section]");
	expect_mistake("[speech\n", 1, "neither a [section]");
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	expect_mistake(text, 1, "longer than");
}

static void first_mistake_is_named(void **state)
{
	(void)state;
	expect_mistake("[speech]\nrate = 1\nnonsense\npace = 1\n", 2, "80 to 900");
}

/* What is right in a file holds, whatever is wrong beside it. */
static void usable(void **state)
{
	static const struct {
		const char *text;
		unsigned line;		/* of the first mistake; 0: none */
		unsigned rate, pause;
	} cases[] = {
		{ "[speech]\nrate = 200\n[watch]\npause = 7\n", 0, 200, 7 },
		{ "[speech]\nrate = quick\n[watch]\npause = 7\n", 2, 175, 7 },
		{ "[speech]\npace = 3\nrate = 200\npause = 9\n[watch]\npause = 7\n", 2, 200, 7 },
		{ "[speech]\nrate = 200\nrate = 300\n[watch]\npause = 7\n", 3, 200, 7 },
		{ "rate = 200\n[watch]\npause = 7\n", 1, 175, 7 },
		{ "[speech]\nnonsense\nrate = 1\n[watch]\npause = 7\n", 2, 175, 7 },
		{ "[speech]\nrate = 1\nnonsense\n[watch]\npause = 7\n", 2, 175, 7 },
		/* keys under a broken heading do not belong to the section before it */
		{ "[watch]\npause = 7\n[speech\nrate = 200\npause = 9\n", 3, 175, 7 },
		{ "[watch]\n[speech ; ]\npause = 9\n[speech]\nrate = 200\n", 2, 200, 0 },
		{ "[watch]\n[speach]\npause = 9\n[speech]\nrate = 200\n", 3, 200, 0 },
		/* found by fuzzing: goes on with the value above it, and is no heading */
		{ "[speech]\nrate = 200\n  [ok ; ]\npitch = 1\n", 3, 200, 0 },
	};
	struct config_error error;
	struct config *config = NULL;
	unsigned pause;

	(void)state;
	assert_int_equal(config_load(NULL, NULL, 0, &config, NULL), 0);
	pause = config->watch_pause;
	config = config_free(config);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(write_text(cases[i].text, strlen(cases[i].text)), 0);
		assert_int_equal(config_load_usable(path, NULL, 0, &config, &error), 0);
		unlink(path);
		assert_int_equal(error.line, cases[i].line);
		assert_int_equal(strlen(error.message) > 0, cases[i].line > 0);
		assert_int_equal(config->speech_rate, cases[i].rate);
		assert_int_equal(config->watch_pause, cases[i].pause ? cases[i].pause : pause);
		config = config_free(config);
	}
	assert_true(config_load_usable("/nowhere/descry.conf", NULL, 0, &config, &error) < 0);
	assert_int_equal(config_load_usable(NULL, &(const char *){ "speech.rate=3" }, 1, &config,
					    &error), 1);
	assert_null(config);
}

static void zero_byte(void **state)
{
	static const char text[] = "[speech]\nra\0te = 100\n";
	struct config_error error = { 0 };
	struct config *config = NULL;

	(void)state;
	assert_int_equal(write_text(text, sizeof(text) - 1), 0);
	assert_int_equal(config_load(path, NULL, 0, &config, &error), 1);
	assert_non_null(strstr(error.message, "line 2"));
	unlink(path);
}

static void unreadable(void **state)
{
	struct config_error error = { 0 };
	struct config *config = NULL;

	(void)state;
	assert_true(config_load("/nowhere/descry.conf", NULL, 0, &config, &error) < 0);
	assert_non_null(strstr(error.message, "/nowhere/descry.conf"));
	assert_true(config_load("/", NULL, 0, &config, &error) != 0);
	assert_non_null(strstr(error.message, "not a regular file"));
}

static void overrides(void **state)
{
	static const char *const good[] = { "speech.rate=300", "speech.rate=310" };
	static const char *const bad[] = { "speech.rate=3", "rate=100", "speech.rate", "x.y=1" };
	struct config_error error = { 0 };
	struct config *config = NULL;

	(void)state;
	assert_int_equal(config_load(NULL, good, 2, &config, &error), 0);
	assert_int_equal(config->speech_rate, 310);
	config = config_free(config);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(config_load(NULL, &bad[i], 1, &config, &error), 1);
		assert_null(config);
	}
}

/* Every default parses, stands in its range and is described in words. */
static void table(void **state)
{
	const struct config_section *sections;
	size_t count;

	(void)state;
	sections = config_sections(&count);
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		assert_true(strlen(sections[i].help) > 5);
		for (size_t j = 0; j < sections[i].key_count; j++) {
			const struct config_key *key = &sections[i].keys[j];
			char allowed[256] = "";

			config_describe_key(key, allowed, sizeof(allowed));
			assert_true(strlen(allowed) > 5);
			assert_true(strlen(key->help) > 5);
			assert_int_equal(key->help[strlen(key->help) - 1], '.');
			for (size_t k = 0; k < j; k++)
				assert_string_not_equal(sections[i].keys[k].name, key->name);
		}
	}
}

/* The file that is installed loads, and so it does with each default switched on. */
static void written_file(void **state)
{
	struct config_error error = { 0 };
	struct config *config = NULL;
	char *text = NULL, *line, *rest;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	config_write_file(out);
	fclose(out);
	assert_int_equal(load(text, &config, &error), 0);
	config = config_free(config);
	for (rest = text; (line = strsep(&rest, "\n"));) {
		if (line[0] == '#' && line[1] != ' ')
			line[0] = ' ';
		if (rest)
			rest[-1] = '\n';
	}
	for (char *p = text; (p = strstr(p, "\n ")); p++)
		memmove(p + 1, p + 2, strlen(p + 2) + 1);
	if (load(text, &config, &error) != 0)
		fail_msg("%s", error.message);
	config_free(config);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(values),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(first_mistake_is_named),
		cmocka_unit_test(usable),
		cmocka_unit_test(zero_byte),
		cmocka_unit_test(unreadable),
		cmocka_unit_test(overrides),
		cmocka_unit_test(table),
		cmocka_unit_test(written_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
