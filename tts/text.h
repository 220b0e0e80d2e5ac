/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * text.h: what comes from outside made safe to hand to eSpeak NG, which gives
 * meaning to control characters (embedded commands) and reads to the first NUL.
 */
#ifndef TTS_TEXT_H
#define TTS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define TEXT_BYTES_LIMIT 65536u

/* Copies `text` to `clean`, which holds at least as many bytes: white space of
 * every kind becomes one space, ends are trimmed, other control, formatting and
 * private characters and malformed UTF-8 are dropped. False when nothing is left. */
bool text_clean(const char *text, char *clean);

#endif
