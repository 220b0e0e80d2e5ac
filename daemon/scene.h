/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * scene.h: what happens in front of a watched camera, judged by tiny grey
 * pictures.
 *
 * A pure state machine: pictures of SCENE_WIDTH × SCENE_HEIGHT cells come in with
 * their time, and out comes whether the lens is covered, whether the view moves
 * or rests, and whether it differs from the one that was described last. Each
 * picture is brought to the same brightness and contrast before it is compared,
 * so that a cloud, a flickering lamp or the camera's own exposure is no change.
 * "Differs" means the share of cells that differ: a person who comes in fills
 * some cells wholly, where a mean over all would hardly move.
 */
#ifndef DAEMON_SCENE_H
#define DAEMON_SCENE_H

#include <stdbool.h>
#include <stdint.h>

enum { SCENE_WIDTH = 32, SCENE_HEIGHT = 24, SCENE_CELLS = SCENE_WIDTH * SCENE_HEIGHT };

struct scene_settings {
	double motion;		/* share of cells from which on the view moves, 0 to 1 */
	double change;		/* share of cells from which on it is another view */
	unsigned settle_ms;	/* at rest when nothing moved for so long */
	unsigned cover_ms;	/* covered or uncovered when it looks so for so long */
	double cover_brightness;	/* of 255: a covered lens is darker */
	double cover_contrast;	/* standard deviation: and flatter */
};

struct scene {
	struct scene_settings settings;
	float previous[SCENE_CELLS], reference[SCENE_CELLS], current[SCENE_CELLS];
	bool has_previous, has_reference;
	bool covered;
	bool switching;			/* looks other than `covered` says */
	uint64_t switching_since_ms;
	uint64_t moved_ms;		/* when it last moved */
	uint64_t moving_since_ms;
	bool moving;
};

struct scene_view {
	bool covered;
	bool moving;
	bool changed;		/* from what was described last; true when nothing was */
	uint64_t moving_ms;	/* how long it has been moving */
	double motion, change;	/* shares of cells */
};

void scene_init(struct scene *scene, const struct scene_settings *settings);
struct scene_view scene_see(struct scene *scene, const uint8_t grey[SCENE_CELLS], uint64_t now_ms);
/* The picture seen last is the one that is described now. */
void scene_described(struct scene *scene);
/* Whatever comes next counts as changed. */
void scene_forget(struct scene *scene);

#endif
