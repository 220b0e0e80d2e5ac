/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lexeme.h: what a word of a caption says: which kind of word it is, and which
 * word it is a form of. Two captions agree where their content words have the
 * same lexemes, so confidence, choice among captions and "did the picture's
 * meaning change" rest on this one rule.
 */
#ifndef ENGINE_LEXEME_H
#define ENGINE_LEXEME_H

#include <stdbool.h>
#include <stddef.h>

enum lexeme_kind {
	LEXEME_FUNCTION,	/* grammar and place: "the", "with", "front" */
	LEXEME_DESCRIPTION,	/* other adjectives and adverbs: "large", "together" */
	LEXEME_COLOUR,
	LEXEME_NUMBER,
	LEXEME_VERB,
	LEXEME_NOUN,
};

#define LEXEME_BYTES 32u	/* with the NUL; longer stems are cut */

struct lexeme {
	enum lexeme_kind kind;
	char stem[LEXEME_BYTES];	/* the same for all forms and spellings of a word */
};

/* For a lower-case word of English. */
struct lexeme lexeme_of(const char *word);

/* Colours, numbers, verbs and nouns: what can be right or wrong about a photo. */
bool lexeme_is_content(const struct lexeme *lexeme);

/* Whether one who says `said` has also said `general`: the same word, or one
 * that is a kind of it ("girl" supports "child" and "person"). */
bool lexeme_supports(const struct lexeme *said, const struct lexeme *general);

/* Whether other words than itself support it. */
bool lexeme_is_general(const struct lexeme *lexeme);

/* Words that say less than this noun but fit where it stands, the narrowest first:
 * "child" and "person" for "girl", "people" for "men". Returns how many. */
#define LEXEME_GENERALS 2u
size_t lexeme_generals(const char *word, const char *ret_words[LEXEME_GENERALS]);

/* For the tests: the searches need it. */
bool lexeme_tables_are_sorted(void);

#endif
