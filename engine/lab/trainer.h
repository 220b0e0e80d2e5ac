/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * trainer.h: a training run as its parts see it. The parts are train_options.c
 * (what may be asked for), train_material.c (photos, captions, vocabulary, first
 * parameters), train_minibatch.c (loss and gradient of a step),
 * train_validation.c (what the parameters are worth) and train.c (the course of
 * the run). Private to them.
 */
#ifndef LAB_TRAINER_H
#define LAB_TRAINER_H

#include "engine/lab/checkpoint.h"
#include "engine/lab/dataset.h"
#include "engine/lab/lab.h"
#include "engine/threadpool.h"

enum {
	TRAINER_SHARE_PHOTOS = 16,	/* that a thread takes at a time */
	TRAINER_SAMPLES_MAX = 32,
	TRAINER_LONGEST_CAPTION = 30,
};

/* What one thread works with. */
struct worker {
	struct network_workspace *workspace;
	float *gradient;
	struct feature_arrays features;		/* of TRAINER_SHARE_PHOTOS photos */
	struct network_sequence *sequences;
	size_t sequence_room;
	struct sampled_caption *samples;
};

struct trainer {
	const struct lab_train_options *options;
	struct engine_model *model;
	struct features *features;
	struct caption_set *train_set, *val_set;
	uint32_t *train_records, *mirrored_records, *val_records;
	struct dataset *train, *val;
	struct dataset_caption *texts;
	size_t text_count;
	struct decoder_weights *weights;
	float *best;
	float *average;			/* running mean of the parameters, or NULL */
	int32_t *nouns;			/* of each word: which noun it is a form of, or 0 */
	struct optimiser optimiser;
	struct threadpool *pool;
	unsigned threads;
	struct worker *workers;
	struct sampled_caption *val_captions;
	size_t *order, *text_order;

	struct position position;
	struct history_point *history;
	size_t history_count, history_room;
	double phase_seconds[LAB_PHASE_COUNT];

	/* for progress lines only */
	double shown_loss, shown_reward, shown_count, shown_captions;
	double shown_time, phase_start, checkpoint_time;
	size_t phase_first_step;
};

/* Seconds of a clock that only goes forward. */
double trainer_clock(void);
/* Passes a sentence on to the one who watches. */
void trainer_note(struct trainer *t, const char *sentence);

int trainer_check_options(const struct lab_train_options *options, struct engine_error *error);

/* Photos, their captions and features, for training and validation. */
int trainer_read_photos(struct trainer *t, struct engine_error *error);
/* Captions without photos. */
int trainer_read_texts(struct trainer *t, const struct lexicon *vocabulary,
		       struct engine_error *error);
/* The parameters to start from, with their vocabulary. */
int trainer_make_weights(struct trainer *t, struct engine_error *error);

struct trainer_step {
	struct trainer *trainer;
	enum lab_phase phase;
	const size_t *items;	/* photos or texts */
	size_t count, share;
	uint64_t seed;
	size_t tokens;		/* of the whole step, for the mean */
	int *results;		/* of each share */
	double *losses, *rewards;
};

int trainer_allocate_worker(struct trainer *t, struct worker *worker);
/* For threadpool_run: the thread's shares of a step (a struct trainer_step), then, with
 * the trainer, the sum of all threads' gradients. */
void trainer_step_task(void *argument, unsigned index, unsigned count);
void trainer_sum_task(void *argument, unsigned index, unsigned count);

/* CIDEr-D of greedy captions: the mean of the sources' own scores. */
int trainer_validate(struct trainer *t, double *ret_score, struct engine_error *error);
/* Takes the latest parameters into their running mean, if there is one. */
void trainer_update_average(struct trainer *t);
/* Exchanges the parameters with their running mean, if there is one. */
void trainer_swap_average(struct trainer *t);

#endif
