/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wav.h: a WAV file in the place of the sound card. It gets the samples that
 * would have been played, unpaced.
 */
#ifndef TTS_WAV_H
#define TTS_WAV_H

#include "tts/tts.h"

struct wav;

int wav_open(const char *path, unsigned rate, struct wav **ret_wav, struct tts_error *error);
/* 0, or a negative errno when the disk took less than everything. */
int wav_write(struct wav *wav, const int16_t *samples, size_t count);
/* Completes the header. */
struct wav *wav_close(struct wav *wav);

#endif
