/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * resampler.h: eSpeak NG's 22,050 Hz turned into the rate a sound card insists
 * on. Runs on the synthesis thread, in front of the ring, so that the audio
 * callback never computes.
 */
#ifndef TTS_RESAMPLER_H
#define TTS_RESAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct resampler;

#define RESAMPLER_BLOCK 4096	/* samples that one call yields at most */

int resampler_new(unsigned from_rate, unsigned to_rate, struct resampler **ret_resampler);
struct resampler *resampler_free(struct resampler *resampler);
/* Takes input from `*samples`, advancing it and `*count`, and yields output that
 * is valid until the next call; returns its length. With `last`, call with no
 * input until it yields none. */
size_t resampler_run(struct resampler *resampler, const int16_t **samples, size_t *count,
		     bool last, const int16_t **ret_output);

#endif
