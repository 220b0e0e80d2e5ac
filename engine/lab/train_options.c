/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * train_options.c: the values that a run has unless others are asked for, and
 * those that no run can have.
 */
#include <errno.h>
#include <string.h>

#include "engine/error.h"
#include "engine/lab/trainer.h"

const char *lab_phase_name(enum lab_phase phase)
{
	static const char *const names[] = { "features", "language", "captions", "reward" };

	return names[phase];
}

void lab_train_defaults(struct lab_train_options *ret_options)
{
	*ret_options = (struct lab_train_options){
		.decoder = LAB_DECODER_ATTENTION,
		.hidden = 512,
		.layers = 1,
		.minimum_count = 5,
		.caption_epochs = 12,
		.language_rate = 4e-4,
		.caption_rate = 4e-4,
		.reward_rate = 5e-5,
		.final_rate = 0.05,
		.warm_up = 100,
		.batch = 32,
		.text_batch = 256,
		.samples = 5,
		.sharpness = 1.5,
		.smoothing = 0.1,
		.dropout = 0.3,
		.clip = 5,
		.seed = 1,
		.validations = 1,
		.patience = 6,
		.problem_share = 0.01,
		.checkpoint_seconds = 300,
		.progress_seconds = 30,
	};
}

int lab_train_preset(const char *name, struct lab_train_options *options,
		     struct engine_error *error)
{
	if (strcmp(name, "original") != 0)
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "There is no preset \"%s\"; the only one is \"original\".", name);
	options->decoder = LAB_DECODER_LSTM;
	options->layers = 4;
	options->hidden = 256;
	options->smoothing = 0;
	options->weight_decay = 0;
	options->language_epochs = 0;
	options->reward_epochs = 0;
	return 0;
}

int trainer_check_options(const struct lab_train_options *o, struct engine_error *error)
{
	if (o->captions == NULL || o->images == NULL || o->model == NULL || o->output == NULL ||
	    o->cache == NULL)
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "Training needs a caption file, a photo folder, a model, a place for the features and a name for the result.");
	if (o->batch < 1 || o->batch > 4096 || o->text_batch < 1 || o->text_batch > 16384)
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "A batch must have 1 to 4096 photos or 1 to 16384 texts.");
	if (o->samples < 2 || o->samples > TRAINER_SAMPLES_MAX)
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "The reward needs 2 to %d samples of each photo.", TRAINER_SAMPLES_MAX);
	if (!(o->sharpness > 0 && o->sharpness <= 100))
		return engine_fail(error, ENGINE_BAD_OPTION, "The sharpness must be above 0, at most 100.");
	if (!(o->dropout >= 0 && o->dropout < 0.9) || !(o->smoothing >= 0 && o->smoothing < 1) ||
	    !(o->feature_noise >= 0 && o->feature_noise <= 1))
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "Dropout must be from 0 to 0.9, label smoothing below 1, feature noise at most 1.");
	if (!(o->average >= 0 && o->average < 1) || !(o->reward_captions >= 0 && o->reward_captions <= 1))
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "The average must keep a share from 0 to below 1, and the captions' part beside the reward be at most 1.");
	if (o->resume && o->checkpoint == NULL)
		return engine_fail(error, ENGINE_BAD_OPTION, "To resume, name the checkpoint.");
	if (o->language_epochs > 0 && o->text_count == 0)
		return engine_fail(error, ENGINE_BAD_OPTION,
				   "Pretraining of the language needs a file of captions without photos.");
	return 0;
}
