/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * vocabulary.c: the word list, with an open-addressing table for the way from
 * text to index. The table is at most half full, so a search always ends.
 */
#include "engine/vocabulary.h"

#include "engine/error.h"
#include "engine/limits.h"

#include <stdlib.h>
#include <string.h>

struct vocabulary {
	const char *const *words;
	unsigned size;
	uint32_t mask;
	struct lexeme *lexemes;
	uint32_t slots[];	/* index + 1, or 0 */
};

/* FNV-1a. */
static uint32_t hash(const char *text)
{
	uint32_t value = 2166136261u;

	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * 16777619u;
	return value;
}

/* The slot that holds the word or is free for it. */
static uint32_t find_slot(const struct vocabulary *vocabulary, const char *word)
{
	uint32_t at = hash(word) & vocabulary->mask;

	while (vocabulary->slots[at] != 0 &&
	       strcmp(vocabulary->words[vocabulary->slots[at] - 1], word) != 0)
		at = (at + 1) & vocabulary->mask;
	return at;
}

static bool is_word(const char *text)
{
	size_t length = strlen(text);

	if (length == 0 || length > LIMIT_WORD_BYTES)
		return false;
	for (; *text; text++) {
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			return false;
	}
	return true;
}

int vocabulary_open(const char *const *words, size_t count,
		    struct vocabulary **ret_vocabulary, struct engine_error *error)
{
	struct vocabulary *vocabulary;
	uint32_t slots = 16;

	if (count <= VOCABULARY_FIRST_WORD || count > LIMIT_VOCABULARY)
		return engine_fail(error, ENGINE_BAD_MODEL,
			"The vocabulary holds %zu words; %u to %u can be used.", count,
			VOCABULARY_FIRST_WORD + 1u, LIMIT_VOCABULARY);
	while (slots < 2 * count)
		slots *= 2;
	vocabulary = calloc(1, sizeof(*vocabulary) + slots * sizeof(*vocabulary->slots));
	if (!vocabulary)
		return engine_fail_memory(error);
	vocabulary->words = words;
	vocabulary->size = (unsigned)count;
	vocabulary->mask = slots - 1;
	vocabulary->lexemes = calloc(count, sizeof(*vocabulary->lexemes));
	if (!vocabulary->lexemes) {
		vocabulary_free(vocabulary);
		return engine_fail_memory(error);
	}
	for (unsigned i = VOCABULARY_FIRST_WORD; i < count; i++) {
		uint32_t *slot;

		if (!is_word(words[i])) {
			vocabulary_free(vocabulary);
			return engine_fail(error, ENGINE_BAD_MODEL,
				"Word %u of the vocabulary is empty, longer than %u bytes or "
				"holds blanks.", i, LIMIT_WORD_BYTES);
		}
		slot = &vocabulary->slots[find_slot(vocabulary, words[i])];
		if (*slot != 0) {
			vocabulary_free(vocabulary);
			return engine_fail(error, ENGINE_BAD_MODEL,
				"The vocabulary holds the word \"%s\" twice.", words[i]);
		}
		*slot = i + 1;
		vocabulary->lexemes[i] = lexeme_of(words[i]);
	}
	*ret_vocabulary = vocabulary;
	return 0;
}

struct vocabulary *vocabulary_free(struct vocabulary *vocabulary)
{
	if (!vocabulary)
		return NULL;
	free(vocabulary->lexemes);
	free(vocabulary);
	return NULL;
}

unsigned vocabulary_size(const struct vocabulary *vocabulary)
{
	return vocabulary->size;
}

const char *vocabulary_word(const struct vocabulary *vocabulary, unsigned index)
{
	return vocabulary->words[index];
}

const struct lexeme *vocabulary_lexeme(const struct vocabulary *vocabulary, unsigned index)
{
	return &vocabulary->lexemes[index];
}

unsigned vocabulary_find(const struct vocabulary *vocabulary, const char *word)
{
	uint32_t index = vocabulary->slots[find_slot(vocabulary, word)];

	return index == 0 ? VOCABULARY_UNKNOWN : index - 1;
}
