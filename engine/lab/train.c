/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * train.c: the course of a training run: features, vocabulary, then up to three
 * phases over the same parameters: language (captions without photos), captions
 * (cross-entropy) and reward (self-critical training, Rennie 2017, with the mean
 * of a photo's other samples as the baseline, Luo 2020).
 *
 * All randomness of a step comes from a hash of the seed, the phase and the step,
 * so a checkpoint needs no generator's state.
 */
#include <cblas.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/error.h"
#include "engine/gguf.h"
#include "engine/lab/nouns.h"
#include "engine/lab/report.h"
#include "engine/lab/trainer.h"
#include "engine/model.h"
#include "engine/threadpool.h"

enum {
	SHARE_TEXTS = 64,
	CURVE_POINTS = 20,	/* an epoch */
};

double trainer_clock(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static bool stopped(const struct trainer *t)
{
	return t->options->stop != NULL && atomic_load(t->options->stop);
}

/* --- Phases ------------------------------------------------------------------------- */

struct course {
	enum lab_phase phase;
	double epochs, rate;
	size_t items, batch, share;
	size_t epoch_steps, steps;
	double captions;	/* an item stands for */
	const size_t *order;
};

static struct course course_of(const struct trainer *t, enum lab_phase phase)
{
	const struct lab_train_options *o = t->options;
	struct course plan = { .phase = phase, .batch = o->batch, .share = TRAINER_SHARE_PHOTOS,
			     .items = t->train->photo_count, .order = t->order };

	switch (phase) {
	case LAB_PHASE_LANGUAGE:
		plan.epochs = o->language_epochs;
		plan.rate = o->language_rate;
		plan.items = t->text_count;
		plan.batch = o->text_batch;
		plan.share = SHARE_TEXTS;
		plan.captions = 1;
		plan.order = t->text_order;
		break;
	case LAB_PHASE_CAPTIONS:
		plan.epochs = o->caption_epochs;
		plan.rate = o->caption_rate;
		plan.captions = (double)t->train->caption_count / (double)t->train->photo_count;
		break;
	default:
		plan.epochs = o->reward_epochs;
		plan.rate = o->reward_rate;
		plan.captions = o->samples;
	}
	plan.epoch_steps = (plan.items + plan.batch - 1) / plan.batch;
	plan.steps = (size_t)ceil(plan.epochs * (double)plan.epoch_steps);
	return plan;
}

static int add_point(struct trainer *t, const struct course *plan, double score,
		     struct engine_error *error)
{
	struct position *p = &t->position;
	struct history_point point = { .phase = plan->phase, .loss = NAN, .reward = NAN, .score = score };

	if (t->history_count == t->history_room) {
		size_t room = t->history_room == 0 ? 256 : t->history_room * 2;
		struct history_point *grown = reallocarray(t->history, room, sizeof(*grown));

		if (grown == NULL)
			return engine_fail_memory(error);
		t->history = grown;
		t->history_room = room;
	}
	point.epoch = (double)p->step / (double)plan->epoch_steps;
	if (p->count > 0) {
		if (plan->phase == LAB_PHASE_REWARD)
			point.reward = p->reward_sum / p->count;
		else
			point.loss = p->loss_sum / p->count;
	}
	p->loss_sum = p->reward_sum = p->count = 0;
	t->history[t->history_count++] = point;
	return 0;
}

static void show(struct trainer *t, const struct course *plan, double rate, double score)
{
	const struct lab_train_options *o = t->options;
	struct position *p = &t->position;
	double time = trainer_clock(), spent = time - t->phase_start;
	double done = (double)(p->step - t->phase_first_step);
	struct lab_train_progress progress = {
		.phase = plan->phase, .step = p->step, .steps = plan->steps,
		.epoch = (double)p->step / (double)plan->epoch_steps,
		.learning_rate = rate,
		.captions_per_second = t->shown_captions / (time - t->shown_time + 1e-9),
		.seconds = spent,
		.seconds_left = done > 0 ? spent / done * (double)(plan->steps - p->step) : 0,
		.validated = isfinite(score), .score = score, .best_score = p->best_score,
	};

	if (t->shown_count > 0) {
		progress.loss = t->shown_loss / t->shown_count;
		progress.reward = t->shown_reward / t->shown_count;
	}
	if (o->progress != NULL)
		o->progress(o->user, &progress);
	t->shown_loss = t->shown_reward = t->shown_count = t->shown_captions = 0;
	t->shown_time = time;
}

static int save_model(struct trainer *t, struct engine_error *error)
{
	return decoder_weights_write(t->weights, t->model->file, NULL, t->options->output, error);
}

/* After a validation: remembers the best, tells when to stop early. */
static int consider(struct trainer *t, double score, bool *ret_enough, struct engine_error *error)
{
	struct position *p = &t->position;

	*ret_enough = false;
	if (score > p->best_score) {
		p->best_score = score;
		p->fruitless = 0;
		memcpy(t->best, t->weights->parameters, t->weights->network.value_count * sizeof(float));
		return save_model(t, error);
	}
	p->fruitless++;
	*ret_enough = t->options->patience > 0 && p->fruitless >= t->options->patience;
	return 0;
}

static uint64_t fingerprint(const struct trainer *t)
{
	const struct lab_train_options *o = t->options;
	const double values[] = {
		o->hidden, o->layers, (double)o->decoder, o->minimum_count, o->class_scores, o->mirrored,
		o->language_epochs, o->caption_epochs, o->reward_epochs, o->language_rate,
		o->caption_rate, o->reward_rate, o->final_rate, o->warm_up, o->batch, o->text_batch,
		o->samples, o->sharpness, o->repetition_penalty, o->reward_captions, o->average, o->smoothing, o->dropout, o->feature_noise,
		o->weight_decay, o->clip, o->validations, o->patience, o->init, o->freeze_words,
		(double)t->threads, (double)t->train->photo_count, (double)t->train->caption_count,
		(double)t->text_count, t->val == NULL ? 0 : (double)t->val->photo_count,
	};
	uint64_t value = o->seed;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		uint64_t bits;

		memcpy(&bits, &values[i], sizeof(bits));
		value = random_mix(value, bits, i, 0);
	}
	return value;
}

static int save_checkpoint(struct trainer *t, struct engine_error *error)
{
	const struct checkpoint checkpoint = {
		.fingerprint = fingerprint(t), .position = t->position,
		.parameters = t->weights->parameters, .best = t->best, .average = t->average,
		.optimiser = &t->optimiser, .value_count = t->weights->network.value_count,
		.history = t->history, .history_count = t->history_count,
	};

	t->checkpoint_time = trainer_clock();
	return t->options->checkpoint == NULL ? 0 :
		checkpoint_write(&checkpoint, t->options->checkpoint, error);
}

static size_t count_tokens(const struct trainer *t, const struct course *plan, const size_t *items,
			   size_t count)
{
	size_t tokens = 0;

	/* the reward's scale does not matter to Adam: a typical length */
	if (plan->phase == LAB_PHASE_REWARD)
		return count * t->options->samples * 10;
	for (size_t i = 0; i < count; i++) {
		if (plan->phase == LAB_PHASE_LANGUAGE) {
			tokens += t->texts[items[i]].count + t->texts[items[i]].ended;
		} else {
			const struct dataset_photo *photo = &t->train->photos[items[i]];

			for (size_t k = photo->first; k < photo->first + photo->count; k++)
				tokens += t->train->captions[k].count + t->train->captions[k].ended;
		}
	}
	return tokens;
}

static int run_step(struct trainer *t, const struct course *plan, const size_t *items, size_t count,
		    double rate, struct engine_error *error)
{
	enum { SHARES_MAX = 4096 };
	int results[SHARES_MAX];
	double losses[SHARES_MAX], rewards[SHARES_MAX], loss = 0, reward = 0, norm;
	size_t shares = (count + plan->share - 1) / plan->share;
	struct trainer_step step = {
		.trainer = t, .phase = plan->phase, .items = items, .count = count, .share = plan->share,
		.seed = random_mix(t->options->seed, plan->phase, t->position.step, 2),
		.tokens = count_tokens(t, plan, items, count),
		.results = results, .losses = losses, .rewards = rewards,
	};
	const struct optimiser_options options = {
		.rate = rate, .weight_decay = t->options->weight_decay, .clip = t->options->clip,
	};

	memset(rewards, 0, sizeof(rewards));
	threadpool_run(t->pool, trainer_step_task, &step);
	for (size_t i = 0; i < shares; i++) {
		if (results[i] < 0)
			return engine_fail_memory(error);
		loss += losses[i];
		reward += rewards[i];
	}
	if (t->threads > 1)
		threadpool_run(t->pool, trainer_sum_task, t);
	norm = optimiser_step(&t->optimiser, &t->weights->network, t->weights->parameters,
			      t->workers[0].gradient, &options, t->pool);
	if (!isfinite(norm) || !isfinite(loss))
		return engine_fail(error, -ERANGE,
				   "Training diverged at step %" PRIu64 " of the phase \"%s\". Lower the learning rate.",
				   t->position.step + 1, lab_phase_name(plan->phase));
	trainer_update_average(t);
	reward /= (double)(count * t->options->samples);
	t->position.loss_sum += loss;
	t->position.reward_sum += reward;
	t->position.count++;
	t->shown_loss += loss;
	t->shown_reward += reward;
	t->shown_count++;
	t->shown_captions += (double)count * plan->captions;
	return 0;
}

static int run_phase(struct trainer *t, enum lab_phase phase, struct engine_error *error)
{
	const struct lab_train_options *o = t->options;
	struct course plan = course_of(t, phase);
	struct position *p = &t->position;
	size_t *order = (size_t *)plan.order;
	double every = o->validations > 0 ? (double)plan.epoch_steps / o->validations : INFINITY;
	size_t point_steps = plan.epoch_steps / CURVE_POINTS + 1;
	uint64_t shuffled = UINT64_MAX;
	bool enough = false;
	double rate = 0;
	int r = 0;

	t->phase_start = t->shown_time = trainer_clock();
	t->phase_first_step = p->step;
	while (p->step < plan.steps && !enough) {
		uint64_t epoch = p->step / plan.epoch_steps;
		size_t first = (p->step % plan.epoch_steps) * plan.batch;
		size_t count = plan.items - first < plan.batch ? plan.items - first : plan.batch;
		double before, score = NAN;
		bool due;

		if (stopped(t)) {
			r = save_checkpoint(t, error);
			return r != 0 ? r : engine_fail(error, ENGINE_CANCELLED,
							o->checkpoint == NULL ? "Training was stopped." :
							"Training was stopped; the checkpoint %s goes on with --resume.",
							o->checkpoint);
		}
		if (epoch != shuffled) {
			struct random random;

			for (size_t i = 0; i < plan.items; i++)
				order[i] = i;
			random_seed(&random, random_mix(o->seed, phase, epoch, 3));
			random_shuffle(&random, order, plan.items);
			shuffled = epoch;
		}
		before = trainer_clock();
		rate = optimiser_rate(plan.rate, o->final_rate, p->step, o->warm_up, plan.steps);
		r = run_step(t, &plan, order + first, count, rate, error);
		if (r != 0)
			return r;
		p->step++;
		due = p->step == plan.steps || floor((double)p->step / every) >
			floor((double)(p->step - 1) / every);
		if (due && t->val != NULL && phase != LAB_PHASE_LANGUAGE) {
			trainer_swap_average(t);
			r = trainer_validate(t, &score, error);
			if (r == 0)
				r = consider(t, score, &enough, error);
			trainer_swap_average(t);
		}
		if (r == 0 && (isfinite(score) || p->step % point_steps == 0 || p->step == plan.steps))
			r = add_point(t, &plan, score, error);
		p->seconds += trainer_clock() - before;
		t->phase_seconds[phase] += trainer_clock() - before;
		if (r != 0)
			return r;
		if (isfinite(score) || trainer_clock() - t->shown_time >= o->progress_seconds)
			show(t, &plan, rate, score);
		if (trainer_clock() - t->checkpoint_time >= o->checkpoint_seconds) {
			r = save_checkpoint(t, error);
			if (r != 0)
				return r;
		}
	}
	return 0;
}

static void next_phase(struct trainer *t)
{
	struct position *p = &t->position;
	size_t count = t->weights->network.value_count;

	trainer_swap_average(t);
	/* the next phase starts from the best of this one */
	if (t->val != NULL && p->phase != LAB_PHASE_LANGUAGE && p->best_score >= 0)
		memcpy(t->weights->parameters, t->best, count * sizeof(float));
	if (t->average != NULL)
		memcpy(t->average, t->weights->parameters, count * sizeof(float));
	optimiser_reset(&t->optimiser, count);
	p->phase++;
	p->step = 0;
	p->fruitless = 0;
	p->loss_sum = p->reward_sum = p->count = 0;
}

/* --- The run --------------------------------------------------------------------------- */

static int prepare_run(struct trainer *t, struct engine_error *error)
{
	const struct lexicon *vocabulary = t->weights->vocabulary;
	size_t count = t->weights->network.value_count;
	int r = dataset_open(t->train_set, t->train_records, t->mirrored_records, vocabulary,
			     TRAINER_LONGEST_CAPTION, true, true, &t->train, error);

	if (r == 0 && t->val_set != NULL && t->val_set->photo_count > 0)
		r = dataset_open(t->val_set, t->val_records, NULL, vocabulary, TRAINER_LONGEST_CAPTION, true,
				 false, &t->val, error);
	if (r == 0)
		r = trainer_read_texts(t, vocabulary, error);
	if (r != 0)
		return r;
	t->order = calloc(t->train->photo_count + 1, sizeof(*t->order));
	t->text_order = calloc(t->text_count + 1, sizeof(*t->text_order));
	t->workers = calloc(t->threads, sizeof(*t->workers));
	t->best = malloc(count * sizeof(float));
	if (t->options->average > 0)
		t->average = aligned_alloc(64, (count * sizeof(float) + 63) & ~(size_t)63);
	if (t->val != NULL)
		t->val_captions = calloc(t->val->photo_count, sizeof(*t->val_captions));
	if (t->order == NULL || t->text_order == NULL || t->workers == NULL || t->best == NULL ||
	    (t->val != NULL && t->val_captions == NULL) ||
	    (t->options->average > 0 && t->average == NULL) ||
	    optimiser_init(&t->optimiser, count) < 0)
		return engine_fail_memory(error);
	for (unsigned i = 0; i < t->threads; i++)
		if (trainer_allocate_worker(t, &t->workers[i]) < 0)
			return engine_fail_memory(error);
	if (nouns_number(vocabulary, &t->nouns) < 0)
		return engine_fail_memory(error);
	memcpy(t->best, t->weights->parameters, count * sizeof(float));
	if (t->average != NULL)
		memcpy(t->average, t->weights->parameters, count * sizeof(float));
	t->position = (struct position){ .phase = LAB_PHASE_LANGUAGE, .best_score = -1 };
	return 0;
}

static int resume(struct trainer *t, struct engine_error *error)
{
	struct checkpoint checkpoint = {
		.fingerprint = fingerprint(t), .parameters = t->weights->parameters, .best = t->best,
		.average = t->average, .optimiser = &t->optimiser, .value_count = t->weights->network.value_count,
	};
	int r = checkpoint_read(&checkpoint, t->options->checkpoint, error);

	if (r != 0)
		return r;
	t->position = checkpoint.position;
	t->history = checkpoint.history;
	t->history_count = t->history_room = checkpoint.history_count;
	return 0;
}

static int write_report(struct trainer *t, struct engine_error *error)
{
	struct report report = {
		.options = t->options, .weights = t->weights, .history = t->history,
		.history_count = t->history_count, .best_score = t->position.best_score,
		.validation = t->val, .captions = t->val_captions,
	};
	double score;
	int r = t->val == NULL ? 0 : trainer_validate(t, &score, error);

	memcpy(report.seconds, t->phase_seconds, sizeof(report.seconds));
	return r != 0 ? r : report_write(&report, t->options->report, error);
}

static int train(struct trainer *t, struct engine_error *error)
{
	const struct lab_train_options *o = t->options;
	double score, started = trainer_clock();
	int r = engine_model_open(o->model, &t->model, error);

	if (r == 0)
		r = threadpool_open(t->threads, &t->pool, error);
	if (r == 0)
		r = features_open(t->model, o->cache, &t->features, error);
	if (r == 0)
		r = trainer_read_photos(t, error);
	t->phase_seconds[LAB_PHASE_FEATURES] = trainer_clock() - started;
	if (r == 0)
		r = trainer_make_weights(t, error);
	if (r == 0)
		r = prepare_run(t, error);
	if (r != 0)
		return r;
	if (o->resume) {
		r = resume(t, error);
	} else if (o->init && t->val != NULL) {
		/* the given decoder is the first to beat */
		r = trainer_validate(t, &score, error);
		if (r == 0) {
			bool enough;

			r = consider(t, score, &enough, error);
		}
		if (r == 0 && o->progress != NULL) {
			const struct lab_train_progress progress = {
				.phase = LAB_PHASE_LANGUAGE, .validated = true, .score = score,
				.best_score = score, .note = "The given decoder, before training.",
			};

			o->progress(o->user, &progress);
		}
	}
	t->checkpoint_time = trainer_clock();
	while (r == 0 && t->position.phase < LAB_PHASE_COUNT) {
		r = run_phase(t, (enum lab_phase)t->position.phase, error);
		if (r == 0)
			next_phase(t);
	}
	if (r == 0)
		r = save_model(t, error);
	if (r == 0)
		r = save_checkpoint(t, error);
	if (r == 0 && o->report != NULL)
		r = write_report(t, error);
	return r;
}

static void trainer_clear(struct trainer *t)
{
	for (unsigned i = 0; t->workers != NULL && i < t->threads; i++) {
		network_workspace_free(t->workers[i].workspace);
		free(t->workers[i].gradient);
		free(t->workers[i].features.pool);
		free(t->workers[i].features.grid);
		free(t->workers[i].features.classes);
		free(t->workers[i].sequences);
		free(t->workers[i].samples);
	}
	free(t->workers);
	for (size_t i = 0; i < t->text_count; i++)
		free(t->texts[i].words);
	free(t->texts);
	free(t->order);
	free(t->text_order);
	free(t->best);
	free(t->average);
	free(t->nouns);
	free(t->val_captions);
	free(t->history);
	optimiser_clear(&t->optimiser);
	dataset_free(t->train);
	dataset_free(t->val);
	captions_free(t->train_set);
	captions_free(t->val_set);
	free(t->train_records);
	free(t->mirrored_records);
	free(t->val_records);
	decoder_weights_free(t->weights);
	features_free(t->features);
	threadpool_free(t->pool);
	engine_model_free(t->model);
}

int lab_train(const struct lab_train_options *options, struct engine_error *error)
{
	struct trainer trainer = { .options = options };
	int blas_threads = openblas_get_num_threads();
	int r = trainer_check_options(options, error);

	if (r != 0)
		return r;
	trainer.threads = threadpool_choose(options->threads);
	openblas_set_num_threads(1);
	r = train(&trainer, error);
	openblas_set_num_threads(blas_threads);
	trainer_clear(&trainer);
	return r;
}
