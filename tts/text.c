/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * text.c: a strict UTF-8 decoder and the short list of what is not speech.
 */
#include "tts/text.h"

#include <stdint.h>
#include <string.h>

/* Decodes one character; returns its length, 0 when the bytes are not UTF-8
 * (overlong, surrogate, beyond U+10FFFF or cut short). */
static size_t decode(const unsigned char *bytes, uint32_t *ret_character)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t character;
	size_t length;

	if (bytes[0] < 0x80)
		length = 1, character = bytes[0];
	else if ((bytes[0] & 0xe0) == 0xc0)
		length = 2, character = bytes[0] & 0x1f;
	else if ((bytes[0] & 0xf0) == 0xe0)
		length = 3, character = bytes[0] & 0x0f;
	else if ((bytes[0] & 0xf8) == 0xf0)
		length = 4, character = bytes[0] & 0x07;
	else
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (bytes[i] & 0x3f);
	}
	if (character < least[length] || character > 0x10ffff ||
	    (character >= 0xd800 && character <= 0xdfff))
		return 0;
	*ret_character = character;
	return length;
}

static bool is_space(uint32_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
	       c == 0x205f || c == 0x3000;
}

/* Zero-width joiners stay: several scripts are written with them. */
static bool is_silent(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x200b || c == 0x200e ||
	       c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
	       (c >= 0xe000 && c <= 0xf8ff) || (c >= 0xfff0 && c <= 0xffff) || c == 0xfeff ||
	       (c >= 0xe0000 && c <= 0xe0fff) || c >= 0xf0000;
}

bool text_clean(const char *text, char *clean)
{
	const unsigned char *bytes = (const unsigned char *)text;
	char *out = clean;
	bool space = false;

	while (*bytes) {
		uint32_t character;
		size_t length = decode(bytes, &character);

		if (!length) {
			bytes++;
			continue;
		}
		if (is_space(character)) {
			space = true;
		} else if (!is_silent(character)) {
			if (space && out != clean)
				*out++ = ' ';
			space = false;
			memcpy(out, bytes, length);
			out += length;
		}
		bytes += length;
	}
	*out = '\0';
	return out != clean;
}
