/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sentence.c: casing, joining and punctuation by small tables. The vocabulary
 * is lower case and without hyphens; a synthesiser reads "tv" or "t shirt"
 * wrongly, so what English writes otherwise stands here. Only English has
 * tables: words of other languages pass through as they are, apart from the
 * capital and the full stop.
 */
#include "engine/sentence.h"

#include <string.h>

#include "engine/engine.h"

/* Words that are not written as the vocabulary has them. */
static const char *const spellings[][2] = {
	{ "african", "African" }, { "america", "America" }, { "american", "American" },
	{ "asian", "Asian" }, { "atm", "ATM" }, { "atv", "ATV" }, { "atvs", "ATVs" },
	{ "australia", "Australia" }, { "australian", "Australian" }, { "barack", "Barack" },
	{ "barbie", "Barbie" }, { "batman", "Batman" }, { "bmx", "BMX" },
	{ "boston", "Boston" }, { "britain", "Britain" }, { "british", "British" },
	{ "buddha", "Buddha" }, { "california", "California" }, { "canada", "Canada" },
	{ "canadian", "Canadian" }, { "caucasian", "Caucasian" }, { "cd", "CD" },
	{ "cds", "CDs" }, { "chicago", "Chicago" }, { "chinese", "Chinese" },
	{ "christmas", "Christmas" }, { "claus", "Claus" }, { "coca", "Coca" },
	{ "dj", "DJ" }, { "dutch", "Dutch" }, { "dvd", "DVD" }, { "dvds", "DVDs" },
	{ "easter", "Easter" }, { "eiffel", "Eiffel" }, { "elmo", "Elmo" },
	{ "england", "England" }, { "english", "English" }, { "europe", "Europe" },
	{ "european", "European" }, { "florida", "Florida" }, { "france", "France" },
	{ "french", "French" }, { "german", "German" }, { "germany", "Germany" },
	{ "halloween", "Halloween" }, { "hawaii", "Hawaii" }, { "hawaiian", "Hawaiian" },
	{ "hispanic", "Hispanic" }, { "i", "I" }, { "indian", "Indian" },
	{ "ipad", "iPad" }, { "iphone", "iPhone" }, { "ipod", "iPod" },
	{ "irish", "Irish" }, { "italian", "Italian" }, { "italy", "Italy" },
	{ "jackson", "Jackson" }, { "japan", "Japan" }, { "japanese", "Japanese" },
	{ "jeep", "Jeep" }, { "korean", "Korean" }, { "lego", "Lego" },
	{ "london", "London" }, { "mexican", "Mexican" }, { "mexico", "Mexico" },
	{ "miami", "Miami" }, { "michael", "Michael" }, { "mickey", "Mickey" },
	{ "muslim", "Muslim" }, { "nintendo", "Nintendo" }, { "obama", "Obama" },
	{ "oklahoma", "Oklahoma" }, { "olympic", "Olympic" }, { "olympics", "Olympics" },
	{ "paris", "Paris" }, { "pepsi", "Pepsi" }, { "russian", "Russian" },
	{ "rv", "RV" }, { "santa", "Santa" }, { "segway", "Segway" },
	{ "spanish", "Spanish" }, { "spiderman", "Spiderman" }, { "superman", "Superman" },
	{ "suv", "SUV" }, { "suvs", "SUVs" }, { "texas", "Texas" },
	{ "thai", "Thai" }, { "tinkerbell", "Tinkerbell" }, { "tv", "TV" },
	{ "tvs", "TVs" }, { "uk", "UK" }, { "usa", "USA" }, { "vw", "VW" },
	{ "wii", "Wii" }, { "xbox", "Xbox" }, { "york", "York" },
};

/* Neighbours that English joins or writes together with a capital. */
static const struct {
	const char *first, *second;
	const char *written, *between;	/* the first word and what joins the second */
} pairs[] = {
	{ "t", "shirt", "t", "-" }, { "t", "shirts", "t", "-" },
	{ "v", "neck", "V", "-" }, { "x", "ray", "X", "-" },
	{ "mid", "air", "mid", "-" }, { "double", "decker", "double", "-" },
	{ "multi", "colored", "multi", "-" }, { "tri", "colored", "tri", "-" },
	{ "new", "york", "New", " " }, { "las", "vegas", "Las", " " },
	{ "los", "angeles", "Los", " " }, { "san", "francisco", "San", " " },
};

/* Words no sentence ends in. */
static const char *const openings[] = {
	"'s", "a", "an", "and", "are", "as", "at", "behind", "between", "by", "for", "from",
	"her", "his", "in", "into", "is", "its", "near", "next", "of", "on", "onto", "or",
	"other", "that", "the", "their", "through", "to", "under", "very", "while", "with",
};

static bool is_opening(const char *word)
{
	for (size_t i = 0; i < sizeof(openings) / sizeof(*openings); i++) {
		if (strcmp(word, openings[i]) == 0)
			return true;
	}
	return false;
}

static const char *spelling(const char *word)
{
	for (size_t i = 0; i < sizeof(spellings) / sizeof(*spellings); i++) {
		if (strcmp(word, spellings[i][0]) == 0)
			return spellings[i][1];
	}
	return word;
}

static char *append(char *at, const char *text)
{
	size_t length = strlen(text);

	memcpy(at, text, length);
	return at + length;
}

/* ASCII and the letters that Latin-1 shares with UTF-8's two-byte forms. */
static void capitalise(char *text)
{
	unsigned char *bytes = (unsigned char *)text;

	if (bytes[0] >= 'a' && bytes[0] <= 'z')
		bytes[0] -= 'a' - 'A';
	else if (bytes[0] == 0xc3 && bytes[1] >= 0xa0 && bytes[1] <= 0xbe && bytes[1] != 0xb7)
		bytes[1] -= 0x20;
}

static bool starts_with_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	/* what is written with a hyphen or apostrophe ("TV's") is that word too */
	return strncmp(text, word, length) == 0 && strchr(" .,-'", text[length]);
}

/* Whether the first word has its capital wherever it stands. */
static bool keeps_capital(const char *sentence)
{
	for (size_t i = 0; i < sizeof(spellings) / sizeof(*spellings); i++) {
		if (starts_with_word(sentence, spellings[i][1]))
			return true;
	}
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		size_t first = strlen(pairs[i].written), between = strlen(pairs[i].between);

		if (pairs[i].written[0] >= 'A' && pairs[i].written[0] <= 'Z' &&
		    strncmp(sentence, pairs[i].written, first) == 0 &&
		    strncmp(sentence + first, pairs[i].between, between) == 0 &&
		    starts_with_word(sentence + first + between, spelling(pairs[i].second)))
			return true;
	}
	return false;
}

void engine_continue_sentence(char *sentence)
{
	unsigned char *bytes = (unsigned char *)sentence;

	if (keeps_capital(sentence))
		return;
	if (bytes[0] >= 'A' && bytes[0] <= 'Z')
		bytes[0] += 'a' - 'A';
	else if (bytes[0] == 0xc3 && bytes[1] >= 0x80 && bytes[1] <= 0x9e && bytes[1] != 0x97)
		bytes[1] += 0x20;
}

void sentence_write(const char *const *words, size_t count, bool complete,
		    char ret_sentence[SENTENCE_BYTES])
{
	char *at = ret_sentence;

	while (!complete && count > 1 && is_opening(words[count - 1]))
		count--;
	for (size_t i = 0; i < count; i++) {
		const char *written = spelling(words[i]), *between = " ";

		for (size_t k = 0; i + 1 < count && k < sizeof(pairs) / sizeof(*pairs); k++) {
			if (strcmp(words[i], pairs[k].first) == 0 &&
			    strcmp(words[i + 1], pairs[k].second) == 0) {
				written = pairs[k].written;
				between = pairs[k].between;
			}
		}
		at = append(at, written);
		if (i + 1 < count && words[i + 1][0] != '\'')
			at = append(at, between);
	}
	*at++ = '.';
	*at = '\0';
	/* "iPhone" keeps its small letter even at the start */
	if (count > 0 && strcmp(spelling(words[0]), words[0]) == 0)
		capitalise(ret_sentence);
}
