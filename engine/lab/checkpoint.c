/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * checkpoint.c: a header, the arrays, the curves. The file is this program's
 * own and machine-dependent; what is meant to travel is the model.
 */
#include "engine/lab/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/error.h"

#define HISTORY_MAX 1000000u

static const char magic[8] = "DESCRYC1";

struct header {
	char magic[8];
	uint64_t fingerprint, value_count, optimiser_steps, history_count;
	struct position position;
};

int checkpoint_write(const struct checkpoint *checkpoint, const char *path,
		     struct engine_error *error)
{
	struct header header = {
		.fingerprint = checkpoint->fingerprint,
		.value_count = checkpoint->value_count,
		.optimiser_steps = checkpoint->optimiser->steps,
		.history_count = checkpoint->history_count,
		.position = checkpoint->position,
	};
	const float *arrays[] = { checkpoint->parameters, checkpoint->best,
				  checkpoint->optimiser->mean, checkpoint->optimiser->square,
				  checkpoint->average };
	size_t array_count = checkpoint->average != NULL ? 5 : 4;
	char *part;
	FILE *file;
	bool good;
	int code;

	memcpy(header.magic, magic, sizeof(magic));
	if (asprintf(&part, "%s.part", path) < 0)
		return engine_fail_memory(error);
	file = fopen(part, "we");
	good = file != NULL && fwrite(&header, sizeof(header), 1, file) == 1;
	for (size_t i = 0; i < array_count && good; i++)
		good = fwrite(arrays[i], sizeof(float), checkpoint->value_count, file) ==
			checkpoint->value_count;
	good = good && fwrite(checkpoint->history, sizeof(*checkpoint->history),
			      checkpoint->history_count, file) == checkpoint->history_count;
	good = good && fflush(file) == 0 && fsync(fileno(file)) == 0;
	code = errno;
	if (file != NULL && fclose(file) != 0 && good) {
		good = false;
		code = errno;
	}
	if (good && rename(part, path) < 0) {
		good = false;
		code = errno;
	}
	if (!good)
		unlink(part);
	free(part);
	return good ? 0 : engine_fail(error, code == 0 ? -EIO : -code,
				      "The checkpoint %s cannot be written: %s.", path, strerror(code));
}

int checkpoint_read(struct checkpoint *checkpoint, const char *path, struct engine_error *error)
{
	float *arrays[] = { checkpoint->parameters, checkpoint->best, checkpoint->optimiser->mean,
			    checkpoint->optimiser->square, checkpoint->average };
	size_t array_count = checkpoint->average != NULL ? 5 : 4;
	struct history_point *history = NULL;
	struct header header;
	FILE *file = fopen(path, "re");
	bool good = true;
	int r = 0;

	if (file == NULL)
		return engine_fail(error, -errno, "The checkpoint %s cannot be opened: %s.", path,
				   strerror(errno));
	if (fread(&header, sizeof(header), 1, file) != 1 ||
	    memcmp(header.magic, magic, sizeof(magic)) != 0 || header.history_count > HISTORY_MAX) {
		r = engine_fail(error, -EINVAL, "%s is not a checkpoint of this program.", path);
		goto out;
	}
	if (header.fingerprint != checkpoint->fingerprint ||
	    header.value_count != checkpoint->value_count) {
		r = engine_fail(error, -EINVAL,
				"The checkpoint %s belongs to a run with other options, captions or model. Repeat that run's command with --resume, or start anew without.",
				path);
		goto out;
	}
	history = calloc(header.history_count + 1, sizeof(*history));
	if (history == NULL) {
		r = engine_fail_memory(error);
		goto out;
	}
	for (size_t i = 0; i < array_count && good; i++)
		good = fread(arrays[i], sizeof(float), header.value_count, file) == header.value_count;
	good = good && fread(history, sizeof(*history), header.history_count, file) ==
		header.history_count;
	if (!good) {
		r = engine_fail(error, -EINVAL, "The checkpoint %s is cut short.", path);
		goto out;
	}
	checkpoint->position = header.position;
	checkpoint->optimiser->steps = header.optimiser_steps;
	checkpoint->history = history;
	checkpoint->history_count = header.history_count;
	history = NULL;
out:
	free(history);
	fclose(file);
	return r;
}
