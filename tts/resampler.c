/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * resampler.c: libsamplerate's streaming converter between two 16-bit ends.
 * The medium sinc converter: its 121 dB lie far beyond what eSpeak NG's 16-bit
 * output holds, at a cost of well under 1 per cent of one processor.
 */
#include "tts/resampler.h"

#include <errno.h>
#include <samplerate.h>
#include <stdlib.h>

struct resampler {
	SRC_STATE *state;
	double ratio;
	float input[RESAMPLER_BLOCK], output[RESAMPLER_BLOCK];
	int16_t samples[RESAMPLER_BLOCK];
};

int resampler_new(unsigned from_rate, unsigned to_rate, struct resampler **ret_resampler)
{
	struct resampler *resampler;
	double ratio = (double)to_rate / from_rate;
	int code;

	if (!from_rate || !src_is_valid_ratio(ratio))
		return -EINVAL;
	resampler = malloc(sizeof(*resampler));
	if (!resampler)
		return -ENOMEM;
	resampler->ratio = ratio;
	resampler->state = src_new(SRC_SINC_MEDIUM_QUALITY, 1, &code);
	if (!resampler->state) {
		free(resampler);
		return -ENOMEM;
	}
	*ret_resampler = resampler;
	return 0;
}

struct resampler *resampler_free(struct resampler *resampler)
{
	if (resampler) {
		src_delete(resampler->state);
		free(resampler);
	}
	return NULL;
}

size_t resampler_run(struct resampler *resampler, const int16_t **samples, size_t *count,
		     bool last, const int16_t **ret_output)
{
	size_t taken = *count < RESAMPLER_BLOCK ? *count : RESAMPLER_BLOCK;
	SRC_DATA data = {
		.data_in = resampler->input,
		.data_out = resampler->output,
		.input_frames = (long)taken,
		.output_frames = RESAMPLER_BLOCK,
		.end_of_input = last && taken == *count,
		.src_ratio = resampler->ratio,
	};

	src_short_to_float_array(*samples, resampler->input, (int)taken);
	if (src_process(resampler->state, &data)) {
		/* only bad arguments fail, and these are ours: drop the block */
		*samples += taken;
		*count -= taken;
		return 0;
	}
	src_float_to_short_array(resampler->output, resampler->samples,
				 (int)data.output_frames_gen);
	*samples += data.input_frames_used;
	*count -= (size_t)data.input_frames_used;
	*ret_output = resampler->samples;
	return (size_t)data.output_frames_gen;
}
