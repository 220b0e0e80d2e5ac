/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * words.c: closed word classes are listed; nouns are told by what follows them,
 * because a noun phrase ends with its noun. No part-of-speech tagger is needed
 * for a share that is compared before and after.
 */
#include "engine/lab/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const grammar[] = {
	"'s", "a", "about", "above", "across", "after", "against", "all", "along", "an", "and",
	"another", "are", "around", "as", "at", "away", "be", "behind", "being", "below", "beside",
	"between", "both", "but", "by", "down", "each", "eight", "five", "for", "four", "from", "front",
	"has", "have", "he", "her", "him", "his", "in", "inside", "into", "is", "it", "its", "many",
	"near", "next", "not", "of", "off", "on", "one", "onto", "or", "other", "out", "outside",
	"over", "past", "she", "six", "some", "several", "ten", "that", "the", "their", "them",
	"there", "they", "this", "three", "through", "to", "together", "top", "toward", "towards",
	"two", "under", "up", "very", "was", "were", "what", "while", "who", "with", "without",
};

static const char *const follows_noun[] = {
	"about", "above", "across", "after", "against", "along", "and", "are", "around", "as", "at",
	"behind", "below", "beside", "between", "by", "down", "for", "from", "has", "have", "in",
	"inside", "into", "is", "near", "next", "of", "off", "on", "onto", "or", "outside", "over",
	"past", "that", "through", "to", "toward", "towards", "under", "up", "was", "were", "while",
	"who", "with", "without",
};

static int compare(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static bool is_in(const char *word, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (compare(&word, &list[i]) == 0)
			return true;
	return false;
}

bool words_is_grammar(const char *word)
{
	return is_in(word, grammar, sizeof(grammar) / sizeof(grammar[0]));
}

int words_find_nouns(const struct caption_set *set, const struct lexicon *lexicon,
		     bool **ret_nouns)
{
	size_t size = lexicon_size(lexicon);
	bool *nouns = calloc(size + 1, sizeof(*nouns)), *ends = calloc(size + 1, sizeof(*ends));
	uint32_t *uses = calloc(size + 1, sizeof(*uses)), *final = calloc(size + 1, sizeof(*final));
	int r = -ENOMEM;

	if (nouns == NULL || ends == NULL || uses == NULL || final == NULL)
		goto out;
	for (uint32_t i = 0; i < size; i++)
		ends[i] = is_in(lexicon_word(lexicon, i), follows_noun,
				sizeof(follows_noun) / sizeof(follows_noun[0]));
	for (size_t i = 0; i < set->photo_count; i++) {
		for (size_t k = 0; k < set->photos[i].caption_count; k++) {
			uint32_t *words;
			size_t count;

			r = lexicon_encode(lexicon, set->photos[i].words[k], LEXICON_AS_VOCABULARY, &words,
					   &count);
			if (r < 0)
				goto out;
			for (size_t n = 0; n < count; n++) {
				uses[words[n]]++;
				if (n + 1 == count || ends[words[n + 1]])
					final[words[n]]++;
			}
			free(words);
		}
	}
	for (uint32_t i = 0; i < size; i++) {
		const char *word = lexicon_word(lexicon, i);
		size_t length = strlen(word);

		nouns[i] = uses[i] > 0 && final[i] * 2 >= uses[i] && !words_is_grammar(word) &&
			word[0] != '<' && !(length > 4 && strcmp(word + length - 3, "ing") == 0);
	}
	*ret_nouns = nouns;
	nouns = NULL;
	r = 0;
out:
	free(nouns);
	free(ends);
	free(uses);
	free(final);
	return r;
}
