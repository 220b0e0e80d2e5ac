/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sentence.h: makes a sentence for a speech synthesiser out of a caption's
 * lower-case words.
 */
#ifndef ENGINE_SENTENCE_H
#define ENGINE_SENTENCE_H

#include "engine/limits.h"

#include <stdbool.h>
#include <stddef.h>

/* Every word with a blank or hyphen, a full stop and the NUL. */
#define SENTENCE_BYTES (LIMIT_WORDS * (LIMIT_WORD_BYTES + 1) + 2)

/* "a man 's t shirt" → "A man's t-shirt." Writes at most SENTENCE_BYTES.
 * `count` is at most LIMIT_WORDS. A sentence that is not complete because it was
 * cut off loses the words that lead nowhere ("… standing next to a"). */
void sentence_write(const char *const *words, size_t count, bool complete,
		    char ret_sentence[SENTENCE_BYTES]);

#endif
