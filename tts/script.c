/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * script.c: a table of Unicode blocks and the cutting by it.
 *
 * Blocks, not Unicode's own script property: eSpeak NG changes languages by
 * blocks, and what it would do is what the cutting has to forestall.
 */
#include "tts/script.h"

#include <string.h>
#include <wchar.h>

static const struct {
	uint32_t first, last;
	enum script script;
} blocks[] = {				/* in ascending order; gaps have no script */
	{ 'A', 'Z', SCRIPT_LATIN },
	{ 'a', 'z', SCRIPT_LATIN },
	{ 0xaa, 0xaa, SCRIPT_LATIN },
	{ 0xba, 0xba, SCRIPT_LATIN },
	{ 0xc0, 0xd6, SCRIPT_LATIN },
	{ 0xd8, 0xf6, SCRIPT_LATIN },
	{ 0xf8, 0x2af, SCRIPT_LATIN },
	{ 0x370, 0x3ff, SCRIPT_GREEK },
	{ 0x400, 0x52f, SCRIPT_CYRILLIC },
	{ 0x530, 0x58f, SCRIPT_ARMENIAN },
	{ 0x590, 0x5ff, SCRIPT_HEBREW },
	{ 0x600, 0x6ff, SCRIPT_ARABIC },
	{ 0x700, 0x74f, SCRIPT_OTHER },
	{ 0x750, 0x77f, SCRIPT_ARABIC },
	{ 0x780, 0x89f, SCRIPT_OTHER },
	{ 0x8a0, 0x8ff, SCRIPT_ARABIC },
	{ 0x900, 0x97f, SCRIPT_DEVANAGARI },
	{ 0x980, 0x9ff, SCRIPT_BENGALI },
	{ 0xa00, 0xa7f, SCRIPT_GURMUKHI },
	{ 0xa80, 0xaff, SCRIPT_GUJARATI },
	{ 0xb00, 0xb7f, SCRIPT_ORIYA },
	{ 0xb80, 0xbff, SCRIPT_TAMIL },
	{ 0xc00, 0xc7f, SCRIPT_TELUGU },
	{ 0xc80, 0xcff, SCRIPT_KANNADA },
	{ 0xd00, 0xd7f, SCRIPT_MALAYALAM },
	{ 0xd80, 0xdff, SCRIPT_SINHALA },
	{ 0xe00, 0xe7f, SCRIPT_THAI },
	{ 0xe80, 0xfff, SCRIPT_OTHER },
	{ 0x1000, 0x109f, SCRIPT_MYANMAR },
	{ 0x10a0, 0x10ff, SCRIPT_GEORGIAN },
	{ 0x1100, 0x11ff, SCRIPT_HANGUL },
	{ 0x1200, 0x139f, SCRIPT_ETHIOPIC },
	{ 0x13a0, 0x13ff, SCRIPT_CHEROKEE },
	{ 0x1400, 0x1aaf, SCRIPT_OTHER },
	{ 0x1b00, 0x1c7f, SCRIPT_OTHER },
	{ 0x1c80, 0x1c8f, SCRIPT_CYRILLIC },
	{ 0x1c90, 0x1cbf, SCRIPT_GEORGIAN },
	{ 0x1cc0, 0x1cff, SCRIPT_OTHER },
	{ 0x1d00, 0x1dbf, SCRIPT_LATIN },
	{ 0x1e00, 0x1eff, SCRIPT_LATIN },
	{ 0x1f00, 0x1fff, SCRIPT_GREEK },
	{ 0x2c00, 0x2c5f, SCRIPT_OTHER },
	{ 0x2c60, 0x2c7f, SCRIPT_LATIN },
	{ 0x2c80, 0x2cff, SCRIPT_OTHER },
	{ 0x2d00, 0x2d2f, SCRIPT_GEORGIAN },
	{ 0x2d30, 0x2d7f, SCRIPT_OTHER },
	{ 0x2d80, 0x2ddf, SCRIPT_ETHIOPIC },
	{ 0x2de0, 0x2dff, SCRIPT_CYRILLIC },
	{ 0x2e80, 0x2fdf, SCRIPT_HAN },
	{ 0x3005, 0x3007, SCRIPT_HAN },
	{ 0x3021, 0x3029, SCRIPT_HAN },
	{ 0x3031, 0x312f, SCRIPT_HAN },
	{ 0x3130, 0x318f, SCRIPT_HANGUL },
	{ 0x3190, 0x31ff, SCRIPT_HAN },
	{ 0x3400, 0x4dbf, SCRIPT_HAN },
	{ 0x4e00, 0x9fff, SCRIPT_HAN },
	{ 0xa000, 0xa63f, SCRIPT_OTHER },
	{ 0xa640, 0xa69f, SCRIPT_CYRILLIC },
	{ 0xa6a0, 0xa6ff, SCRIPT_OTHER },
	{ 0xa720, 0xa7ff, SCRIPT_LATIN },
	{ 0xa800, 0xa8df, SCRIPT_OTHER },
	{ 0xa8e0, 0xa8ff, SCRIPT_DEVANAGARI },
	{ 0xa900, 0xa95f, SCRIPT_OTHER },
	{ 0xa960, 0xa97f, SCRIPT_HANGUL },
	{ 0xa980, 0xabff, SCRIPT_OTHER },
	{ 0xac00, 0xd7ff, SCRIPT_HANGUL },
	{ 0xf900, 0xfaff, SCRIPT_HAN },
	{ 0xfb00, 0xfb06, SCRIPT_LATIN },
	{ 0xfb13, 0xfb17, SCRIPT_ARMENIAN },
	{ 0xfb1d, 0xfb4f, SCRIPT_HEBREW },
	{ 0xfb50, 0xfdff, SCRIPT_ARABIC },
	{ 0xfe70, 0xfefc, SCRIPT_ARABIC },
	{ 0xff21, 0xff3a, SCRIPT_LATIN },
	{ 0xff41, 0xff5a, SCRIPT_LATIN },
	{ 0xff66, 0xff9f, SCRIPT_HAN },
	{ 0xffa0, 0xffdc, SCRIPT_HANGUL },
	{ 0x10000, 0x1cfff, SCRIPT_OTHER },
	{ 0x1e000, 0x1efff, SCRIPT_OTHER },
	{ 0x20000, 0x3ffff, SCRIPT_HAN },
};

static const char *const languages[SCRIPT_COUNT][12] = {
	[SCRIPT_LATIN] = { "en" },
	[SCRIPT_GREEK] = { "el", "grc" },
	[SCRIPT_CYRILLIC] = { "ru", "uk", "be", "bg", "mk", "sr", "kk", "ky", "tt", "ba", "cv" },
	[SCRIPT_ARMENIAN] = { "hy" },
	[SCRIPT_HEBREW] = { "he" },
	[SCRIPT_ARABIC] = { "ar", "fa", "ur", "sd", "ug", "ku" },
	[SCRIPT_DEVANAGARI] = { "hi", "mr", "ne", "kok" },
	[SCRIPT_BENGALI] = { "bn", "as", "bpy" },
	[SCRIPT_GURMUKHI] = { "pa" },
	[SCRIPT_GUJARATI] = { "gu" },
	[SCRIPT_ORIYA] = { "or" },
	[SCRIPT_TAMIL] = { "ta" },
	[SCRIPT_TELUGU] = { "te" },
	[SCRIPT_KANNADA] = { "kn" },
	[SCRIPT_MALAYALAM] = { "ml" },
	[SCRIPT_SINHALA] = { "si" },
	[SCRIPT_THAI] = { "th" },
	[SCRIPT_MYANMAR] = { "my" },
	[SCRIPT_GEORGIAN] = { "ka" },
	[SCRIPT_HANGUL] = { "ko" },
	[SCRIPT_ETHIOPIC] = { "am" },
	[SCRIPT_CHEROKEE] = { "chr", "chr-US-Qaaa-x-west" },
	[SCRIPT_HAN] = { "cmn", "yue", "hak", "ja" },
};

enum script script_of(uint32_t character)
{
	size_t low = 0, high = sizeof(blocks) / sizeof(blocks[0]);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (character > blocks[middle].last)
			low = middle + 1;
		else if (character < blocks[middle].first)
			high = middle;
		else
			return blocks[middle].script;
	}
	return SCRIPT_NONE;
}

const char *const *script_languages(enum script script)
{
	return languages[script];
}

/* The character at `text`, which is well formed, and its length. */
static size_t decode(const char *text, uint32_t *ret_character)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t length = *bytes < 0x80 ? 1 : *bytes < 0xe0 ? 2 : *bytes < 0xf0 ? 3 : 4;
	uint32_t character = length == 1 ? *bytes : *bytes & (0x7fu >> length);

	for (size_t i = 1; i < length; i++)
		character = character << 6 | (bytes[i] & 0x3f);
	*ret_character = character;
	return length;
}

/* What may stand beside any letter: eSpeak NG either takes it out of the word or says
 * nothing for it. Found by trying every character that is no letter beside those that
 * its dictionaries lack. */
static bool is_plain(uint32_t c)
{
	return (c >= '0' && c <= '9') || (c < 0x80 && c && strchr(".,;:!?'\"()[]{}-", (int)c)) ||
	       (c >= 0x2b0 && c <= 0x36f) || c == 0xab || c == 0xbb || c == 0x2013 ||
	       c == 0x2014 || (c >= 0x2018 && c <= 0x201d) || c == 0x2026;
}

/* What has to be a word of its own: symbols with a name, which takes their place in the
 * text, and letters that are spoken by their numbers. */
static bool is_single(uint32_t c, enum script script)
{
	if (script == SCRIPT_NONE)
		return c == 0xa9 || c == 0xae || c >= 0x1000;
	return script == SCRIPT_OTHER;
}

/* What makes one sign of those on its left and right, or changes the left one's looks. */
static bool is_joiner(uint32_t c)
{
	return c == 0x200c || c == 0x200d || (c >= 0xfe00 && c <= 0xfe0f);
}

static bool continues_emoji(uint32_t before, uint32_t c)
{
	return before == 0x200d || (c >= 0x1f3fb && c <= 0x1f3ff) ||
	       (c >= 0x1f1e6 && c <= 0x1f1ff && before >= 0x1f1e6 && before <= 0x1f1ff);
}

/* Latin letters over which some voices change language for the word: Spanish for ñ in
 * Afrikaans, Polish for others in German, German for ß in Portuguese, Serbian … */
enum {
	LATIN_ENYE = 1,
	LATIN_ESZETT = 2,
	LATIN_POLISH = 4,
	LATIN_RARE = 8,		/* what those languages lack */
};

static unsigned latin_kind(uint32_t c)
{
	if (c == 0xd1 || c == 0xf1)
		return LATIN_ENYE;
	if (c == 0xdf || c == 0x1e9e)
		return LATIN_ESZETT;
	if (c >= 0x80 && c < 0x180 && wcschr(L"ĆćŁłŃńŚśŹźŻż", (wchar_t)c))
		return LATIN_POLISH;
	if (c >= 0x180 || (c >= 0x80 && wcschr(L"ÐÞðþĸŉŊŋſ", (wchar_t)c)))
		return LATIN_RARE;
	return 0;
}

/* Whether letters of two kinds in a word make a voice change language twice. */
static bool latin_clashes(unsigned kinds, unsigned kind)
{
	return ((kinds & LATIN_RARE) && (kind & ~(unsigned)LATIN_RARE)) ||
	       ((kind & LATIN_RARE) && (kinds & ~(unsigned)LATIN_RARE)) ||
	       (kinds | kind) == (LATIN_ENYE | LATIN_ESZETT);
}

/* What stands for a character where eSpeak NG cannot cope with it, '\0' for nothing, or
 * the character itself. It takes all that is left from U+A4D0 on up to the Korean
 * letters for Korean, which it then cannot read, and reads freed memory; so does the
 * Gujarati nukta, which makes the letter before it that of another language. Patterns
 * of many Braille dots and the letter M in a circle
 * overflow buffers of some voices (1.51). */
static uint32_t substitute(uint32_t c)
{
	if (c >= 0x24b6 && c <= 0x24cf)
		return 'A' + (c - 0x24b6);
	if (c >= 0x24d0 && c <= 0x24e9)
		return 'a' + (c - 0x24d0);
	if (c >= 0xa4d0 && c < 0xac00)
		return script_of(c) == SCRIPT_HANGUL ? c : '\0';
	return c == 0xabc || (c >= 0x2800 && c <= 0x28ff) ? '\0' : c;
}

/* What a word consists of so far, beside what is plain. */
struct word {
	enum { EMPTY, SINGLE, LETTERS, SYMBOLS } kind;
	enum script script;	/* of the letters */
	bool apart;		/* the voice is not a Latin one: symbols stand alone */
	bool korean;		/* it cannot cope with unknown emoji either */
	unsigned latin;		/* the kinds of Latin letters */
	bool plain_before;	/* there is more than the last */
	uint32_t last;
};

static void begin_word(struct word *word)
{
	*word = (struct word){ .kind = EMPTY, .apart = word->apart, .korean = word->korean };
}

static bool is_opening(uint32_t c)
{
	return c == '(' || c == '[' || c == '{' || c == '"' || c == '\'' || c == 0xab ||
	       c == 0x2018 || c == 0x201c || c == 0x201e;
}

/* A dash that joins nothing is a symbol. */
static bool is_plain_here(const struct word *word, uint32_t c)
{
	/* the end of each Indic block holds signs that are no letters */
	if (c == '-')
		return (word->last >= 'A' && script_of(word->last) != SCRIPT_NONE &&
			!(word->last >= 0x900 && word->last < 0xe00 && (word->last & 0x7f) >= 0x64)) ||
		       (word->last >= '0' && word->last <= '9');
	return is_plain(c);
}

/* Whether a character goes well with the word so far: letters of one script, symbols
 * beside Latin letters only, single ones with nothing but what belongs to them. */
static bool goes_with(const struct word *word, uint32_t c, enum script script)
{
	if (word->kind == SINGLE)
		return is_plain_here(word, c) || (is_single(c, script) && !word->korean &&
				       continues_emoji(word->last, c));
	if (is_single(c, script))
		return !word->last;
	if (is_plain_here(word, c))
		return true;
	/* before letters that are not Latin, no more than one that opens */
	if (word->kind == EMPTY)
		return script <= SCRIPT_LATIN || !word->last ||
		       (!word->plain_before && is_opening(word->last));
	if (word->apart && (script == SCRIPT_NONE || word->kind == SYMBOLS))
		return false;
	if (script == SCRIPT_NONE)
		return word->kind == SYMBOLS || word->script == SCRIPT_LATIN;
	if (word->kind == SYMBOLS ? script != SCRIPT_LATIN : script != word->script)
		return false;
	return script != SCRIPT_LATIN || !latin_clashes(word->latin, latin_kind(c));
}

static void add_to_word(struct word *word, uint32_t c, enum script script)
{
	bool plain = is_plain_here(word, c);

	word->plain_before |= word->last != 0;
	word->last = c;
	if (is_single(c, script)) {
		word->kind = SINGLE;
	} else if (!plain) {
		word->kind = script == SCRIPT_NONE ? SYMBOLS : LETTERS;
		word->script = script;
		word->latin |= script == SCRIPT_LATIN ? latin_kind(c) : 0;
	}
}

/* Whether a character is taken at all: a joiner with nothing to join is not. */
static bool is_taken(const struct word *word, uint32_t c)
{
	if (!is_joiner(c))
		return c != '\0';
	if (word->kind == SINGLE)
		return !word->korean && word->last >= 0x1000 && (c == 0x200d || c == 0xfe0f);
	return word->kind == LETTERS && word->script > SCRIPT_LATIN && c < 0xfe00;
}

/* Adds a character to the word, or begins a new one with it, before which a space has
 * to stand where this returns true. */
static bool begins_word(struct word *word, uint32_t c, enum script script)
{
	bool begins = false;

	if (c == ' ') {
		begin_word(word);
	} else if (is_joiner(c)) {
		word->last = c == 0x200d ? c : word->last;
	} else {
		/* eSpeak NG, too, takes a hyphen between letters for a space */
		if (word->last == '-' && word->kind == LETTERS && script != SCRIPT_NONE)
			begin_word(word);
		begins = !goes_with(word, c, script);
		if (begins)
			begin_word(word);
		add_to_word(word, c, script);
	}
	return begins;
}

/* The script of the first letter; SCRIPT_NONE where there is none. */
static enum script first_script(const char *text)
{
	enum script script = SCRIPT_NONE;

	while (*text && script == SCRIPT_NONE) {
		uint32_t character;

		text += decode(text, &character);
		script = script_of(substitute(character));
	}
	return script;
}

bool script_next(const char **text, uint32_t own, char *piece, enum script *ret_script)
{
	enum script script = SCRIPT_COUNT;
	enum script first = first_script(*text);
	struct word word = {
		.kind = EMPTY,
		.apart = first > SCRIPT_OTHER || own >> SCRIPT_GREEK,
		.korean = own >> SCRIPT_HANGUL & 1 || first == SCRIPT_HANGUL,
	};
	const char *space = NULL;	/* past the first space after the last letter */
	char *space_out = NULL, *out = piece;
	const char *p = *text;

	if (!*p)
		return false;
	while (*p) {
		uint32_t written, character;
		size_t length = decode(p, &written);
		enum script here;

		character = substitute(written);
		here = script_of(character);
		if (here != SCRIPT_NONE) {
			enum script reader = own >> here & 1 ? SCRIPT_NONE : here;

			if (script == SCRIPT_COUNT)
				script = reader;
			if (reader != script) {
				/* what leads over to the voice's own words is its own */
				if (reader == SCRIPT_NONE && space) {
					p = space;
					out = space_out;
				}
				break;
			}
			space = NULL;
		}
		if (is_taken(&word, character)) {
			if (begins_word(&word, character, here))
				*out++ = ' ';
			if (character == written)
				memcpy(out, p, length);
			else
				*out = (char)character;
			out += character == written ? length : 1;
		}
		p += length;
		if (character == ' ' && !space) {
			space = p;
			space_out = out;
		}
	}
	*out = '\0';
	*text = p;
	*ret_script = script == SCRIPT_COUNT ? SCRIPT_NONE : script;
	return true;
}
