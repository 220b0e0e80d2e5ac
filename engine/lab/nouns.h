/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * nouns.h: which words of a vocabulary are forms of one noun. A caption that says
 * a noun twice ("a cat on top of a cat") is nearly always wrong: training takes
 * such off the reward, and a model file can forbid it to the search.
 */
#ifndef LAB_NOUNS_H
#define LAB_NOUNS_H

#include <stddef.h>
#include <stdint.h>

#include "engine/lab/lexicon.h"

/* Equal numbers from 1 on for all forms of a noun, 0 for other words; one for
 * each word of the vocabulary. Returns 0 or -ENOMEM. */
int nouns_number(const struct lexicon *vocabulary, int32_t **ret_nouns);

#endif
