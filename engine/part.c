/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * part.c: captions are cut where English lets them be cut without a parser: what
 * follows a preposition or "is" can go with it if a noun or verb stands before;
 * a preposition with its noun can go from the middle; a colour can go before its
 * noun. "of" binds too closely ("a group of people") and is never cut at.
 *
 * Then nouns are said more generally, one or more of them. Nouns and descriptions right
 * before such a one belong to it and go ("a baseball player" or "a little girl" is a
 * person), and a noun right behind forbids it
 * ("a train station" is no vehicle). Nothing is said twice so: "a man and a woman" may
 * become "a person", but not "a person and a woman".
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
	const part_generals *generals;
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

static uint32_t whole(const struct words *words)
{
	return (uint32_t)((UINT64_C(1) << words->caption->count) - 1);
}

static bool is_same(const struct part *a, const struct part *b)
{
	return a->words == b->words && memcmp(a->general, b->general, sizeof(a->general)) == 0;
}

/* Two words or more, the last of them a noun or verb. */
static void add(const struct words *words, const struct part *part, struct part *parts,
		size_t *count)
{
	const struct part all = { .words = whole(words) };
	unsigned last;

	if (*count == PARTS_MAX || is_same(part, &all) || __builtin_popcount(part->words) < 2)
		return;
	last = 31u - (unsigned)__builtin_clz(part->words);
	if (kind(words, last) < LEXEME_VERB || opens(words, last))
		return;
	for (size_t i = 0; i < *count; i++) {
		if (is_same(&parts[i], part))
			return;
	}
	parts[(*count)++] = *part;
}

static void add_words(const struct words *words, uint32_t kept, struct part *parts,
		      size_t *count)
{
	add(words, &(struct part){ .words = kept }, parts, count);
}

static void cut_ends(const struct words *words, struct part *parts, size_t *count)
{
	for (unsigned i = 2; i < words->caption->count; i++) {
		unsigned end = i;

		if (!opens(words, i))
			continue;
		while (end > 0 && kind(words, end - 1) < LEXEME_COLOUR)
			end--;
		add_words(words, (1u << end) - 1, parts, count);
	}
}

/* Takes a preposition and its noun from the middle of a part. */
static void cut_middle(const struct words *words, uint32_t part, struct part *parts,
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
		add_words(words, part & ~(((1u << end) - 1) & ~((1u << i) - 1)), parts, count);
	}
}

static void cut_colours(const struct words *words, uint32_t part, struct part *parts,
			size_t *count)
{
	for (unsigned i = 0; i + 1 < words->caption->count; i++) {
		if (part >> i & 1 && part >> (i + 1) & 1 && kind(words, i) == LEXEME_COLOUR &&
		    kind(words, i + 1) >= LEXEME_VERB)
			add_words(words, part & ~(1u << i), parts, count);
	}
}

/* --- More general words ----------------------------------------------------------- */

void part_generals_find(const struct vocabulary *vocabulary, unsigned word,
			part_generals ret_generals)
{
	const char *texts[LEXEME_GENERALS];
	size_t count = lexeme_generals(vocabulary_word(vocabulary, word), texts), found = 0;

	memset(ret_generals, 0, sizeof(part_generals));
	for (size_t i = 0; i < count; i++) {
		unsigned general = vocabulary_find(vocabulary, texts[i]);

		if (general >= VOCABULARY_FIRST_WORD)
			ret_generals[found++] = general;
	}
}

unsigned part_level(const struct part *part, unsigned word)
{
	for (unsigned level = 0; level < LEXEME_GENERALS; level++) {
		if (part->general[level] >> word & 1)
			return level + 1;
	}
	return 0;
}

unsigned part_vagueness(const struct part *part)
{
	unsigned sum = 0;

	for (unsigned level = 0; level < LEXEME_GENERALS; level++)
		sum += (level + 1) * (unsigned)__builtin_popcount(part->general[level]);
	return sum;
}

/* Says a noun of the part more generally; false if it cannot be. */
static bool generalise(const struct words *words, unsigned noun, unsigned level,
		       struct part *part)
{
	const struct hypothesis *caption = words->caption;

	if (!(part->words >> noun & 1) || kind(words, noun) != LEXEME_NOUN ||
	    words->generals[caption->words[noun]][level] == 0)
		return false;
	if (noun + 1 < caption->count && part->words >> (noun + 1) & 1 &&
	    kind(words, noun + 1) == LEXEME_NOUN)
		return false;
	part->general[level] |= 1u << noun;
	for (unsigned i = noun; i-- > 0 && (kind(words, i) == LEXEME_NOUN ||
					    kind(words, i) == LEXEME_DESCRIPTION);)
		part->words &= ~(1u << i);
	for (unsigned i = 0; i < LEXEME_GENERALS; i++)
		part->general[i] &= part->words;
	return true;
}

static const struct lexeme *said_at(const struct words *words, const struct part *part,
				    unsigned word)
{
	unsigned level = part_level(part, word), number = words->caption->words[word];

	return vocabulary_lexeme(words->vocabulary,
				 level > 0 ? words->generals[number][level - 1] : number);
}

/* Whether a more general word says once more what another noun says, "of" aside: a group
 * of people is one thing. */
static bool repeats(const struct words *words, const struct part *part)
{
	for (unsigned i = 0; i < words->caption->count; i++) {
		if (!(part->words >> i & 1) || part_level(part, i) == 0)
			continue;
		for (unsigned k = 0; k < words->caption->count; k++) {
			if (k == i || !(part->words >> k & 1) || kind(words, k) != LEXEME_NOUN ||
			    (k + 2 <= i && strcmp(vocabulary_word(words->vocabulary,
					words->caption->words[k + 1]), "of") == 0))
				continue;
			if (lexeme_supports(said_at(words, part, k), said_at(words, part, i)))
				return true;
		}
	}
	return false;
}

/* All ways to say the part's nouns from `noun` on; one that leaves all as they are is
 * known already. */
static void add_general(const struct words *words, const struct part *part, unsigned noun,
			struct part *parts, size_t *count)
{
	while (noun < words->caption->count && kind(words, noun) != LEXEME_NOUN)
		noun++;
	if (noun >= words->caption->count) {
		if (part_vagueness(part) > 0 && !repeats(words, part))
			add(words, part, parts, count);
		return;
	}
	add_general(words, part, noun + 1, parts, count);
	for (unsigned level = 0; level < LEXEME_GENERALS; level++) {
		struct part general = *part;

		if (generalise(words, noun, level, &general))
			add_general(words, &general, noun + 1, parts, count);
	}
}

size_t part_find(const struct vocabulary *vocabulary, const part_generals *generals,
		 const struct hypothesis *caption, struct part ret_parts[PARTS_MAX])
{
	const struct words words = { vocabulary, generals, caption };
	const struct part all = { .words = whole(&words) };
	size_t count = 0, found;

	cut_ends(&words, ret_parts, &count);
	found = count;
	cut_middle(&words, all.words, ret_parts, &count);
	for (size_t i = 0; i < found; i++)
		cut_middle(&words, ret_parts[i].words, ret_parts, &count);
	found = count;
	cut_colours(&words, all.words, ret_parts, &count);
	for (size_t i = 0; i < found; i++)
		cut_colours(&words, ret_parts[i].words, ret_parts, &count);
	found = count;
	if (generals)
		add_general(&words, &all, 0, ret_parts, &count);
	for (size_t i = 0; generals && i < found; i++) {
		const struct part cut = ret_parts[i];

		add_general(&words, &cut, 0, ret_parts, &count);
	}
	return count;
}

size_t part_texts(const struct vocabulary *vocabulary, const part_generals *generals,
		  const struct hypothesis *caption, const struct part *part,
		  const char *ret_texts[LIMIT_WORDS])
{
	size_t count = 0, article = SIZE_MAX;

	for (unsigned i = 0; i < caption->count; i++) {
		unsigned level = part_level(part, i), word = caption->words[i];
		const char *text = vocabulary_word(vocabulary,
						   level > 0 ? generals[word][level - 1] : word);

		if (!(part->words >> i & 1))
			continue;
		if (article + 1 == count && i > 0 && (level > 0 || !(part->words >> (i - 1) & 1)))
			ret_texts[article] = strchr("aeiou", text[0]) ? "an" : "a";
		if (strcmp(text, "a") == 0 || strcmp(text, "an") == 0)
			article = count;
		ret_texts[count++] = text;
	}
	return count;
}
