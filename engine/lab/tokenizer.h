/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tokenizer.h: turns a human caption into words.
 *
 * The rule, in order: lower case; "n't" becomes " not"; "'s" stands apart as a
 * word; everything but letters, digits, apostrophe and space becomes a space;
 * the rest is split on spaces; other leading and trailing apostrophes go. The
 * vocabulary, the decoder's training and every score rest on this one rule, so
 * it is deliberately simpler than the Penn Treebank's.
 */
#ifndef LAB_TOKENIZER_H
#define LAB_TOKENIZER_H

/* The caption's words joined by single spaces, "" when it has none. The caller
 * frees `ret_words`. Returns 0 or -ENOMEM. Letters beyond ASCII are kept as
 * they are in UTF-8, those of Latin-1, Greek and Cyrillic in lower case. */
int tokenizer_split(const char *caption, char **ret_words);

#endif
