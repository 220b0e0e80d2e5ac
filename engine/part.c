/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * part.c: captions are cut where English lets them be cut without a parser: what
 * follows a preposition or "is" can go with it if a noun or verb stands before;
 * a preposition with its noun can go from the middle; a colour can go before its
 * noun. "of" binds too closely ("a group of people") and is never cut at.
 */
#include "engine/part.h"

#include <assert.h>
#include <string.h>

static_assert(LIMIT_WORDS <= 32, "a part's words are bits of 32");

/* Words that open what may be left out, sorted. */
static const char *const openings[] = {
	"above", "across", "against", "along", "and", "are", "around", "as", "at", "behind",
	"below", "beside", "by", "for", "from", "holding", "in", "inside", "into", "is", "near",
	"next", "off", "on", "outside", "over", "that", "through", "to", "under", "wearing",
	"which", "while", "who", "with",
};

/* Those that a clause follows: it cannot go from the middle. */
static const char *const clauses[] = { "and", "are", "as", "is", "that", "which", "while", "who" };

struct words {
	const struct vocabulary *vocabulary;
	const struct hypothesis *caption;
};

static bool stands_in(const char *const *table, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(table[i], word) == 0)
			return true;
	}
	return false;
}

static bool opens(const struct words *words, unsigned i)
{
	return stands_in(openings, sizeof(openings) / sizeof(*openings),
			 vocabulary_word(words->vocabulary, words->caption->words[i]));
}

static bool opens_clause(const struct words *words, unsigned i)
{
	return stands_in(clauses, sizeof(clauses) / sizeof(*clauses),
			 vocabulary_word(words->vocabulary, words->caption->words[i]));
}

static enum lexeme_kind kind(const struct words *words, unsigned i)
{
	return vocabulary_lexeme(words->vocabulary, words->caption->words[i])->kind;
}

static bool is_determiner(const struct words *words, unsigned i)
{
	static const char *const determiners[] = {
		"a", "an", "her", "his", "its", "some", "the", "their",
	};

	return stands_in(determiners, sizeof(determiners) / sizeof(*determiners),
			 vocabulary_word(words->vocabulary, words->caption->words[i]));
}

/* Two words or more, the last of them a noun or verb. */
static void add(const struct words *words, part_words part, part_words *parts, size_t *count)
{
	part_words whole = (part_words)((UINT64_C(1) << words->caption->count) - 1);
	unsigned last;

	if (*count == PARTS_MAX || part == whole || __builtin_popcount(part) < 2)
		return;
	last = 31u - (unsigned)__builtin_clz(part);
	if (kind(words, last) < LEXEME_VERB || opens(words, last))
		return;
	for (size_t i = 0; i < *count; i++) {
		if (parts[i] == part)
			return;
	}
	parts[(*count)++] = part;
}

static void cut_ends(const struct words *words, part_words *parts, size_t *count)
{
	for (unsigned i = 2; i < words->caption->count; i++) {
		unsigned end = i;

		if (!opens(words, i))
			continue;
		while (end > 0 && kind(words, end - 1) < LEXEME_COLOUR)
			end--;
		add(words, (1u << end) - 1, parts, count);
	}
}

/* Takes a preposition and its noun from the middle of a part. */
static void cut_middle(const struct words *words, part_words part, part_words *parts,
		       size_t *count)
{
	for (unsigned i = 2; i + 1 < words->caption->count; i++) {
		unsigned end = i + 1;

		if (!(part >> i & 1) || !opens(words, i) || opens_clause(words, i))
			continue;
		while (end < words->caption->count && kind(words, end) != LEXEME_NOUN &&
		       (is_determiner(words, end) || kind(words, end) == LEXEME_DESCRIPTION ||
			kind(words, end) == LEXEME_COLOUR || kind(words, end) == LEXEME_NUMBER))
			end++;
		if (end == words->caption->count || kind(words, end) != LEXEME_NOUN)
			continue;
		while (end < words->caption->count && kind(words, end) == LEXEME_NOUN)
			end++;
		add(words, part & ~(((1u << end) - 1) & ~((1u << i) - 1)), parts, count);
	}
}

static void cut_colours(const struct words *words, part_words part, part_words *parts,
			size_t *count)
{
	for (unsigned i = 0; i + 1 < words->caption->count; i++) {
		if (part >> i & 1 && part >> (i + 1) & 1 && kind(words, i) == LEXEME_COLOUR &&
		    kind(words, i + 1) >= LEXEME_VERB)
			add(words, part & ~(1u << i), parts, count);
	}
}

size_t part_find(const struct vocabulary *vocabulary, const struct hypothesis *caption,
		 part_words ret_parts[PARTS_MAX])
{
	const struct words words = { vocabulary, caption };
	part_words whole = (part_words)((UINT64_C(1) << caption->count) - 1);
	size_t count = 0, found;

	cut_ends(&words, ret_parts, &count);
	found = count;
	cut_middle(&words, whole, ret_parts, &count);
	for (size_t i = 0; i < found; i++)
		cut_middle(&words, ret_parts[i], ret_parts, &count);
	found = count;
	cut_colours(&words, whole, ret_parts, &count);
	for (size_t i = 0; i < found; i++)
		cut_colours(&words, ret_parts[i], ret_parts, &count);
	return count;
}

size_t part_texts(const struct vocabulary *vocabulary, const struct hypothesis *caption,
		  part_words part, const char *ret_texts[LIMIT_WORDS])
{
	size_t count = 0, article = SIZE_MAX;

	for (unsigned i = 0; i < caption->count; i++) {
		const char *text = vocabulary_word(vocabulary, caption->words[i]);

		if (!(part >> i & 1))
			continue;
		if (article + 1 == count && i > 0 && !(part >> (i - 1) & 1))
			ret_texts[article] = strchr("aeiou", text[0]) ? "an" : "a";
		if (strcmp(text, "a") == 0 || strcmp(text, "an") == 0)
			article = count;
		ret_texts[count++] = text;
	}
	return count;
}
