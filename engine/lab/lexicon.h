/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lexicon.h: a table of words, numbered in the order in which they came, each
 * with the number of times it was added. Vocabularies and the scores (which
 * compare numbers, not strings) are built on it.
 */
#ifndef LAB_LEXICON_H
#define LAB_LEXICON_H

#include <stddef.h>
#include <stdint.h>

#define LEXICON_WORDS_MAX 65000u	/* n-grams pack four numbers into 64 bits */
#define LEXICON_ABSENT UINT32_MAX

/* The vocabulary's fixed first entries. */
enum { WORD_PADDING, WORD_START, WORD_END, WORD_UNKNOWN, WORD_FIRST };

struct lexicon;

int lexicon_open(struct lexicon **ret_lexicon);
struct lexicon *lexicon_free(struct lexicon *lexicon);

/* Counts the word and gives its number; -ENOMEM, or -E2BIG at the ceiling. */
int lexicon_add(struct lexicon *lexicon, const char *word, size_t length, uint32_t *ret_index);
uint32_t lexicon_find(const struct lexicon *lexicon, const char *word, size_t length);
size_t lexicon_size(const struct lexicon *lexicon);
const char *lexicon_word(const struct lexicon *lexicon, uint32_t index);
uint64_t lexicon_count(const struct lexicon *lexicon, uint32_t index);

/* Adds every word of a text split by tokenizer_split. */
int lexicon_add_all(struct lexicon *lexicon, const char *words);

/* A vocabulary: padding, start, end and unknown, then the words counted at
 * least `minimum` times, the most frequent first, equals in order of spelling. */
int lexicon_to_vocabulary(const struct lexicon *counted, uint64_t minimum,
			  struct lexicon **ret_vocabulary);

/* Numbers of the words of a split text. Absent words become WORD_UNKNOWN when
 * `lexicon` is a vocabulary, else the call fails with -ENOENT. The caller frees
 * `ret_words`, which is never NULL. */
enum lexicon_use { LEXICON_AS_VOCABULARY, LEXICON_EXACT };
int lexicon_encode(const struct lexicon *lexicon, const char *text, enum lexicon_use use,
		   uint32_t **ret_words, size_t *ret_count);

#endif
