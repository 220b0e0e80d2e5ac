/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wav.c: 16-bit mono through libsndfile. The header is brought up to date with
 * every write, so that the file can be played even if the program is killed.
 */
#include "tts/wav.h"

#include <errno.h>
#include <fcntl.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct wav {
	SNDFILE *file;
};

int wav_open(const char *path, unsigned rate, struct wav **ret_wav, struct tts_error *error)
{
	SF_INFO info = {
		.samplerate = (int)rate,
		.channels = 1,
		.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16,
	};
	struct wav *wav = malloc(sizeof(*wav));
	int descriptor, r;

	if (!wav)
		return -ENOMEM;
	descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (descriptor < 0) {
		r = -errno;
		if (error)
			snprintf(error->message, sizeof(error->message),
				 "%.300s: cannot be written: %s.", path, strerror(-r));
		free(wav);
		return r;
	}
	wav->file = sf_open_fd(descriptor, SFM_WRITE, &info, SF_TRUE);
	if (!wav->file) {
		if (error)
			snprintf(error->message, sizeof(error->message),
				 "%.300s: cannot be written as a WAV file: %.100s", path,
				 sf_strerror(NULL));
		free(wav);
		return -EIO;
	}
	sf_command(wav->file, SFC_SET_UPDATE_HEADER_AUTO, NULL, SF_TRUE);
	*ret_wav = wav;
	return 0;
}

int wav_write(struct wav *wav, const int16_t *samples, size_t count)
{
	return sf_write_short(wav->file, samples, (sf_count_t)count) == (sf_count_t)count ? 0 : -EIO;
}

struct wav *wav_close(struct wav *wav)
{
	if (wav) {
		sf_close(wav->file);
		free(wav);
	}
	return NULL;
}
