/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * watch.c: see watch.h.
 *
 * One timer leads from glance to glance; between the timer and the camera's
 * answer there is one source_take(). The budget of processor time grows with the
 * clock at the rate of the duty and is charged at each glance with what the
 * daemon and the worker have really used since the last one, captions that
 * others asked for included: the bound is on the whole, so it holds.
 *
 * What fails is said once and tried again after 1, 2, 4 and then every 5
 * seconds; that it works again is said too.
 */
#include "daemon/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/frame.h"
#include "daemon/log.h"
#include "daemon/meaning.h"
#include "daemon/phrase.h"
#include "daemon/scene.h"

enum {
	retry_first_ms = 1000,
	retry_limit_ms = 5000,
	budget_span_ms = 5000,	/* unused duty of so long is kept for later */
	postpone_limit_ms = 60000,
};

struct watch {
	struct watch_options options;
	const struct config *config;
	bool on;
	char *camera;		/* asked for, or NULL */
	unsigned pause;		/* asked for, or 0 */
	struct source *source;
	struct loop_source *timer;
	struct source_request *request;
	struct scene scene;
	struct scene_view view;

	uint64_t ticket;	/* of the caption at work, or 0 */
	bool terse, owes_full;	/* it is for a moving view; the last one was */
	uint64_t next_caption_ms;
	struct meaning spoken;
	char spoken_text[512];

	unsigned retry_ms;	/* 0: all is well */
	char trouble[512];

	double budget_ms, duty;
	uint64_t budget_at_ms;
	double own_ms, worker_ms;	/* the clocks at the last charge */
	pid_t worker;

	uint64_t started_ms;
	double used_ms;
	unsigned glances, captions, sentences;
};

/* --- processor time ------------------------------------------------------- */

static double clock_ms(clockid_t clock)
{
	struct timespec time;

	if (clock_gettime(clock, &time))
		return 0;
	return (double)time.tv_sec * 1000 + (double)time.tv_nsec / 1e6;
}

static double worker_clock_ms(pid_t pid)
{
	clockid_t clock;

	return pid > 0 && clock_getcpuclockid(pid, &clock) == 0 ? clock_ms(clock) : 0;
}

static void charge(struct watch *watch)
{
	uint64_t now = loop_now();
	pid_t worker = worker_pid(jobs_worker(watch->options.jobs));
	double own = clock_ms(CLOCK_PROCESS_CPUTIME_ID), others = worker_clock_ms(worker);
	double used = own - watch->own_ms;
	double most = watch->duty * budget_span_ms;

	if (worker == watch->worker && others > watch->worker_ms)
		used += others - watch->worker_ms;
	watch->budget_ms += (double)(now - watch->budget_at_ms) * watch->duty - used;
	if (watch->budget_ms > most)
		watch->budget_ms = most;
	watch->used_ms += used;
	watch->budget_at_ms = now;
	watch->own_ms = own;
	watch->worker_ms = others;
	watch->worker = worker;
}

static void open_account(struct watch *watch)
{
	watch->started_ms = watch->budget_at_ms = loop_now();
	watch->budget_ms = watch->used_ms = 0;
	watch->own_ms = clock_ms(CLOCK_PROCESS_CPUTIME_ID);
	watch->worker = worker_pid(jobs_worker(watch->options.jobs));
	watch->worker_ms = worker_clock_ms(watch->worker);
}

/* --- speaking ------------------------------------------------------------- */

static void say(struct watch *watch, const char *text, enum tts_priority priority)
{
	struct failure failure;

	if (speech_say(watch->options.speech, text, priority, NULL, &failure))
		log_debug("%s", failure.message);
}

static void meaning_of(json_t *details, struct meaning *ret_meaning)
{
	json_t *word;
	size_t i;

	ret_meaning->count = 0;
	json_array_foreach(json_object_get(details, "words"), i, word) {
		const char *stem = json_string_value(json_object_get(word, "stem"));

		if (stem)
			meaning_add(ret_meaning, stem,
				    json_number_value(json_object_get(word, "probability")));
	}
}

/* Sentences that describe nothing (a lens that is dirty, a view too dark) have no
 * content words and are compared as they stand. */
static bool is_news(const struct watch *watch, const char *text, const struct meaning *meaning)
{
	if (!*watch->spoken_text)
		return true;
	if (!strcmp(text, watch->spoken_text))
		return false;
	return !meaning->count ||
	       meaning_similarity(meaning, &watch->spoken) < watch->config->watch_similarity;
}

static void tell(struct watch *watch, const struct job_outcome *outcome)
{
	char *full = phrase_caption(outcome->caption, outcome->details, VERBOSITY_NORMAL);
	/* without what is said of its doubt, which has no place in a few words */
	const char *sentence =
		json_string_value(json_object_get(outcome->details, "sentence"));
	struct meaning meaning;
	char text[sizeof(watch->spoken_text)];

	if (!full)
		return;
	if (watch->terse)
		meaning_shorten(sentence ? sentence : outcome->caption, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%s", full);
	free(full);
	meaning_of(outcome->details, &meaning);
	if (!is_news(watch, text, &meaning))
		return;
	/* somebody else's words are not talked over, nor are ours queued behind them */
	if (speech_speaking(watch->options.speech))
		return;
	watch->spoken = meaning;
	snprintf(watch->spoken_text, sizeof(watch->spoken_text), "%s", text);
	watch->sentences++;
	say(watch, text, TTS_IDLE);
}

/* --- captions ------------------------------------------------------------- */

static unsigned pause_ms(const struct watch *watch)
{
	return (watch->pause ? watch->pause : watch->config->watch_pause) * 1000;
}

/* Not described, or described so that nobody should rely on it. */
static bool is_refused(json_t *details)
{
	const char *band = json_string_value(json_object_get(details, "band"));

	return phrase_refused(details) || (band && !strcmp(band, "refused"));
}

static void described(void *data, uint64_t ticket, const struct job_outcome *outcome)
{
	struct watch *watch = data;

	if (ticket != watch->ticket)
		return;
	watch->ticket = 0;
	if (!watch->on)
		return;
	if (!outcome->failure && watch->terse && is_refused(outcome->details)) {
		/* blurred because it moves: that is no news */
		watch->owes_full = true;
	} else if (!outcome->failure) {
		watch->owes_full = watch->terse;
		tell(watch, outcome);
	} else if (outcome->failure->kind == FAILURE_CANCELLED) {
		/* a request by key came between: what is seen is still to be told */
		scene_forget(&watch->scene);
	} else if (strcmp(outcome->failure->message, watch->trouble)) {
		snprintf(watch->trouble, sizeof(watch->trouble), "%s", outcome->failure->message);
		say(watch, watch->trouble, TTS_NEXT);
	}
}

static void ask(struct watch *watch, const struct frame *frame)
{
	struct job_request job = { .picture = -1, .done = described, .data = watch };
	struct failure failure;
	char label[128];
	json_t *layout;

	if (frame_to_memfd(frame, &job.picture))
		return;
	snprintf(label, sizeof(label), "watch:%.100s", source_settings(watch->source)->name);
	layout = look_layout(frame);
	job.source = label;
	job.options = watch->options.job_options(watch->options.data);
	json_object_update(job.options, layout);
	watch->terse = watch->view.moving;
	if (jobs_submit(watch->options.jobs, &job, &watch->ticket, &failure)) {
		close(job.picture);
		watch->ticket = 0;
	} else {
		watch->captions++;
		watch->next_caption_ms = loop_now() + pause_ms(watch);
		scene_described(&watch->scene);
	}
	json_decref(layout);
	json_decref(job.options);
}

static bool worth_telling(const struct watch *watch)
{
	const struct scene_view *view = &watch->view;

	if (view->covered || watch->ticket || watch->budget_ms < 0 ||
	    loop_now() < watch->next_caption_ms || jobs_busy(watch->options.jobs) ||
	    speech_speaking(watch->options.speech))
		return false;
	if (view->moving)
		return view->changed && view->moving_ms >= watch->config->watch_moving;
	return view->changed || watch->owes_full;
}

/* --- glances -------------------------------------------------------------- */

static void glance(void *data);

static void plan(struct watch *watch, uint64_t delay_ms)
{
	double postponed;

	charge(watch);
	postponed = watch->budget_ms < 0 ? -watch->budget_ms / watch->duty : 0;
	if (postponed > postpone_limit_ms)
		postponed = postpone_limit_ms;
	if ((double)delay_ms < postponed)
		delay_ms = (uint64_t)postponed;
	loop_start_timer(watch->timer, delay_ms, 0);
}

static void recover(struct watch *watch)
{
	if (!watch->retry_ms)
		return;
	watch->retry_ms = 0;
	*watch->trouble = 0;
	scene_forget(&watch->scene);
	log_info("watching: the camera works again");
	speech_play(watch->options.speech, TTS_SOUND_RESUME);
	say(watch, "The camera works again.", TTS_NEXT);
}

static void stumble(struct watch *watch, const struct source_error *error)
{
	if (strcmp(watch->trouble, error->message)) {
		snprintf(watch->trouble, sizeof(watch->trouble), "%s", error->message);
		speech_play(watch->options.speech, TTS_SOUND_ERROR);
		say(watch, watch->trouble, TTS_NEXT);
	}
	watch->retry_ms = !watch->retry_ms ? retry_first_ms :
			  watch->retry_ms * 2 > retry_limit_ms ? retry_limit_ms :
								  watch->retry_ms * 2;
	plan(watch, watch->retry_ms);
}

static void judge(struct watch *watch, const struct frame *frame)
{
	uint8_t grey[SCENE_CELLS];
	bool covered = watch->view.covered;

	if (frame_shrink(frame, SCENE_WIDTH, SCENE_HEIGHT, grey))
		return;
	watch->glances++;
	watch->view = scene_see(&watch->scene, grey, loop_now());
	if (watch->view.covered != covered) {
		log_info("watching: the lens is %s", covered ? "free again" : "covered");
		speech_play(watch->options.speech,
			    covered ? TTS_SOUND_RESUME : TTS_SOUND_PAUSE);
	}
	charge(watch);
	if (worth_telling(watch))
		ask(watch, frame);
}

static void glanced(void *data, const struct frame *frame, const struct source_error *error)
{
	struct watch *watch = data;

	watch->request = NULL;
	if (error) {
		stumble(watch, error);
		return;
	}
	recover(watch);
	judge(watch, frame);
	plan(watch, watch->config->watch_check * (watch->view.covered ? 2u : 1u));
}

static void glance(void *data)
{
	struct watch *watch = data;

	if (source_take(watch->source, frame_clock(), glanced, watch, &watch->request))
		plan(watch, retry_limit_ms);
}

/* --- on and off ----------------------------------------------------------- */

static void halt(struct watch *watch)
{
	uint64_t ticket = watch->ticket;

	loop_stop_timer(watch->timer);
	watch->request = source_cancel(watch->request);
	if (watch->source)
		source_keep(watch->source, false);
	watch->source = NULL;
	watch->ticket = 0;
	if (ticket)
		jobs_cancel(watch->options.jobs, ticket, NULL);
}

static int begin(struct watch *watch, struct failure *failure)
{
	const struct config *config = watch->config;
	const struct scene_settings settings = {
		.motion = config->watch_motion, .change = config->watch_change,
		.settle_ms = config->watch_settle, .cover_ms = config->watch_cover,
		.cover_brightness = config->watch_cover_brightness,
		.cover_contrast = config->watch_cover_contrast,
	};
	const char *camera = watch->camera ? watch->camera : config->watch_camera;
	struct source *source = look_camera(watch->options.look, camera, failure);

	if (!source)
		return 1;
	watch->source = source;
	source_keep(source, true);
	scene_init(&watch->scene, &settings);
	watch->view = (struct scene_view){ 0 };
	watch->duty = config->watch_duty / 100.0;
	watch->next_caption_ms = 0;
	watch->owes_full = false;
	watch->retry_ms = 0;
	*watch->trouble = 0;
	open_account(watch);
	loop_start_timer(watch->timer, 0, 0);
	return 0;
}

static void set_on(struct watch *watch, bool on)
{
	if (watch->on == on)
		return;
	watch->on = on;
	watch->options.on_changed(watch->options.data, on);
}

int watch_start(struct watch *watch, const char *camera, unsigned pause, struct failure *failure)
{
	char *name = NULL;

	if (camera && *camera && !(name = strdup(camera)))
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	if (watch->source)
		halt(watch);
	free(watch->camera);
	watch->camera = name;
	watch->pause = pause;
	watch->glances = watch->captions = watch->sentences = 0;
	watch->spoken.count = 0;
	*watch->spoken_text = 0;
	if (begin(watch, failure)) {
		set_on(watch, false);
		return 1;
	}
	set_on(watch, true);
	return 0;
}

void watch_stop(struct watch *watch)
{
	if (!watch->on)
		return;
	halt(watch);
	set_on(watch, false);
}

bool watch_on(const struct watch *watch)
{
	return watch->on;
}

void watch_yield(struct watch *watch)
{
	if (watch->ticket)
		jobs_cancel(watch->options.jobs, watch->ticket, NULL);
	watch->next_caption_ms = loop_now() + pause_ms(watch);
}

int watch_open(const struct watch_options *options, const struct config *config,
	       struct watch **ret_watch)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	watch->options = *options;
	watch->config = config;
	r = loop_add_timer(options->loop, glance, watch, &watch->timer);
	if (r) {
		free(watch);
		return r;
	}
	*ret_watch = watch;
	return 0;
}

struct watch *watch_free(struct watch *watch)
{
	if (!watch)
		return NULL;
	watch->ticket = 0;
	if (watch->source)
		halt(watch);
	loop_source_free(watch->timer);
	free(watch->camera);
	free(watch);
	return NULL;
}

void watch_pause(struct watch *watch)
{
	if (watch->source)
		halt(watch);
}

void watch_configure(struct watch *watch, const struct config *config)
{
	struct failure failure;

	watch->config = config;
	if (watch->on && !watch->source && begin(watch, &failure)) {
		log_warning("%s", failure.message);
		watch_stop(watch);
	}
}

json_t *watch_status(const struct watch *watch)
{
	double seconds = (double)(loop_now() - watch->started_ms) / 1000;

	if (!watch->on)
		return NULL;
	return json_pack("{s:s, s:f, s:f, s:i, s:i, s:i, s:b, s:b, s:s}", "camera",
			 watch->source ? source_settings(watch->source)->name : "", "seconds",
			 seconds, "duty",
			 seconds > 0 ? watch->used_ms / seconds / 10 : 0.0, "glances",
			 (int)watch->glances, "captions", (int)watch->captions, "sentences",
			 (int)watch->sentences, "covered", watch->view.covered, "moving",
			 watch->view.moving, "trouble", watch->trouble);
}
