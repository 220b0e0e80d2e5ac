/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * nouns.c: forms of a noun are those that the engine's lexemes give one stem.
 */
#include "engine/lab/nouns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/lexeme.h"

int nouns_number(const struct lexicon *vocabulary, int32_t **ret_nouns)
{
	int32_t *nouns = calloc(lexicon_size(vocabulary), sizeof(*nouns));
	struct lexicon *stems = NULL;
	int r = nouns == NULL ? -ENOMEM : lexicon_open(&stems);

	for (uint32_t i = WORD_FIRST; r == 0 && i < lexicon_size(vocabulary); i++) {
		struct lexeme lexeme = lexeme_of(lexicon_word(vocabulary, i));
		uint32_t number = 0;

		if (lexeme.kind != LEXEME_NOUN)
			continue;
		r = lexicon_add(stems, lexeme.stem, strlen(lexeme.stem), &number);
		nouns[i] = (int32_t)number + 1;
	}
	lexicon_free(stems);
	if (r < 0) {
		free(nouns);
		return r;
	}
	*ret_nouns = nouns;
	return 0;
}
