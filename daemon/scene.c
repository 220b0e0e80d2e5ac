/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scene.c: see scene.h. 768 cells, some ten operations each: microseconds. */
#include "daemon/scene.h"

#include <math.h>
#include <string.h>

/* A cell differs when its level, in standard deviations of the picture, moved
 * by more than this. */
static const float cell_step = 0.5f;
/* Flat pictures are not blown up beyond this deviation, so that noise stays small. */
static const double deviation_floor = 12.0;
/* Uncovering must show clearly, or a dark room would flicker between the two. */
static const double uncover_factor = 1.4;

void scene_init(struct scene *scene, const struct scene_settings *settings)
{
	memset(scene, 0, sizeof(*scene));
	scene->settings = *settings;
}

static void measure(const uint8_t *grey, double *ret_mean, double *ret_deviation)
{
	double sum = 0, squares = 0;

	for (int i = 0; i < SCENE_CELLS; i++) {
		sum += grey[i];
		squares += (double)grey[i] * grey[i];
	}
	*ret_mean = sum / SCENE_CELLS;
	*ret_deviation = sqrt(fmax(0, squares / SCENE_CELLS - *ret_mean * *ret_mean));
}

static double share_of_difference(const float *a, const float *b)
{
	unsigned count = 0;

	for (int i = 0; i < SCENE_CELLS; i++)
		count += fabsf(a[i] - b[i]) > cell_step;
	return (double)count / SCENE_CELLS;
}

static void judge_cover(struct scene *scene, double mean, double deviation, uint64_t now_ms)
{
	const struct scene_settings *settings = &scene->settings;
	double factor = scene->covered ? uncover_factor : 1;
	bool dark = mean < settings->cover_brightness * factor &&
		    deviation < settings->cover_contrast * factor;

	if (dark == scene->covered) {
		scene->switching = false;
		return;
	}
	if (!scene->switching) {
		scene->switching = true;
		scene->switching_since_ms = now_ms;
	}
	if (now_ms - scene->switching_since_ms >= settings->cover_ms) {
		scene->covered = dark;
		scene->switching = false;
	}
}

static void judge_motion(struct scene *scene, double motion, uint64_t now_ms)
{
	if (motion > scene->settings.motion) {
		if (!scene->moving) {
			scene->moving = true;
			scene->moving_since_ms = now_ms;
		}
		scene->moved_ms = now_ms;
	} else if (scene->moving && now_ms - scene->moved_ms >= scene->settings.settle_ms) {
		scene->moving = false;
	}
}

struct scene_view scene_see(struct scene *scene, const uint8_t grey[SCENE_CELLS], uint64_t now_ms)
{
	struct scene_view view = { 0 };
	double mean, deviation, scale;

	measure(grey, &mean, &deviation);
	scale = 1 / fmax(deviation, deviation_floor);
	for (int i = 0; i < SCENE_CELLS; i++)
		scene->current[i] = (float)((grey[i] - mean) * scale);
	if (!scene->has_previous) {
		/* nobody knows yet whether it moves: it has to prove that it rests */
		scene->moving = true;
		scene->moved_ms = scene->moving_since_ms = now_ms;
	} else {
		view.motion = share_of_difference(scene->current, scene->previous);
	}
	judge_cover(scene, mean, deviation, now_ms);
	judge_motion(scene, view.motion, now_ms);
	view.change = scene->has_reference ?
			      share_of_difference(scene->current, scene->reference) : 1;
	view.covered = scene->covered;
	view.moving = scene->moving;
	view.moving_ms = scene->moving ? now_ms - scene->moving_since_ms : 0;
	view.changed = view.change > scene->settings.change;
	memcpy(scene->previous, scene->current, sizeof(scene->previous));
	scene->has_previous = true;
	return view;
}

void scene_described(struct scene *scene)
{
	memcpy(scene->reference, scene->current, sizeof(scene->reference));
	scene->has_reference = true;
}

void scene_forget(struct scene *scene)
{
	scene->has_reference = false;
}
