/* SPDX-License-Identifier: GPL-3.0-or-later */
/* meaning.c: see meaning.h. The lists are for English captions; words of another
 * language are compared as they stand, which errs towards speaking. */
#include "daemon/meaning.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const fillers[] = {
	"a", "an", "the", "of", "in", "on", "at", "to", "with", "and", "or", "by", "for", "from",
	"is", "are", "was", "were", "be", "being", "it", "its", "his", "her", "their", "he", "she",
	"they", "that", "this", "there", "some", "while", "as", "into", "up", "down", "out", "off",
	"over", "under", "next", "front", "top", "side", "near", "behind", "around", "through",
	"very", "other", "another", "has", "have", "has", "holding", "sitting", "standing",
	"looking", "view", "picture", "photo", "image",
};

static const char *const synonyms[][2] = {
	{ "couch", "sofa" }, { "bike", "bicycle" }, { "motorbike", "motorcycle" },
	{ "road", "street" }, { "plane", "airplane" }, { "jet", "airplane" },
	{ "airliner", "airplane" }, { "television", "tv" }, { "cellphone", "phone" },
	{ "kid", "child" }, { "children", "child" }, { "men", "man" }, { "guy", "man" },
	{ "women", "woman" }, { "lady", "woman" }, { "persons", "people" }, { "person", "people" },
	{ "puppy", "dog" }, { "kitten", "cat" }, { "ocean", "water" }, { "sea", "water" },
	{ "photograph", "photo" }, { "desk", "table" }, { "laptop", "computer" },
};

/* Where a caption goes on to place or manner. */
static const char *const turns[] = {
	"on", "in", "at", "with", "near", "next", "by", "while", "over", "under", "behind",
	"through", "down", "into", "from", "during", "along", "across", "against", "beside",
	"inside", "outside", "surrounded", "and",
};

static bool among(const char *word, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcasecmp(word, list[i]))
			return true;
	return false;
}
#define AMONG(word, list) among(word, list, sizeof(list) / sizeof((list)[0]))

/* Lower case, letters and digits only, common endings cut. */
static void stem(const char *word, char ret_stem[MEANING_WORD_BYTES])
{
	size_t n = 0;

	for (; *word && n < MEANING_WORD_BYTES - 1; word++)
		if (isalnum((unsigned char)*word) || (unsigned char)*word >= 0x80)
			ret_stem[n++] = (char)tolower((unsigned char)*word);
	ret_stem[n] = 0;
	for (size_t i = 0; i < sizeof(synonyms) / sizeof(synonyms[0]); i++) {
		if (!strcmp(ret_stem, synonyms[i][0])) {
			snprintf(ret_stem, MEANING_WORD_BYTES, "%s", synonyms[i][1]);
			return;
		}
	}
	if (n > 5 && !strcmp(ret_stem + n - 3, "ing"))
		ret_stem[n - 3] = 0;
	else if (n > 4 && !strcmp(ret_stem + n - 2, "es") && strchr("sxzh", ret_stem[n - 3]))
		ret_stem[n - 2] = 0;
	else if (n > 3 && ret_stem[n - 1] == 's' && ret_stem[n - 2] != 's')
		ret_stem[n - 1] = 0;
}

void meaning_add(struct meaning *meaning, const char *word, double probability)
{
	char here[MEANING_WORD_BYTES];

	stem(word, here);
	if (!*here || AMONG(here, fillers) || AMONG(word, fillers))
		return;
	probability = fmin(1, fmax(0, probability));
	for (size_t i = 0; i < meaning->count; i++) {
		if (!strcmp(meaning->words[i].stem, here)) {
			meaning->words[i].weight = fmax(meaning->words[i].weight, probability);
			return;
		}
	}
	if (meaning->count == MEANING_WORDS)
		return;
	memcpy(meaning->words[meaning->count].stem, here, sizeof(here));
	meaning->words[meaning->count++].weight = probability;
}

void meaning_add_sentence(struct meaning *meaning, const char *sentence)
{
	while (*sentence) {
		char word[64];
		size_t n = strcspn(sentence, " \t\n");

		snprintf(word, sizeof(word), "%.*s", (int)n, sentence);
		meaning_add(meaning, word, 1);
		sentence += n;
		sentence += strspn(sentence, " \t\n");
	}
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

void meaning_shorten(const char *caption, char *ret_text, size_t size)
{
	const char *p = caption;
	unsigned words = 0;

	while (*p) {
		size_t n = strcspn(p, " ");
		char word[32];

		snprintf(word, sizeof(word), "%.*s", (int)n, p);
		if (words >= 3 && AMONG(word, turns))
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
