/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sounds.h: the short sounds that say what words would say too slowly. They
 * are synthesised, not stored: a few sine partials under a decaying envelope,
 * so that they exist at any sample rate and weigh nothing.
 */
#ifndef TTS_SOUNDS_H
#define TTS_SOUNDS_H

#include "tts/tts.h"

/* Writes the sound at `rate` samples a second and returns its length. With
 * `samples` NULL only the length is returned. -EINVAL for no such sound. */
long sounds_render(enum tts_sound sound, unsigned rate, int16_t *samples, size_t capacity);

#endif
