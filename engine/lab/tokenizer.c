/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tokenizer.c: one pass over the bytes into a buffer, a second over the words.
 * UTF-8 is decoded just far enough to tell letters from punctuation and to
 * lower the case of the alphabets where that is one addition; a malformed byte
 * is a space.
 */
#include "engine/lab/tokenizer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The code point at `text`, its length in bytes by `ret_length`; 0 if malformed. */
static uint32_t decode(const unsigned char *text, size_t *ret_length)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length;
	uint32_t point;

	*ret_length = 1;
	if (text[0] < 0x80)
		return text[0];
	if (text[0] >= 0xf8 || text[0] < 0xc0)
		return 0;
	length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
	point = text[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text[i] & 0x3f);
	}
	if (point < least[length])
		return 0;
	*ret_length = length;
	return point;
}

static bool is_letter_beyond_ascii(uint32_t point)
{
	if (point < 0xc0)
		return point == 0xaa || point == 0xb5 || point == 0xba;
	if (point == 0xd7 || point == 0xf7)
		return false;
	/* general punctuation to symbols, CJK punctuation, private use, emoji */
	return !((point >= 0x2000 && point < 0x2c00) || (point >= 0x3000 && point < 0x3005) ||
		 (point >= 0x3008 && point < 0x3021) || (point >= 0xe000 && point < 0xf900) ||
		 (point >= 0xfe00 && point < 0xfe70) || point == 0xfeff || point >= 0x1f000);
}

static uint32_t lower(uint32_t point)
{
	if (point >= 'A' && point <= 'Z')
		return point + 32;
	if ((point >= 0xc0 && point <= 0xde && point != 0xd7) ||
	    (point >= 0x391 && point <= 0x3a9) || (point >= 0x410 && point <= 0x42f))
		return point + 32;
	if (point >= 0x400 && point <= 0x40f)
		return point + 80;
	if (point >= 0x100 && point <= 0x137)
		return point | 1;
	return point;
}

static size_t encode(uint32_t point, char *out)
{
	if (point < 0x80) {
		out[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		out[0] = (char)(0xc0 | point >> 6);
		out[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		out[0] = (char)(0xe0 | point >> 12);
		out[1] = (char)(0x80 | (point >> 6 & 0x3f));
		out[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | point >> 18);
	out[1] = (char)(0x80 | (point >> 12 & 0x3f));
	out[2] = (char)(0x80 | (point >> 6 & 0x3f));
	out[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

/* Lower case, letters, digits, apostrophes and spaces only. */
static size_t clean(const char *caption, char *out)
{
	const unsigned char *text = (const unsigned char *)caption;
	size_t length, used = 0;

	for (; *text != '\0'; text += length) {
		uint32_t point = lower(decode(text, &length));

		if (point == 0x2019)	/* the typographic apostrophe */
			point = '\'';
		if ((point >= 'a' && point <= 'z') || (point >= '0' && point <= '9') ||
		    point == '\'' || (point >= 0x80 && is_letter_beyond_ascii(point)))
			used += encode(point, out + used);
		else
			out[used++] = ' ';
	}
	out[used] = '\0';
	return used;
}

/* "n't" to " not", "'s" to " 's ". */
static void contract(const char *text, char *out)
{
	/* clean() ends the text */
	// NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult)
	while (*text != '\0') {
		if (strncmp(text, "n't", 3) == 0) {
			out = (char *)mempcpy(out, " not", 4);
			text += 3;
		} else if (strncmp(text, "'s", 2) == 0) {
			out = (char *)mempcpy(out, " 's ", 4);
			text += 2;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

int tokenizer_split(const char *caption, char **ret_words)
{
	size_t length = strlen(caption), used = 0;
	char *cleaned, *split, *words, *position = NULL;
	int r = -ENOMEM;

	/* Only contract() lengthens its input, at most twofold. */
	if (length > SIZE_MAX / 4)
		return -ENOMEM;
	cleaned = malloc(length * 2 + 1);
	split = malloc(length * 4 + 1);
	words = malloc(length * 4 + 1);
	if (cleaned == NULL || split == NULL || words == NULL)
		goto out;
	clean(caption, cleaned);
	contract(cleaned, split);
	for (char *word = strtok_r(split, " ", &position); word != NULL;
	     word = strtok_r(NULL, " ", &position)) {
		size_t size = strlen(word);

		if (strcmp(word, "'s") != 0) {
			while (size > 0 && word[size - 1] == '\'')
				size--;
			while (size > 0 && *word == '\'') {
				word++;
				size--;
			}
		}
		if (size == 0)
			continue;
		if (used > 0)
			words[used++] = ' ';
		memcpy(words + used, word, size);
		used += size;
	}
	words[used] = '\0';
	*ret_words = words;
	words = NULL;
	r = 0;
out:
	free(cleaned);
	free(split);
	free(words);
	return r;
}
