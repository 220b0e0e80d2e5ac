/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * meaning.c: see meaning.h. The words at which a caption can be cut short are
 * English; a caption in another language is simply not shortened.
 */
#include "daemon/meaning.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Where a caption goes on to place or manner. */
static const char *const turns[] = {
	"on", "in", "at", "with", "near", "next", "by", "while", "over", "under", "behind",
	"through", "down", "into", "from", "during", "along", "across", "against", "beside",
	"inside", "outside", "surrounded", "and",
};

void meaning_add(struct meaning *meaning, const char *stem, double probability)
{
	size_t length = strnlen(stem, MEANING_WORD_BYTES - 1);

	if (!length)
		return;
	probability = fmin(1, fmax(0, probability));
	for (size_t i = 0; i < meaning->count; i++) {
		if (!strncmp(meaning->words[i].stem, stem, MEANING_WORD_BYTES - 1)) {
			meaning->words[i].weight = fmax(meaning->words[i].weight, probability);
			return;
		}
	}
	if (meaning->count == MEANING_WORDS)
		return;
	memcpy(meaning->words[meaning->count].stem, stem, length);
	meaning->words[meaning->count].stem[length] = 0;
	meaning->words[meaning->count++].weight = probability;
}

static double weight_in(const struct meaning *meaning, const char *word)
{
	for (size_t i = 0; i < meaning->count; i++)
		if (!strcmp(meaning->words[i].stem, word))
			return meaning->words[i].weight;
	return 0;
}

/* A shared word counts with the greater of its two weights on both sides of the
 * fraction, a word of one caption only with its own. */
double meaning_similarity(const struct meaning *a, const struct meaning *b)
{
	double shared = 0, all = 0;

	for (size_t i = 0; i < a->count; i++) {
		double other = weight_in(b, a->words[i].stem);
		double weight = fmax(a->words[i].weight, other);

		all += weight;
		if (other > 0)
			shared += weight;
	}
	for (size_t i = 0; i < b->count; i++)
		if (weight_in(a, b->words[i].stem) <= 0)
			all += b->words[i].weight;
	return all > 0 ? shared / all : 1;
}

static bool is_turn(const char *word)
{
	for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++)
		if (!strcasecmp(word, turns[i]))
			return true;
	return false;
}

void meaning_shorten(const char *caption, char *ret_text, size_t size)
{
	const char *p = caption;
	unsigned words = 0;

	while (*p) {
		size_t n = strcspn(p, " ");
		char word[32];

		snprintf(word, sizeof(word), "%.*s", (int)n, p);
		if (words >= 3 && is_turn(word))
			break;
		words++;
		p += n;
		p += strspn(p, " ");
	}
	if (!*p) {
		snprintf(ret_text, size, "%s", caption);
		return;
	}
	while (p > caption && (p[-1] == ' ' || p[-1] == ','))
		p--;
	snprintf(ret_text, size, "%.*s.", (int)(p - caption), caption);
}
